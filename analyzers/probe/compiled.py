"""One graph, compiled once: with `fused` the only module of the probe that calls TensorFlow.

Weights, rate, seed and input scale are assigned, every batch has one size, so a graph is traced once
however many runs it serves (tracing costs seconds to tens of seconds for deep nets).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from analyzers.building import Built, make_loss
from analyzers.probe.fused import fuse, fuse_update
from analyzers.probe.heads import TrainedHead
from analyzers.probe.instruments import activations, gradients, outputs
from analyzers.probe.targets import Grade, Targets
from analyzers.probe.task import Batch
from analyzers.probe.unaugmented import switch_off
from analyzers.spec import Array, kinds
from analyzers.spec.kinds import activation_name

_LOOKED_AT: Final = (
    kinds.WEIGHTED | kinds.NORMALIZATIONS | kinds.MERGES | set(kinds.ACTIVATION_LAYERS) | {"Activation"}
)
"""Layers whose output's scale is recorded."""


def configure(seed: int) -> None:
    """Make runs repeatable: deterministic kernels, fixed global seed.

    The thread count is TensorFlow's own (the processors this process may use), so it is fixed for a
    machine; reports from machines of other sizes may differ in the last digits.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def device_name() -> str:
    """``gpu`` where TensorFlow sees one, else ``cpu``."""
    return "gpu" if tf.config.list_physical_devices("GPU") else "cpu"


@dataclass(frozen=True)
class StepRecord:
    """What one step left behind.  Per-layer arrays follow ``CompiledModel``'s name lists.

    Attributes:
        loss: data loss over the trained outputs, their loss weights applied.
        judged: (outputs,) normalised loss (`analyzers.probe.evidence.Run`) of each trained output.
        accuracy: share of answers whose most probable used class is right, or of variance explained,
            averaged over the trained outputs.
        regularization: added losses.
        gradient, update, weight: L2 norms per trainable layer (weight before the update).
        activation: (layers, 2) mean square and variance.
        dead: share of dead units per ReLU layer.
        spread: relative spread of the first trained output's logits over the batch.
        gains: (outputs, batch) information gain of each sample, in nats, at each trained output.
    """

    loss: float
    judged: Array
    accuracy: float
    regularization: float
    gradient: Array
    update: Array
    weight: Array
    activation: Array
    dead: Array
    spread: float
    gains: Array


class CompiledModel:
    """A built flat model with its loss and optimizer, ready to run.

    Args:
        built: a flat model (every layer is in ``built.tensors``).
        targets: the outputs to train and what on.
        optimizer: a fresh optimizer at a constant rate.
    """

    def __init__(self, built: Built, targets: Targets, optimizer: keras.optimizers.Optimizer) -> None:
        self.built, self.targets, self.optimizer = built, targets, optimizer
        self.heads = targets.heads
        self._seen = [head.seen(units) for head, units in zip(self.heads, targets.used, strict=True)]
        self._losses = [make_loss(head.loss) for head in self.heads]
        for layer in built.layers.values():
            fuse(layer)
        for layer in built.spec.walk():
            if layer.kind in kinds.AUGMENTATIONS and layer.path in built.layers:
                switch_off(built.layers[layer.path])
        self._trainable = list(built.model.trainable_variables)
        self.trained_layers, self._owner = self._owners()
        self.scale_layers, self.relu_layers, self._tapped = self._taps()
        optimizer.build(self._trainable)
        fuse_update(optimizer)
        self._slots = [(v, _constant(v)) for v in optimizer.variables if v is not optimizer.learning_rate]
        self._clip = tf.Variable(np.inf, dtype=tf.float32)
        self._step = tf.function(self._one_step, jit_compile=False, reduce_retracing=False)
        self._infer = tf.function(self._inference, jit_compile=False, reduce_retracing=False)

    def _owners(self) -> tuple[tuple[str, ...], Array]:
        """Paths of layers with trainable weights, and for each trainable variable its layer's index."""
        index = {id(variable): number for number, variable in enumerate(self._trainable)}
        owner = np.full(len(self._trainable), -1, np.int32)
        paths: list[str] = []
        for path, layer in self.built.layers.items():
            mine = [index[id(v)] for v in layer.trainable_variables if id(v) in index]
            mine = [number for number in mine if owner[number] < 0]
            if mine:
                owner[mine] = len(paths)
                paths.append(path)
        return tuple(paths), owner

    def _taps(self) -> tuple[tuple[str, ...], tuple[str, ...], keras.Model]:
        """A model over the same graph that also returns the outputs of the layers looked at."""
        looked, relus, tensors = [], [], []
        for layer in self.built.spec.layers:
            found = self.built.tensors.get((layer.path, 0))
            if found is None or layer.kind not in _LOOKED_AT:
                continue
            looked.append(layer.path)
            tensors.append(found[0])
            if activation_name(layer) in kinds.RELU_LIKE:
                relus.append(layer.path)
        model = self.built.model
        return tuple(looked), tuple(relus), keras.Model(model.inputs, [list(model.outputs), tensors])

    def _one_step(self, inputs: Any, answers: Any, targets: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            everything, tapped = self._tapped(inputs, training=True)
            predictions = self._seen_by_losses(everything)
            data_loss = self._data_loss(predictions, targets)
            extra = [ops.cast(loss, "float32") for loss in self.built.model.losses]
            added = ops.sum(ops.stack(extra)) if extra else ops.zeros(())
            total = self.optimizer.scale_loss(data_loss + added)
        grads = tape.gradient(total, [v.value for v in self._trainable])
        before = [tf.identity(v.value) for v in self._trainable]
        squares = [gradients.sum_of_squares(g) for g in grads]
        share = tf.minimum(self._clip / tf.sqrt(tf.add_n(squares)), 1.0)
        known = [
            (tf.convert_to_tensor(g) * tf.cast(share, g.dtype) if g is not None else tf.zeros_like(b))
            for g, b in zip(grads, before, strict=True)
        ]
        self.optimizer.apply(known, self._trainable)
        moved = [v.value - old for v, old in zip(self._trainable, before, strict=True)]
        scales = dict(zip(self.scale_layers, tapped, strict=True))
        return {
            "loss": data_loss,
            "regularization": added,
            **self._graded(predictions, answers, targets),
            "gradient": _stack(squares),
            "update": _stack([gradients.sum_of_squares(change) for change in moved]),
            "weight": _stack([gradients.sum_of_squares(old) for old in before]),
            "activation": _stack([activations.scale(tensor) for tensor in tapped], (0, 2)),
            "dead": _stack([
                activations.dead_fraction(scales[path], self._unit_axis(path)) for path in self.relu_layers
            ]),
        }  # fmt: skip

    def _unit_axis(self, path: str) -> int:
        return 1 if getattr(self.built.layers.get(path), "data_format", None) == "channels_first" else -1

    def _seen_by_losses(self, predictions: Sequence[Any]) -> list[Any]:
        """What each trained head's loss is given."""
        return [
            outputs.narrowed(predictions[head.index], head.kind, used)
            if head.narrowed
            else predictions[head.index]
            for head, used in zip(self.heads, self.targets.used, strict=True)
        ]

    def _data_loss(self, predictions: Sequence[Any], targets: Sequence[Any]) -> Any:
        parts = zip(self._losses, targets, predictions, self.targets.weights, strict=True)
        return ops.sum(ops.stack([weight * loss(target, given) for loss, target, given, weight in parts]))

    def _graded(
        self, predictions: Sequence[Any], answers: Sequence[Any], targets: Sequence[Any]
    ) -> dict[str, Any]:
        """``judged`` and ``gains`` by trained output, ``accuracy`` averaged over them, ``spread`` of the first."""
        found = [
            self._of_classes(output, given, head, seen, grade)
            if head.classes
            else self._of_numbers(output, target, head, grade, loss)
            for output, given, target, head, seen, grade, loss in zip(
                predictions,
                answers,
                targets,
                self.heads,
                self._seen,
                self.targets.grades,
                self._losses,
                strict=True,
            )
        ]
        by_output = {key: ops.stack([one[key] for one in found]) for key in found[0]}
        return {
            **by_output,
            "accuracy": ops.mean(by_output["accuracy"]),
            "spread": outputs.spread(predictions[0], self.heads[0].kind),
        }

    @staticmethod
    def _of_classes(output: Any, labels: Any, head: TrainedHead, seen: Array, grade: Grade) -> dict[str, Any]:
        probabilities = outputs.class_probabilities(output, head.kind, seen)
        hit = ops.equal(ops.cast(ops.argmax(probabilities, axis=-1), "int64"), labels)
        entropy = ops.mean(outputs.cross_entropies(probabilities, labels))
        return {
            "judged": entropy / max(grade.entropy, outputs.TINY),
            "accuracy": ops.mean(ops.cast(hit, "float32")),
            "gains": outputs.gains_of_classes(probabilities, labels),
        }

    @staticmethod
    def _of_numbers(output: Any, target: Any, head: TrainedHead, grade: Grade, loss: Any) -> dict[str, Any]:
        given = ops.cast(output, "float32")
        read = outputs.numbers(given, target, head.loss)
        error = ops.mean(ops.square(target - read))
        return {
            "judged": (ops.cast(loss(target, given), "float32") - grade.floor)
            / max(grade.chance - grade.floor, outputs.TINY),
            "accuracy": ops.maximum(1.0 - error / max(grade.variance, outputs.TINY), 0.0),
            "gains": outputs.gains_of_values(read, target, grade.variance),
        }

    def _inference(self, inputs: Any, answers: Any, targets: Any) -> dict[str, Any]:
        predictions = self._seen_by_losses(self._inferred(inputs))
        loss = self._data_loss(predictions, targets)
        return {"loss": loss, **self._graded(predictions, answers, targets)}

    def _inferred(self, inputs: Any) -> Sequence[Any]:
        """Every output of the model in inference mode."""
        given = self.built.model(inputs, training=False)
        return given if isinstance(given, list | tuple) else [given]

    def reset(self, learning_rate: float) -> None:
        """Optimizer state as new, at this rate.  Weights are the caller's to set."""
        for variable, initial in self._slots:
            variable.assign(ops.full(variable.shape, initial, dtype=variable.dtype))
        self.set_rate(learning_rate)

    def set_rate(self, learning_rate: float, clip: float = np.inf) -> None:
        """The rate of the next steps, and the norm that gradients over all weights are clipped to."""
        self.optimizer.learning_rate.assign(learning_rate)
        self._clip.assign(clip)

    def _arguments(self, batch: Batch) -> tuple[Any, Any, Any]:
        inputs, answers = batch
        encoded = zip(self.heads, answers, self._seen, strict=True)
        targets = tuple(tf.constant(head.encode(given, seen)) for head, given, seen in encoded)
        fed = [tf.constant(one) for one in inputs]
        return fed[0] if len(fed) == 1 else fed, tuple(tf.constant(given) for given in answers), targets

    def step(self, batch: Batch) -> StepRecord:
        """One optimisation step on a batch; everything is measured before the update takes effect."""
        raw = {key: np.asarray(value) for key, value in self._step(*self._arguments(batch)).items()}
        return StepRecord(
            loss=float(raw["loss"]),
            judged=raw["judged"],
            accuracy=float(raw["accuracy"]),
            regularization=float(raw["regularization"]),
            gradient=self._by_layer(raw["gradient"]),
            update=self._by_layer(raw["update"]),
            weight=self._by_layer(raw["weight"]),
            activation=raw["activation"],
            dead=raw["dead"],
            spread=float(raw["spread"]),
            gains=raw["gains"],
        )

    def _by_layer(self, squares: Array) -> Array:
        """L2 norm per trained layer from sums of squares per variable."""
        totals = np.zeros(len(self.trained_layers))
        np.add.at(totals, self._owner[self._owner >= 0], squares[self._owner >= 0])
        norms: Array = np.sqrt(totals)
        return norms

    def answers(self, batch: Batch) -> tuple[Array, ...]:
        """What the trained outputs answer to a batch in inference mode, untraced: (batch, ..., units) each."""
        inputs, _, _ = self._arguments(batch)
        everything = self._inferred(inputs)
        return tuple(np.asarray(everything[head.index], np.float32) for head in self.heads)

    def infer(self, batch: Batch) -> Mapping[str, Array]:
        """Inference mode on a batch: ``loss``, ``judged``, ``accuracy``, ``gains``, ``spread``."""
        return {key: np.asarray(value) for key, value in self._infer(*self._arguments(batch)).items()}

    @property
    def batch_normalizations(self) -> dict[str, keras.layers.BatchNormalization]:
        """BatchNormalization layers that update their statistics in training mode, by path."""
        return {
            path: layer
            for path, layer in self.built.layers.items()
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        }

    def recalibrate(self, batches: Sequence[Batch]) -> list[StepRecord]:
        """Re-estimate moving statistics from batches, weights unchanged.

        Steps at rate 0 fold the batch statistics into moving averages that start at 0, which are then
        divided by 1 - momentum^n for n updates, as Adam's bias correction does.  Weights are put back
        after each step, since some optimizers move them even so (Ftrl divides by its rate).

        Returns:
            What each batch showed in training mode.
        """
        self.reset(0.0)
        kept = [tf.identity(variable.value) for variable in self._trainable]
        layers = self.batch_normalizations
        for layer in layers.values():
            layer.moving_mean.assign(ops.zeros_like(layer.moving_mean))
            layer.moving_variance.assign(ops.zeros_like(layer.moving_variance))
        records = []
        for batch in batches:
            records.append(self.step(batch))
            for variable, value in zip(self._trainable, kept, strict=True):
                variable.assign(value)
        for path, layer in layers.items():
            calls = sum(owner == path for owner, _ in self.built.tensors)
            correction = 1.0 - layer.momentum ** (calls * len(batches))
            layer.moving_mean.assign(layer.moving_mean / correction)
            layer.moving_variance.assign(layer.moving_variance / correction)
        return records


def _stack(values: list[Any], empty: tuple[int, ...] = (0,)) -> Any:
    return ops.stack(values) if values else ops.zeros(empty)


def _constant(variable: keras.Variable) -> float:
    """The value that an optimizer's fresh slot is filled with (0, or Adagrad's accumulator)."""
    first = ops.reshape(variable.value, (-1,))[:1]
    return (
        float(ops.convert_to_numpy(ops.cast(first, "float64"))[0])
        if variable.value.shape.num_elements()
        else 0.0
    )
