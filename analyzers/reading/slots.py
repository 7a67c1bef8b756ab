"""Optimizer state: which saved array is which slot of which weight.

The exact rules are measured (FORMATS.md, "Reading optimizer slots").  Whatever does not fit the
model's trainable weights, shape by shape, is refused with a reason; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from analyzers.reading.hdf5 import Tree
from analyzers.reading.slot_names import flat, label, owner
from analyzers.reading.weights import Part, Stored
from analyzers.spec.model import ObjectSpec
from analyzers.spec.weights import TensorInfo

_GROUPS: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "Adam": (("momentum", "velocity"),),
    "AdamW": (("momentum", "velocity"),),
    "Nadam": (("momentum", "velocity"),),
    "Lamb": (("momentum", "velocity"),),
    "ScheduleFreeAdamW": (("momentum", "velocity"),),
    "Adamax": (("momentum", "norm"),),
    "Adagrad": (("accumulator",),),
    "Adadelta": (("accumulated_grad", "accumulated_delta_var"),),
    "Ftrl": (("accumulator", "linear"),),
    "Lion": (("momentum",),),
    "Muon": (("momentum", "velocity"),),
    "RMSprop": (("velocity",),),
    "SGD": (),
}
"""Optimizer -> its slots in the order of creation; those of one tuple alternate weight by weight."""

_OPTIONAL: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "Adam": (("amsgrad", "velocity_hat"),),
    "AdamW": (("amsgrad", "velocity_hat"),),
    "RMSprop": (("momentum", "momentum"), ("centered", "average_gradient")),
    "SGD": (("momentum", "momentum"),),
}
"""Optimizer -> (setting, slot that exists when the setting is not zero or false), after those above."""

_SOME: Final = ("Muon", "velocity")
"""Optimizer and slot that it keeps for some weights only: those that Adam updates in its place."""

_KERAS2: Final[dict[str, tuple[str, ...]]] = {
    "Adam": ("momentum", "velocity"),
    "Nadam": ("momentum", "velocity"),
    "Adamax": ("momentum", "norm"),
    "Adagrad": ("accumulator",),
    "Adadelta": ("accumulated_grad", "accumulated_delta_var"),
    "RMSprop": ("velocity",),
    "SGD": ("momentum",),
}
"""Optimizer -> slots of Keras 2, whose arrays carry no names: all of the first, all of the second."""

_RATES: Final = frozenset({"learning_rate", "current_learning_rate", "lr"})
_COUNTERS: Final = frozenset({"iteration", "iterations", "iter"})
_LOSS_SCALE: Final = frozenset({"step_counter", "dynamic_scale", "good_steps", "current_loss_scale"})
_MATRIX: Final = 2
MAX_UNKNOWN: Final = 512
"""Weights of a layer that is not known, of which those that were trained are looked for."""
_SORTED_UNTIL: Final = (2, 0, 5)
"""Last Keras version whose slots follow the weights sorted by name."""


@dataclass(frozen=True)
class OptimizerState:
    """What a file holds of its optimizer.

    Attributes:
        slots: every slot, mapped; empty when there are none or ``problem`` is set.
        problem: why arrays that are there could not be mapped.
        steps: updates taken.
        rate: learning rate variable.
    """

    slots: tuple[Stored, ...] = ()
    problem: str | None = None
    steps: int | None = None
    rate: float | None = None


@dataclass(frozen=True)
class _Saved:
    """One saved optimizer array."""

    dataset: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def counts(self) -> bool:
        """Whether it is a whole number."""
        return self.shape == () and self.dtype.kind in "iu"


def from_archive(
    tree: Tree, weights: Sequence[Stored], optimizer: ObjectSpec | None, *, rate_saved: bool
) -> OptimizerState:
    """The optimizer state of a ``.keras`` file: ``optimizer/vars/0``, ``1`` ..., without names.

    ``rate_saved`` says that the rate is a variable: in Keras 3, where no schedule is set.
    """
    root = next(
        (r for r in ("optimizer/inner_optimizer/vars", "optimizer/vars") if f"{r}/0" in tree.datasets), None
    )
    if root is None:
        return OptimizerState()
    paths = [
        path for path in tree.datasets if path.startswith(f"{root}/") and path.rpartition("/")[2].isdigit()
    ]
    paths.sort(key=lambda path: int(path.rpartition("/")[2]))
    saved = [_Saved(path, "", tree.datasets[path].shape, tree.datasets[path].dtype) for path in paths]
    steps, rate, rest = _scalars(tree, saved, rate_saved)
    if not rest:
        return OptimizerState(steps=steps, rate=rate)
    layout = _layout(optimizer)
    if layout is None:
        kind = optimizer.kind if optimizer else "unknown"
        problem = f"the order of the state of a {kind} optimizer is not known"
        return OptimizerState(problem=problem, steps=steps, rate=rate)

    def numbered(weights: Sequence[Stored]) -> OptimizerState:
        """The state, when the optimizer updated these weights."""
        trained = _pieces(weights)
        expected = [
            (one, slot)
            for group in layout
            for one in trained
            for slot in group
            if _kept(optimizer, one, slot)
        ]
        nadam = len(rest) == len(expected) + 1 and rest[-1].shape == ()  # its product of momenta
        return _matched(expected, rest[:-1] if nadam else rest, steps, rate)

    return _only(weights, numbered, steps, rate)


@dataclass(frozen=True)
class _Piece:
    """One array of a trained weight: optimizers keep a slot for each of them."""

    weight: Stored
    number: int

    @property
    def part(self) -> Part:
        """The array."""
        return self.weight.parts[self.number]


def _kept(optimizer: ObjectSpec | None, piece: _Piece, slot: str) -> bool:
    """Whether an optimizer keeps that slot for a weight (``keras.optimizers.Muon._should_use_adamw``)."""
    if optimizer is None or (optimizer.kind, slot) != _SOME or len(piece.part.shape) != _MATRIX:
        return True
    info = piece.weight.info
    embedded = "embedding" in f"{info.layer}/{info.role}".lower()
    return embedded and optimizer.config.get("exclude_embeddings") is not False


def _pieces(weights: Sequence[Stored]) -> list[_Piece]:
    """The arrays of every weight that the optimizer updated, in the file's order."""
    found = [_Piece(one, number) for one in weights if one.trainable for number in range(len(one.parts))]
    return sorted(found, key=lambda piece: piece.part.place)


