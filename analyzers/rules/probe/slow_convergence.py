"""slow-convergence: the model learns, but would need far more steps than usual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.report import finite
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import conditions, control_failed
from analyzers.rules.words import number

FAR_MORE: Final = 10.0
"""Multiple of the control's steps from which on they are far more than usual: an order of magnitude.  Deep
plain networks in good health take two to five times as many (measured on VGG-like networks)."""


class SlowConvergence(Rule):
    """The model learns, but would need far more steps than usual.

    What it checks:
        The steps that the deciding run would need to learn half of the task, extrapolated from its
        later half with a 95 % interval, against the steps in which the control learnt it. A model that
        stays put at its own rate and learns at a higher one counts as well.

    Why training suffers:
        Nothing is broken, but a run of usual length ends long before the model has learnt, and looks
        stuck. Steps that are too small for the weights, a signal that fades with depth or a gradient
        that one part of the model shadows do that.

    Bad example:
        ```python
        model.compile(keras.optimizers.SGD(1e-5), "categorical_crossentropy")
        ```

    Fixed example:
        ```python
        model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
        ```

    How sure we are:
        The loss was falling beyond doubt, or a run at a higher rate learnt; how long it would take is a
        straight line drawn on. Where the file's rate may be the end of a schedule it is information.

    Known limitations:
        It holds for the probe's task, whose control takes some dozens of steps. Learning curves are no
        straight lines: many networks wait and then learn quickly.

    References:
        https://karpathy.github.io/2019/04/25/recipe/
    """

    id: ClassVar[str] = "slow-convergence"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "Learning that takes far more steps than usual"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("raise-learning-rate", "change-optimizer")
    specific: ClassVar[frozenset[str]] = frozenset({"raise-learning-rate"})
    references: ClassVar[tuple[str, ...]] = ("https://karpathy.github.io/2019/04/25/recipe/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Steps taken or extrapolated, over the control's."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        run, usual = evidence.decision, len(evidence.control.loss)
        needed = run.extrapolated_steps
        steps = needed if needed is not None else (float(len(run.loss)),) * 3
        best, early, late = steps
        return Measurement(
            best / usual,
            "times the control's steps",
            details={
                "verdict": evidence.outcome,
                "conditions": conditions(run),
                "saved": run.weights == "saved",
                "steps_taken": len(run.loss),
                "control_steps": usual,
                "extrapolated": needed is not None,
                "best": finite(best),
                "early": finite(early),
                "late": finite(late),
                "faster_rate": evidence.faster.learning_rate if evidence.faster is not None else None,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for a slow model that needs far more steps, or another rate; else information."""
        details = measurement.details
        if details["verdict"] != "slow":
            return ()
        early, usual, faster = details["early"], details["control_steps"], details["faster_rate"]
        far = early is None or early > FAR_MORE * usual
        ended = faster is not None and details["saved"]
        text = f"With {details['conditions']} the loss "
        if faster is not None:
            text += f"hardly moves in {details['steps_taken']} steps; at a rate of {number(faster)} the model learns."
        elif details["extrapolated"]:
            text += (
                f"falls, but half of the task would take about {number(details['best'])} steps ({number(early)} to "
                f"{number(details['late']) if details['late'] is not None else 'any number'}); the control took {usual}."
            )
        else:
            text += f"falls too slowly in {details['steps_taken']} steps to tell how many it would take; the control took {usual}."
        if ended:
            text += " The rate in the file may be the one at which a schedule ended."
        return (
            self.finding(
                "warning" if (far or faster is not None) and not ended else "info",
                evidence={key: details[key] for key in ("steps_taken", "control_steps", "best", "early", "late", "faster_rate")},
                explanation=text,
                fix=f"Start from a learning rate of {number(faster)}." if faster is not None else
                "Raise the learning rate, or train for as many steps as it says.",
                certain=True,
                confidence=0.7,
            ),
        )  # fmt: skip
