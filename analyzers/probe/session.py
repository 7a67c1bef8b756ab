"""One probe: the plan, the control, and every run of the model as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal

from analyzers.building import make_optimizer, problems
from analyzers.options import PROOF_GRACE, Options
from analyzers.probe.compiled import CompiledModel, configure, device_name
from analyzers.probe.control import LEARNING_RATE as CONTROL_RATE
from analyzers.probe.control import build_control, control_targets
from analyzers.probe.evidence import MERELY_SLOW, UNDER_WAY, ProbeEvidence, Run
from analyzers.probe.feeds import NotProbedError
from analyzers.probe.heads import TrainedHead, untrained
from analyzers.probe.judgement import LEARNT
from analyzers.probe.own_numbers import Recorded, in_units, numbers_of
from analyzers.probe.plan import cores, gflops, make_plan
from analyzers.probe.runner import DEFAULT_OPTIMIZER, DEFAULT_RATE, Setting, Trial, make_trial
from analyzers.probe.scales import IN_WORDS, scales_of, was_sane, without_scale
from analyzers.probe.targets import Targets, make_targets, on_numbers
from analyzers.probe.task import in_words
from analyzers.probe.unaugmented import SAID, augments
from analyzers.probe.watch import OutOfTimeError, Watch
from analyzers.progress import ProgressCallback
from analyzers.spec import ModelSpec, kinds
from analyzers.spec.cost import estimate
from analyzers.spec.graph import Graph
from analyzers.spec.learning_rates import SLACK, Rate, rate_of, usual_rate
from analyzers.spec.output_heads import output_names

RATE_FACTORS: Final = (10.0, MERELY_SLOW)
"""Before a model is called stuck it is tried at these multiples of its rate (PROBE.md, "Rates")."""

FASTER: Final = 2
"""Share of a run's steps that a higher rate gets: a model that is merely slow shows it there, and a run that
is on its way down is given more."""

CLOSE: Final = 0.7
"""Share of its steps that a run may take to learn before more seeds are asked, which get as many; a run on
another scale that learnt sooner answers as well."""

STARTS: Final = 3
"""Late runs that learnt, on any scale or seed, which are enough to say that the model learns."""

ORDINALS: Final = ("first", "second", "third")

CLOSE_TO_CHANCE: Final = 0.95
"""Normalised loss under which a failed run is not clearly at chance."""

USUAL_RATE: Final = "as it is, at the optimizer's usual rate {:g}"

WARMED: Final = "with a warmed-up rate and clipped gradients"
"""Attention learns at its rate after a warm-up, or in large batches, that kills it without (PROBE.md)."""

GRACE_S: Final = 5.0
"""Seconds over the budget before the clock ends the probe; the plan itself looks at no clock."""

SPARE_RUNS: Final = 10
"""Runs' worth of steps that must be left before runs are made that only tell kinds of being stuck apart: where
the budget is tight the sender waits for the verdict and its fix."""

STANDARD_TARGETS: Final = (
    "The numbers to predict had mean 0 and standard deviation 1: where yours are far from that, scale them, or send "
    "target_range=LOW,HIGH to have the model tried on such targets."
)

OWN_TARGETS: Final = (
    "The numbers to predict were on the scale of those that the trained model answers: {}. With fresh weights they had "
    "mean 0 and standard deviation 1."
)

SANE_RECORD: Final = (
    "What the file remembers of its own training tells that its input was on a usual scale (about {} in size): no other "
    "was tried. Send input_range to have one tried."
)

FRESH: Final = "with fresh weights"

COLLAPSED: Final = 0.3
"""A saved rate under this share of the optimizer's usual one may be the end of a schedule."""


