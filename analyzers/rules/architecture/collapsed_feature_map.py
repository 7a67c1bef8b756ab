"""collapsed-feature-map: convolutions on a map of one cell, and strides that skip pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec import Shape, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import core

LEAST_LAYERS: Final = 2
"""Convolutions on a single cell from which it is more than the last stage of a network."""

LARGE_SHARE: Final = 1 / 3
"""Share of all spatial convolutions from which the collapse is long before the head: stock networks at
their smallest input (32x32) have up to a quarter of theirs on one cell."""

CONFIDENCE: Final = 0.4
CONFIDENCE_SKIP: Final = 0.3
"""Networks with a collapsed end still learn from what the layers in front of it see."""


class CollapsedFeatureMap(Rule):
    """Convolutions that have no neighbourhood left to look at.

    What it checks:
        The size of the map that every convolution with a kernel larger than one works on: how many
        find a single cell. And strides larger than the kernel or the pooling window, which leave
        out pixels altogether.

    Why training suffers:
        On a map of one cell a 3x3 kernel sees one value and eight zeros of padding: eight ninths of its
        weights are never used and never learn, and everything that the image knew about places is gone
        before the head. Pixels between strides never reach the network at all.

    Bad example:
        ```python
        for filters in (32, 64, 128, 256, 256, 256, 256):  # 32x32 input: 1x1 after five poolings
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D(padding="same")(x)
        ```

    Fixed example:
        ```python
        for filters in (32, 64, 128):
            x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        x = layers.GlobalAveragePooling2D()(x)
        ```

    How sure we are:
        The sizes are exact. A few such layers at the end are information (a stock network on small
        images); a third of all convolutions is a warning.

    Known limitations:
        Inputs of open size are not judged. 1x1 convolutions and poolings of window one that skip, as
        shortcuts of residual networks do, are meant.

    References:
        Araujo et al., Computing Receptive Fields of Convolutional Neural Networks, 2019,
        https://distill.pub/2019/computing-receptive-fields/
    """

    id: ClassVar[str] = "collapsed-feature-map"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Convolutions on a map of one cell"
    references: ClassVar[tuple[str, ...]] = ("https://distill.pub/2019/computing-receptive-fields/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the size of the map in front of every spatial layer, and its strides."""
        graph = facts.graph
        layers: dict[str, dict[str, Any]] = {}
        for node in graph.nodes:
            config, kind = core(graph.layer(node)).config, core(graph.layer(node)).kind
            window = _sizes(config.get("kernel_size", config.get("pool_size")))
            if not window or max(window) == 1 or not graph.before(node) or "Transpose" in kind:
                continue
            cells = _cells(graph, node)
            layers[node.path] = {
                "window": list(window),
                "map": cells,
                "convolution": kind in kinds.CONVOLUTIONS,
                "collapsed": cells == [1] * len(window) and kind in kinds.CONVOLUTIONS,
                "skips": any(s > w for s, w in zip(_sizes(config.get("strides")), window, strict=False)),
            }
        if not layers:
            return NotApplicable("no convolution or pooling looks at a neighbourhood")
        return Measurement(
            float(sum(row["collapsed"] for row in layers.values())), "convolutions on one cell", layers
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for a third of the convolutions, information for fewer; information for skipped pixels."""
        rows, findings = measurement.layers, []
        collapsed = [path for path, row in rows.items() if row["collapsed"]]
        total = sum(row["convolution"] for row in rows.values())
        if len(collapsed) >= LEAST_LAYERS:
            many = len(collapsed) >= LARGE_SHARE * total
            findings.append(
                self.finding(
                    "warning" if many else "info",
                    layers=collapsed,
                    evidence={"layers": len(collapsed), "spatial_convolutions": total},
                    explanation=f"{len(collapsed)} of {total} convolutions ({listed(collapsed)}) work on a map of one "
                    "cell: most of their weights meet nothing but padding, and where things were in the input is lost.",
                    fix="Take out poolings or strides in front of them, take out these layers, or feed larger images.",
                    confidence=CONFIDENCE,
                )
            )
        skips = [path for path, row in rows.items() if row["skips"]]
        if skips:
            findings.append(
                self.finding(
                    "warning",
                    title="Strides that leave out pixels",
                    layers=skips,
                    evidence={"layers": len(skips)},
                    explanation=f"The strides of {listed(skips)} are longer than the window: what lies between two "
                    "windows never reaches the network.",
                    fix=f"Make the strides of {listed(skips)} no longer than the window.",
                    confidence=CONFIDENCE_SKIP,
                )
            )
        return findings


def _sizes(value: Any) -> tuple[int, ...]:
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(item for item in items if isinstance(item, int))


def _cells(graph: Graph, node: Node) -> list[int]:
    """Sizes of the map that a layer works on; empty where one is open."""
    layer = graph.layer(node)
    shape: Shape = graph.output_shape(graph.before(node)[0])
    shape = shape[1:] if layer.kind == "TimeDistributed" else shape
    first = core(layer).config.get("data_format") == "channels_first"
    sizes = shape[2:] if first else shape[1:-1]
    return [size for size in sizes if size is not None] if None not in sizes else []
