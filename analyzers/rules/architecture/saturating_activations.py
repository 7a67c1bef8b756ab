"""saturating-activations: sigmoid or tanh through many layers with nothing that keeps them in their middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.propagation import propagation_of
from analyzers.rules.words import listed, number
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, is_head, is_weighted, normalizes

SIGMOIDS: Final = frozenset({"sigmoid", "hard_sigmoid"})
TANHS: Final = frozenset({"tanh", "hard_tanh", "softsign"})

DEEP_SIGMOID: Final = 4
"""Sigmoid layers in a row from which training from a usual initialisation stalls: the slope is at most
0.25, so four lose a factor of 256 (Glorot & Bengio 2010, section 3.1: four sigmoid layers stay on a
plateau)."""

DEEP_TANH: Final = 8
"""The same for tanh, whose slope is 1 in the middle: RULES.md's figure."""

CONFIDENCE_SIGMOID: Final = 0.6
CONFIDENCE_TANH: Final = 0.3
"""tanh networks of moderate depth train with Glorot's initialiser (Glorot & Bengio 2010, table 1)."""


class SaturatingActivations(Rule):
    """Sigmoid or tanh through many layers without normalisation.

    What it checks:
        The longest row of hidden layers that end in a sigmoid (or tanh), in any form, with no
        normalisation and no shortcut between them; and the factor that their initialisers and slopes
        leave of the gradient.

    Why training suffers:
        The slope of a sigmoid is at most a quarter and nearly zero at both ends, and every layer
        multiplies the gradient by it: behind four layers a 256th is left at best, so that the first
        layers do not move while the last learn the mean of the labels. The sigmoid's mean of 0.5 pushes
        the layers behind it to one end besides.

    Bad example:
        ```python
        for _ in range(6):
            x = layers.Dense(64, activation="sigmoid")(x)
        ```

    Fixed example:
        ```python
        for _ in range(6):
            x = layers.Dense(64, activation="relu", kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        The count and the predicted gradient are facts, but Adam makes up for small gradients in part;
        the probe measures the gradient and trains the model with normalisation.

    Known limitations:
        The gates of recurrent layers are sigmoids on purpose and are not counted.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, 2010.
    """

    id: ClassVar[str] = "saturating-activations"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Sigmoid or tanh through many layers"
    interventions: ClassVar[tuple[str, ...]] = (
        "leaky-relu", "add-batch-normalization", "add-layer-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset(interventions)
    references: ClassVar[tuple[str, ...]] = ("https://proceedings.mlr.press/v9/glorot10a.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find the longest rows of sigmoid and of tanh layers, and predict the gradient through them."""
        graph = facts.graph
        rows = {
            name: row
            for name, members in (("sigmoid", SIGMOIDS), ("tanh", TANHS))
            if (row := _longest_row(graph, partial(_ends_in, graph, members)))
        }
        if not rows:
            return NotApplicable("no hidden layer ends in a sigmoid or tanh")
        propagation = propagation_of(graph)
        layers: dict[str, dict[str, Any]] = {
            node.path: {
                "activation": name,
                "predicted_gradient": min(propagation.levels[node].gradient, 1e30),
            }
            for name, row in rows.items()
            for node in row
        }
        details = {name: [node.path for node in row] for name, row in rows.items()}
        return Measurement(float(max(map(len, rows.values()))), "saturating layers in a row", layers, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for four sigmoids or eight tanhs in a row."""
        found = []
        for name, deep, confidence in (
            ("sigmoid", DEEP_SIGMOID, CONFIDENCE_SIGMOID),
            ("tanh", DEEP_TANH, CONFIDENCE_TANH),
        ):
            row = measurement.details.get(name, ())
            if len(row) >= deep:
                found.append(self._finding(name, row, measurement, confidence))
        return found

    def _finding(self, name: str, row: Sequence[str], measurement: Measurement, confidence: float) -> Finding:
        first, last = (measurement.layers[path]["predicted_gradient"] for path in (row[0], row[-1]))
        left = first / last if last > 0 else 0.0
        return self.finding(
            "error",
            layers=row,
            evidence={"layers_in_a_row": len(row), "activation": name, "predicted_gradient_scale": left},
            explanation=f"{len(row)} layers in a row end in {name} ({listed(row)}), with no normalisation between: with "
            f"their initialisers {number(left)} of the gradient is left at {row[0]}.",
            fix=f'Give {listed(row)} activation="relu" with kernel_initializer="he_normal", or put normalisation in '
            "front of each activation.",
            confidence=confidence,
        )


def _ends_in(graph: Graph, names: frozenset[str], node: Node) -> bool:
    """Whether a weighted layer's output meets one of the activations next, with no normalisation before."""
    layer = graph.layer(node)
    if not is_weighted(layer) or layer.kind in ("Bidirectional",) or is_head(graph, layer):
        return False
    if "recurrent_activation" in layer.config:
        return False
    own = activation(layer)
    if own not in (None, "linear"):
        return own in names
    return all(activation(graph.layer(one)) in names for one in graph.after(node)) and bool(graph.after(node))


def _longest_row(graph: Graph, counts: Callable[[Node], bool]) -> list[Node]:
    """The longest row of weighted nodes that count, along the shorter way at every merge."""
    rows: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        layer = graph.layer(node)
        row = min((rows[one] for one in graph.before(node)), key=len, default=[])
        if counts(node):
            row = [*row, node]
        elif is_weighted(layer) or normalizes(layer) or not layer.known:
            row = []
        rows[node] = row
    return max(rows.values(), key=len, default=[])
