"""missing-flatten: a dense head on a feature map, so that the output keeps its positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import shape_text
from analyzers.spec.graph import Graph
from analyzers.spec.output_heads import Head, dense_map, heads, is_shrunk

CONFIDENCE: Final = 0.6
"""Labels for every cell of a shrunk map exist (grids of boxes), but such heads are convolutions."""


class MissingFlatten(Rule):
    """A dense head on a feature map.

    What it checks:
        Outputs that a Dense layer makes position by position from a map which convolutions or pooling
        have made smaller than the input: its positions are neither one (as a class label wants it) nor
        those of the input (as labels of every pixel or step want it).

    Why training suffers:
        Dense works on the last axis only. Without a Flatten or a global pooling in front, it answers
        at every position of the map; labels of one class a sample do not fit that shape, or are
        broadcast against it and mean something else.

    Bad example:
        ```python
        x = layers.MaxPooling2D()(x)  # (14, 14, 64)
        outputs = layers.Dense(10, activation="softmax")(x)  # (14, 14, 10)
        ```

    Fixed example:
        ```python
        x = layers.MaxPooling2D()(x)
        x = layers.GlobalAveragePooling2D()(x)  # (64,)
        outputs = layers.Dense(10, activation="softmax")(x)  # (10,)
        ```

    How sure we are:
        The shapes are certain, the labels are not in the file. An output over positions that are not
        those of the input is seldom meant.

    Known limitations:
        A map that keeps the input's size is taken for labels of every position. Inputs of open size
        are not judged.

    References:
        https://keras.io/api/layers/core_layers/dense/
    """

    id: ClassVar[str] = "missing-flatten"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "Dense head on a feature map"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("global-pooling-head",)
    specific: ClassVar[frozenset[str]] = frozenset({"global-pooling-head"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/layers/core_layers/dense/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Compare the positions of every output of a Dense layer with those of the inputs."""
        graph = facts.graph
        rows = {
            head.producer.path: row
            for head in heads(graph, facts.training)
            if head.classifies and (row := _row(graph, head)) is not None
        }
        if not rows:
            return NotApplicable("no classifier's output is made by a Dense layer from a map of known size")
        return Measurement(
            float(sum(row["shrunk"] for row in rows.values())), "outputs over a shrunk map", rows
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for every output over positions of its own."""
        return tuple(self._finding(path, row) for path, row in measurement.layers.items() if row["shrunk"])

    def _finding(self, path: str, row: Mapping[str, Any]) -> Finding:
        return self.finding(
            "error",
            layers=(path,),
            evidence=dict(row),
            explanation=f"{path} works on every position of a map: its output has shape {row['output']}, where the input "
            f"is {', '.join(row['inputs'])}. {row['loss']} wants one answer a sample, or one for every position of "
            "the input, and this is neither.",
            fix=f"Put GlobalAveragePooling{row['rank']}D or Flatten in front of the first Dense layer behind the map.",
            confidence=CONFIDENCE,
        )


def _row(graph: Graph, head: Head) -> dict[str, Any] | None:
    """The shapes of an output that a Dense layer makes from a map; None for other outputs."""
    maker = dense_map(graph, head)
    if maker is None:
        return None
    shape = graph.output_shape(maker)
    return {
        "output": shape_text(shape),
        "inputs": [shape_text(graph.output_shape(node)) for node in graph.inputs],
        "rank": len(shape) - 2,
        "loss": head.loss.kind if head.loss is not None else "",
        "shrunk": is_shrunk(graph, maker),
    }
