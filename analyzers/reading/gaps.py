"""What a layer that is not known makes, from the weights that were saved for the layers behind it.

The kernel of the next layer tells the width, the kinds on the way there the rank.  A shape is taken when the
weights of every layer that it reaches are those that the layers would have; of several, the one that most
weights confirm, and of those that are equal the one of the fewest axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final, TypeAlias

from analyzers.spec.graph import Graph, Node
from analyzers.spec.kinds import RECURRENT
from analyzers.spec.layer_weights import layer_weights
from analyzers.spec.model import LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.shapes import input_shapes_of
from analyzers.spec.weights import TensorInfo

MAX_VISITS: Final = 20_000
"""Layers that are looked at, over all shapes that are tried."""
_FORGETFUL: Final = "Reshape"
"""Kind whose output says nothing of its input's axes."""
_LEAST_AXES: Final = dict.fromkeys((*RECURRENT, "Bidirectional", "TimeDistributed", "Flatten"), 3)
"""Kind -> axes that it takes at least, where its shape rule takes fewer too."""
RANKS: Final = (2, 3, 4, 5)

Saved: TypeAlias = "Mapping[str, Mapping[str, Shape]]"
"""Layer path -> role -> shape of the saved tensor."""


def filled(spec: ModelSpec, tensors: Sequence[TensorInfo]) -> ModelSpec:
    """``spec`` with what its layers that are not known make, where the weights behind them tell it.

    Args:
        spec: the model; only its own layers are looked at, not those of models in it.
        tensors: the saved weights.
    """
    gaps = [layer.name for layer in spec.layers if _is_gap(layer, spec)]
    if not spec.has_graph or not gaps:
        return spec
    tries = MAX_VISITS // (len(gaps) * sum(1 for _ in spec.walk()))
    saved: dict[str, dict[str, Shape]] = {}
    for tensor in tensors:
        saved.setdefault(tensor.layer, {})[tensor.role] = tensor.shape
    for name in gaps:
        shapes = islice(_candidates(spec.layer(name), spec, saved), tries)
        trials = [_with(spec, name, shape) for shape in shapes]
        fitting = [(confirmed, trial) for trial in trials if (confirmed := _confirmed(trial, name, saved))]
        if fitting:
            spec = max(fitting, key=lambda pair: pair[0])[1]
    return spec


def _is_gap(layer: LayerSpec, spec: ModelSpec) -> bool:
    """Whether a layer is not known, is called once, and gives one tensor that nothing tells the shape of."""
    if layer.known or layer.model is not None or layer.declared or len(layer.inbound) != 1:
        return False
    used = {ref for one in spec.layers for call in one.inbound for ref in call.inputs} | {*spec.outputs}
    return {ref for ref in used if ref.layer == layer.name} == {TensorRef(layer.name)}


def _with(spec: ModelSpec, name: str, shape: Shape) -> ModelSpec:
    layers = tuple(replace(one, declared=(shape,)) if one.name == name else one for one in spec.layers)
    return replace(spec, layers=layers)


def _candidates(layer: LayerSpec, spec: ModelSpec, saved: Saved) -> Iterator[Shape]:
    """Shapes with every size that the next weights have, channels last and first, sides open or as they came in."""
    graph = Graph(spec)
    start = Node(layer.path)
    ends = [end for node in graph.after(start) for end in graph.frontier(node, lambda one: one.path in saved)]
    widths = dict.fromkeys(size for end in ends for shape in saved[end.path].values() for size in shape)
    came = [(None, *shape[1:]) for node in graph.before(start) if (shape := graph.output_shape(node))]
    for width in widths:
        for rank in RANKS:
            sides = (None,) * (rank - 2)
            yield (None, *sides, width)
            if sides:
                yield (None, width, *sides)
        for shape in came[:1]:
            if len(shape) > 2 and None not in shape[1:]:
                yield (None, *shape[1:-1], width)
                yield (None, width, *shape[2:])
    yield from came


def _fits(layer: LayerSpec, taken: Shape, made: Shape) -> bool:
    """Whether a layer can make that of what it takes, as far as its shape rule leaves it open."""
    if len(taken) < _LEAST_AXES.get(layer.kind, 1):
        return False
    if layer.kind != _FORGETFUL or None in taken[1:] or None in made[1:]:
        return True
    return math.prod(size or 0 for size in taken[1:]) == math.prod(size or 0 for size in made[1:])


def _confirmed(spec: ModelSpec, name: str, saved: Saved) -> int:
    """How many layers behind the one of that name have the weights that its shape asks for; 0 if any has others."""
    graph = Graph(spec)
    known = {(graph.layer(node).name, node.call): graph.shapes[node.path, node.call] for node in graph.nodes}
    start = Node(spec.layer(name).path)
    confirmed = 0

    def beyond(node: Node) -> tuple[Node, ...]:
        return () if graph.layer(node).kind == _FORGETFUL else graph.after(node)

    for node in graph.reachable(graph.after(start), beyond):
        layer = graph.layer(node)
        inputs = input_shapes_of(layer.inbound[node.call], known)
        if not layer.known or inputs is None:
            continue
        outputs = known[layer.name, node.call]
        if not outputs or not _fits(layer, inputs[0], outputs[0]):
            return 0
        theirs = saved.get(node.path, {})
        ours = {one.role: one.shape for one in layer_weights(layer.kind, layer.config, inputs)}
        if any(theirs.get(role, shape) != shape for role, shape in ours.items()):
            return 0
        confirmed += any(role in theirs for role in ours)
    return confirmed
