"""channel-order-mismatch: images in one channel order, convolutions in the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import shape_text, subject
from analyzers.spec import Shape
from analyzers.spec.graph import Graph, Node
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.roles import core, is_image_layer, is_weighted

COLOUR: Final = frozenset({3, 4})
"""Channels of colour images, with and without transparency."""

LEAST_SIDE: Final = 16
"""Shortest side of what is taken for an image; stacks of few rows or frames are smaller or oblong."""

LEAST_ASPECT: Final = 0.4
"""Shorter over longer side of photographs (21:9 film has 0.43); sensor rows over time are longer."""

CONFIDENCE: Final = 0.7
"""Three rows of something may be meant, but are seldom followed by two-dimensional convolutions."""


class ChannelOrderMismatch(Rule):
    """Images in one channel order, convolutions in the other.

    What it checks:
        The shape that reaches the first two-dimensional convolutions from an input: three or four
        where the layer's `data_format` says height and an image's side where it says channels, or the
        reverse. Permute and nested models are followed.

    Why training suffers:
        The kernels slide over colours and rows instead of over rows and columns, and take every column
        for a channel. Neighbouring pixels are no neighbours any more, so that edges and textures,
        which convolutions are made for, cannot be found at all.

    Bad example:
        ```python
        inputs = keras.Input((3, 224, 224))
        x = layers.Conv2D(32, 3, padding="same")(inputs)  # channels_last is the default
        ```

    Fixed example:
        ```python
        inputs = keras.Input((3, 224, 224))
        x = layers.Permute((2, 3, 1))(inputs)
        x = layers.Conv2D(32, 3, padding="same")(x)
        ```

    How sure we are:
        The shapes are certain, their meaning is guessed: only what looks like a photograph in the other
        order is told.

    Known limitations:
        Inputs of open size, grey images, and images that are stored turned but have the right shape
        cannot be told from healthy ones.

    References:
        https://keras.io/api/layers/convolution_layers/convolution2d/
    """

    id: ClassVar[str] = "channel-order-mismatch"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Channels taken for rows"
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/layers/convolution_layers/convolution2d/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the shape and the channel order at every first convolution."""
        graph = facts.graph
        layers: dict[str, dict[str, Any]] = {}
        for item in model_inputs(graph):
            for node in graph.frontier(item.node, is_weighted):
                layer = core(graph.layer(node))
                if is_image_layer(layer) and graph.before(node):
                    shape = graph.output_shape(_unpadded(graph, graph.before(node)[0]))
                    order = str(layer.config.get("data_format") or "channels_last")
                    layers[node.path] = {
                        "input": item.name,
                        "shape": shape_text(shape),
                        "data_format": order,
                        "swapped": _is_swapped(shape, order),
                    }
        if not layers:
            return NotApplicable("no input reaches a two-dimensional convolution first")
        return Measurement(
            float(sum(row["swapped"] for row in layers.values())), "first convolutions", layers
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for the convolutions that get the other order."""
        swapped = {path: row for path, row in measurement.layers.items() if row["swapped"]}
        if not swapped:
            return ()
        row = next(iter(swapped.values()))
        other = "channels_first" if row["data_format"] == "channels_last" else "channels_last"
        permutation = "(2, 3, 1)" if row["data_format"] == "channels_last" else "(3, 1, 2)"
        return (
            self.finding(
                "error",
                layers=tuple(swapped),
                evidence={"shape": row["shape"], "data_format": row["data_format"], "layers": len(swapped)},
                explanation=f"{subject(swapped, 'gets', 'get')} {row['shape']} and takes it for {row['data_format']}: the image "
                f"looks like {other}, so its kernels slide over the colours and take a side of the image for "
                "channels.",
                fix=f"Put Permute({permutation}) behind {row['input']}, or feed the images in the order "
                f"{row['data_format']}.",
                confidence=CONFIDENCE,
            ),
        )


def _unpadded(graph: Graph, node: Node) -> Node:
    """The node in front of paddings and croppings, which change the number of rows."""
    while graph.layer(node).kind.startswith(("ZeroPadding", "Cropping")):
        node = graph.before(node)[0]
    return node


def _is_swapped(shape: Shape, order: str) -> bool:
    """Whether a batch shape reads as a colour image in the order that ``order`` is not."""
    if len(shape) != 4 or any(size is None for size in shape[1:]):
        return False
    sizes = [size or 0 for size in shape[1:]]
    colours, *sides = sizes if order == "channels_last" else [sizes[2], sizes[0], sizes[1]]
    short, long = min(sides), max(sides)
    return colours in COLOUR and short >= LEAST_SIDE and short >= LEAST_ASPECT * long
