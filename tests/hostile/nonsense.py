"""JSON documents inside model files, damaged at a random place with a value that breaks something."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from random import Random
from typing import Any, Final

import h5py

NONSENSE: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, 2**31, 2**53, -(2**63), 10**18, "", "x", "relu", "Dense", "\x00",
    "\ud800", "\u202e", "a/b", "a>b", "²", "9" * 5000, "é" * 300, [], [[]], [None], [0], [-1], [2**31, 2**31], ["x", 0, 0],
    ["x", 0, 0, {}], [None, None, None, None], [True, False], {}, {"class_name": "Dense"}, {"config": []},
    {"class_name": "Dense", "config": None}, {"class_name": ["Dense"], "config": {}}, {"class_name": "__tuple__", "items": 3},
    {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}, {"class_name": "function", "config": "relu"},
    {"class_name": "__lambda__", "config": {"value": "4wA="}}, {"class_name": "__numpy__", "config": {"value": [1, [2]]}},
    {"module": "os", "class_name": "system", "config": "true"}, {"type": "ndarray", "value": [1.0]},
)  # fmt: skip
"""What is put in place of a value."""


def nonsense(document: Any, random: Random) -> Any:
    """A copy of a JSON value in which one to three places are replaced, removed, doubled or exchanged."""
    value = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        places = list(_places(value))
        if not places:
            return copy.deepcopy(random.choice(NONSENSE))
        holder, key = random.choice(places)
        deed = random.randrange(6)
        if deed == 0:
            del holder[key]
        elif deed == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif deed == 2:
            other, there = random.choice(places)
            holder[key] = copy.deepcopy(other[there])
        elif deed == 3 and isinstance(holder, dict):
            holder[random.choice(("name", "class_name", "config", "layers", "dtype", "x"))] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(random.choice(NONSENSE))
    return value


def _places(value: Any) -> Any:
    """Every (container, key) of a JSON value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def damaged(content: bytes, random: Random) -> bytes:
    """A model file with nonsense in one of its JSON documents."""
    return _archive(content, random) if content.startswith(b"PK") else _hdf5(content, random)


def _archive(content: bytes, random: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    chosen = random.choice(["config.json"] * 9 + ["metadata.json"])
    members[chosen] = json.dumps(nonsense(json.loads(members[chosen]), random)).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return buffer.getvalue()


def _hdf5(content: bytes, random: Random) -> bytes:
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        there = [name for name in ("model_config", "training_config") if name in file.attrs]
        chosen = random.choice(there or ["model_config"])
        written = file.attrs.get(chosen, "{}")
        document = json.loads(written if isinstance(written, str) else written.decode())
        file.attrs[chosen] = json.dumps(nonsense(document, random))
    return buffer.getvalue()
