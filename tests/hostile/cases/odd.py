"""Files that are good, however odd they look: they must be served like any other, and do no harm in a report."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import h5py
import numpy as np

from tests.hostile.case import Case, Served, made
from tests.hostile.files import (
    COMPILED,
    DENSE,
    INPUT,
    Json,
    archive,
    called,
    changed,
    entered,
    graph,
    hdf5,
    inputs,
    layer,
    model,
    sequential,
    weights,
)

ESCAPE: Final = "\x1b[2J\x1b]0;pwned\x07\x9b31m"
BIDI: Final = "\u202etxt.exe\u2066\u200b\ufeff"
MARKUP: Final = "</script><img src=x onerror=alert(1)>'\"`{{7*7}}${7*7}"
NAMES: Final[dict[str, str]] = {
    "HTML": MARKUP,
    "SQL": "'; DROP TABLE jobs; --",
    "terminal escapes": ESCAPE,
    "bidirectional overrides": BIDI,
    "lone surrogates": "\ud800a\udfff",
    "three megabytes": "n" * 3_000_000,
    "slashes and dots": "../../etc/passwd",
    "backslashes": "..\\..\\windows",
    "a line break": "a\r\nSet-Cookie: b",
    "a zero": "a\x00b",
    "Markdown": "[x](javascript:alert(1)) @everyone ![](http://127.0.0.1/)",
    "a workflow command": "::error file=a::b ##[group]x",
    "a format": "{0.__class__} %s %n",
    "emoji": "👩\u200d👩\u200d👧",
    "nothing": " ",
}


def _named(name: str) -> bytes:
    """A model, a layer, a class of the author's, a loss and a metric of this name, as far as a config may be long."""
    settings = {**COMPILED, "loss": name, "metrics": [name]} if len(name) < 2**20 else COMPILED
    unknown = {"class_name": name, "config": {"name": f"{name}!"}}
    config = sequential(INPUT, changed(DENSE, name=name), unknown)
    config["config"]["name"] = name
    return archive({**config, "compile_config": settings})


def _named_legacy(name: str) -> bytes:
    config = {"class_name": "Sequential", "config": {"name": name, "layers": [
        {"class_name": "Dense", "config": {"name": name, "batch_input_shape": [None, 3], "units": 2, "activation": name}}]}}  # fmt: skip
    return hdf5(config, training={"loss": name, "optimizer_config": {"class_name": name, "config": {}}})


def _filled(value: Any) -> bytes:
    def fill(file: h5py.File) -> None:
        file["layers/dense/vars/0"][...] = value

    return archive(stored=weights(fill))


def _half() -> bytes:
    def fill(file: h5py.File) -> None:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = np.ones((3, 2), ">f8")

    return archive(stored=weights(fill))


def _future() -> Json:
    return {
        **changed(DENSE, quantum=True, kernel_initializer={"class_name": "Tomorrow", "config": {}}),
        "build_config": {"x": 1},
        "soul": [],
    }


CASES: Final[tuple[Case, ...]] = (
    *(Case(f"names with {what}", made(partial(_named, name)), Served()) for what, name in NAMES.items()),
    *(Case(f"legacy names with {what}", made(partial(_named_legacy, name)), Served()) for what, name in NAMES.items()
      if what not in ("three megabytes", "a zero")),
    Case("weights that are not numbers", made(lambda: _filled(np.nan)), Served("non-finite-weights")),
    Case("weights of 1e38", made(lambda: _filled(1e38)), Served()),
    Case("weights of another byte order", made(_half), Served()),
    Case("input of open shape", made(lambda: model(inputs(None, None, 3), layer("GlobalAveragePooling2D", "g"), layer(
        "Dense", "d", units=2))), Served()),
    Case("input of nothing known", made(lambda: archive(graph(entered(changed(INPUT, batch_shape=[None, None])), called(
        layer("Rescaling", "d", scale=2.0), "x")))), Served()),
    Case("a dimension of zero", made(lambda: model(inputs(0, 3), layer("Flatten", "f"))), Served()),
    Case("text input", made(lambda: model(inputs(1, dtype="string"), layer("Identity", "i"))), Served()),
    Case("only an input", made(lambda: archive(graph(entered(), output="x"))), Served()),
    Case("version from the future", made(lambda: archive(version="9.99.9")), Served()),
    Case("version that is none", made(lambda: archive(version="dev+né")), Served()),
    Case("version from the past in .h5", made(lambda: hdf5(version="0.3.1")), Served()),
    Case("arguments from the future", made(lambda: archive(sequential(INPUT, _future()))), Served()),
    Case("optimizer from the future", made(lambda: archive({**sequential(INPUT, DENSE), "compile_config": {
        **COMPILED, "optimizer": {"module": "keras.optimizers", "class_name": "Tomorrow", "config": {"learning_rate": 1.0}}}})), Served()),
    Case("assets", made(lambda: archive(members={"assets/words/vocabulary.txt": b"a\nb\n"})), Served()),
    Case("sixteen outputs of one tensor", made(lambda: archive(graph(entered(), called(DENSE, "x"), output_layers=[["d", 0, 0]] * 16))),
         Served()),
)  # fmt: skip
