"""What all runs of one diagnosis are trained on: heads, units in use, questions, and chance under the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analyzers.building import make_loss
from analyzers.options import Options
from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.probe.heads import TrainedHead, trained_heads
from analyzers.probe.instruments.outputs import TINY
from analyzers.probe.layout import make_layout, resized
from analyzers.probe.task import Layout, Numbers, Task
from analyzers.spec import Array, ModelSpec

SAMPLES = 480
"""Answers from which chance is computed; a multiple of every number of classes in use."""

QUANTILES = np.linspace(0.05, 0.95, 19)
"""Constants that are tried besides the mean: the best one for absolute errors is the median, for relative
errors less."""


@dataclass(frozen=True)
class Grade:
    """How the loss at one head is judged.

    Attributes:
        chance: data loss of the best constant answer.
        floor: lowest data loss that the loss function allows (label smoothing).
        entropy: for classes, that of their labels in nats.
        variance: for numbers, mean square distance from their mean.
    """

    chance: float
    floor: float
    entropy: float = 0.0
    variance: float = 0.0


@dataclass(frozen=True)
class Targets:
    """What every variant of the model is trained on.

    Attributes:
        heads: the outputs that are trained.
        used: per head, the (classes,) units that occur in the labels.
        grades: per head, how its loss is judged.
        weights: per head, its loss weight.
        layout: what the inputs show and the heads are asked.
        set_aside: positions of heads that are trained but not judged, since the control did not learn them.
    """

    heads: tuple[TrainedHead, ...]
    used: tuple[Array, ...]
    grades: tuple[Grade, ...]
    weights: tuple[float, ...]
    layout: Layout
    set_aside: frozenset[int] = frozenset()

    @property
    def counted(self) -> tuple[int, ...]:
        """Positions of the heads that a run is judged by."""
        return tuple(number for number in range(len(self.heads)) if number not in self.set_aside)

    @property
    def classes(self) -> int:
        """Classes that occur in the labels; 0 where only numbers are asked for."""
        return self.layout.classes

    @property
    def chance(self) -> float:
        """Data loss of the best constant answers, loss weights applied."""
        return float(sum(w * grade.chance for w, grade in zip(self.weights, self.grades, strict=True)))

    @property
    def floor(self) -> float:
        """Lowest data loss that the loss functions allow, loss weights applied."""
        return float(sum(w * grade.floor for w, grade in zip(self.weights, self.grades, strict=True)))

    def task(self, seed: int) -> Task:
        """The task at one seed."""
        return Task(self.layout, seed)


def make_targets(
    spec: ModelSpec,
    feeds: Sequence[Feed],
    options: Options,
    scale: InputScale,
    like: Targets | None = None,
) -> Targets:
    """The targets of a model; the same for every variant of it.

    Args:
        spec: the model.
        feeds: its inputs at the sizes of the plan.
        options: the sender's word on the task; its seed draws the units in use.
        scale: of the input, which is the scale of answers that give it back.
        like: the targets of the model that this one is a changed version of, whose questions it is asked.

    Raises:
        NotProbedError: no output can be trained.
        analyzers.building.Unbuildable: a loss argument is outside its range.
    """
    sized = resized(spec, feeds)
    heads = trained_heads(sized, options, like.heads if like is not None else ())
    rng = np.random.default_rng((options.seed, 7))
    used = tuple(
        np.arange(head.classes)
        if head.units == 1 or not head.classes
        else np.sort(rng.permutation(head.units)[: head.classes])
        for head in heads
    )
    given = spec.training.loss_weights if spec.training and spec.training.loss_weights else None
    weights = tuple(float(given[head.index]) if given else 1.0 for head in heads)
    layout = make_layout(sized, feeds, heads)
    set_aside = like.set_aside if like is not None else frozenset()
    graded = grades(heads, used, Task(layout, options.seed), scale)
    return Targets(heads, used, graded, weights, layout, set_aside)


def on_numbers(targets: Targets, numbers: Mapping[int, Numbers], scale: InputScale, seed: int) -> Targets:
    """The same questions about numbers on another scale.

    Args:
        targets: of the model.
        numbers: their scale, by the output's position.
        scale: of the input.
        seed: of the answers from which chance is told.
    """
    heads = tuple(replace(head, numbers=numbers.get(head.index)) for head in targets.heads)
    asked = zip(targets.layout.questions, heads, strict=True)
    layout = replace(
        targets.layout, questions=tuple(replace(one, numbers=head.numbers) for one, head in asked)
    )
    graded = grades(heads, targets.used, Task(layout, seed), scale)
    return replace(targets, heads=heads, layout=layout, grades=graded)


def grades(
    heads: Sequence[TrainedHead], used: Sequence[Array], task: Task, scale: InputScale
) -> tuple[Grade, ...]:
    """Per head, how its loss is judged, from answers of the task."""
    answers = task.answers(SAMPLES, scale, 0)
    return tuple(
        _of_classes(head, units, given) if head.classes else _of_numbers(head, given)
        for head, units, given in zip(heads, used, answers, strict=True)
    )


def _of_classes(head: TrainedHead, used: Array, labels: Array) -> Grade:
    """Chance and floor of the loss in use for labels that occur as often as these.

    The best constant is the labels' mean for squares and entropies, their median for absolute errors and
    hinges.
    """
    shares = np.bincount(labels.ravel(), minlength=head.classes) / labels.size
    known = shares[shares > 0]
    entropy = float(-(known * np.log(known)).sum())
    loss, used = make_loss(head.loss), head.seen(used)
    rows = labels.ravel()[:: max(labels.size // SAMPLES, 1)]
    targets = head.encode(rows, used)
    one_hot = _probabilities(head, rows, used)
    smoothing = float(head.loss.config.get("label_smoothing", 0.0) or 0.0)  # type: ignore[arg-type] # checked by make_loss
    best = one_hot * (1 - smoothing) + smoothing / max(head.width, 2)
    constants = (best.mean(axis=0), np.median(best, axis=0))
    answers = [*(np.broadcast_to(constant, best.shape) for constant in constants), best, one_hot]
    mean, middle, smoothed, exact = (float(loss(targets, _as_output(head, answer))) for answer in answers)
    return Grade(min(mean, middle), min(smoothed, exact), entropy=entropy)


def _of_numbers(head: TrainedHead, answers: Array) -> Grade:
    loss = make_loss(head.loss)
    centre = answers.mean(axis=0, keepdims=True)
    constants = [centre, *np.quantile(answers, QUANTILES, axis=0, keepdims=True)]
    given = [_as_logits(head, one) for one in constants]
    chance = min(
        float(loss(answers, np.broadcast_to(one, answers.shape).astype(np.float32))) for one in given
    )
    floor = float(loss(answers, _as_logits(head, answers)))
    return Grade(chance, floor, variance=float(np.square(answers - centre).mean()))


def _as_logits(head: TrainedHead, numbers: Array) -> Array:
    """Numbers from 0 to 1 as the logits that some losses take; others unchanged."""
    if not head.loss.config.get("from_logits", False):
        return numbers
    clipped = np.clip(numbers, TINY, 1 - TINY)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _probabilities(head: TrainedHead, labels: Array, used: Array) -> Array:
    if head.units == 1:
        return labels.astype(np.float32)[:, None]
    return np.eye(head.width, dtype=np.float32)[used[labels]]


def _as_output(head: TrainedHead, rows: Array) -> Array:
    """Probabilities in the form in which the head's output is read."""
    clipped = np.clip(rows, TINY, 1 - TINY)
    if head.target == "signs":
        return np.asarray(2 * rows - 1, np.float32)
    if head.kind == "binary-logit" or (head.kind == "logits" and head.loss.kind.startswith("Binary")):
        return np.asarray(np.log(clipped / (1 - clipped)), np.float32)
    if head.kind == "logits" and "Crossentropy" in head.loss.kind:
        return np.asarray(np.log(clipped), np.float32)
    return np.asarray(rows, np.float32)
