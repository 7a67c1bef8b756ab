"""Units behind a ReLU, and the two proofs that a unit of them is dead.

A unit is dead when its ReLU gives zero for every input, so that no gradient ever reaches its weights.

*By the weights*: what comes in is never negative, every weight is zero or below and so is the bias.
Units whose weights are all exactly zero were pruned, not lost, and count only where the whole layer is.
*By the record*: the optimizer's memory of the gradient of the unit's last parameter in front of the ReLU is
exactly zero after many steps, so that parameter never had a gradient in the real run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analyzers.rules.slots import GradientMemory, gradient_record
from analyzers.spec import Array, TensorInfo, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, is_weighted

Units = NDArray[np.bool_]

_LAYERS: Final = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
"""Layers with one unit or channel for each slice of the kernel's last axis, and a bias of that length."""

_PASSES_SIGN: Final = kinds.POOLING | kinds.RESHAPES | {
    "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Concatenate", "Add", "Average", "Maximum", "Minimum", "Multiply", "UpSampling1D", "UpSampling2D",
    "UpSampling3D",
}  # fmt: skip
"""Layers that give no negative number where they are fed none."""

_NEVER_NEGATIVE: Final = kinds.RELU_LIKE | {"sigmoid", "softmax", "softplus", "hard_sigmoid", "exponential"}

_SAMPLE_ROWS: Final = 64
"""Rows of a kernel that are looked at first: few live units have no positive weight among so many."""

RECORD_STEPS: Final = 100
"""Steps after which a parameter that never had a gradient proves something.  In 10 % of real files with
a step count it is lower (FORMATS.md, section 4): those are hardly trained."""


@dataclass(frozen=True)
class ReluLayer:
    """A weighted layer whose units end in a ReLU.

    Attributes:
        path: of the weighted layer.
        node: where the weights are applied.
        relu: the node that applies the ReLU; the same as ``node`` for ``activation="relu"``.
        normalization: path of a BatchNormalization between the two, or None.
    """

    path: str
    node: Node
    relu: Node
    normalization: str | None


@dataclass(frozen=True)
class DeadUnits:
    """What is known of one ReLU layer's units.

    Attributes:
        layer: the layer.
        by_weights, by_record: units proved dead, one flag a unit; None where that proof is not open.
        cut_off: no unit of the layer ever had a gradient, and no layer behind it had one either, so
            that the cause lies behind and the record proves nothing about this layer.
    """

    layer: ReluLayer
    by_weights: Units | None
    by_record: Units | None
    cut_off: bool

    @property
    def dead(self) -> Units:
        """Units that either proof shows to be dead."""
        proofs = [proof for proof in (self.by_weights, self.by_record) if proof is not None]
        return np.logical_or.reduce(proofs) if proofs else np.zeros(0, dtype=bool)

    @property
    def share(self) -> float:
        """Share of dead units; 0 where nothing could be proved."""
        return float(self.dead.mean()) if self.dead.size else 0.0


def relu_layers(graph: Graph) -> tuple[ReluLayer, ...]:
    """Every weighted layer with a ReLU right behind it, producers first."""
    found: dict[str, ReluLayer] = {}
    for node in graph.nodes:
        layer = graph.layer(node)
        if layer.kind not in _LAYERS or node.path in found:
            continue
        if activation(layer) in kinds.RELU_LIKE:
            found[node.path] = ReluLayer(node.path, node, node, None)
        elif len(layer.inbound) == 1 and activation(layer) == "linear":
            followed = _followed_by_relu(graph, node)
            if followed is not None:
                found[node.path] = followed
    return tuple(found.values())


def _followed_by_relu(graph: Graph, node: Node) -> ReluLayer | None:
    """``node`` with the ReLU that takes its output, alone or through one BatchNormalization."""
    normalization, current = None, node
    while len(graph.after(current)) == 1:
        current = graph.after(current)[0]
        layer = graph.layer(current)
        if len(layer.inbound) != 1:
            return None
        if layer.kind == "BatchNormalization" and normalization is None:
            normalization = current.path
        else:
            fits = activation(layer) in kinds.RELU_LIKE and not is_weighted(layer)
            return ReluLayer(node.path, node, current, normalization) if fits else None
    return None


def dead_units(graph: Graph) -> tuple[DeadUnits, ...]:
    """Both proofs for every ReLU layer for which one of them is open."""
    memory = recorded(graph)
    positive = never_negative(graph)
    cut = _cut_off(graph, memory) if memory is not None else frozenset[Node]()
    found = []
    for layer in relu_layers(graph):
        own = graph.tensors.get(layer.path, {})
        by_weights = _by_weights(graph, layer, own, positive)
        by_record = _by_record(graph, layer, memory) if memory is not None else None
        cut_off = by_record is not None and bool(by_record.all()) and layer.relu in cut
        if by_weights is not None or by_record is not None:
            found.append(DeadUnits(layer, by_weights, None if cut_off else by_record, cut_off))
    return tuple(found)


