"""What really produces a model's output, and what its loss expects to be fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from analyzers.spec import ModelSpec, ObjectSpec, Shape, TrainingSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, core, is_scaling, is_weighted

Family = Literal["categorical", "sparse", "binary", "regression", "hinge", "divergence"]

LOSS_FAMILIES: Final[Mapping[str, Family]] = {
    "CategoricalCrossentropy": "categorical", "CategoricalFocalCrossentropy": "categorical",
    "SparseCategoricalCrossentropy": "sparse",
    "BinaryCrossentropy": "binary", "BinaryFocalCrossentropy": "binary",
    "MeanSquaredError": "regression", "MeanAbsoluteError": "regression", "Huber": "regression",
    "MeanAbsolutePercentageError": "regression", "MeanSquaredLogarithmicError": "regression",
    "LogCosh": "regression",
    "Hinge": "hinge", "SquaredHinge": "hinge",
    "KLDivergence": "divergence",
}  # fmt: skip
"""Keras losses by what they expect; losses that suit any output (cosine similarity) are not listed."""

_TRANSPARENT: Final = kinds.RESHAPES | kinds.DROPOUTS | {
    "Identity", "ActivityRegularization", "Cast", "Transpose", "Squeeze", "ExpandDims", "UpSampling2D",
    "GaussianNoise",
}  # fmt: skip
"""Layers behind which the values are still those of the layer in front."""


_MIXING: Final = frozenset({"Average", "Concatenate", "Add", "Subtract"})
"""Merges behind which logits are logits still."""


@dataclass(frozen=True)
class Head:
    """One output of the model and what makes it.

    Attributes:
        node: the node of the output itself.
        producer: the node that last changed the values.
        activation: of the producer, in a spec's names; None where it cannot be told.
        shape: of the output, batch axis first; ``()`` where unknown.
        units: size of the axis over which classes lie; None where unknown.
        mirrors_input: the output has the shape of one of the inputs, or is a map over positions.
        loss: as the file gives it.
    """

    node: Node
    producer: Node
    activation: str | None
    shape: Shape
    units: int | None
    mirrors_input: bool
    loss: ObjectSpec | None

    @property
    def family(self) -> Family | None:
        """What the loss expects; None without one, or for one that is not in the table."""
        return LOSS_FAMILIES.get(self.loss.kind) if self.loss is not None else None

    @property
    def classifies(self) -> bool:
        """Whether the loss trains class scores."""
        return self.family in ("categorical", "sparse", "binary")

    @property
    def from_logits(self) -> bool:
        """Whether the loss takes its input for logits."""
        return bool(self.loss is not None and self.loss.config.get("from_logits", False))


def heads(graph: Graph, training: TrainingSpec | None) -> tuple[Head, ...]:
    """The model's outputs, in the model's order."""
    input_shapes = [graph.output_shape(node)[1:] for node in graph.inputs]
    losses = list(training.losses if training is not None else ())
    losses += [None] * (len(graph.outputs) - len(losses))
    found = []
    for node, loss in zip(graph.outputs, losses, strict=False):
        producer = produced_by(graph, node)
        shape = graph.output_shape(node)
        found.append(
            Head(
                node=node,
                producer=producer,
                activation=_activation_at(graph, producer),
                shape=shape,
                units=_class_axis(graph, producer, shape),
                mirrors_input=len(shape) > 2 or (len(shape) == 2 and shape[1:] in input_shapes),
                loss=loss,
            )
        )
    return tuple(found)


def output_names(spec: ModelSpec) -> tuple[str, ...]:
    """The outputs by their layers' names, numbered where one layer gives several."""
    names = [ref.layer for ref in spec.outputs]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(names, 1)
    )


def produced_by(graph: Graph, node: Node) -> Node:
    """The node that last changed the values which leave ``node``: reshapes and dropout are passed."""
    while True:
        layer, before = graph.layer(node), graph.before(node)
        linear = layer.kind == "Activation" and activation(layer) == "linear"
        if len(before) != 1 or not (layer.kind in _TRANSPARENT or linear):
            return node
        node = before[0]


def final_activations(graph: Graph, node: Node) -> tuple[tuple[Node, str], ...]:
    """The activations that follow each other at an output with no weights between, the last first.

    More than one is an activation on top of another: ``Dense(activation="softmax")`` and a Softmax.
    """
    found: list[tuple[Node, str]] = []
    while True:
        node = produced_by(graph, node)
        layer, before = graph.layer(node), graph.before(node)
        name = activation(layer) if layer.known else None
        if name not in (None, "linear"):
            found.append((node, str(name)))
        alone = layer.kind == "Activation" or layer.kind in kinds.ACTIVATION_LAYERS
        if not alone or len(before) != 1:
            return tuple(found)
        node = before[0]


def dense_map(graph: Graph, head: Head) -> Node | None:
    """The Dense layer that makes an output position by position, over positions of known size."""
    layer, before = graph.layer(head.producer), graph.before(head.producer)
    alone = layer.kind == "Activation" or layer.kind in kinds.ACTIVATION_LAYERS
    maker = produced_by(graph, before[0]) if alone and len(before) == 1 else head.producer
    positions = graph.output_shape(maker)[1:-1]
    dense = core(graph.layer(maker)).kind == "Dense"
    return maker if dense and positions and None not in positions else None


def is_shrunk(graph: Graph, maker: Node) -> bool:
    """Whether convolutions or pooling made the positions of a map other than those of every input."""
    positions = graph.output_shape(maker)[1:-1]
    before = graph.reachable([maker], graph.before)
    inputs = [graph.output_shape(node) for node in graph.inputs]
    mapped = any(core(graph.layer(node)).kind in kinds.CONVOLUTIONS | kinds.POOLING for node in before)
    same = any(positions in (shape[1:-1], shape[1:]) for shape in inputs)
    return mapped and not same and all(None not in shape[1:] for shape in inputs)


def _activation_at(graph: Graph, node: Node) -> str | None:
    """The activation that a producer ends in; ``linear`` for weights without one.

    Scaled logits are logits, an average of probabilities is one of probabilities.  Other scaling and
    merges, and layers that are not known, leave it open.
    """
    layer, before = graph.layer(node), graph.before(node)
    if is_scaling(graph, node) or layer.kind in _MIXING:
        behind = {_activation_at(graph, produced_by(graph, producer)) for producer in before}
        kept = {"linear"} if layer.kind not in ("Average", "Concatenate") else behind - {"softmax"}
        kept |= {"softmax"} if layer.kind == "Average" else set()
        return behind.pop() if len(behind) == 1 and behind <= kept else None
    if not layer.known or layer.kind in kinds.RECURRENT | kinds.ATTENTION:
        return None
    name = activation(layer)
    return "linear" if name is None and is_weighted(layer) else name


def _class_axis(graph: Graph, producer: Node, shape: Shape) -> int | None:
    layer = core(graph.layer(producer))
    axis = layer.config.get("axis", -1) if layer.kind == "Softmax" else -1
    return (
        shape[axis] if isinstance(axis, int) and len(shape) > 1 and -len(shape) <= axis < len(shape) else None
    )


def names(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Paths of nodes, each once."""
    return tuple(dict.fromkeys(node.path for node in nodes))
