"""Weights without a graph: ``save_weights`` of every Keras, and whole models that are a Python subclass.

Layers are what the names say; roles are taken from the names, or from the number and shapes of a layer's
arrays where they leave no choice.  There is no graph, and nothing is said about one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from analyzers.reading import variables
from analyzers.reading.hdf5 import Tree
from analyzers.reading.objects import snake_case
from analyzers.reading.signatures import LAYERS
from analyzers.reading.weights import NOT_WEIGHTS, Part, Stored, base_name, root, stored
from analyzers.spec.model import LayerSpec, ModelSpec

PROBLEM: Final = "the file holds weights without an architecture: what the layer computes is not known"
SUBCLASS: Final = (
    "the model is a Python subclass, whose graph is not in the file: what the layer computes is not known"
)
KIND: Final = "Unknown"

_FIRST_ROLES: Final[dict[str, str]] = {
    "W": "kernel",
    "U": "recurrent_kernel",
    "b": "bias",
    "running_mean": "moving_mean",
    "running_std": "moving_variance",
    **{role: role for role in ("gamma", "beta", "alphas")},
    **{f"{part}_{gate}": f"{role}_{gate}" for part, role in (("W", "kernel"), ("U", "recurrent_kernel"), ("b", "bias"))
       for gate in "icfozrh"},
}  # fmt: skip
"""End of a weight's name in Keras 1 -> its role; the gates of recurrent layers are kept apart."""

_CLASSES: Final[dict[str, str]] = {snake_case(kind): kind for kind in LAYERS}
"""Group name of a ``.weights.h5`` file, without its number -> the class that Keras names so."""


def is_bare(tree: Tree) -> bool:
    """Whether a file without a config holds weights of Keras."""
    return bool(tree.names(root(tree), "layer_names")) or any(map(_NUMBERED.search, tree.datasets))


_NUMBERED: Final = re.compile(r"(^|/)vars/\d+$")
_OPTIMIZER: Final = re.compile(r"_?optimizer/")
_METRICS: Final = re.compile(r"_?metrics/[^/]+/vars/")
"""What tf.keras saves beside the layers of a compiled model."""


def read(tree: Tree, *, problem: str = PROBLEM) -> tuple[ModelSpec, list[Stored], str | None]:
    """The layers that the names tell, their tensors, and why optimizer state could not be mapped.

    Args:
        tree: the weights.
        problem: why nothing is known of the layers but their weights.
    """
    tensors = list(_named(tree, root(tree))) or list(_numbered(tree))
    state = any(map(_OPTIMIZER.match, tree.datasets))
    unmapped = "the file does not say which optimizer wrote its state" if state else None
    layers = tuple(
        LayerSpec(path.replace("/", "__"), KIND, {}, (), path=path, known=False, problem=problem)
        for path in dict.fromkeys(one.info.layer for one in tensors)
    )
    return ModelSpec("weights", "functional", layers, (), ()), tensors, unmapped


def _named(tree: Tree, above: str) -> Iterator[Stored]:
    """The tensors of Keras 1, 2 and tf.keras 2: groups named after layers, arrays by name."""
    for layer in tree.names(above, "layer_names"):
        group = f"{above}/{layer}".strip("/")
        names = [name for name in tree.names(group, "weight_names") if not NOT_WEIGHTS.search(name)]
        split = [_scope_and_role(name) for name in names]
        several = len({scope for scope, _ in split}) > 1
        taken: set[tuple[str, str]] = set()
        for name, (scope, role) in zip(names, split, strict=True):
            path = f"{group}/{name}"
            if path not in tree.datasets:
                continue
            owner = f"{layer}/{scope}" if several and scope else layer
            part = Part(path, tree.datasets[path].shape, name)
            yield stored(tree, owner, _free(taken, owner, role), part)


def _scope_and_role(name: str) -> tuple[str, str]:
    """The layer and the role that a weight's name says: ``dense_1/kernel:0``, or ``dense_1_W`` in Keras 1."""
    scope, _, last = name.partition(":")[0].rpartition("/")
    for end, role in _FIRST_ROLES.items():
        if last.endswith(f"_{end}"):
            return last.removesuffix(f"_{end}"), role
    return scope.partition("/")[0], base_name(name) or "variable"


def _numbered(tree: Tree) -> Iterator[Stored]:
    """The tensors of Keras 3: groups by structure, arrays by number."""
    groups: dict[str, list[str]] = {}
    for path in tree.datasets:
        group = _NUMBERED.sub("", path)
        beside = _OPTIMIZER.match(path) or _METRICS.match(path) or NOT_WEIGHTS.search(path)
        if group != path and not beside:
            groups.setdefault(group, []).append(path)
    taken: set[tuple[str, str]] = set()
    for group, paths in groups.items():
        paths.sort(key=lambda path: int(path.rpartition("/")[2]))
        owner = group.removeprefix("layers/").replace("/layers/", "/").removesuffix("/cell") or "model"
        shapes = [tree.datasets[path].shape for path in paths]
        for path, shape, role in zip(paths, shapes, _roles(owner, shapes), strict=True):
            yield stored(tree, owner, _free(taken, owner, role), Part(path, shape))


def _roles(owner: str, shapes: Sequence[tuple[int, ...]]) -> list[str]:
    """The roles of a layer's arrays in creation order; their numbers where they are not certain."""
    kind = _CLASSES.get(re.sub(r"_\d+$", "", owner.rpartition("/")[2]))
    expected = variables.of(kind, {}) if kind is not None else None
    if expected and len(expected) == len(shapes):
        return [variable.role for variable in expected]
    if len(shapes) == 2 and len(shapes[0]) > 1 and shapes[1] == shapes[0][-1:]:
        return ["kernel", "bias"]
    return [str(number) for number in range(len(shapes))]


def _free(taken: set[tuple[str, str]], owner: str, role: str) -> str:
    number, free = 1, role
    while (owner, free) in taken:
        number += 1
        free = f"{role}_{number}"
    taken.add((owner, free))
    return free