def _scalars(
    tree: Tree, saved: Sequence[_Saved], rate_saved: bool
) -> tuple[int | None, float | None, Sequence[_Saved]]:
    """Step counter and learning rate from the front of unnamed state; a schedule has no rate variable."""
    steps = rate = None
    rest = list(saved)
    if rest and rest[0].counts:
        steps = int(tree.read(rest.pop(0).dataset))
    if rest and rest[0].shape == () and rate_saved:
        rate = float(tree.read(rest.pop(0).dataset))
    return steps, rate, rest


def _layout(optimizer: ObjectSpec | None) -> tuple[tuple[str, ...], ...] | None:
    """The slots that a Keras 3 optimizer of these settings creates, in order."""
    if optimizer is None or optimizer.kind not in _GROUPS:
        return None
    config = optimizer.config
    if config.get("exclude_layers"):  # Muon's patterns for names that are not all in the file
        return None
    before = [("average",)] if config.get("use_ema") else []
    before += [("gradient_accumulator",)] if config.get("gradient_accumulation_steps") else []
    after = [(slot,) for setting, slot in _OPTIONAL.get(optimizer.kind, ()) if config.get(setting)]
    return (*before, *_GROUPS[optimizer.kind], *after)


def _only(
    weights: Sequence[Stored],
    state: Callable[[Sequence[Stored]], OptimizerState],
    steps: int | None,
    rate: float | None,
) -> OptimizerState:
    """The state, where what the file says of the weights leaves one way to place it."""
    unknown = [one for one in weights if one.trainable is None]
    if not unknown:
        return state(weights)
    fitting = [found for found in map(state, _settled(weights, unknown)) if found.problem is None]
    if len(fitting) == 1:
        return fitting[0]
    problem = f"the variables of layer {unknown[0].info.layer!r} are not known"
    return OptimizerState(problem=problem, steps=steps, rate=rate)


