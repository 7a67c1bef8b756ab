"""output-bottleneck: a hidden layer too narrow to tell the classes apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import separates
from analyzers.rules.words import listed
from analyzers.spec import kinds
from analyzers.spec.output_heads import heads
from analyzers.spec.roles import carried, core, is_head

LEAST_CLASSES: Final = 3
"""Classes from which a single unit is not enough to order them."""

CONFIDENCE: Final = 0.4
"""In principle two units can tell any number of classes apart, as directions; training seldom finds it."""


class OutputBottleneck(Rule):
    """A hidden layer too narrow to tell the classes apart.

    What it checks:
        Every hidden dense or convolutional layer through which the whole signal goes on its way to a
        softmax or other class scores: whether it gives fewer numbers a sample (units, or filters times positions) than it
        takes bits to number the classes, and one.

    Why training suffers:
        A unit that is on or off tells two groups of classes apart, so K classes need about log2(K)
        units. With fewer, classes fall on each other and have to be told apart by how strongly one unit
        answers, which gradient descent finds slowly or not at all.

    Bad example:
        ```python
        x = layers.Dense(4, activation="relu")(x)
        outputs = layers.Dense(100, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(128, activation="relu")(x)
        outputs = layers.Dense(100, activation="softmax")(x)
        ```

    How sure we are:
        The widths are facts, the limit is a rule of thumb: language models train with 128 units before
        10,000 words, far above it.

    Known limitations:
        Ways round the layer (shortcuts, parallel branches) lift the bound, so only layers without one
        are told. A single unit is under-capacity's. Regression outputs are not judged.

    References:
        Yang et al., Breaking the Softmax Bottleneck, 2018, https://arxiv.org/abs/1711.03953
    """

    id: ClassVar[str] = "output-bottleneck"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "A layer too narrow for the number of classes"
    optional: ClassVar[frozenset[Fact]] = frozenset({"training"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1711.03953",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Compare the widths of hidden layers with the bits that number the classes."""
        graph = facts.graph
        training = facts.training if facts.has("training") else None
        found = heads(graph, training)
        classes = max(
            (head.units or 0 for head in found if head.activation == "softmax" or head.classifies), default=0
        )
        if classes < LEAST_CLASSES:
            return NotApplicable("no output tells three classes or more apart")
        needed = math.log2(classes) + 1
        rows: dict[str, dict[str, Any]] = {
            node.path: {"units": units, "classes": classes, "needed": needed}
            for node in graph.nodes
            if core(graph.layer(node)).kind in kinds.CONVOLUTIONS | {"Dense"}
            and (units := carried(graph, node)) is not None
            and 1 < units < needed
            and not is_head(graph, graph.layer(node))
            and separates(graph, {node.path})
        }
        return Measurement(float(len(rows)), "narrow layers", rows, {"classes": classes, "needed": needed})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for all of them."""
        rows = measurement.layers
        if not rows:
            return ()
        classes = measurement.details["classes"]
        widths = listed(f"{path} ({row['units']})" for path, row in rows.items())
        return (
            self.finding(
                "warning",
                layers=tuple(rows),
                evidence={"units": min(row["units"] for row in rows.values()), "classes": classes,
                          "units_needed": math.ceil(measurement.details["needed"])},
                explanation=f"Everything that the model knows of an image goes through {widths} units before {classes} "
                f"classes are told apart, and it takes {math.ceil(math.log2(classes))} bits to number them.",
                fix=f"Give {listed(rows)} at least {max(16, classes // 4)} units.",
                confidence=CONFIDENCE,
            ),
        )  # fmt: skip
