"""constant-output-collapse: after training the outputs no longer depend on the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, conditions, control_failed, signal_lost
from analyzers.rules.words import number

LOWEST_SPREAD: Final = 0.01
"""Standard deviation of the logits over inputs, relative to the logits' own size: below a hundredth the
output is the same for every input to two digits (C5's own outputs were the same to three)."""

FELL: Final = 0.5
"""Share of the spread at the start under which it must be: steps that change next to nothing collapse nothing."""

STANDARD_ERRORS: Final = 3.0
"""The information gain over the average prediction has to be within so many standard errors of zero."""

LEAST_GAIN: Final = 0.01
"""Information gain in nats that is nothing whatever its standard error."""


class ConstantOutputCollapse(Rule):
    """After training the outputs no longer depend on the input.

    What it checks:
        How much the logits differ between inputs at the end of the deciding run, relative to their own
        size, and whether the predictions are any better than their own average. It says whether the
        outputs were constant from the start or became so in the run.

    Why training suffers:
        A constant output can fit how often each class occurs and nothing else. It comes of a layer whose
        units all died, of a signal that fades in a deep plain network so that every input looks the
        same behind it, or of steps so large that the biases drown the rest.

    Bad example:
        ```text
        [0.199 0.203 0.197 0.202 0.199] for every image
        ```

    Fixed example:
        ```text
        [0.91 0.02 0.03 0.01 0.03], [0.04 0.88 0.02 0.03 0.03], ...
        ```

    How sure we are:
        Certain for the run that was made: the outputs were compared. Nothing is said of a model that
        learnt.

    Known limitations:
        Measured on the probe's inputs. Outputs that differ by less than a hundredth of their size count
        as constant.

    References:
        Lu et al., Dying ReLU and Initialization, 2019, https://arxiv.org/abs/1903.06733
        Schoenholz et al., Deep Information Propagation, 2017, https://arxiv.org/abs/1611.01232
    """

    id: ClassVar[str] = "constant-output-collapse"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "Outputs that no longer depend on the input"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = (
        "reinitialize-dead-layers", "lower-learning-rate", "leaky-relu", "he-initialization",
        "standardize-inputs", "rescale-inputs", "add-batch-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1903.06733", "https://arxiv.org/abs/1611.01232",
    )  # fmt: skip

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Spread of the outputs over inputs at the end of the deciding run."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run = evidence.decision
        lost = signal_lost(facts.graph, run.end)
        return Measurement(
            run.end.output_spread,
            "share of the outputs' own size",
            {lost[0]: {"signal_lost": lost[1]}} if lost else {},
            {
                "verdict": evidence.outcome,
                "weights": run.weights,
                "spread_at_start": run.start.output_spread,
                "information_gain": run.end.information_gain,
                "information_gain_error": run.end.information_gain_error,
                "conditions": conditions(run),
                "steps": len(run.loss),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for a run that failed with outputs that are the same for every input."""
        details = measurement.details
        no_gain = max(LEAST_GAIN, STANDARD_ERRORS * details["information_gain_error"])
        constant = measurement.value < LOWEST_SPREAD and details["information_gain"] <= no_gain
        before = details["spread_at_start"]
        from_start = before < LOWEST_SPREAD
        if not from_start and measurement.value > FELL * before:
            return ()
        if details["verdict"] not in FAILED or not constant:
            return ()
        where = next(
            (
                f" {path} lets nothing through: {row['signal_lost']}."
                for path, row in measurement.layers.items()
            ),
            "",
        )
        state = "as saved" if details["weights"] == "saved" else "with fresh weights"
        change = (
            f"They were so at the start, {state}, already ({number(before)})"
            if from_start
            else f"At the start the figure was {number(before)}: they became so in {details['steps']} steps"
        )
        return (
            self.finding(
                "error",
                layers=tuple(measurement.layers),
                evidence={"output_spread": measurement.value, "output_spread_at_start": before,
                          "constant_from_the_start": from_start, "information_gain": details["information_gain"],
                          "steps": details["steps"]},
                explanation=f"At the end of the run ({details['conditions']}) the outputs differ between inputs by "
                f"{number(measurement.value)} of their own size. {change}.{where} The model can fit no more than the "
                "best constant answer.",
                fix=_fix(from_start=from_start, dead=bool(measurement.layers)),
                certain=True,
                confidence=0.9,
            ),
        )  # fmt: skip


def _fix(*, from_start: bool, dead: bool) -> str:
    if not from_start:
        return (
            "Lower the learning rate, standardise the input, or normalise between the layers, so that the first steps "
            "do not collapse the signal."
        )
    carried = (
        "arry the signal through the depth: BatchNormalization between the layers, relu with he_normal instead of "
        "activations that saturate."
    )
    if not dead:
        return f"C{carried}"
    return (
        f"Initialise the dead layers anew, keep a gradient on the negative side (LeakyReLU), and c{carried}"
    )
