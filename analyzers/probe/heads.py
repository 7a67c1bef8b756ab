"""What the probe trains an output on: which loss, which form of target, classes or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from analyzers.options import Options, TaskName
from analyzers.probe.feeds import NotProbedError
from analyzers.probe.instruments.outputs import OutputKind
from analyzers.probe.task import Link, Numbers
from analyzers.spec import Array, ModelSpec, ObjectSpec, TrainingSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.output_heads import LOSS_FAMILIES, Head, heads
from analyzers.spec.roles import core, is_weighted

MAX_CLASSES: Final = 5
"""Classes that occur in the synthetic labels, at most: few enough for every batch of 16 to show each."""

MAX_LOCAL_CLASSES: Final = 3
"""The same where every position has a label: few enough to be told apart by one value."""

FAMILIES: Final[Mapping[str, str]] = {
    **LOSS_FAMILIES, "Poisson": "regression", "CosineSimilarity": "regression", "Dice": "categorical",
    "Tversky": "categorical", "CategoricalHinge": "categorical", "CategoricalGeneralizedCrossEntropy": "categorical",
}  # fmt: skip
"""Keras's losses that the probe has targets for, by what they take."""

_SUMMED: Final = frozenset({"categorical", "sparse", "divergence"})
"""Families of losses that sum over the classes, so that units which never occur can be left out without
changing the gradients of the others.  Losses that average over units keep all of them."""

_NOT_SUMMED: Final = frozenset({"Dice", "Tversky", "CategoricalHinge"})
"""Losses of these families that do not."""

_SCALED: Final = kinds.NORMALIZATIONS - {"UnitNormalization"} | {"PReLU"}
"""Layers with weights to train that do not count as weighted."""

Target = Literal["one-hot", "index", "binary", "signs", "numbers"]

_TARGETS: Final[dict[str, Target]] = {
    "categorical": "one-hot", "sparse": "index", "regression": "one-hot", "divergence": "one-hot",
    "binary": "one-hot", "hinge": "signs",
}  # fmt: skip

