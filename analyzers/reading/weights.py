"""The saved tensors of a file: which array belongs to which layer and role.

A ``.keras`` file keeps each layer's variables by number under a group named after its class; an
``.h5`` file keeps them by name under a group named after the layer, a nested model's all in one.
Where the table of variables does not fit what a layer's group holds, roles are taken from the file's
own names, and the layer's tensors are not used to place optimizer state.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from analyzers.errors import InputError
from analyzers.reading import layouts, variables
from analyzers.reading.architecture import Saved
from analyzers.reading.hdf5 import Tree
from analyzers.reading.layouts import Era, Layout
from analyzers.reading.objects import class_name, snake_case
from analyzers.reading.plain import shown, sub_config
from analyzers.reading.unshaped import Kernels
from analyzers.reading.variables import Variable
from analyzers.spec.weights import Array, TensorInfo

NOT_WEIGHTS: Final = re.compile(r"(^|/)(seed_generator|state_?var\w*|random_generator)(/|$|:)", re.IGNORECASE)
"""Random state that some versions save beside the weights."""

_OLD_ROOT: Final = "_layer_checkpoint_dependencies"
"""What the first versions of the format called ``layers``."""

_ROLE_NAMES: Final = frozenset(
    {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "recurrent_kernel", "embeddings",
     "depthwise_kernel", "pointwise_kernel", "mean", "variance", "count", "alpha", "scale"}
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One array of the tree.

    Attributes:
        dataset: its path.
        shape: its shape.
        name: its name in the file (``.h5`` only).
        place: numbers of its group and of itself in the group, in the file's order (``.h5`` only).
    """

    dataset: str
    shape: tuple[int, ...]
    name: str = ""
    place: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Stored:
    """One tensor and where it lies.

    Attributes:
        info: the tensor.
        parts: the arrays in the tree that it is made of: mostly one.
        trainable: whether the optimizer updated it; None where that is not known.
        layout: how it is made of them.
    """

    info: TensorInfo
    parts: tuple[Part, ...]
    trainable: bool | None = None
    layout: Layout = layouts.PLAIN

    def load(self, tree: Tree) -> Array:
        """The tensor's values."""
        return self.layout.arrange([tree.read(part.dataset) for part in self.parts])


@dataclass(frozen=True)
class Hdf5Weights:
    """The tensors of an open HDF5 file; see :class:`analyzers.spec.Weights`."""

    tree: Tree = field(repr=False)
    places: Mapping[TensorInfo, Stored] = field(repr=False)
    tensors: Sequence[TensorInfo]
    slots: Sequence[TensorInfo]
    slot_problem: str | None

    def load(self, tensor: TensorInfo) -> Array:
        """The values of one tensor.

        Raises:
            KeyError: the tensor is not one of this view's.
        """
        return self.places[tensor].load(self.tree)


def view(tree: Tree, weights: Sequence[Stored], slots: Sequence[Stored], problem: str | None) -> Hdf5Weights:
    """The weights of a file out of its placed tensors."""
    places = {one.info: one for one in (*weights, *slots)}
    if len(places) != len(weights) + len(slots):
        raise InputError("corrupt-file", "two saved tensors have one layer and role")
    return Hdf5Weights(tree, places, tuple(s.info for s in weights), tuple(s.info for s in slots), problem)


def stored(tree: Tree, layer: str, role: str, part: Part, *, trainable: bool | None = None) -> Stored:
    """A tensor that is one array of the tree as it lies there."""
    info = TensorInfo(layer, role, part.shape, tree.datasets[part.dataset].dtype.name)
    return Stored(info, (part,), trainable)


# --- .keras -----------------------------------------------------------------------------------------


def from_archive(tree: Tree, saved: Sequence[Saved]) -> list[Stored]:
    """The tensors of a ``.keras`` file's ``model.weights.h5``, in the file's order of layers."""
    root = _OLD_ROOT if _OLD_ROOT in tree.groups else "layers"
    owned: dict[str, dict[str, list[str]]] = {}
    layers = list(_groups(saved, root))
    paths = {group for _, group in layers}
    for path in tree.datasets:
        part, _, number = path.rpartition("/vars/")
        if number.isdigit() and (owner := _owner(part, paths)) and not NOT_WEIGHTS.search(part, len(owner)):
            owned.setdefault(owner, {}).setdefault(part, []).append(path)
    return [one for layer, group in layers for one in _numbered(tree, layer, group, owned.get(group, {}))]


def _owner(part: str, groups: Container[str]) -> str:
    """The layer's group that a group of variables lies in, empty where there is none."""
    while part and part not in groups:
        part = part.rpartition("/")[0]
    return part