class ProbeSession:
    """Everything that the probe runs on one file.

    Args:
        spec: the model with its weights; training settings with the sender's overrides.
        options: the sender's word.
        budget_s: seconds that the plan may use; `GRACE_S` more pass before the hard deadline.
        memory_bytes: memory that training may take.
        progress: told about every few steps.
        broken: the file's weights hold numbers that are not finite; they decide, however often it was trained.
        recorded: what the file remembers of its own training.

    Attributes:
        spec: the model, with the probe's losses in place of the author's own.
        scales, targets, plan, watch: what every run shares.
        weights: which weights decide: the file's once it was trained or where they are broken, else fresh ones.
        rate: the rate of the model as it is.
        proof_grace_s: seconds by which a proof may pass the budget.

    Raises:
        NotProbedError: there is no task for this model, or it has layers that cannot be built.
        InputError: ``model-too-large``.
    """

    def __init__(
        self,
        spec: ModelSpec,
        options: Options,
        *,
        budget_s: float,
        memory_bytes: int,
        progress: ProgressCallback,
        broken: bool = False,
        recorded: Recorded | None = None,
    ) -> None:
        if found := problems(spec):
            listed = "; ".join(f"{path}: {reason}" for path, reason in found[:3])
            raise NotProbedError(f"{len(found)} layer(s) cannot be built ({listed})")
        configure(options.seed)
        self.spec, self._seed, self._options = spec, options.seed, options
        speed = gflops("gpu" if device_name() == "gpu" else "cpu", cores())
        self.plan = make_plan(spec, budget_s, memory_bytes, speed, options.batch_size)
        if not estimate(spec, self.plan.input_shapes).trainable_parameters:
            raise NotProbedError("it has nothing to train: no layer has trainable weights")
        self._recorded = recorded or Recorded()
        self.scales = scales_of(spec, options, self.plan.feeds, self._recorded.input_scales)
        self.targets = make_targets(spec, self.plan.feeds, options, self.scales.natural)
        self.spec = _with_known_losses(spec, self.targets.heads)
        self.proof_grace_s = PROOF_GRACE * budget_s
        self.watch = Watch(progress, budget_s + GRACE_S, self.plan.total_steps, self.plan.proof_steps)
        training = spec.training
        self.rate = _rate(spec)
        trained = bool(training and training.steps_taken)
        self.weights: Literal["saved", "fresh"] = "saved" if trained or broken else "fresh"
        self._runs: list[Run] = []
        self._first_run_s = 0.0
        self._own: Targets | None = None
        self._trials: dict[bool, Trial] = {}
        self._control_trial: Trial | None = None
        self._latest: tuple[tuple[str, frozenset[str], bool], Trial] | None = None

    def seed(self, number: int) -> int:
        """The ``number``-th seed of this diagnosis; proof seeds start at 100."""
        return self._seed * 1000 + number

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What had to be assumed about the training, for a person."""
        said = [head.assumed + "." for head in self.targets.heads if head.assumed]
        training = self.spec.training
        if training is None or training.optimizer is None:
            said.append(f"The file names no optimizer: {DEFAULT_OPTIMIZER.kind} at {self.rate:g} was used.")
        if was_sane(self._recorded.input_scales) and self._options.input_range == "auto":
            sizes = " and ".join(f"{size:.2g}" for size in self._recorded.input_scales)
            said.append(SANE_RECORD.format(sizes))
        if self._own is not None:
            said.append(OWN_TARGETS.format(in_units(self._own)))
        elif any(head.takes_any_number for head in self.targets.heads):
            said.append(STANDARD_TARGETS)
        names = output_names(self.spec)
        trained = {head.index for head in self.targets.heads}
        said += [
            f"Output '{names[index]}' was not trained: {why}."
            for index, why in untrained(Graph(self.spec), self.spec.training).items()
            if index not in trained
        ]
        said += [
            f"Output '{names[self.targets.heads[number].index]}' was not judged: the control model did not learn "
            "what it was asked either."
            for number in sorted(self.targets.set_aside)
        ]
        return tuple(said)

    @property
    def own_scales(self) -> dict[int, tuple[tuple[float, ...], tuple[float, ...]]]:
        """By the output's position, mean and deviation of the numbers that the trained model answers, where unusual."""
        heads = self._own.heads if self._own is not None else ()
        return {
            head.index: (head.numbers.mean, head.numbers.std) for head in heads if head.numbers is not None
        }

    def evidence(self) -> ProbeEvidence:
        """Run the control and the model as it is, on every scale, until the case is clear."""
        self.watch.begin("building", "building and tracing the model")
        control = self._control()
        cut = False
        if control.verdict == "learnt":
            try:
                self._examine()
            except OutOfTimeError:
                cut = True
        deciding = self._deciding()
        targets = self._targets(own=bool(self._runs) and self._runs[deciding].own_numbers)
        return ProbeEvidence(
            task=in_words(self.targets.layout, self.plan.batch),
            classes_used=self.targets.classes,
            chance_loss=targets.chance,
            floor_loss=targets.floor,
            batch_size=self.plan.batch,
            control=control,
            runs=tuple(self._runs),
            deciding=deciding,
            scales_itself=self.scales.itself,
            reductions=(*self.plan.reductions, *((SAID,) if augments(self.spec) else ())),
            cut=cut,
            numbers=in_units(self._own) if self._own is not None else None,
        )

    def _control(self) -> Run:
        """The control's run; at a second seed where the first fails.

        Of several outputs, those that it learns neither time are set aside: the model is judged by the others.
        """
        first = self._control_run(0)
        if first.verdict == "learnt":
            return first
        second = self._control_run(1)
        if second.verdict == "learnt" or not second.by_output:
            return second
        failed = frozenset(
            number for number, judged in enumerate(second.by_output.values()) if judged >= LEARNT
        )
        if len(failed) == len(second.by_output):
            return second
        self.targets = replace(self.targets, set_aside=failed)
        return self._control_run(1)

    def _control_run(self, number: int) -> Run:
        scale, seed = self.scales.natural, self.seed(number)
        targets = control_targets(self.targets, scale, seed)
        built = build_control(targets, scale, seed)
        compiled = CompiledModel(built, targets, make_optimizer(DEFAULT_OPTIMIZER, CONTROL_RATE))
        self._control_trial = Trial(built, compiled, self.plan, targets)
        setting = Setting("control model", scale, "fresh", seed, CONTROL_RATE, self.plan.steps)
        return self._control_trial.run(setting, self.watch)

    def _examine(self) -> None:
        """The model as it is: every scale; then what tells stuck from slow, unlucky or cooled down."""
        base = Setting(
            "as it is", self.scales.natural, self.weights, self.seed(0), self.rate, self.plan.steps,
            lasting=self.above_all_rates,
        )  # fmt: skip
        self._own = self._own_targets(base)
        base = replace(base, own_numbers=self._own is not None)
        where = "token ids" if without_scale(self.plan.feeds) else IN_WORDS[base.scale]
        first = self._run(replace(base, label=f"as it is, on {where}", patient=True))
        fresh = replace(base, label=FRESH, weights="fresh", own_numbers=False)
        if self.weights == "saved":
            self._with_fresh_weights(fresh, first)
        known = self.weights == "saved" and first.verdict == "learnt"  # on which scale they were trained
        for scale in self.scales.tried[1:]:
            there = fresh if known else base
            label = f"{there.label}, on {IN_WORDS[scale]}"
            self._run(self._asked_alike(replace(there, label=label, scale=scale)))
        if first.verdict == "learnt":
            self._confirm(base)
            return
        self._excuse(base, first)

    def _own_targets(self, base: Setting) -> Targets | None:
        """The questions on the scale of a trained model's own answers, where that is not the standard one."""
        if self.weights == "fresh" or not any(head.takes_any_number for head in self.targets.heads):
            return None
        answers = self._trial(own=False).answers(base)
        found = numbers_of(self.targets.heads, answers, self._recorded.errors)
        return on_numbers(self.targets, found, self.scales.natural, self._options.seed) if found else None

    def _with_fresh_weights(self, fresh: Setting, first: Run) -> None:
        """The design without the state: where it learns standardised numbers, on the file's own numbers too."""
        run = self._run(self._asked_alike(fresh))
        if first.own_numbers and first.verdict != "learnt" == run.verdict:
            self._run(replace(fresh, label=f"{FRESH}, on numbers like its own", own_numbers=True))

    def _asked_alike(self, setting: Setting) -> Setting:
        """The run with as many steps as the first one took to learn, so that their ends can be compared."""
        taken = len(self._runs[0].loss) if self._runs and self._runs[0].verdict == "learnt" else 0
        return replace(setting, steps=taken, extend=False) if taken > setting.steps else setting

    def _confirm(self, base: Setting) -> None:
        """More random starts while the model has learnt only late, or on one scale or in one run only.

        A start that fails ends it: then learning is a matter of luck.
        """
        for number in range(1, STARTS):
            learnt = [len(run.loss) for run in self._runs if run.verdict == "learnt"]
            if min(learnt) <= CLOSE * self.plan.steps or len(learnt) >= STARTS:
                return
            label = f"as it is, {ORDINALS[number]} seed"
            steps = max(self.plan.steps, *learnt)
            start = replace(base, label=label, seed=self.seed(number), steps=steps, extend=False)
            if self._run(start).verdict != "learnt":
                return

    def _excuse(self, base: Setting, first: Run) -> None:
        """What tells a model that did not learn from one whose rate is small, has been lowered, or wants warm-up."""
        attends = any(layer.kind in kinds.ATTENTION for layer in self.spec.walk())
        if attends and self._run(replace(base, label=WARMED, warmed=True)).verdict in UNDER_WAY:
            return
        usual = _usual(self.spec)
        if self.weights == "saved" and self.rate < COLLAPSED * usual:
            self._run(replace(base, label=USUAL_RATE.format(usual), learning_rate=usual))
        if first.verdict == "stuck":
            for label, rate in self._higher_rates(usual):
                faster = replace(base, label=label, learning_rate=rate, steps=self.plan.steps // FASTER)
                if self._run(faster).verdict == "learnt":
                    return

    @property
    def above_all_rates(self) -> bool:
        """Whether the rate is above all that its optimizer is used with, momentum counted in."""
        return self._above_all(1.0)

    def _above_all(self, factor: float) -> bool:
        """Whether this multiple of the rate is."""
        found = rate_of(self.spec.training) if self.spec.training is not None else ""
        return isinstance(found, Rate) and factor * found.step_length > SLACK * found.range.high

    def _higher_rates(self, usual: float) -> Iterator[tuple[str, float]]:
        """Multiples of the rate, and the optimizer's usual one where that is higher still.

        A model that learns only at a rate above all that its optimizer is used with is not merely slow.
        """
        if self.above_all_rates:
            return
        for factor in RATE_FACTORS:
            if not self._above_all(factor):
                yield f"at {factor:g} times its rate", self.rate * factor
        if usual > self.rate * RATE_FACTORS[-1] and self.weights == "fresh":
            yield f"at the optimizer's usual rate {usual:g}", usual

    def another_start(self, evidence: ProbeEvidence) -> ProbeEvidence:
        """The evidence with one more random start of the deciding run, where a failure is not clear.

        Of a model for which a cure was found, the proof's runs of the original say as much.
        """
        decision = evidence.decision
        close = [run for run in evidence.runs if run.verdict != decision.verdict or _close(run)]
        if decision.verdict == "learnt" or not close:
            return evidence
        setting = Setting(
            f"as it is, {ORDINALS[1]} seed", decision.input_scale, decision.weights, self.seed(1),
            decision.learning_rate, self.plan.steps, own_numbers=decision.own_numbers,
        )  # fmt: skip
        try:
            return replace(evidence, runs=(*evidence.runs, self._run(setting)))
        except OutOfTimeError:
            return replace(evidence, cut=True)

    def failure_explained(self, evidence: ProbeEvidence) -> ProbeEvidence:
        """The evidence with what tells kinds of being stuck apart, where the plan has steps to spare.

        One run in which no input tells the answers apart, and one of model and control on the samples of a
        single batch (Ng's and Karpathy's first check of a network).
        """
        decision, steps = evidence.decision, self.plan.steps
        if evidence.outcome != "stuck" or evidence.cut or self.watch.remaining_steps < SPARE_RUNS * steps:
            return evidence
        base = Setting(
            "without an input that tells", decision.input_scale, decision.weights, decision.seed,
            decision.learning_rate, len(decision.loss), extend=False, samples="blind",
            own_numbers=decision.own_numbers,
        )  # fmt: skip
        again = replace(base, label="the same samples again and again", steps=steps, samples="same")
        try:
            self.watch.begin("probing", "looking at how it fails")
            blind = self.original()(base)
            model = self.original()(again)
            return replace(evidence, blind=blind, memorized=(model, self._memorizing_control(again)))
        except OutOfTimeError:
            return replace(evidence, cut=True)

    def _memorizing_control(self, setting: Setting) -> Run:
        """The control on the samples of one batch."""
        assert self._control_trial is not None  # noqa: S101 - it decided before the model was looked at
        theirs = replace(setting, scale=self.scales.natural, weights="fresh", learning_rate=CONTROL_RATE)
        return self._control_trial.run(theirs, self.watch)

    def _run(self, setting: Setting) -> Run:
        self.watch.begin("probing", f"training the model {setting.label}")
        started = time.monotonic()
        run = self.original()(setting)
        if not self._runs:
            self._first_run_s = time.monotonic() - started
        self._runs.append(run)
        return run

    def _deciding(self) -> int:
        """The natural scale's first run on the deciding weights; at the usual rate if only that learnt."""
        label = USUAL_RATE.format(_usual(self.spec))
        learnt = (i for i, run in enumerate(self._runs) if run.label == label and run.verdict == "learnt")
        return next(learnt, 0)

    def original(self) -> Callable[[Setting], Run]:
        """A way to run the model as it is, on its compiled graph."""
        return lambda setting: self._trial(own=setting.own_numbers).run(setting, self.watch)

    def _trial(self, *, own: bool) -> Trial:
        """The model as it is, ready to run."""
        if own not in self._trials:
            self._trials[own] = make_trial(self.spec, self.plan, self._targets(own=own))
        return self._trials[own]

    def _targets(self, *, own: bool) -> Targets:
        return self._own if own and self._own is not None else self.targets

    def attempt(
        self, spec: ModelSpec, label: str, fresh: frozenset[str], *, keeps_graph: bool, own_numbers: bool
    ) -> Callable[[Setting], Run]:
        """A way to run a changed model; on the original's compiled graph where only the rate changed.

        The latest changed model is kept, since its proof follows on its search.
        """
        if keeps_graph:
            return self.original()
        key = label, fresh, own_numbers
        if self._latest is None or self._latest[0] != key:
            self.watch.begin("fixing", f"building the model with {label}", needs_s=self._first_run_s)
            targets = make_targets(  # the change may be one of the loss or the last activation
                spec, self.plan.feeds, self._options, self.scales.natural, self._targets(own=own_numbers)
            )
            self._latest = (key, make_trial(spec, self.plan, targets, fresh))
        trial = self._latest[1]
        return lambda setting: trial.run(setting, self.watch)


def _with_known_losses(spec: ModelSpec, heads: Sequence[TrainedHead]) -> ModelSpec:
    """The model with the probe's losses in place of the author's own, which nobody else can build."""
    if spec.training is None:
        return spec
    ours = {head.index: head.loss for head in heads if head.assumed}
    losses = (
        ours.get(index, loss) if loss is not None else None for index, loss in enumerate(spec.training.losses)
    )
    return replace(spec, training=replace(spec.training, losses=tuple(losses)))


def _close(run: Run) -> bool:
    """Whether a failed run is near enough to learning, or to failing otherwise, to ask a second seed."""
    return run.verdict != "diverged" and run.normalized_loss < CLOSE_TO_CHANCE


def _usual(spec: ModelSpec) -> float:
    """The rate that the model's optimizer is usually run at; Keras's default where it names none that is known."""
    return (
        usual_rate((spec.training.optimizer if spec.training else None) or DEFAULT_OPTIMIZER) or DEFAULT_RATE
    )


def _rate(spec: ModelSpec) -> float:
    training = spec.training
    if training is None:
        return DEFAULT_RATE
    for rate in (training.rate_in_force if not training.schedule else None, training.learning_rate):
        if rate is not None:
            return rate
    return _usual(spec)
