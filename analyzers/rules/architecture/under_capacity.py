"""under-capacity: a network with fewer hidden units than its task needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import separates
from analyzers.rules.words import listed
from analyzers.spec import kinds
from analyzers.spec.roles import carried, core, is_head

SINGLE: Final = 1
"""A hidden layer of one unit passes on a single number."""

FEW: Final = 2
"""Units that the widest hidden layer must exceed: two suffice for exclusive-or, in theory, and even
there gradient descent often ends in a minimum that does not."""

LEAST_FEATURES: Final = 3
"""Inputs from which two hidden units are few; fewer inputs are toys."""

CONFIDENCE: Final = 0.4
"""A single number can be enough (an order, a sum), and the file does not say what is to be learnt."""


class UnderCapacity(Rule):
    """A network with fewer hidden units than its task needs.

    What it checks:
        Hidden dense and convolutional layers that give a single number a sample and through which the
        whole signal goes, and networks whose widest hidden layer gives no more than two for three
        inputs or more. The filters of a convolution count once for every position.

    Why training suffers:
        Whatever the layers in front have learnt, one unit passes on a single number, and with a ReLU
        not even that once it is negative for every sample. The loss falls a little and stays.

    Bad example:
        ```python
        x = layers.Dense(1, activation="relu")(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(64, activation="relu")(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    How sure we are:
        The widths are facts, what the task needs is not in the file: a suspicion.

    Known limitations:
        Ways round the layer (shortcuts, gates, attention) lift the bound, so only layers without one
        are told. Recurrent layers are not judged.

    References:
        Goodfellow et al., Deep Learning, 2016, section 6.4.
    """

    id: ClassVar[str] = "under-capacity"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Too few hidden units"
    references: ClassVar[tuple[str, ...]] = ("https://www.deeplearningbook.org/contents/mlp.html",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the widths of the hidden layers that everything goes through."""
        graph = facts.graph
        hidden = {
            node.path: units
            for node in graph.nodes
            if core(graph.layer(node)).kind in kinds.CONVOLUTIONS | {"Dense"}
            and (units := carried(graph, node)) is not None
            and not is_head(graph, graph.layer(node))
        }
        if not hidden:
            return NotApplicable("the model has no hidden dense or convolutional layer")
        layers: dict[str, dict[str, Any]] = {
            path: {"units": units}
            for path, units in hidden.items()
            if units <= FEW and separates(graph, {path})
        }
        others = any(core(layer).kind in kinds.RECURRENT | kinds.ATTENTION for layer in graph.flat.layers)
        features = max(
            (graph.output_shape(node)[-1] or 0 for node in graph.inputs if graph.output_shape(node)),
            default=0,
        )
        details = {
            "widest": max(hidden.values()),
            "features": features,
            "others": others,
            "hidden": len(hidden),
        }
        return Measurement(float(min(hidden.values())), "units", layers, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for single units, and for networks of two units everywhere."""
        rows, details = measurement.layers, measurement.details
        single = [path for path, row in rows.items() if row["units"] == SINGLE]
        tiny = details["widest"] <= FEW and details["features"] >= LEAST_FEATURES and not details["others"]
        if not single and not (tiny and rows):
            return ()
        names = single or list(rows)
        what = "a single unit" if single else f"no more than {details['widest']} units"
        return (
            self.finding(
                "warning",
                layers=names,
                evidence={"units": min(row["units"] for row in rows.values()), "widest": details["widest"],
                          "features": details["features"]},
                explanation=f"Everything goes through {listed(names)}, which has {what}: whatever the rest learns, no more "
                "than that many numbers reach the output.",
                fix=f"Give {listed(names)} 16 units or more.",
                confidence=CONFIDENCE,
            ),
        )  # fmt: skip