def _groups(saved: Sequence[Saved], root: str) -> Iterator[tuple[Saved, str]]:
    """Every layer of a list with its group: its class name in snake case, numbered."""
    used: dict[str, int] = {}
    for one in saved:
        if one.operation or one.implied:
            continue
        base = snake_case(one.written.rpartition(".")[2])
        number = used[base] = used.get(base, -1) + 1
        group = f"{root}/{base}_{number}" if number else f"{root}/{base}"
        if one.members:
            if one.written == "RNN":
                yield from _cells(one.members, f"{group}/cell/cells")
                continue
            inside = "layer/layers" if one.written == "TimeDistributed" else "layers"
            yield from _groups(one.members, f"{group}/{inside}")
        else:
            yield one, group


def _cells(members: Sequence[Saved], root: str) -> Iterator[tuple[Saved, str]]:
    """The recurrent layers that a stack of cells is read as, each with its cell's group."""
    used: dict[str, int] = {}
    for one in members[1:]:  # the first is the sequence's own input
        cell = sub_config(one.item).get("cell")
        base = snake_case(class_name(cell if isinstance(cell, dict) else {}))
        number = used[base] = used.get(base, -1) + 1
        yield one, f"{root}/{base}_{number}" if number else f"{root}/{base}"


def _numbered(tree: Tree, one: Saved, group: str, held: dict[str, list[str]]) -> Iterator[Stored]:
    """One layer's tensors: by the table where its counts fit, else by the groups' own names.

    ``held`` has the arrays ``vars/0``, ``vars/1`` ... of every group of the layer.
    """
    for paths in held.values():
        paths.sort(key=lambda path: int(path.rpartition("/")[2]))
    expected = variables.of(one.layer.kind, one.layer.config) if one.layer.known else None
    if expected is not None:
        by_group: dict[str, list[Variable]] = {}
        for variable in expected:
            part = variable.group
            if one.layer.kind == "TimeDistributed" and one.written != "TimeDistributed":
                part = part.removeprefix("layer").removeprefix("/")  # the file wraps the whole model instead
            by_group.setdefault(_found(held, group, part), []).append(variable)
        if {path: len(paths) for path, paths in held.items()} == {
            path: len(v) for path, v in by_group.items()
        }:
            placed = {v: held[path][i] for path, listed in by_group.items() for i, v in enumerate(listed)}
            for variable in expected:
                if variable.again:
                    continue
                trains = variable.trainable and one.layer.trainable
                yield stored(
                    tree, one.layer.path, variable.role, _part(tree, placed[variable]), trainable=trains
                )
            return
    for path, paths in held.items():
        part = path[len(group) + 1 :]
        for number, dataset in enumerate(paths):
            role = f"{part}/{number}" if part else str(number)
            yield stored(tree, one.layer.path, role, _part(tree, dataset))


def _part(tree: Tree, dataset: str) -> Part:
    return Part(dataset, tree.datasets[dataset].shape)


def _found(held: Mapping[str, list[str]], group: str, part: str) -> str:
    """The group of a layer's part; tf.keras 2 named some with an underscore first."""
    path = f"{group}/{part}" if part else group
    private = f"{group}/_{part}"
    return private if path not in held and private in held else path


# --- .h5 --------------------------------------------------------------------------------------------


def root(tree: Tree) -> str:
    """The group that holds an ``.h5`` file's weights."""
    return "model_weights" if "model_weights" in tree.groups else ""


def first_shapes(tree: Tree) -> Kernels:
    """The shapes of the first arrays of the layers of an ``.h5`` file."""
    above = root(tree)

    def shape(layer: str) -> tuple[int, ...] | None:
        group = f"{above}/{layer}".strip("/")
        names = tree.names(group, "weight_names") if group in tree.groups else ()
        array = tree.datasets.get(f"{group}/{names[0]}") if names else None
        return None if array is None else array.shape

    return shape


def from_legacy(tree: Tree, saved: Sequence[Saved], era: Era) -> list[Stored]:
    """The tensors of an ``.h5`` file, in the file's order of layers."""
    above = root(tree)
    found: list[Stored] = []
    held = set(tree.names(above, "layer_names"))
    for number, one in enumerate(saved):
        if one.name in held and not one.operation and not one.implied:
            found += _named(tree, one, f"{above}/{one.name}".strip("/"), era, number)
    return found


@dataclass(frozen=True)
class _Expected:
    """A variable that an ``.h5`` group should hold."""

    layer: str
    role: str
    trains: bool
    layout: Layout = layouts.PLAIN


