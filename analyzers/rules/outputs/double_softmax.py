"""double-softmax: an output that is squashed twice, or a softmax between hidden layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import separates
from analyzers.rules.words import listed, number
from analyzers.spec.graph import Graph, Node
from analyzers.spec.output_heads import final_activations, heads, produced_by
from analyzers.spec.roles import activation, core, is_weighted

SQUASHING: Final = frozenset({"softmax", "sigmoid", "hard_sigmoid"})
"""Activations whose output lies between 0 and 1."""

CONFIDENCE_HIDDEN: Final = 0.4
"""A hidden softmax slows learning down and stops it in deep networks; small ones learn all the same."""


class DoubleSoftmax(Rule):
    """A softmax of a softmax, or of another output that is squashed already.

    What it checks:
        The activations that follow each other at every output with no weights between, in any form:
        a layer's argument, a layer of its own, an operation. And softmax activations of hidden layers
        through which the whole signal goes on to the next weights.

    Why training suffers:
        A softmax or sigmoid of numbers between 0 and 1 cannot become sure: over ten classes the largest
        probability that a second softmax can give is 0.23, so that the loss never falls below 1.46,
        however good the network is, and the gradient is flat. Between hidden layers a softmax lets one
        unit through at the cost of all others.

    Bad example:
        ```python
        x = layers.Dense(10, activation="softmax")(x)
        outputs = layers.Softmax()(x)
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    How sure we are:
        That the output is bounded is arithmetic, and certain. A softmax of hidden units is a suspicion
        that the probe decides.

    Known limitations:
        Attention and gates use softmax inside the network on purpose; a softmax whose result is
        multiplied with something is not told.

    References:
        https://keras.io/api/layers/activations/#softmax-function
    """

    id: ClassVar[str] = "double-softmax"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "An output that is squashed twice"
    interventions: ClassVar[tuple[str, ...]] = ("fix-output-activation", "leaky-relu")
    specific: ClassVar[frozenset[str]] = frozenset(interventions)
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/layers/activations/#softmax-function",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the activations at every output, and find softmaxes of hidden layers."""
        graph = facts.graph
        rows: list[dict[str, Any]] = []
        for head in heads(graph, None):
            squashed = [
                (node.path, name) for node, name in final_activations(graph, head.node) if name in SQUASHING
            ]
            if squashed:
                rows.append({"output": head.node.path, "activations": squashed, "units": head.units or 1})
        hidden = [node.path for node in graph.nodes if _is_hidden_softmax(graph, node)]
        if not rows and not hidden:
            return NotApplicable("no output and no hidden layer is squashed")
        most = max((len(row["activations"]) for row in rows), default=0)
        return Measurement(
            float(most), "squashing activations in a row", {}, {"outputs": rows, "hidden": hidden}
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Two at an output are certain; a hidden softmax is a warning."""
        found = [self._twice(row) for row in measurement.details["outputs"] if len(row["activations"]) > 1]
        hidden = measurement.details["hidden"]
        if hidden:
            found.append(
                self.finding(
                    "warning",
                    title="Softmax in a hidden layer",
                    layers=hidden,
                    evidence={"layers": len(hidden)},
                    explanation=f"All of the signal goes through the softmax of {listed(hidden)}: its units sum to 1, "
                    "so that one can only grow where others shrink, and little of the gradient comes back.",
                    fix=f'Give {listed(hidden)} activation="relu", and keep softmax for the output.',
                    confidence=CONFIDENCE_HIDDEN,
                )
            )
        return found

    def _twice(self, row: Mapping[str, Any]) -> Finding:
        (outer, last), (inner, first) = row["activations"][:2]
        units = int(row["units"])
        largest = math.e / (math.e + units - 1) if last == "softmax" else 1 / (1 + math.exp(-1))
        return self.finding(
            "error",
            layers=list(dict.fromkeys(path for path, _ in row["activations"])),
            evidence={"output": row["output"], "activations": [name for _, name in row["activations"]],
                      "units": units, "largest_probability": largest, "least_loss": -math.log(largest)},
            explanation=f"{outer} applies {last} to the {first} of {inner}, which lies between 0 and 1 already: no "
            f"probability can exceed {number(largest)}, so the loss cannot fall below {number(-math.log(largest))}.",
            fix=f"Remove the {last} of {outer}." if outer != inner else f"Keep one activation of {outer}.",
            certain=True,
            confidence=1.0,
        )  # fmt: skip


def _is_hidden_softmax(graph: Graph, node: Node) -> bool:
    """Whether a dense layer's softmax goes straight on to weights, with no way round it."""
    layer = graph.layer(node)
    if activation(layer) != "softmax" or not graph.before(node):
        return False
    maker = graph.layer(produced_by(graph, graph.before(node)[0])) if not is_weighted(layer) else layer
    following = graph.after(node)
    while len(following) == 1 and produced_by(graph, following[0]) != following[0]:
        following = graph.after(following[0])
    weighted = [one for one in following if is_weighted(graph.layer(one))]
    return (
        core(maker).kind == "Dense"
        and bool(weighted)
        and len(weighted) == len(following)
        and separates(graph, {node.path})
    )
