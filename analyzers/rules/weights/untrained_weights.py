"""untrained-weights: the file holds the model as it was before training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.freshness import LEAST_WEIGHTS, freshness, is_fresh

LIMIT: Final = 1.95
"""Kolmogorov's distance that a fresh kernel keeps to in 999 of 1000 draws: all of a model's are asked at once."""

LEAST_SHARE: Final = 0.9
"""Share of kernels at their initialiser."""


class UntrainedWeights(Rule):
    """The file holds the model before its training.

    What it checks:
        Whether the saved kernels still have the distribution of their initialisers, all biases are
        exactly zero, the moving statistics of BatchNormalization are at their start, and the file
        records no optimizer step.

    Why training suffers:
        It does not: this tells what can be judged. What other rules say of saved weights concerns a
        start, not a result, and the real run has left nothing in this file that could be read.

    Bad example:
        ```python
        model.save("model.keras")
        model.fit(x, y)
        ```

    Fixed example:
        ```python
        model.fit(x, y)
        model.save("model.keras")
        ```

    How sure we are:
        Trained kernels fail the test of distribution by far. A run whose learning rate was so low that
        nothing moved, with an optimizer whose steps were not saved, leaves the same file.

    Known limitations:
        Kernels of under 200 weights and constant or orthogonal initialisers are not compared.

    References:
        https://keras.io/guides/serialization_and_saving/
    """

    id: ClassVar[str] = "untrained-weights"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Weights from before the training"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/guides/serialization_and_saving/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Compare kernels with their initialisers, unless steps or statistics show a training."""
        spec, graph = facts.spec, facts.graph
        steps = None if spec.training is None else spec.training.steps_taken
        moved = any(
            not graph.statistics.of(info).zero for info in spec.weights.tensors if info.role == "moving_mean"
        )
        if steps or moved:
            return Measurement(0.0, "share of kernels", {}, {"steps": steps, "statistics_moved": moved})
        rows = {
            layer.path: row for layer in graph.flat.layers if (row := freshness(graph, layer)) is not None
        }
        if not rows:
            return NotApplicable(
                f"no kernel of {LEAST_WEIGHTS} weights or more has a random initialiser to compare it with"
            )
        fresh = sum(is_fresh(row, LIMIT) for row in rows.values())
        return Measurement(
            fresh / len(rows), "share of kernels", rows,
            {"steps": steps, "statistics_moved": moved, "fresh": fresh},
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Inform where nearly every kernel is as it was drawn."""
        rows = measurement.layers
        untouched = all(row["largest_bias"] == 0 for row in rows.values())
        if measurement.value < LEAST_SHARE or not untouched:
            return ()
        return (
            self.finding(
                "info",
                layers=tuple(path for path, row in rows.items() if is_fresh(row, LIMIT)),
                evidence={"kernels_at_their_initialiser": measurement.details["fresh"], "of": len(rows),
                          "steps": measurement.details["steps"]},
                explanation=f"{measurement.details['fresh']} of {len(rows)} kernels still have the distribution of their "
                "initialiser, every bias is zero and no step is recorded: this is the model before training. "
                "What is said here of its weights concerns the start, not a result.",
                fix="To have a trained state judged as well, save the model after fit().",
                confidence=0.9,
            ),
        )  # fmt: skip
