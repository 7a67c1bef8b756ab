"""The control: a plain model of the same inputs and outputs that must learn the same task in the same steps."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Final

import keras
import numpy as np
from keras import layers, ops

from analyzers.building import Built
from analyzers.building.state import derived_seed
from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.probe.heads import TrainedHead
from analyzers.probe.samples.scaling import own_units
from analyzers.probe.targets import Targets, grades
from analyzers.probe.task import Layout, Question
from analyzers.spec import Array, ModelSpec, ObjectSpec, TensorRef

CELLS: Final = 8
"""Positions along an axis that an input is pooled to; the task's templates are smoother than that."""

EXAMPLES: Final = 240
"""Answers from which the range of numbers is told."""

UNITS: Final = 64
TOKEN_UNITS: Final = 16
LEARNING_RATE: Final = 3e-3
"""For Adam; learns the task in about a dozen steps."""


def control_targets(targets: Targets, scale: InputScale, seed: int) -> Targets:
    """The same questions, at outputs of the used classes only, under the losses made for them."""
    layout = targets.layout
    heads = tuple(_head(number, question) for number, question in enumerate(layout.questions))
    used = tuple(np.arange(max(head.classes, 1)) for head in heads)
    weights = tuple(1.0 / max(grade.variance, 1e-6) if grade.variance else 1.0 for grade in targets.grades)
    return replace(
        targets,
        heads=heads,
        used=used,
        weights=weights,
        grades=grades(heads, used, targets.task(seed), scale),
    )


def _head(number: int, question: Question) -> TrainedHead:
    axes = len(question.positions)
    if question.goal != "classes":
        loss = ObjectSpec("MeanSquaredError", {})
        return TrainedHead(number, "values", question.units, loss, "numbers", axes=axes)
    if question.classes == 2:
        return TrainedHead(
            number, "binary-probability", 1, ObjectSpec("BinaryCrossentropy", {}), "binary", axes=axes
        )
    loss = ObjectSpec("CategoricalCrossentropy", {})
    return TrainedHead(number, "probabilities", question.classes, loss, "one-hot", axes=axes)


def build_control(targets: Targets, scale: InputScale, seed: int, *, hidden: bool = True) -> Built:
    """Each input pooled, standardised and through one hidden layer; place by place where answers are.

    Args:
        targets: from `control_targets`.
        scale: of the inputs.
        seed: of its weights.
        hidden: without its hidden layers it is a linear model, which tells how hard a task is.
    """
    layout = targets.layout
    answers = targets.task(seed).answers(EXAMPLES, scale, 0)
    inputs = [keras.Input(feed.shape, name=feed.name, dtype=feed.dtype) for feed in layout.feeds]
    seen = [
        _standardized(feed, tensor, layout.scale_of(feed, scale), seed)
        for feed, tensor in zip(layout.feeds, inputs, strict=True)
    ]
    whole = _gathered(layout, seen, seed) if hidden else _joined(layout, seen)
    whole = _hidden("whole", seed)(whole) if hidden else whole
    outputs = []
    for number, (question, head) in enumerate(zip(layout.questions, targets.heads, strict=True)):
        x = _placed(layout, seen, question) if question.local else whole
        x = _hidden(f"places_{number}", seed)(x) if question.local and hidden else x
        outputs.append(
            _answer(x, question, head, answers=answers[number], name=f"output_{number}", seed=seed)
        )
    model = keras.Model(inputs, outputs, name="control")
    ends = tuple(TensorRef(f"output_{number}") for number in range(len(outputs)))
    spec = ModelSpec("control", "functional", (), tuple(TensorRef(feed.name) for feed in layout.feeds), ends)
    return Built(spec, model, {layer.name: layer for layer in model.layers}, {})


