"""input-scale-sensitivity: the model learns on one input scale only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from analyzers.probe.evidence import InputScale, ProbeEvidence, Run
from analyzers.report import finite
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, SCALES, control_failed
from analyzers.rules.words import FEATURES_SCALED, PIXELS_SCALED, count


class InputScaleSensitivity(Rule):
    """The model learns on one input scale only.

    What it checks:
        The probe's runs on one input scale against those on another (raw 0-255, standardised), with the same weights
        at the same rate and with nothing changed: does most of one learn while none of the other does?

    Why training suffers:
        What the model needs is then a condition on the data that the file does not hold: fed on the
        other scale, it stays where it is.

    Bad example:
        ```python
        model.fit(images, labels)               # 0-255, a model that needs small numbers
        ```

    Fixed example:
        ```python
        inputs = keras.Input((224, 224, 3))
        x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)   # the condition, moved into the model
        ```

    How sure we are:
        Certain for the runs that were made. It is a warning and a condition, not an error: three
        quarters of real image models are scaled outside the file. An error it becomes by what proves
        raw input, in other rules.

    Known limitations:
        Two scales are tried, not a range of them. Where the graph scales its input itself only raw
        input is tried, and the rule does not apply.

    References:
        LeCun et al., Efficient BackProp, 1998, section 4.3,
        http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf
    """

    id: ClassVar[str] = "input-scale-sensitivity"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "Learning that depends on the input's scale"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("standardize-inputs", "rescale-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"standardize-inputs", "rescale-inputs"})
    references: ClassVar[tuple[str, ...]] = ("http://yann.lecun.com/exdb/publis/pdf/lecun-98b.pdf",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Verdicts of the comparable runs on either scale."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        groups = _by_scale(evidence)
        if len(groups) < 2:
            only = next(iter(groups), evidence.decision.input_scale)
            return NotApplicable(f"only {SCALES[only]} was tried")
        details: dict[str, Any] = {
            scale: {
                "learnt": sum(run.verdict == "learnt" for run in runs),
                "failed": sum(run.verdict in FAILED for run in runs),
                "runs": len(runs),
                "normalized_loss": finite(min(run.normalized_loss for run in runs)),
            }
            for scale, runs in groups.items()
        }
        shares = [row["learnt"] / row["runs"] for row in details.values()]
        return Measurement(
            abs(shares[0] - shares[1]), "difference of the shares that learnt", details=details
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning where most runs learn on one scale and every run fails on the other."""
        table = measurement.details
        learning = [scale for scale, row in table.items() if row["learnt"] * 2 > row["runs"]]
        failing = [scale for scale, row in table.items() if row["failed"] == row["runs"]]
        if not (learning and failing):
            return ()
        return (self._told(learning[0], failing[0], measurement),)  # type: ignore[arg-type]  # keys are scales

    def _told(self, good: InputScale, bad: InputScale, measurement: Measurement) -> Finding:
        table = measurement.details
        return self.finding(
            "warning",
            evidence={"learns_on": good, "fails_on": bad, "runs": {scale: dict(row) for scale, row in table.items()}},
            explanation=f"Of {count(table[good]['runs'], 'run')} on {SCALES[good]} {table[good]['learnt']} learnt; of "
            f"{table[bad]['runs']} on {SCALES[bad]} none did. The model "
            "learns on the condition that its input has the right scale.",
            fix=_advice(good, bad),
            certain=True,
            confidence=0.9,
        )  # fmt: skip


def _advice(good: InputScale, bad: InputScale) -> str:
    if good == "raw":
        return "Feed the data on the scale that the saved weights were trained on: 0-255, without scaling."
    if good == "unscaled":
        return "Feed the features as they are, without scaling."
    layer = FEATURES_SCALED if bad == "unscaled" else PIXELS_SCALED
    return f"Feed standardised input, or move the condition into the model: {layer}, in front."


def _by_scale(evidence: ProbeEvidence) -> dict[InputScale, list[Run]]:
    """Runs that differ from the deciding one in nothing but scale and seed, by scale."""
    groups: dict[InputScale, list[Run]] = {}
    for run in evidence.comparable:
        groups.setdefault(run.input_scale, []).append(run)
    return groups