def _named(tree: Tree, one: Saved, group: str, era: Era, number: int) -> list[Stored]:
    """The tensors of one top-level layer or model, whose group is that ``number`` in the file."""
    if group not in tree.groups:
        raise InputError("corrupt-file", f"the weights of layer {shown(one.name)} are missing")
    names = [name for name in tree.names(group, "weight_names") if not NOT_WEIGHTS.search(name)]
    if not names:
        return []
    arrays = [_array(tree, one, f"{group}/{name}", name, (number, at)) for at, name in enumerate(names)]
    expected = _expected(one, era)
    if expected is not None:
        expected = [e for e in expected if e.trains] + [e for e in expected if not e.trains]
        places = _places(expected)
        if sum(map(len, places)) == len(names) and _agree(expected, [names[p[0]] for p in places]):
            return [
                _composed(tree, e, [arrays[place] for place in taken])
                for e, taken in zip(expected, places, strict=True)
            ]
    return list(_by_name(tree, one, arrays))


def _array(tree: Tree, one: Saved, path: str, name: str, place: tuple[int, int]) -> Part:
    if path not in tree.datasets:
        raise InputError("corrupt-file", f"the array {shown(name)} of {shown(one.name)} is missing")
    return Part(path, tree.datasets[path].shape, name, place)


def _composed(tree: Tree, one: _Expected, parts: Sequence[Part]) -> Stored:
    """The tensor of a variable out of its arrays.

    Raises:
        InputError: the arrays' shapes do not fit the layout.
    """
    dtype = tree.datasets[parts[0].dataset].dtype
    shape = parts[0].shape
    if one.layout is not layouts.PLAIN:
        blanks = [np.broadcast_to(np.zeros((), dtype), part.shape) for part in parts]
        try:
            shape = one.layout.arrange(blanks).shape
        except (ValueError, IndexError):
            raise InputError("corrupt-file", f"the arrays of {shown(one.layer)} do not fit it") from None
    return Stored(TensorInfo(one.layer, one.role, shape, dtype.name), tuple(parts), one.trains, one.layout)


def _places(expected: Sequence[_Expected]) -> list[tuple[int, ...]]:
    """Which of a group's arrays, by number, each variable is made of."""
    places: list[tuple[int, ...]] = []
    after = start = 0
    layer = None
    for one in expected:
        if one.layer != layer:
            layer, start = one.layer, after
        taken = (after,) if one.layout.take is None else tuple(start + place for place in one.layout.take)
        after += len(taken)
        places.append(taken)
    return places


def _expected(one: Saved, era: Era, above: bool = True) -> list[_Expected] | None:
    """The variables under one layer, in creation order; None where a table does not tell.

    Keras 3 asks each variable whether it trains, and the outermost model; tf.keras asks every model
    on the way.
    """
    trains = above and one.layer.trainable
    if not one.layer.known:
        return None
    if one.members:
        found: list[_Expected] = []
        for member in one.members:
            inner = _expected(member, era, trains if era.legacy or not above else above)
            if inner is None:
                return None
            found += inner
        return found if one.layer.trainable else [replace(e, trains=False) for e in found]
    own = variables.of(one.layer.kind, one.layer.config)
    if own is None:
        return None
    own = [variable for variable in own if not variable.again]
    lying = layouts.of(one.item, era) if era.legacy else None
    if lying is None or len(lying) < len(own):
        lying = [layouts.PLAIN] * len(own)
    return [
        _Expected(one.layer.path, v.role, trains and v.trainable, layout)
        for v, layout in zip(own, lying, strict=False)
    ]


def base_name(name: str) -> str:
    """A variable's own name: ``dense_1/kernel_2:0`` gives ``kernel``."""
    last = name.rpartition("/")[2].partition(":")[0]
    return last if last in _ROLE_NAMES else re.sub(r"_\d+$", "", last)


def _agree(expected: Iterable[_Expected], names: Iterable[str]) -> bool:
    """Whether no name says another role than the one expected at its place."""
    for one, name in zip(expected, names, strict=True):
        base, role = base_name(name), one.role.rpartition("/")[2]
        if base in _ROLE_NAMES and base != role and not (role == "kernel" and base == "depthwise_kernel"):
            return False
    return True


def _by_name(tree: Tree, one: Saved, arrays: Sequence[Part]) -> Iterator[Stored]:
    """Tensors under the roles that their own names say, each with the nested layer that it names."""
    owners = {member.name: member for member in one.walk()}
    taken: set[tuple[str, str]] = set()
    for part in arrays:
        words = part.name.partition(":")[0].split("/")
        owner = next((owners[word] for word in reversed(words[:-1]) if word in owners), one)
        role = base = base_name(part.name) or "variable"
        number = 1
        while (owner.layer.path, role) in taken:
            number += 1
            role = f"{base}_{number}"
        taken.add((owner.layer.path, role))
        yield stored(tree, owner.layer.path, role, part)
