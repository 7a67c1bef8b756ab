"""What a model is asked, from its graph: which outputs answer place by place, and how inputs answer together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from analyzers.probe.feeds import Feed
from analyzers.probe.heads import TrainedHead
from analyzers.probe.samples.codes import Joint
from analyzers.probe.task import Layout, Question
from analyzers.spec import ModelSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import core, is_weighted

_GATHERS: Final = kinds.GLOBAL_POOLING | {"Flatten", "RepeatVector", "Reshape", "Dot"}
"""Layers behind which a place in their output is no place in their input."""


def make_layout(spec: ModelSpec, feeds: Sequence[Feed], heads: Sequence[TrainedHead]) -> Layout:
    """The questions for a model's trained outputs.

    Args:
        spec: the model; sizes of its outputs are those that ``feeds`` give them.
        feeds: its inputs, sized.
        heads: the outputs to train.
    """
    graph = Graph(spec)
    questions = tuple(_question(graph, head, feeds) for head in heads)
    return Layout(tuple(feeds), questions, _joint(graph, feeds, questions))


def resized(spec: ModelSpec, feeds: Sequence[Feed]) -> ModelSpec:
    """The model with its InputLayers at the feeds' sizes."""
    sizes = {feed.name: feed.shape for feed in feeds}
    layers = tuple(
        replace(layer, config={**layer.config, "batch_shape": [None, *sizes[layer.name]]})
        if layer.name in sizes and layer.kind == "InputLayer"
        else layer
        for layer in spec.layers
    )
    return replace(spec, layers=layers)


def _question(graph: Graph, head: TrainedHead, feeds: Sequence[Feed]) -> Question:
    output = graph.outputs[head.index]
    sizes = tuple(size or 1 for size in graph.output_shape(output)[1:-1])
    first = next((number for number, feed in enumerate(feeds) if feed.grid), None)
    local = (
        first is not None
        and len(sizes) == len(feeds[first].grid)
        and _keeps_places(graph, graph.inputs[first], output)
    )
    goal = "classes" if head.classes else "input" if head.mirrors else "values"
    return Question(
        goal, head.classes, head.units, sizes, local, head.link, head.bounds, head.numbers  # type: ignore[arg-type] # literals
    )  # fmt: skip


def _keeps_places(graph: Graph, start: Node, end: Node) -> bool:
    """Whether some way from an input to an output keeps apart what lies at different places."""
    return end in graph.reachable(
        [start], lambda node: (after for after in graph.after(node) if not _gathers(graph, after))
    )


def _gathers(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    inner = core(layer)
    if inner.kind in kinds.RECURRENT:
        first, *_ = graph.before(node)
        return len(graph.output_shape(node)) < len(graph.output_shape(first))
    return layer.kind in _GATHERS and not _only_adds_channels(graph, node)


def _only_adds_channels(graph: Graph, node: Node) -> bool:
    """Whether a Reshape only gives each place an axis of its own, or takes it away again."""
    if graph.layer(node).kind != "Reshape":
        return False
    (before,) = graph.before(node)
    ours, theirs = (tuple(s for s in graph.output_shape(one)[1:] if s != 1) for one in (node, before))
    return ours == theirs or ours[:1] == theirs[:1]


def _joint(graph: Graph, feeds: Sequence[Feed], questions: Sequence[Question]) -> Joint:
    """How several inputs answer together; where answers are local each input tells all."""
    if len(feeds) == 1 or any(question.local for question in questions):
        return "single"
    alike = len(feeds) == 2 and replace(feeds[0], name="") == replace(feeds[1], name="")
    (question, *others) = questions
    binary = not others and question.classes == 2 and not question.positions
    return "pair" if alike and binary and _share_weights(graph) else "sum"


def _share_weights(graph: Graph) -> bool:
    """Whether some layer with weights works on each of two inputs in a call of its own."""
    paths = []
    for node in graph.inputs:
        behind = graph.reachable([node], graph.after)
        calls = {one for one in behind if is_weighted(graph.layer(one))}
        paths.append(calls)
    return any(one.path == other.path and one != other for one in paths[0] for other in paths[1])
