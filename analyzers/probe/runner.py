"""Runs a model: sets weights, rate and data, steps until the case is clear, measures the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from analyzers.building import Built, assign_weights, build, make_optimizer, reinitialize
from analyzers.probe import judgement
from analyzers.probe.compiled import CompiledModel, StepRecord
from analyzers.probe.evidence import MEMORIZED, InputScale, Run, Snapshot
from analyzers.probe.instruments.outputs import pooled
from analyzers.probe.plan import Plan
from analyzers.probe.resampling import resample
from analyzers.probe.targets import Targets
from analyzers.probe.task import Batch, Task
from analyzers.probe.watch import OutOfTimeError, Watch
from analyzers.report import RunVerdict
from analyzers.spec import Array, ModelSpec, ObjectSpec
from analyzers.spec.flatten import flatten
from analyzers.spec.output_heads import output_names

EVALUATION_BATCHES: Final = 3
EVALUATION: Final = 1_000_000
"""Draw numbers from here on are samples that no step trains on."""

EXTENSION: Final = 3
"""A run that is still on its way down when its steps are used up gets half as many again, and again, up
to this many times as many."""

WARM_UP: Final = 0.5
"""Share of a run's steps over which a warmed rate rises linearly (Vaswani et al. 2017, section 5.3)."""

CLIP: Final = 1.0
"""Norm that the gradient over all weights is clipped to in a warmed run."""

DEFAULT_OPTIMIZER: Final = ObjectSpec("Adam")
DEFAULT_RATE: Final = 1e-3
"""What Keras takes where nothing is said (optimizer="adam")."""


@dataclass(frozen=True)
class Setting:
    """What to run.

    Attributes:
        label: for a person.
        scale: input scale.
        weights: the file's, or fresh from the initialisers.
        seed: of weights, data, dropout.
        learning_rate: the rate of the run.
        steps: steps before it is judged.
        interventions: what was changed, for the record.
        extend: give it more steps while it is still on its way down and the plan has them to spare.
        patient: give it more steps on a silent plateau too, as the run that decides deserves.
        warmed: let the rate rise to its value over the first steps, and clip gradients.
        lasting: do not stop once the task is learnt, but see whether it stays so.
        own_numbers: ask for numbers like those that the trained model answers.
        samples: ``new`` ones for every step; ``same``: those of the first step over and over; ``blind``: new
            ones whose input is that of the first, so that nothing tells the answers apart.
    """

    label: str
    scale: InputScale
    weights: Literal["saved", "fresh"]
    seed: int
    learning_rate: float
    steps: int
    interventions: tuple[str, ...] = ()
    extend: bool = True
    patient: bool = False
    warmed: bool = False
    lasting: bool = False
    own_numbers: bool = False
    samples: Literal["new", "same", "blind"] = "new"


@dataclass(frozen=True)
class _Record:
    """What a run in progress has seen: its steps, and for each output that counts the series it is judged by."""

    steps: list[StepRecord]
    outputs: tuple[judgement.Series, ...]

    @property
    def worst(self) -> int:
        """Which output is worst at present: a model has learnt when all of its outputs have."""
        return int(np.argmax([np.mean(one.judged[-judgement.POOLED :]) for one in self.outputs]))

    @property
    def series(self) -> judgement.Series:
        """Of that output."""
        return self.outputs[self.worst]


@dataclass(frozen=True)
class _End:
    """Where a run ended: normalised loss of each output that counts, which is worst, and the rest at that one."""

    snapshot: Snapshot
    judged: list[float]
    worst: int


