"""How much the outputs say about the inputs."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
from keras import activations, ops

from analyzers.spec import Array, ObjectSpec

OutputKind = Literal["probabilities", "logits", "binary-probability", "binary-logit", "values"]
"""``probabilities`` over the last axis (softmax, one sigmoid per class), ``logits`` over it, a single
unit for the second of two classes, or ``values``: numbers."""

TINY: Final = 1e-7
"""Floor of a probability before its logarithm is taken (keras.config.epsilon())."""


def narrowed(output: Any, kind: OutputKind, used: Any) -> Any:
    """A classifier's output as if it had the used units only.

    Args:
        output: (batch, ..., units) model output, straight from its last layer: Keras's softmax leaves its
            logits on the tensor, and its losses take those, which do not saturate.
        kind: ``probabilities`` or ``logits``.
        used: (classes,) indices of the used units.

    Returns:
        (batch, ..., classes), in the form in which the output came.
    """
    if kind == "logits":
        return ops.take(output, used, axis=-1)
    logits = getattr(output, "_keras_logits", None)
    if logits is not None:
        return activations.softmax(ops.take(logits, used, axis=-1))
    chosen = ops.take(output, used, axis=-1)
    return chosen / ops.maximum(ops.sum(chosen, axis=-1, keepdims=True), TINY)


def class_probabilities(output: Any, kind: OutputKind, used: Any) -> Any:
    """Probabilities of the classes that the task uses, given that it is one of them.

    Renormalising over the used classes takes out what a model learns about the labels without looking
    at the input: with 5 of 160 classes in use a dead model falls from ln 160 to ln 5 through its output
    bias alone, but stays at ln 5 here.

    Args:
        output: (batch, ..., units) model output.
        kind: what the output is; not ``values``.
        used: (classes,) indices of the used units; ignored for a single unit.

    Returns:
        (batch, ..., classes) float32, rows sum to 1.
    """
    values = ops.cast(output, "float32")
    if kind == "binary-logit":
        values, kind = ops.sigmoid(values), "binary-probability"
    if kind == "binary-probability":
        second = ops.clip(values[..., 0], TINY, 1 - TINY)
        return ops.stack([1 - second, second], axis=-1)
    chosen = ops.take(values, used, axis=-1)
    if kind == "logits":
        return ops.softmax(chosen, axis=-1)
    positive = ops.maximum(chosen, TINY)
    return positive / ops.sum(positive, axis=-1, keepdims=True)


def numbers(output: Any, answers: Any, loss: ObjectSpec) -> Any:
    """What an output says the answers are, where its loss takes them in another form.

    Args:
        output: (batch, ..., units) float32 numbers.
        answers: (batch, ..., units).
        loss: logits are brought to 0 to 1; where only directions count, lengths are those of the answers.

    Returns:
        (batch, ..., units).
    """
    if loss.config.get("from_logits", False):
        return ops.sigmoid(output)
    if loss.kind != "CosineSimilarity":
        return output
    lengths = [ops.sqrt(ops.sum(ops.square(one), axis=-1, keepdims=True)) for one in (answers, output)]
    return output * lengths[0] / ops.maximum(lengths[1], TINY)


def spread(output: Any, kind: OutputKind) -> Any:
    """How much the logits differ between inputs, relative to their own size; 0 for a constant output.

    Args:
        output: (batch, ..., units) model output.
        kind: probabilities are taken back to logits first.

    Returns:
        Scalar float32: standard deviation over samples, averaged over units, over the root mean square.
    """
    values = ops.cast(output, "float32")
    if kind in ("probabilities", "binary-probability"):
        values = ops.log(ops.clip(values, TINY, 1.0))
    return ops.mean(ops.std(values, axis=0)) / (ops.sqrt(ops.mean(ops.square(values))) + TINY)


def gains_of_classes(probabilities: Any, labels: Any) -> Any:
    """How much better each prediction is than the model's own average prediction, in nats.

    The mean is a consistent estimate of the mutual information between input and predicted class when
    the model is calibrated; 0 for an output that does not depend on the input, whatever it has learnt of
    the labels.

    Args:
        probabilities: (batch, ..., classes), rows sum to 1.
        labels: (batch, ...) class indices.

    Returns:
        (batch,) log p(y|x) - log mean_x p(y|x), averaged over positions.
    """
    average = ops.broadcast_to(ops.mean(probabilities, axis=0, keepdims=True), ops.shape(probabilities))
    gains = ops.log(_at(probabilities, labels) + TINY) - ops.log(_at(average, labels) + TINY)
    return _over_positions(gains)


def gains_of_values(predictions: Any, answers: Any, variance: float) -> Any:
    """The same for numbers, under a normal density of the answers' own variance.

    Args:
        predictions: (batch, ..., units).
        answers: (batch, ..., units).
        variance: mean square distance of the answers from the best constant.

    Returns:
        (batch,) half of (y - mean_x f(x))^2 - (y - f(x))^2 in units of the variance, averaged over the rest.
    """
    average = ops.mean(predictions, axis=0, keepdims=True)
    nearer = ops.square(answers - average) - ops.square(answers - predictions)
    return _over_positions(nearer) / (2 * max(variance, TINY))


def cross_entropies(probabilities: Any, labels: Any) -> Any:
    """(batch, ...) minus log p(y|x), in nats; shapes as in `gains_of_classes`."""
    return -ops.log(ops.maximum(_at(probabilities, labels), TINY))


def _at(probabilities: Any, labels: Any) -> Any:
    return ops.take_along_axis(probabilities, labels[..., None], axis=-1)[..., 0]


def _over_positions(values: Any) -> Any:
    return ops.mean(ops.reshape(values, (ops.shape(values)[0], -1)), axis=-1)


def pooled(gains: Array) -> tuple[float, float]:
    """Mean of gains over (samples,), and its standard error."""
    return float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