_POSITIVE_LOSSES: Final = frozenset({"MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "Poisson"})
"""Losses that are made for numbers over 0."""

_LINKS: Final[Mapping[str, Link]] = {
    "sigmoid": "unit", "hard_sigmoid": "unit", "tanh": "signed", "softsign": "signed", "hard_tanh": "signed",
    "relu": "positive", "relu6": "positive", "softplus": "positive", "exponential": "positive",
}  # fmt: skip
"""Range of an output by its activation; all numbers for the others."""

_SCORES: Final = frozenset({"softmax", "sigmoid", "hard_sigmoid", "relu"})
"""Activations whose output is read as probabilities."""


@dataclass(frozen=True)
class TrainedHead:
    """One output that the probe trains.

    Attributes:
        index: which of the model's outputs.
        kind: how the output is read.
        units: width of the output.
        loss: the file's loss, the sender's, or one that fits the activation.
        target: form of the labels that the loss takes.
        assumed: one sentence where the loss was assumed, else None.
        axes: axes along which it answers, beside the batch and the units.
        link: range of the numbers, where it gives numbers.
        mirrors: it gives its input back.
        bounds: lowest and highest number, where the sender named them.
        numbers: their scale, where the trained file tells another than mean 0 and standard deviation 1.
    """

    index: int
    kind: OutputKind
    units: int
    loss: ObjectSpec
    target: Target
    assumed: str | None = None
    axes: int = 0
    link: Link = "linear"
    mirrors: bool = False
    bounds: tuple[float, float] | None = None
    numbers: Numbers | None = None

    @property
    def classes(self) -> int:
        """Classes that the probe can use at this output; 0 where it gives numbers."""
        if self.kind == "values":
            return 0
        return 2 if self.units == 1 else min(self.units, MAX_LOCAL_CLASSES if self.axes else MAX_CLASSES)

    @property
    def takes_any_number(self) -> bool:
        """Whether it is asked for numbers whose scale neither the file nor the sender tells."""
        return self.kind == "values" and self.link == "linear" and not self.mirrors and self.bounds is None

    @property
    def narrowed(self) -> bool:
        """Whether the probe reads the used units only, as if the output had no others.

        Labels of 5 of 1000 classes would have any model spend its first dozens of steps, and a large
        transient gradient, on learning that 995 classes never occur.  No balanced data set asks that.
        """
        summed = FAMILIES[self.loss.kind] in _SUMMED and self.loss.kind not in _NOT_SUMMED
        return summed and self.units > self.classes > 0

    @property
    def width(self) -> int:
        """Units that the loss sees."""
        return self.classes if self.narrowed else self.units

    def seen(self, used: Array) -> Array:
        """(classes,) positions of the ``used`` units among those that the loss sees."""
        return np.arange(self.classes) if self.narrowed else used

    def encode(self, answers: Array, used: Array) -> Array:
        """Targets in the form that the loss takes.

        Args:
            answers: (batch, *positions) classes 0..classes-1, or (batch, *positions, units) numbers.
            used: (classes,) units that the loss sees of these classes.
        """
        if self.target == "numbers":
            return answers.astype(np.float32)
        if self.units == 1:
            column = answers.astype(np.float32)[..., None]
            return 2 * column - 1 if self.target == "signs" else column
        if self.target == "index":
            return used[answers].astype(np.int64)
        one_hot = np.eye(self.width, dtype=np.float32)[used[answers]]
        return 2 * one_hot - 1 if self.target == "signs" else one_hot


def trained_heads(
    spec: ModelSpec, options: Options | None = None, like: Sequence[TrainedHead] = ()
) -> tuple[TrainedHead, ...]:
    """The outputs that the probe trains.

    Args:
        spec: the model.
        options: the sender's word on what it is trained for.
        like: the heads of the model that this one is a changed version of, whose questions it is asked.

    Raises:
        NotProbedError: no output has a known number of units, or none fits the task that the sender named.
    """
    said = options or Options()
    graph = Graph(spec)
    found = heads(graph, spec.training)
    asked = {head.index: head for head in like}
    why = untrained(graph, spec.training)
    trained = tuple(
        _as_asked(index, head, graph, said, asked.get(index))
        for index, head in enumerate(found)
        if (index in asked if asked else index not in why)
    )
    if not trained:
        shapes = ", ".join(str(head.shape) for head in found)
        raise NotProbedError(f"no output has a known number of units (output shapes: {shapes})")
    if said.task == "reconstruction" and not any(head.mirrors for head in trained):
        raise NotProbedError("task=reconstruction needs an output of the shape of the model's one input")
    return trained


def untrained(graph: Graph, training: TrainingSpec | None) -> dict[int, str]:
    """The outputs that are not trained, each with the reason for a person.

    Keras trains no output that ``compile`` gives no loss while it gives others one; nor can one learn in front
    of which every weight is frozen.
    """
    found = heads(graph, training)
    named = any(head.loss is not None for head in found)
    learns = [_learns(graph, head.node) for head in found]
    reasons = {}
    for index, head in enumerate(found):
        if len(head.shape) < 2 or not head.shape[-1]:
            reasons[index] = "its number of units is not known"
        elif named and head.loss is None:
            reasons[index] = "the file gives it no loss"
        elif any(learns) and not learns[index]:
            reasons[index] = "no weight in front of it is trained"
    return reasons


def _learns(graph: Graph, output: Node) -> bool:
    """Whether training changes anything in front of an output."""
    before = (graph.layer(node) for node in graph.reachable([output], graph.before))
    return any(layer.trainable and (is_weighted(layer) or core(layer).kind in _SCALED) for layer in before)


def _as_asked(index: int, given: Head, graph: Graph, said: Options, asked: TrainedHead | None) -> TrainedHead:
    """A head, asked for classes or numbers as the one in its place was."""
    if asked is None:
        return _trained(index, given, graph, said)
    task: TaskName = "regression" if asked.kind == "values" else "classification"
    head = _trained(index, given, graph, said.model_copy(update={"task": task}))
    if head.kind == "values":
        head = replace(head, link=asked.link, mirrors=asked.mirrors, numbers=asked.numbers)
    return head


def _trained(index: int, given: Head, graph: Graph, said: Options) -> TrainedHead:
    units, axes = int(given.shape[-1] or 0), len(given.shape) - 2
    mirrors = said.task in ("auto", "reconstruction") and _mirrors(given, graph)
    loss, assumed = given.loss, None
    if loss is None or loss.kind not in FAMILIES:
        why = f"{loss.kind} is not one of Keras's losses" if loss is not None else "the file names no loss"
        numbers = mirrors or said.task == "regression"
        loss = _plausible(given.activation, units, numbers=numbers, classes=said.task == "classification")
        assumed = f"{why}: {loss.kind} was used for output {index}"
    family = FAMILIES[loss.kind]
    numbers = said.task == "regression" or _gives_numbers(family, given.activation, units, mirrors=mirrors)
    if numbers and said.task != "classification":
        link = _link(loss, family, given.activation)
        return TrainedHead(
            index, "values", units, loss, "numbers", assumed, axes, link, mirrors, said.target_range
        )  # fmt: skip
    unlike = given.activation not in _SCORES and family != "regression"
    logits = unlike or bool(loss.config.get("from_logits", False))
    if units == 1:
        kind: OutputKind = "binary-logit" if logits else "binary-probability"
        target: Target = "signs" if family == "hinge" else "binary"
    else:
        kind = "logits" if logits else "probabilities"
        target = _TARGETS[family]
    head = TrainedHead(index, kind, units, loss, target, assumed, axes)
    return replace(head, loss=_of_used_units(loss)) if head.narrowed else head


def _link(loss: ObjectSpec, family: str, activation: str | None) -> Link:
    """Range of the numbers that a loss is made for, else that of the activation."""
    if family == "binary":
        return "unit"
    return "positive" if loss.kind in _POSITIVE_LOSSES else _LINKS.get(activation or "linear", "linear")


def _mirrors(given: Head, graph: Graph) -> bool:
    """Whether the output has the shape of the model's one input, so that it may give it back."""
    shapes = [graph.output_shape(node)[1:] for node in graph.inputs]
    return len(shapes) == 1 and given.shape[1:] == shapes[0] and not _looked_up(graph)


def _looked_up(graph: Graph) -> bool:
    return any(layer.kind == "Embedding" for layer in graph.flat.layers)


def _gives_numbers(family: str, activation: str | None, units: int, *, mirrors: bool) -> bool:
    """Whether an output is trained on numbers: by a loss of numbers unless it ends in scores of classes.

    One unit has no scores under softmax.
    """
    if mirrors and activation != "softmax":
        return family in ("regression", "binary")
    scores = ("sigmoid", "hard_sigmoid") if units == 1 else ("softmax", "sigmoid", "hard_sigmoid")
    return family == "regression" and activation not in scores


def _of_used_units(loss: ObjectSpec) -> ObjectSpec:
    """The loss without arguments that name single units: ``ignore_class``, and one ``alpha`` a class."""
    config = {key: value for key, value in loss.config.items() if key != "ignore_class"}
    alpha = config.get("alpha")
    if isinstance(alpha, list):
        config["alpha"] = float(np.mean(np.asarray(alpha, dtype=float)))
    return replace(loss, config=config)


def _plausible(activation: str | None, units: int, *, numbers: bool, classes: bool) -> ObjectSpec:
    """The loss that people give an output of this kind, which is known to be for ``numbers`` or ``classes``, or not."""
    if activation in ("sigmoid", "hard_sigmoid"):
        return ObjectSpec("BinaryCrossentropy", {"from_logits": False})
    if activation == "softmax" and units > 1:
        return ObjectSpec("CategoricalCrossentropy", {"from_logits": False})
    if numbers or ((units == 1 or activation in _LINKS) and not classes):
        return ObjectSpec("MeanSquaredError", {})
    kind = "BinaryCrossentropy" if units == 1 else "CategoricalCrossentropy"
    return ObjectSpec(kind, {"from_logits": True})