@dataclass(frozen=True)
class Trial:
    """One graph with its loss and optimizer, compiled at its first step; serves any number of runs.

    Attributes:
        built: the flat model.
        compiled: the same, ready to step.
        plan: sizes.
        targets: what its outputs are trained on.
        fresh: paths of layers whose saved weights an intervention threw away; ``"*"`` for all.
    """

    built: Built
    compiled: CompiledModel
    plan: Plan
    targets: Targets
    fresh: frozenset[str] = frozenset()

    def run(self, setting: Setting, watch: Watch) -> Run:
        """Train by ``setting`` and judge.

        Raises:
            OutOfTimeError: the hard deadline passed before the run's end.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # numbers of a run that diverges
            return self._run(setting, watch)

    def _run(self, setting: Setting, watch: Watch) -> Run:
        self._initialize(setting)
        self.compiled.reset(setting.learning_rate)
        task = self.targets.task(setting.seed)
        record = self._record()
        limit = setting.steps
        while len(record.steps) < limit:
            self._warm(setting, len(record.steps))
            batch = self._batch(task, setting, len(record.steps))
            self._note(record, self.compiled.step(batch))
            try:
                watch.tick(record.steps[-1].loss)
            except OutOfTimeError:
                return self._cut_short(setting, record)
            if _ended(record.series, setting):
                break
            if (
                len(record.steps) == limit < EXTENSION * setting.steps
                and setting.extend
                and watch.can_spare
                and not judgement.clearly_learnt(record.series)
                and judgement.undecided(record.series, patient=setting.patient)
            ):
                limit += setting.steps // 2
        return self._finished(setting, record, task)

    def answers(self, setting: Setting) -> tuple[Array, ...]:
        """What the trained outputs answer before any step: (samples, ..., units) each."""
        self._initialize(setting)
        batches = self._unseen(setting, self.targets.task(setting.seed))
        found = [self.compiled.answers(batch) for batch in batches]
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    def _record(self) -> _Record:
        """Nothing seen yet; what is not of one output is shared by the series of all."""
        shared = judgement.Series(self.targets.chance, self.plan.stretch)
        return _Record([], tuple(replace(shared, judged=[], gains=[]) for _ in self.targets.counted))

    def _batch(self, task: Task, setting: Setting, step: int) -> Batch:
        """What one step trains on."""
        if setting.samples == "same":
            return task.batch(self.plan.batch, setting.scale, 0)
        inputs, answers = task.batch(self.plan.batch, setting.scale, step)
        if setting.samples == "blind":
            first, _ = task.batch(self.plan.batch, setting.scale, 0)
            inputs = tuple(np.repeat(one[:1], len(one), axis=0) for one in first)
        return inputs, answers

    def _unseen(self, setting: Setting, task: Task) -> list[Batch]:
        """Samples that no step trains on."""
        draws = range(EVALUATION, EVALUATION + EVALUATION_BATCHES)
        return [task.batch(self.plan.batch, setting.scale, draw) for draw in draws]

    def _warm(self, setting: Setting, step: int) -> None:
        """Set the rate and the clipping of one step."""
        if setting.warmed and step <= setting.steps * WARM_UP:
            share = (step + 1) / (setting.steps * WARM_UP + 1)
            self.compiled.set_rate(share * setting.learning_rate, clip=CLIP)

    def _initialize(self, setting: Setting) -> None:
        """Fresh values everywhere, then the file's where they are wanted; frozen layers keep the file's."""
        reinitialize(self.built, setting.seed)
        skip = self.fresh
        if setting.weights == "fresh" or "*" in self.fresh:
            skip = skip | set(self.compiled.trained_layers) | set(self.compiled.batch_normalizations)
        missed = assign_weights(self.built, self.built.spec.weights, skip=frozenset(skip))
        if missed:
            resample(self.built, self.built.spec, missed)

    def _note(self, record: _Record, step: StepRecord) -> None:
        record.steps.append(step)
        for output, one in zip(self.targets.counted, record.outputs, strict=True):
            one.judged.append(float(step.judged[output]))
            one.gains.append(step.gains[output])
        series = record.outputs[0]
        series.loss.append(step.loss)
        series.spread.append(step.spread)
        relative = step.gradient / np.maximum(step.weight, 1e-12)
        body = relative[:-1] if len(relative) > 1 else relative
        series.motion.append(float(np.max(body, initial=0.0)))
        series.first.append(float(relative[0]))
        changes = step.update / np.maximum(step.weight, 1e-12)
        series.moves.append(float(np.max(changes[:-1] if len(changes) > 1 else changes, initial=0.0)))

    def _cut_short(self, setting: Setting, record: _Record) -> Run:
        """A run at whose end the clock stood, judged by its training batches where they show learning.

        Raises:
            OutOfTimeError: they show none; a run that was cut proves no failure.
        """
        series, worst = record.series, record.worst
        recent = [float(np.mean(one.judged[-judgement.WINDOW :])) for one in record.outputs]
        end = self._snapshot(record.steps[-1], worst)
        if judgement.uninformed(series):
            raise OutOfTimeError
        if recent[worst] < judgement.LEARNT:
            return self._as_run(setting, record, _End(end, recent, worst), "learnt")
        if judgement.progressing(series):
            return self._as_run(setting, record, _End(end, recent, worst), "slow")
        raise OutOfTimeError

    def _finished(self, setting: Setting, record: _Record, task: Task) -> Run:
        end = self._end(setting, task)
        verdict = judgement.final_verdict(
            record.outputs[end.worst],
            end.judged[end.worst],
            end.snapshot.information_gain,
            end.snapshot.information_gain_error,
        )
        if verdict == "slow" and not any(step.update.any() for step in record.steps):
            verdict = "stuck"  # what its first weights happen to tell of the input was not learnt
        return self._as_run(setting, record, end, verdict)

    def _as_run(self, setting: Setting, record: _Record, end: _End, verdict: RunVerdict) -> Run:
        series = record.outputs[end.worst]
        steps, layers = record.steps, self.compiled.trained_layers
        ratios = np.array([step.update / np.maximum(step.weight, 1e-12) for step in steps])
        gradients = np.array([step.gradient for step in steps])
        return Run(
            label=setting.label,
            interventions=setting.interventions,
            input_scale=setting.scale,
            weights=setting.weights,
            seed=setting.seed,
            learning_rate=setting.learning_rate,
            warmed=setting.warmed,
            own_numbers=setting.own_numbers,
            loss=tuple(step.loss for step in steps),
            judged=tuple(series.judged),
            accuracy=tuple(step.accuracy for step in steps),
            regularization=tuple(step.regularization for step in steps),
            gradient_norms={path: tuple(gradients[:, i].tolist()) for i, path in enumerate(layers)},
            weight_norms={path: float(steps[0].weight[i]) for i, path in enumerate(layers)},
            update_ratios={path: tuple(ratios[:, i].tolist()) for i, path in enumerate(layers)},
            start=self._snapshot(steps[0], end.worst),
            end=end.snapshot,
            verdict=verdict,
            normalized_loss=end.judged[end.worst],
            by_output=self._by_output(end),
            extrapolated_steps=judgement.extrapolated_steps(series.judged) if verdict == "slow" else None,
        )

    def _by_output(self, end: _End) -> dict[str, float]:
        if len(end.judged) == 1:
            return {}
        indices = [self.targets.heads[output].index for output in self.targets.counted]
        names = output_names(self.built.spec)
        return {names[index]: judged for index, judged in zip(indices, end.judged, strict=True)}

    def _snapshot(self, step: StepRecord, output: int) -> Snapshot:
        """Training mode, from the measurements of one step; information at one of the outputs that count."""
        gain, error = pooled(step.gains[self.targets.counted[output]])
        rms, std = np.sqrt(step.activation[:, 0]), np.sqrt(step.activation[:, 1])
        names = self.compiled.scale_layers
        return Snapshot(
            activation_rms=dict(zip(names, rms.tolist(), strict=True)),
            activation_std=dict(zip(names, std.tolist(), strict=True)),
            dead_fraction=dict(zip(self.compiled.relu_layers, step.dead.tolist(), strict=True)),
            output_spread=step.spread,
            training_loss=step.loss,
            inference_loss=step.loss,
            recalibrated_loss=step.loss,
            accuracy=step.accuracy,
            information_gain=gain,
            information_gain_error=error,
        )

    def _end(self, setting: Setting, task: Task) -> _End:
        """The trained model on unseen samples, each output judged in inference mode.

        Where batches are normalised, in the better of the two modes, on the same samples.
        """
        batches = self._unseen(setting, task)
        lagging = bool(self.compiled.batch_normalizations)
        before = [self.compiled.infer(batch) for batch in batches] if lagging else []
        trained = self.compiled.recalibrate(batches if lagging else batches[:1])
        after = [self.compiled.infer(batch) for batch in batches]
        counted = list(self.targets.counted)
        judged = np.mean([item["judged"][counted] for item in after], axis=0)
        if lagging:
            judged = np.minimum(judged, np.mean([record.judged[counted] for record in trained], axis=0))
        worst = int(np.argmax(judged))
        gain, error = pooled(np.concatenate([item["gains"][counted[worst]] for item in after]))
        recalibrated = float(np.mean([item["loss"] for item in after]))
        snapshot = replace(
            self._snapshot(trained[0], worst),
            output_spread=float(np.mean([item["spread"] for item in after])),
            training_loss=float(np.mean([r.loss for r in trained])),
            inference_loss=float(np.mean([item["loss"] for item in before])) if before else recalibrated,
            recalibrated_loss=recalibrated,
            accuracy=float(np.mean([item["accuracy"] for item in after])),
            information_gain=gain,
            information_gain_error=error,
        )
        return _End(snapshot, judged.tolist(), worst)


def _ended(series: judgement.Series, setting: Setting) -> bool:
    """Whether more steps would tell nothing; where samples are not new, only what they are fed for ends a run."""
    if judgement.diverged(series):
        return True
    if setting.samples != "new":
        return series.judged[-1] < MEMORIZED
    learnt = judgement.clearly_learnt(series) and not setting.lasting
    return learnt or judgement.dead(series) or judgement.hopeless(series)


def make_trial(spec: ModelSpec, plan: Plan, targets: Targets, fresh: frozenset[str] = frozenset()) -> Trial:
    """Build a model, as it is or as changed, for running.

    Raises:
        analyzers.building.Unbuildable: the model has layers outside the allowlist.
    """
    training = spec.training
    optimizer = (training.optimizer if training else None) or DEFAULT_OPTIMIZER
    built = build(flatten(spec), input_shapes=plan.input_shapes, seed=0)
    compiled = CompiledModel(built, targets, make_optimizer(optimizer, DEFAULT_RATE))
    return Trial(built, compiled, plan, targets, fresh)