def recorded(graph: Graph) -> GradientMemory | None:
    """The optimizer's record, where it is such and old enough that a zero in it proves something."""
    memory = gradient_record(graph)
    if memory is None or not memory.proves_zero or (memory.steps is not None and memory.steps < RECORD_STEPS):
        return None
    return memory


def _by_weights(
    graph: Graph, layer: ReluLayer, own: Mapping[str, TensorInfo], positive: Set[Node]
) -> Units | None:
    kernel, bias = own.get("kernel"), own.get("bias")
    shared = len(graph.layer(layer.node).inbound) > 1
    if kernel is None or not kernel.size or layer.normalization is not None or shared:
        return None
    if not all(node in positive for node in graph.before(layer.node)):
        return None
    load = graph.flat.weights.load
    alive = np.zeros(kernel.shape[-1], dtype=bool) if bias is None else ~(load(bias) <= 0)
    rows = load(kernel).reshape(-1, kernel.shape[-1])
    dead = ~_any_positive(rows, alive)
    pruned = np.zeros_like(dead)
    pruned[dead] = (rows[:, dead] == 0).all(axis=0)
    return dead if pruned.all() else dead & ~pruned


def _any_positive(kernel: Array, known: Units) -> Units:
    """Columns of a (rows, units) kernel with a weight that is not zero or below; NaN counts as such.

    A first look at some rows settles nearly every column; only what it leaves open is read in full.
    """
    positive: Units = known | ~(kernel[:_SAMPLE_ROWS] <= 0).all(axis=0)
    for start in range(_SAMPLE_ROWS, len(kernel), 4096):
        if positive.all():
            break
        open_units = np.flatnonzero(~positive)
        positive[open_units] = ~(kernel[start : start + 4096, open_units] <= 0).all(axis=0)
    return positive


def never_negative(graph: Graph) -> frozenset[Node]:
    """Nodes whose output is never below zero, whatever the model is fed, in one pass from the inputs."""
    found: set[Node] = set()
    for node in graph.nodes:
        layer, before = graph.layer(node), graph.before(node)
        passes = layer.kind in _PASSES_SIGN and bool(before) and all(one in found for one in before)
        if passes or activation(layer) in _NEVER_NEGATIVE:
            found.add(node)
    return frozenset(found)


def _by_record(graph: Graph, layer: ReluLayer, memory: GradientMemory) -> Units | None:
    """Units whose last parameter in front of the ReLU has a record of exactly zero."""
    if not graph.layer(layer.node).trainable:
        return None
    candidates = (
        [(layer.normalization, "beta"), (layer.normalization, "gamma")]
        if layer.normalization is not None
        else [(layer.path, "bias")]
    )
    for owner, role in [*candidates, (layer.path, "kernel")]:
        slot = memory.slots.get((owner, role))
        if slot is not None and slot.size:
            values = graph.flat.weights.load(slot)
            return _all_zero(values.reshape(-1, values.shape[-1]))
    return None


def _all_zero(values: Array) -> Units:
    """Columns of a (rows, units) array that are exactly zero throughout."""
    zero: Units = (values[:_SAMPLE_ROWS] == 0).all(axis=0)
    for start in range(_SAMPLE_ROWS, len(values), 4096):
        if not zero.any():
            break
        units = np.flatnonzero(zero)
        zero[units] = (values[start : start + 4096, units] == 0).all(axis=0)
    return zero


def _cut_off(graph: Graph, memory: GradientMemory) -> frozenset[Node]:
    """Nodes behind which no layer next with slots ever had a gradient, in one pass from the outputs.

    Where no such layer follows, or the node is itself an output, the loss is next.
    """
    recorded_next: dict[Node, tuple[bool, bool]] = {}
    cut: set[Node] = set()
    for node in reversed(graph.nodes):
        behind = [recorded_next[one] for one in graph.after(node)]
        exists, had = any(one[0] for one in behind), any(one[1] for one in behind)
        if exists and not had and node not in graph.outputs:
            cut.add(node)
        own = node.path in memory.by_layer
        recorded_next[node] = (True, memory.had_gradient(node.path)) if own else (exists, had)
    return frozenset(cut)


def whole_layers(graph: Graph, units: Sequence[DeadUnits]) -> frozenset[Node]:
    """Nodes that give zero throughout because every unit of their layer is dead."""
    paths = {item.layer.relu.path for item in units if item.share == 1}
    return frozenset(node for node in graph.nodes if node.path in paths)
