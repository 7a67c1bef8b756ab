"""missing-nonlinearity: several layers of weights that together are one linear map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import bends, is_weighted

MEANT: Final = 2
"""Linear layers in a row that are often meant: bottlenecks, separable convolutions, patch embeddings
and factorised matrices have two."""

CONFIDENCE: Final = 0.6
CONFIDENCE_PAIR: Final = 0.2
"""A linear map learns what is linear in its input, which may be all that is asked of it."""


class MissingNonlinearity(Rule):
    """Layers of weights with nothing nonlinear between them, from the input to the output.

    What it checks:
        For every output, whether any way to it has something nonlinear in front of its last weights:
        an activation as argument, layer or operation, a recurrent layer's gates, attention, max
        pooling, a product of two tensors, layer normalisation. An activation behind the last weights
        (the softmax of a classifier) does not help, since it bends only the answer.

    Why training suffers:
        A linear map of a linear map is a linear map: however many layers, the model can only draw flat
        boundaries between classes, and what is not linear in the input cannot be learnt. The loss falls
        as far as a single layer would bring it and stays there.

    Bad example:
        ```python
        x = layers.Dense(128)(x)
        x = layers.Dense(64)(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(128, activation="relu")(x)
        x = layers.Dense(64, activation="relu")(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    How sure we are:
        That the model is linear is certain; whether its task is, the file does not say. From three
        layers it is an error once the probe has shown that activations cure it; a pair of layers is
        information.

    Known limitations:
        Layers whose code is not in the file count as nonlinear. A stretch of linear layers inside a
        network that bends elsewhere is not told.

    References:
        Goodfellow et al., Deep Learning, 2016, section 6.1.
    """

    id: ClassVar[str] = "missing-nonlinearity"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "No activation between the layers: one linear map"
    interventions: ClassVar[tuple[str, ...]] = ("add-missing-activations",)
    specific: ClassVar[frozenset[str]] = frozenset({"add-missing-activations"})
    references: ClassVar[tuple[str, ...]] = ("https://www.deeplearningbook.org/contents/mlp.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Count the weighted layers in front of every output that nothing bends."""
        graph = facts.graph
        if not any(is_weighted(graph.layer(node)) for node in graph.nodes):
            return NotApplicable("no layer has weights")
        linear = [_linear(graph, node) for node in graph.outputs]
        rows: dict[str, dict[str, Any]] = {
            path: {"layers_in_front": depth} for row in linear for path, depth in row.items()
        }
        depths = [row["layers_in_front"] for row in rows.values()]
        return Measurement(float(max(depths, default=-1) + 1), "linear layers in a row", rows)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """From three layers an error, a pair information."""
        depth, names = int(measurement.value), tuple(measurement.layers)
        if depth < MEANT:
            return ()
        pair = depth <= MEANT
        return (
            self.finding(
                "info" if pair else "error",
                layers=names,
                evidence={"linear_layers": depth},
                explanation=f"Nothing nonlinear stands between {listed(names)}: together they are one linear map, "
                "which a single layer could be as well"
                + (
                    "; with two layers it may be meant."
                    if pair
                    else ", and nothing that is not linear can be learnt."
                ),
                fix=f'Give {listed(names[:-1])} activation="relu".',
                confidence=CONFIDENCE_PAIR if pair else CONFIDENCE,
                despite_learning=not pair,  # the probe's tasks are such that a linear map learns most of them
            ),
        )


def _linear(graph: Graph, output: Node) -> dict[str, int]:
    """The weighted layers in front of an output, with the number of those on the longest way to each.

    Empty where anything bends the signal in front of weights, and for a single layer.
    """
    behind = graph.reachable([output], graph.before)
    bent: set[Node] = set()
    depth: dict[Node, int] = {}
    found: dict[str, int] = {}
    for node in graph.nodes:
        if node not in behind:
            continue
        before = graph.before(node)
        weighted, after_bend = is_weighted(graph.layer(node)), any(one in bent for one in before)
        if weighted and after_bend:
            return {}
        in_front = max((depth[one] for one in before), default=0)
        depth[node] = in_front + int(weighted)
        if after_bend or bends(graph, node):
            bent.add(node)
        if weighted:
            found[node.path] = in_front
    return found if depth[output] >= MEANT else {}
