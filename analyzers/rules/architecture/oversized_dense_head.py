"""oversized-dense-head: a dense layer behind Flatten holds most of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.training_math import kernels
from analyzers.rules.words import listed
from analyzers.spec import kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import core, is_weighted

MOST: Final = 0.5
"""Share of all parameters from which the head is most of the network."""

NEARLY_ALL: Final = 0.8
LARGE: Final = 10_000_000
"""Share and number from which it is a warning (RULES.md): beyond what a data set of thousands of images
can determine, and most of the memory of a training step."""

CONFIDENCE: Final = 0.15
"""Large heads overfit, but they train: VGG16's first dense layer holds 74 % of 138 million."""


class OversizedDenseHead(Rule):
    """A dense layer on a flattened feature map that holds most of the parameters.

    What it checks:
        Every Dense layer that takes a flattened output of convolutions, looking through dropout,
        activations and reshapes: its share of all parameters of the model.

    Why training suffers:
        Flatten gives the dense layer a weight for every position of every channel. Tens of millions of
        weights from a few thousand images are memorised, not learnt; the initialiser's fan-in is huge,
        so signal and rate suit the head and not the rest. It overfits rather than stops training.

    Bad example:
        ```python
        x = layers.Flatten()(feature_map)  # 7x7x256
        x = layers.Dense(4096, activation="relu")(x)  # 51 million weights
        ```

    Fixed example:
        ```python
        x = layers.GlobalAveragePooling2D()(feature_map)
        x = layers.Dense(256, activation="relu")(x)
        ```

    How sure we are:
        The count is exact. It is information, a warning over 80 % and ten million, and never the
        reason why a network does not learn at all.

    Known limitations:
        Networks without convolutions are passed over: there dense layers are all that there is.

    References:
        Lin et al., Network In Network, 2014, section 3.2, https://arxiv.org/abs/1312.4400
    """

    id: ClassVar[str] = "oversized-dense-head"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Dense layer that holds most of the parameters"
    interventions: ClassVar[tuple[str, ...]] = ("global-pooling-head",)
    specific: ClassVar[frozenset[str]] = frozenset({"global-pooling-head"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1312.4400",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Count the weights of every dense layer behind a flattened feature map."""
        graph = facts.graph
        total = graph.cost.parameters
        rows = {}
        for node in graph.nodes:
            if graph.layer(node).kind != "Dense" or not _on_feature_map(graph, node):
                continue
            width = graph.output_shape(graph.before(node)[0])
            counted = kernels(graph.layer(node), width)
            if counted and total:
                rows[node.path] = {
                    "parameters": counted[0].count,
                    "share": counted[0].count / total,
                    "inputs": int(counted[0].fan_in),
                    "units": counted[0].outputs,
                }
        if not rows:
            return NotApplicable("no dense layer on a flattened feature map of known size")
        return Measurement(
            max(row["share"] for row in rows.values()), "share of all parameters", rows, {"parameters": total}
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information over half of all parameters, a warning over 80 % and ten million."""
        path, row = max(measurement.layers.items(), key=lambda item: item[1]["share"])
        if row["share"] <= MOST:
            return ()
        large = row["share"] > NEARLY_ALL and row["parameters"] > LARGE
        return (
            self.finding(
                "warning" if large else "info",
                layers=(path,),
                evidence={**row, "all_parameters": measurement.details["parameters"]},
                explanation=f"{path} has {row['parameters']:,} weights ({row['inputs']:,} flattened inputs, "
                f"{row['units']:,} units), {row['share']:.0%} of the model's. So many weights memorise the "
                "training set; they do not keep the model from learning it.",
                fix=f"Put GlobalAveragePooling2D in place of Flatten in front of {listed([path])}, or give it fewer units.",
                confidence=CONFIDENCE,
            ),
        )


def _on_feature_map(graph: Graph, node: Node) -> bool:
    """Whether a dense layer takes the flattened output of convolutions."""
    current, flattened = node, False
    while len(before := graph.before(current)) == 1:
        current = before[0]
        layer = graph.layer(current)
        if layer.kind == "Flatten" or (
            layer.kind == "Reshape" and _is_vector(layer.config.get("target_shape"))
        ):
            flattened = True
        elif layer.kind in kinds.GLOBAL_POOLING or (is_weighted(layer) and not _convolves(graph, current)):
            return False
        elif _convolves(graph, current):
            return flattened
    return flattened and any(_convolves(graph, other) for other in graph.reachable([current], graph.before))


def _convolves(graph: Graph, node: Node) -> bool:
    return core(graph.layer(node)).kind in kinds.CONVOLUTIONS


def _is_vector(shape: object) -> bool:
    return isinstance(shape, list | tuple) and len(shape) == 1
