"""What the probe saw, as frozen plain values: the only form in which rules and diagnosis meet it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from analyzers.report import RunVerdict

InputScale = Literal["standardized", "raw", "0-1", "-1-1", "unscaled"]
"""``standardized``: mean 0, standard deviation 1.  ``raw``: pixels 0-255; the next two are raw pixels
divided by 255, and by 127.5 less 1.  ``unscaled``: features in units of their own."""


MEMORIZED: Final = 0.1
"""Normalised loss under which the samples of one batch are known by heart."""

MERELY_SLOW: Final = 100.0
"""Multiple of its rate up to which a model that learns there is slow (PROBE.md, "Rates").  One whose rate is
smaller still gets nowhere in any run that somebody would wait for: it is stuck, and its rate is the cause."""

UNDER_WAY: Final[frozenset[RunVerdict]] = frozenset({"learnt", "slow", "unstable"})
"""Verdicts of runs that learnt something of the task at some time."""


@dataclass(frozen=True)
class Snapshot:
    """The model on one fixed batch of fresh samples, before or after training.

    Per-layer maps are keyed by layer path, layers in the model's order.

    Attributes:
        activation_rms: root mean square of each layer's output (training mode).
        activation_std: standard deviation of each layer's output over everything (training mode).
        dead_fraction: for ReLU-like outputs, the share of units (channels) that are positive for no
            sample and position of the batch.
        output_spread: how much the logits differ between inputs, relative to their own size:
            the standard deviation over samples, averaged over units, divided by the root mean square
            of the logits (0 = the same output for every input).
        training_loss: data loss on the batch in training mode.  At the start only this mode is
            measured, and the two inference losses repeat it.
        inference_loss: data loss in inference mode with the moving statistics as they stand.
        recalibrated_loss: data loss in inference mode after re-estimating BatchNormalization's moving
            statistics from probe batches; equals ``inference_loss`` where there is none.
        accuracy: share of samples classified right among the used classes (inference mode,
            recalibrated; training mode at the start); for numbers the share of their variance that is
            explained, not under 0.
        information_gain: mean over samples of log p(y|x) - log mean_x p(y|x), in nats: how much
            better the predictions are than the model's own average prediction; 0 for a constant
            output, about ln K for a perfect one over K balanced classes, 1/2 for perfect numbers.
        information_gain_error: standard error of that mean.
    """

    activation_rms: Mapping[str, float]
    activation_std: Mapping[str, float]
    dead_fraction: Mapping[str, float]
    output_spread: float
    training_loss: float
    inference_loss: float
    recalibrated_loss: float
    accuracy: float
    information_gain: float
    information_gain_error: float


@dataclass(frozen=True)
class Run:
    """One training run.  Series have one entry per step; per-layer maps are keyed by layer path.

    Attributes:
        label: what was run, for a person.
        interventions: ids of the interventions applied; empty for the model as it is.
        weights: ``saved`` as in the file, or ``fresh`` from the initialisers.
        learning_rate: the rate of this run.
        loss: data loss of each training batch (regularisation apart, training mode).
        judged: normalised loss of each training batch, at the output that is worst at the end: 1 is the best
            constant answer, 0 perfect.  For classes it is the cross-entropy over the used ones over their
            entropy, so without what can be learnt about the labels alone; for numbers (loss - floor) /
            (chance - floor).
        accuracy: accuracy of each training batch over the used classes; explained variance for numbers.
        regularization: regularisation and other added losses of each step.
        gradient_norms: L2 norm of the gradient over a layer's trainable tensors.
        weight_norms: L2 norm of a layer's trainable tensors at the start.
        update_ratios: norm of the step's change of the tensors over the norm of the tensors.
        start, end: the model on the same fresh batch before and after.
        verdict: how the run is judged (``analyzers.probe.judgement``).
        normalized_loss: the same on fresh samples at the end.
        extrapolated_steps: for ``slow``, the steps to half of chance with a lower and upper bound.
        warmed: the rate rose to its value over the first steps, and gradients were clipped.
        own_numbers: it was asked for numbers like those that the trained model answers, not for standardised ones.
        by_output: the normalised loss at the end of each output that counts, by its layer's name; empty where
            there is only one.
    """

    label: str
    interventions: tuple[str, ...]
    input_scale: InputScale
    weights: Literal["saved", "fresh"]
    seed: int
    learning_rate: float
    loss: tuple[float, ...]
    judged: tuple[float, ...]
    accuracy: tuple[float, ...]
    regularization: tuple[float, ...]
    gradient_norms: Mapping[str, tuple[float, ...]]
    weight_norms: Mapping[str, float]
    update_ratios: Mapping[str, tuple[float, ...]]
    start: Snapshot
    end: Snapshot
    verdict: RunVerdict
    normalized_loss: float
    extrapolated_steps: tuple[float, float, float] | None = None
    warmed: bool = False
    own_numbers: bool = False
    by_output: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ProbeEvidence:
    """Everything that was measured on the model as it is (fixes tried are kept by the diagnosis).

    Attributes:
        task: one line for a person.
        classes_used: classes that occur in the synthetic labels; 0 where only numbers are asked for.
        chance_loss: data loss of the best constant prediction of the probe's answers.
        floor_loss: lowest data loss that the loss function allows (label smoothing).
        batch_size: samples per step.
        control: the plain control model's run.
        runs: runs of the model as it is: scales, saved/fresh weights, more seeds, other rates.
        deciding: index in ``runs`` of the run that decides the verdict.
        scales_itself: the graph itself brings raw input to a sane scale (so only raw was tried).
        reductions: what was made smaller to fit the budget, for a person.
        cut: the hard deadline ended the probe early.
        blind: the deciding run once more, with one and the same input for every sample; None where it was
            not made.
        memorized: the model and the control on the samples of one batch, over and over; None likewise.
        numbers: mean and standard deviation of the numbers that the trained model answers, in words for a person,
            where they are far from 0 and 1; None where it was asked for those.
    """

    task: str
    classes_used: int
    chance_loss: float
    floor_loss: float
    batch_size: int
    control: Run
    runs: tuple[Run, ...]
    deciding: int
    scales_itself: bool
    reductions: tuple[str, ...] = ()
    cut: bool = False
    blind: Run | None = None
    memorized: tuple[Run, Run] | None = None
    numbers: str | None = None

    @property
    def comparable(self) -> tuple[Run, ...]:
        """Runs that tell whether the input's scale matters: they differ from each other in scale and seed alone.

        Those of the deciding run's weights; where saved weights learnt, of fresh ones, since saved weights know
        one scale only (PROBE.md).
        """
        decision = self.decision
        if decision.weights == "saved" and decision.verdict == "learnt":
            fresh = [run for run in self.runs if run.weights == "fresh" and not run.own_numbers]
            if len({run.input_scale for run in fresh}) > 1:
                return self.alike(fresh[0])
        return self.alike(decision)

    def alike(self, run: Run) -> tuple[Run, ...]:
        """Runs that differ from this one in input scale and seed alone."""
        return tuple(one for one in self.runs if _setting(one) == _setting(run))

    @property
    def decision(self) -> Run:
        """The run that decides the verdict."""
        return self.runs[self.deciding]

    @property
    def faster(self) -> Run | None:
        """A run that learnt at a higher rate where the decision is stuck."""
        decision = self.decision
        if decision.verdict != "stuck":
            return None
        rate = decision.learning_rate
        return next((run for run in self.runs if run.learning_rate > rate and run.verdict == "learnt"), None)

    @property
    def merely_slow(self) -> bool:
        """Whether a rate that is higher within reason is all that a stuck model wants."""
        reach = 1.01 * MERELY_SLOW * self.decision.learning_rate  # rates are float32
        return self.faster is not None and self.faster.learning_rate <= reach

    @property
    def warmed(self) -> Run | None:
        """A run that got under way with warm-up where the decision failed without."""
        if self.decision.verdict == "learnt":
            return None
        return next((run for run in self.runs if run.warmed and run.verdict in UNDER_WAY), None)

    @property
    def outcome(self) -> RunVerdict:
        """What became of the model as it is, told stuck from slow, and from what a warm-up helps."""
        return "slow" if self.merely_slow or self.warmed is not None else self.decision.verdict


def _setting(run: Run) -> tuple[object, ...]:
    return run.weights, run.learning_rate, run.warmed, run.own_numbers, run.interventions
