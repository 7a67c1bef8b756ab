"""non-finite-weights: a saved tensor holds NaN or infinity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed

_WHOLE_NUMBERS: Final = ("int", "uint", "bool")
"""Types that hold neither NaN nor infinity (counters, seeds)."""


class NonFiniteWeights(Rule):
    """A saved weight is NaN or infinite.

    What it checks:
        Every number of every saved tensor, moving statistics included. It names the first layer, in the
        model's order, that holds one that is not finite.

    Why training suffers:
        Whatever is computed with NaN is NaN. The loss, and with it every gradient, is NaN from the first
        step on, and no step can bring a weight back.

    Bad example:
        ```python
        model.fit(x, y)             # loss: nan
        model.save("model.keras")   # saved all the same
        ```

    Fixed example:
        ```python
        callbacks = [keras.callbacks.TerminateOnNaN(), keras.callbacks.BackupAndRestore("backup")]
        model.fit(x, y, callbacks=callbacks)   # go on from the last sound state, at a lower rate
        ```

    How sure we are:
        Certain: the numbers are in the file. Rare in real files (2 of 879 in a survey of public
        repositories), and decisive where it occurs.

    Known limitations:
        It says where the numbers are, not which step made them. One NaN in the loss reaches every layer
        with the next update, so the first layer in order need not be the one where it began.

    References:
        https://keras.io/api/callbacks/terminate_on_nan/
    """

    id: ClassVar[str] = "non-finite-weights"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Weights that are NaN or infinite"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("reinitialize-dead-layers", "lower-learning-rate")
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/callbacks/terminate_on_nan/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Count the numbers that are not finite, layer by layer."""
        weights, statistics = facts.spec.weights, facts.graph.statistics
        layers: dict[str, dict[str, Any]] = {}
        checked = 0
        for tensor in weights.tensors:
            if tensor.dtype.startswith(_WHOLE_NUMBERS):
                continue
            checked += 1
            summary = statistics.of(tensor)
            if not summary.finite:
                row = layers.setdefault(tensor.layer, {"nan": 0, "infinite": 0, "of": 0, "tensors": []})
                row["nan"] += summary.nan
                row["infinite"] += summary.infinite
                row["of"] += tensor.size
                row["tensors"].append(tensor.role)
        if not checked:
            return NotApplicable("the file holds no weights; one saved after training would settle it")
        total = sum(row["nan"] + row["infinite"] for row in layers.values())
        return Measurement(float(total), "numbers that are not finite", layers, {"tensors_checked": checked})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One such number is an error."""
        layers = measurement.layers
        if not layers:
            return ()
        first = next(iter(layers))
        nan = sum(row["nan"] for row in layers.values())
        infinite = sum(row["infinite"] for row in layers.values())
        return (
            self.finding(
                "error",
                layers=tuple(layers),
                evidence={"nan": nan, "infinite": infinite, "first_layer": first,
                          "tensors": layers[first]["tensors"], "layers_affected": len(layers)},
                explanation=f"{nan} saved numbers are NaN and {infinite} infinite, first in {first} "
                f"({listed(layers[first]['tensors'])}). Everything computed with them is NaN, so the loss is "
                "NaN from the first step on and no step can repair it.",
                fix="Go on from a checkpoint saved before the loss became NaN, or initialise the weights anew; "
                "then train with a lower learning rate and stop on the first NaN (TerminateOnNaN).",
                certain=True,
                confidence=1.0,
            ),
        )  # fmt: skip
