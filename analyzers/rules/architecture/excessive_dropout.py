"""excessive-dropout: so much is dropped that too little signal is left."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, number
from analyzers.spec import LayerSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import core, is_weighted, keeps_scale

USUAL: Final = 0.5
"""Largest rate in usual use (Srivastava et al. 2014, section 7.3: best at 0.4 to 0.8 kept)."""

HIGH_ANYWHERE: Final = 0.7
"""Rate over which the test error rises steeply whatever the layer (Srivastava et al. 2014, figure 9a:
keeping less than 0.3 underfits)."""

TOO_MUCH: Final = 0.9
"""Rate from which one unit in ten is left: training hardly gets a signal."""

COMBINED: Final = 0.8
"""Share dropped by several dropout layers with no weights between them (RULES.md)."""

SMALL_LAYER: Final = 32
"""Units of the next layer up to which it cannot make good for inputs that are missing."""

CONFIDENCE_HIGH: Final = 0.4
CONFIDENCE_TOO_MUCH: Final = 0.7


class ExcessiveDropout(Rule):
    """Dropout that leaves too little signal.

    What it checks:
        The rate of every dropout layer, and of the dropout inside recurrent layers, together with
        where it stands: on the input, in front of a small layer, right in front of the output.
        Dropout layers with no weights between them are multiplied together.

    Why training suffers:
        Each step trains a random part of the network on a random part of the signal. At a rate of 0.9
        one unit in ten is left, magnified tenfold: the gradient is mostly noise, and the loss stays near
        chance in training while the same network without dropout would learn.

    Bad example:
        ```python
        x = layers.Dropout(0.9)(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dropout(0.3)(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    How sure we are:
        From 0.9 an error, once the probe has shown that the model learns with less. Below it is a
        warning: wide layers stand a rate of 0.7, and only rates over 0.5 in a place where they hurt most
        are told.

    Known limitations:
        Dropout that is called with `training=True` or scheduled by a callback does not show in the file.

    References:
        Srivastava et al., Dropout, 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    id: ClassVar[str] = "excessive-dropout"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Dropout that leaves too little signal"
    interventions: ClassVar[tuple[str, ...]] = ("reduce-dropout",)
    specific: ClassVar[frozenset[str]] = frozenset({"reduce-dropout"})
    references: ClassVar[tuple[str, ...]] = ("https://jmlr.org/papers/v15/srivastava14a.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read rates, places and the share that consecutive dropouts leave."""
        graph = facts.graph
        rows = {node.path: _row(graph, node) for node in graph.nodes if _rate(graph.layer(node)) > 0}
        if not rows:
            return NotApplicable("no dropout in the model")
        return Measurement(max(row["rate"] for row in rows.values()), "rate", rows)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One finding for rates from 0.9, one for those that are merely high where they stand."""
        severe = {path: row for path, row in measurement.layers.items() if _worst(row) >= TOO_MUCH}
        high = {path: row for path, row in measurement.layers.items() if path not in severe and _reason(row)}
        findings = []
        if severe:
            findings.append(self._finding("error", severe, CONFIDENCE_TOO_MUCH))
        if high:
            findings.append(self._finding("warning", high, CONFIDENCE_HIGH))
        return findings

    def _finding(self, severity: Any, rows: Mapping[str, Mapping[str, Any]], confidence: float) -> Finding:
        reasons = [f"{path} {_reason(row)}" for path, row in rows.items()]
        worst = max(_worst(row) for row in rows.values())
        return self.finding(
            severity,
            layers=tuple(rows),
            evidence={"layers": len(rows), "largest_rate": max(row["rate"] for row in rows.values()),
                      "largest_share_dropped": worst},
            explanation=f"{listed(reasons)}. With the "
            f"dropout in front of it {number(100 * (1 - worst))}% of the signal is left, magnified "
            f"{number(1 / max(1 - worst, 1e-6))} times, so that a training step sees mostly noise.",
            fix=f"Lower the rate of {listed(rows)} to 0.2-0.5, and put dropout back once the model learns.",
            confidence=confidence,
        )  # fmt: skip


def _rate(layer: LayerSpec) -> float:
    """The dropout rate of a layer: its own, or the larger one inside a recurrent layer; 0 without."""
    inner = core(layer)
    if inner.kind == "Bidirectional":
        wrapped = inner.config.get("layer")
        config = wrapped.get("config") if isinstance(wrapped, dict) else None
        config = config if isinstance(config, dict) else {}
    else:
        config = dict(inner.config)
    keys = ("rate",) if inner.kind in kinds.DROPOUTS else ("dropout", "recurrent_dropout")
    if inner.kind not in kinds.DROPOUTS | kinds.RECURRENT | kinds.ATTENTION:
        return 0.0
    rates = [float(rate) for key in keys if isinstance(rate := config.get(key), int | float)]
    return max(rates, default=0.0)


def _row(graph: Graph, node: Node) -> dict[str, Any]:
    following = graph.frontier(node, lambda layer: is_weighted(layer) and layer.path != node.path)
    units = [
        count for other in following if isinstance(count := core(graph.layer(other)).config.get("units"), int)
    ]
    row: dict[str, Any] = {
        "rate": _rate(graph.layer(node)),
        "combined": 1.0 - _kept(graph, node),
        "on_input": _on_input(graph, node),
        "before_output": any(_is_last(graph, other) for other in following),
        "next_units": min(units, default=0),
    }
    return row


def _kept(graph: Graph, node: Node) -> float:
    """Share of the signal that this dropout and those directly in front of it leave."""
    kept = 1.0 - min(_rate(graph.layer(node)), 1.0)
    while len(before := graph.before(node)) == 1:
        node = before[0]
        layer = graph.layer(node)
        if is_weighted(layer) or not keeps_scale(graph, node):
            break
        if layer.kind in kinds.DROPOUTS:
            kept *= 1.0 - min(_rate(layer), 1.0)
    return kept


def _on_input(graph: Graph, node: Node) -> bool:
    before = graph.reachable(graph.before(node), graph.before)
    return not any(is_weighted(graph.layer(other)) for other in before) and not is_weighted(graph.layer(node))


def _is_last(graph: Graph, node: Node) -> bool:
    """Whether no weights follow a node's."""
    behind = graph.reachable(graph.after(node), graph.after)
    return not any(is_weighted(graph.layer(other)) for other in behind)


def _worst(row: Mapping[str, Any]) -> float:
    return max(float(row["rate"]), float(row["combined"]))


def _reason(row: Mapping[str, Any]) -> str:
    """Why the rate is too high where it stands, in words; empty where it is not."""
    rate, combined = row["rate"], row["combined"]
    if rate > HIGH_ANYWHERE:
        return f"drops {number(rate)} of its input"
    if combined > COMBINED and not math.isclose(combined, rate):
        return f"and the dropout in front of it together drop {number(combined)}"
    if rate > USUAL and row["on_input"]:
        return f"drops {number(rate)} of the model's input"
    if rate > USUAL and row["before_output"]:
        return f"drops {number(rate)} right in front of the output"
    if rate > USUAL and 0 < row["next_units"] <= SMALL_LAYER:
        return f"drops {number(rate)} in front of a layer of {row['next_units']} units"
    return ""