def _settled(weights: Sequence[Stored], unknown: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Every way to tell which weights of one group the optimizer updated: Keras keeps those before the others.

    Of several groups, and of one whose parts lie apart, the order is not known.
    """
    if len({_group(one) for one in unknown}) > 1 or len(unknown) > MAX_UNKNOWN:
        return
    for count in range(len(unknown) + 1):
        trained = {one.info for one in unknown[:count]}
        yield [
            replace(one, trainable=one.info in trained) if one.trainable is None else one for one in weights
        ]


def _group(one: Stored) -> str:
    """What holds a weight's arrays: in an ``.h5`` file the top layer's group, else that of ``vars``."""
    part = one.parts[0]
    return str(part.place[0]) if part.name else part.dataset.rpartition("/")[0]


def from_legacy(
    tree: Tree, weights: Sequence[Stored], optimizer: ObjectSpec | None, keras_version: str | None
) -> OptimizerState:
    """The optimizer state of an ``.h5`` file: ``optimizer_weights`` with a list of names."""
    root = "optimizer_weights"
    if root not in tree.groups:
        return OptimizerState()
    saved = []
    for name in tree.names(root, "weight_names"):
        array = tree.datasets.get(f"{root}/{name}")
        if array is None:
            return OptimizerState(problem=f"the optimizer array {name!r} is missing")
        saved.append(_Saved(f"{root}/{name}", name, array.shape, array.dtype))
    steps, rate, rest = _named_scalars(tree, saved)
    if not rest:
        return OptimizerState(steps=steps, rate=rate)
    if any(label(one.name) for one in rest):
        rest = [one for one in rest if one.shape != () or label(one.name)]

    def listed(weights: Sequence[Stored]) -> OptimizerState:
        """The state, when the optimizer updated these weights."""
        trained = _pieces(weights)
        if _version(keras_version) <= _SORTED_UNTIL:
            trained.sort(key=lambda one: one.part.name)
        return _listed(trained, rest, optimizer, steps, rate)

    found = _only(weights, listed, steps, rate)
    named = None if found.problem is None else _by_owner(weights, rest, optimizer)
    return found if named is None else _matched(named, rest, steps, rate)


def _listed(
    trained: Sequence[_Piece],
    saved: Sequence[_Saved],
    optimizer: ObjectSpec | None,
    steps: int | None,
    rate: float | None,
) -> OptimizerState:
    """The state, from the order of the arrays."""
    labels = [label(one.name) for one in saved]
    if all(labels):
        saved = [
            one for told in dict.fromkeys(labels) for one, at in zip(saved, labels, strict=True) if at == told
        ]
        order = [(one, _today(told, optimizer)) for told in dict.fromkeys(labels) for one in trained]
        return _matched(order, saved, steps, rate)
    slots = _KERAS2.get(optimizer.kind if optimizer else "")
    if slots is None:
        return OptimizerState(problem="the optimizer's arrays carry no known names", steps=steps, rate=rate)
    while len(saved) > len(slots) * len(trained) and saved[-1].shape == (1,):
        saved = saved[:-1]
    return _matched([(one, slot) for slot in slots for one in trained], saved, steps, rate)


def _by_owner(
    weights: Sequence[Stored], saved: Sequence[_Saved], optimizer: ObjectSpec | None
) -> list[tuple[_Piece, str]] | None:
    """The weight and slot that each array's name says; None where any of them leaves a choice, or one is missing."""
    named: dict[str, list[_Piece]] = {}
    for piece in (_Piece(one, number) for one in weights for number in range(len(one.parts))):
        named.setdefault(flat(piece.part.name), []).append(piece)
    found: dict[str, set[_Piece]] = {}
    pairs = []
    for one in saved:
        owners, slot = named.get(owner(one.name), []), _today(label(one.name), optimizer)
        if len(owners) != 1 or owners[0].weight.trainable is False or owners[0] in found.get(slot, ()):
            return None
        found.setdefault(slot, set()).add(owners[0])
        pairs.append((owners[0], slot))
    every = [pieces for slot, pieces in found.items() if (optimizer and optimizer.kind, slot) != _SOME]
    known = set(_pieces(weights))
    return pairs if all(known <= pieces == every[0] for pieces in every) else None


def _named_scalars(tree: Tree, saved: Sequence[_Saved]) -> tuple[int | None, float | None, list[_Saved]]:
    """Step counter, learning rate and the arrays that are slots."""
    steps: int | None = None
    rate: float | None = None
    rest: list[_Saved] = []
    for position, one in enumerate(saved):
        base = re.sub(r"_\d+$", "", one.name.rpartition("/")[2].partition(":")[0])
        counts = base in _COUNTERS or (position == 0 and one.counts)
        if one.shape == () and counts:
            steps = int(tree.read(one.dataset))
        elif one.shape == () and position == 0 and not label(one.name):
            steps = _whole(tree.read(one.dataset))
        elif one.shape == () and base in _RATES:
            rate = float(tree.read(one.dataset))
        elif base not in _LOSS_SCALE and not (
            one.shape == () and base in ("momentum_cache", "decay", "u_product")
        ):
            rest.append(one)
    return steps, rate, rest


def _whole(value: object) -> int | None:
    """A step counter that Keras 2 kept as a float."""
    count = float(np.asarray(value).item())
    return int(count) if np.isfinite(count) and count == int(count) else None


def _today(label: str, optimizer: ObjectSpec | None) -> str:
    """Adamax of Keras 2 calls its norm ``v``."""
    return "norm" if label == "velocity" and optimizer is not None and optimizer.kind == "Adamax" else label


def _version(text: str | None) -> tuple[int, ...]:
    numbers = re.findall(r"\d+", text or "")[:3]
    return tuple(int(n) for n in numbers) if len(numbers) == 3 else (99,)


def _matched(
    expected: Sequence[tuple[_Piece, str]], saved: Sequence[_Saved], steps: int | None, rate: float | None
) -> OptimizerState:
    """The slots, when counts and every shape fit; else the reason."""
    problem = _misfit(expected, saved)
    if problem is not None:
        return OptimizerState(problem=problem, steps=steps, rate=rate)
    parts: dict[tuple[TensorInfo, str], dict[int, _Saved]] = {}
    weights: dict[TensorInfo, Stored] = {}
    for (piece, slot), one in zip(expected, saved, strict=True):
        weights[piece.weight.info] = piece.weight
        parts.setdefault((piece.weight.info, slot), {})[piece.number] = one
    slots = [
        replace(
            weights[info],
            info=replace(info, slot=slot, dtype=found[0].dtype.name),
            parts=tuple(Part(found[number].dataset, found[number].shape) for number in sorted(found)),
        )
        for (info, slot), found in parts.items()
    ]
    return OptimizerState(tuple(slots), steps=steps, rate=rate)


def _misfit(expected: Sequence[tuple[_Piece, str]], saved: Sequence[_Saved]) -> str | None:
    """Why the saved arrays are not the slots that are expected, None where they are."""
    if len(expected) != len(saved):
        return f"the file holds {len(saved)} optimizer arrays where the model's weights need {len(expected)}"
    for (piece, slot), one in zip(expected, saved, strict=True):
        name = f"{piece.weight.info.layer}/{piece.weight.info.role}"
        if piece.part.shape != one.shape:
            return f"the {slot} of {name!r} has shape {one.shape} where the weight has {piece.part.shape}"
        if not piece.weight.layout.linear:
            return f"the file keeps {name!r} in another form than today's, and its optimizer state with it"
    return None