def _standardized(feed: Feed, tensor: Any, scale: InputScale, seed: int) -> Any:
    """(batch, *grid, features): an input at a sane scale, tokens as vectors."""
    if feed.kind == "tokens":
        uniform = keras.initializers.RandomUniform(
            -0.5, 0.5, seed=derived_seed(seed, feed.name, "embeddings")
        )
        return layers.Embedding(feed.vocabulary, TOKEN_UNITS, uniform, name=f"embed_{feed.name}")(tensor)
    if feed.kind == "image":
        x = layers.Reshape((*feed.grid, 1))(tensor) if feed.flat else tensor
        axes = list(range(1, len(feed.grid) + 2))
        return layers.LayerNormalization(axes, center=False, scale=False, name=f"scale_{feed.name}")(x)
    mean, std = own_units(feed) if scale == "unscaled" else (np.zeros(1), np.ones(1))
    mean, std = (np.broadcast_to(one, (feed.channels,)) for one in (mean, std))
    return layers.Normalization(-1, mean, std**2, name=f"scale_{feed.name}")(tensor)


def _gathered(layout: Layout, seen: list[Any], seed: int) -> Any:
    """(batch, features): a summary of all inputs; of a pair, how far apart its two are."""
    if layout.joint != "pair":
        return _joined(layout, seen)
    pooled = [_pooled(feed, tensor) for feed, tensor in zip(layout.feeds, seen, strict=True)]
    side = layers.Dense(UNITS, kernel_initializer=_glorot(seed, "side"), name="side")
    apart = layers.Subtract(name="apart")([side(one) for one in pooled])
    return layers.Multiply(name="squared")([apart, apart])


def _joined(layout: Layout, seen: list[Any]) -> Any:
    """(batch, features): the summaries of all inputs side by side."""
    pooled = [_pooled(feed, tensor) for feed, tensor in zip(layout.feeds, seen, strict=True)]
    return layers.Concatenate(name="join")(pooled) if len(pooled) > 1 else pooled[0]


def _pooled(feed: Feed, tensor: Any) -> Any:
    """(batch, features): averages over cells of the grid; over all of it for tokens."""
    if feed.kind == "tokens":
        return layers.GlobalAveragePooling1D()(layers.Reshape((-1, TOKEN_UNITS))(tensor))
    if feed.grid:
        window = tuple(max(size // CELLS, 1) for size in feed.grid)
        tensor = getattr(layers, f"AveragePooling{len(window)}D")(window)(tensor)
    return layers.Flatten()(tensor)


class _Nearest(layers.Layer):  # type: ignore[misc] # keras has no types
    """(batch, *grid, features) on a grid of other sizes, each position taking the value nearest to it."""

    def __init__(self, positions: tuple[int, ...], **options: Any) -> None:
        super().__init__(**options)
        self.positions = positions

    def call(self, inputs: Any) -> Any:
        for axis, size in enumerate(self.positions, 1):
            inputs = ops.take(inputs, np.arange(size) * inputs.shape[axis] // size, axis=axis)
        return inputs


def _placed(layout: Layout, seen: list[Any], question: Question) -> Any:
    """(batch, *positions, features): what the first input with places shows at each of the output's."""
    first = next(n for n, feed in enumerate(layout.feeds) if feed.grid)
    return _Nearest(question.positions)(seen[first])


def _answer(x: Any, question: Question, head: TrainedHead, *, answers: Array, name: str, seed: int) -> Any:
    places = () if question.local else question.positions
    x = layers.Dense(prod(places) * head.units, kernel_initializer=_glorot(seed, name), name=f"dense_{name}")(
        x
    )
    x = layers.Reshape((*places, head.units), name=f"places_{name}")(x) if places else x
    if head.kind == "values":
        return layers.Rescaling(float(answers.std()) or 1.0, float(answers.mean()), name=name)(x)
    return layers.Activation("sigmoid" if head.kind == "binary-probability" else "softmax", name=name)(x)


def _hidden(name: str, seed: int) -> keras.layers.Layer:
    return layers.Dense(UNITS, "relu", kernel_initializer=_glorot(seed, name), name=name)


def _glorot(seed: int, name: str) -> keras.initializers.GlorotUniform:
    return keras.initializers.GlorotUniform(seed=derived_seed(seed, name, "kernel"))
