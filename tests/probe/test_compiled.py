"""One step's measurements against a plain GradientTape; moving statistics against batch statistics by hand."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from analyzers.building.training import _OPTIMIZERS
from analyzers.probe.compiled import CompiledModel, StepRecord, device_name
from analyzers.probe.task import Batch
from analyzers.spec import Array, ModelSpec, ObjectSpec
from tests.probe.models import CLASSES, branching, compiled_model, image_task, normalized
from tests.support import spec_of

BATCH = 8
RATE = 0.01
SGD = ObjectSpec("SGD", {"momentum": 0.9})


def _batches(shape: tuple[int, int, int], count: int) -> list[Batch]:
    task = image_task(shape, CLASSES, 3)
    return [task.batch(BATCH, "standardized", number) for number in range(count)]


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelSpec]:
    folder = tmp_path_factory.mktemp("compiled")
    return {make.__name__: spec_of(make(), folder) for make in (branching, normalized)}


@dataclass
class Plain:
    """What Keras and a tape say about one step of the same model."""

    loss: float
    regularization: float
    gradient: dict[str, float]
    update: dict[str, float]
    weight: dict[str, float]
    activation: dict[str, Array]
    probabilities: Array


def _norm(tensors: list[Array]) -> float:
    return float(np.sqrt(sum(float((np.asarray(t, np.float64) ** 2).sum()) for t in tensors)))


def _plain_step(model: keras.Model, layers: tuple[str, ...], batch: Batch, used: Array) -> Plain:
    (images,), (labels,) = batch
    looked = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    inner = keras.Model(model.input, [layer._inbound_nodes[0].outputs[0] for layer in looked])
    optimizer = keras.optimizers.SGD(RATE, momentum=0.9)
    variables = {path: model.get_layer(path).trainable_variables for path in layers}
    with tf.GradientTape() as tape:
        predictions = model(images, training=True)
        loss = keras.losses.CategoricalCrossentropy()(np.eye(CLASSES)[used[labels]], predictions)
        added = sum(model.losses)
        total = loss + added
    values = {path: [v.value for v in mine] for path, mine in variables.items()}
    grads = tape.gradient(total, values)
    before = {path: [v.numpy() for v in mine] for path, mine in variables.items()}
    pairs = [(g, v) for path in layers for g, v in zip(grads[path], variables[path], strict=True)]
    tapped = dict(zip([layer.name for layer in looked], inner(images, training=True), strict=True))
    optimizer.apply_gradients(pairs)
    after = {path: [v.numpy() for v in mine] for path, mine in variables.items()}
    return Plain(
        float(loss),
        float(added),
        {path: _norm(grads[path]) for path in layers},
        {path: _norm([a - b for a, b in zip(after[path], before[path], strict=True)]) for path in layers},
        {path: _norm(before[path]) for path in layers},
        {path: np.asarray(value) for path, value in tapped.items()},
        np.asarray(predictions),
    )


@pytest.fixture(scope="module")
def branching_model(specs: dict[str, ModelSpec]) -> CompiledModel:
    return compiled_model(specs["branching"], SGD, RATE)


@pytest.fixture(scope="module")
def both(branching_model: CompiledModel) -> tuple[CompiledModel, StepRecord, Plain]:
    model = branching_model
    twin = branching()
    for path, layer in model.built.layers.items():
        twin.get_layer(path).set_weights(layer.get_weights())
    batch = _batches((8, 8, 3), 1)[0]
    plain = _plain_step(twin, model.trained_layers, batch, model.targets.used[0])
    model.reset(RATE)
    return model, model.step(batch), plain


Both = tuple[CompiledModel, StepRecord, Plain]


def test_every_layer_with_trainable_weights_is_measured_once(both: Both) -> None:
    assert both[0].trained_layers == ("stem", "shared", "norm", "head")


def test_loss_and_added_losses_are_told_apart(both: Both) -> None:
    _, step, plain = both
    assert step.loss == pytest.approx(plain.loss, rel=1e-5)
    assert step.regularization == pytest.approx(plain.regularization, rel=1e-5)
    assert plain.regularization > 0


def _right(chosen: Array, labels: Array) -> Array:
    """(batch,) the probability of each sample's own class."""
    return np.asarray(chosen[np.arange(len(labels)), labels])


def test_judged_loss_accuracy_and_gains_are_those_of_the_predictions(both: Both) -> None:
    model, step, plain = both
    (labels,) = _batches((8, 8, 3), 1)[0][1]
    chosen = plain.probabilities[:, model.targets.used[0]]
    average = np.repeat(chosen.mean(axis=0, keepdims=True), BATCH, axis=0)
    right = _right(chosen, labels)
    assert step.judged == pytest.approx(-np.log(right).mean() / np.log(CLASSES), rel=1e-4)
    assert step.accuracy == pytest.approx((chosen.argmax(axis=1) == labels).mean())
    assert step.gains[0] == pytest.approx(np.log(right / _right(average, labels)), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("quantity", ["gradient", "update", "weight"])
def test_norms_per_layer_are_those_of_a_plain_tape(both: Both, quantity: str) -> None:
    model, step, plain = both
    expected = [getattr(plain, quantity)[path] for path in model.trained_layers]
    assert getattr(step, quantity) == pytest.approx(np.array(expected), rel=1e-4)


def test_activation_scales_are_those_of_the_layers_first_outputs(both: Both) -> None:
    model, step, plain = both
    assert {"stem", "shared", "norm", "join", "head"} <= set(model.scale_layers)
    for path, (square, variance) in zip(model.scale_layers, step.activation, strict=True):
        values = plain.activation[path].astype(np.float64)
        assert square == pytest.approx((values**2).mean(), rel=1e-4)
        assert variance == pytest.approx(values.var(), rel=1e-4)


def test_dead_share_is_that_of_the_relu_outputs(both: Both) -> None:
    model, step, plain = both
    assert model.relu_layers == ("shared",)
    dead = (plain.activation["shared"] <= 0).all(axis=(0, 1, 2)).mean()
    assert step.dead[0] == pytest.approx(dead)


def test_recalibrated_statistics_are_the_weighted_batch_statistics(specs: dict[str, ModelSpec]) -> None:
    model = compiled_model(specs["normalized"], ObjectSpec("Adam"), RATE)
    first = model.built.layers["conv1"]
    batches = _batches((12, 12, 3), 3)
    momentum = model.built.layers["norm1"].momentum
    shares = [momentum ** (2 - i) for i in range(3)]
    maps = [np.asarray(first(images), np.float64) for (images,), _ in batches]
    before = [np.array(v) for v in model.built.model.trainable_variables]

    model.recalibrate(batches)

    norm = model.built.layers["norm1"]
    mean = np.average([m.mean(axis=(0, 1, 2)) for m in maps], axis=0, weights=shares)
    variance = np.average([m.var(axis=(0, 1, 2)) for m in maps], axis=0, weights=shares)
    assert np.array(norm.moving_mean) == pytest.approx(mean, rel=1e-3, abs=1e-5)
    assert np.array(norm.moving_variance) == pytest.approx(variance, rel=1e-3)
    for old, variable in zip(before, model.built.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, np.array(variable))


def test_a_normalisation_that_is_called_twice_is_recalibrated_over_both_calls(
    branching_model: CompiledModel,
) -> None:
    model, batches = branching_model, _batches((8, 8, 3), 2)
    stem, shared, norm = (model.built.layers[name] for name in ("stem", "shared", "norm"))
    seen = []
    for (images,), _ in batches:
        first = shared(stem(images))
        second = shared(norm(first, training=True))
        seen += [np.asarray(first, np.float64), np.asarray(second, np.float64)]

    model.recalibrate(batches)

    shares = [norm.momentum ** (3 - i) for i in range(4)]
    mean = np.average([m.mean(axis=(0, 1, 2)) for m in seen], axis=0, weights=shares)
    assert np.array(norm.moving_mean) == pytest.approx(mean, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("kind", sorted(_OPTIMIZERS))
def test_a_reset_optimizer_is_as_new_and_recalibration_moves_no_weight(
    specs: dict[str, ModelSpec], kind: str
) -> None:
    model = compiled_model(specs["branching"], ObjectSpec(kind), RATE)
    variables = model.built.model.variables
    fresh = [np.array(v) for v in variables]
    batches = _batches((8, 8, 3), 2)

    def run() -> list[float]:
        for variable, value in zip(variables, fresh, strict=True):
            variable.assign(value)
        model.reset(RATE)
        return [model.step(batch).loss for batch in batches]

    once = run()
    trained = [np.array(v) for v in model.built.model.trainable_variables]
    model.recalibrate(batches)

    for old, variable in zip(trained, model.built.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, np.array(variable))
    assert run() == once
    assert model._step.experimental_get_tracing_count() == 1


def test_reset_restores_adagrads_accumulator(specs: dict[str, ModelSpec]) -> None:
    adagrad = ObjectSpec("Adagrad", {"initial_accumulator_value": 0.25})
    model = compiled_model(specs["branching"], adagrad, RATE)
    slots = [v for v in model.optimizer.variables if "accumulator" in v.path]
    model.step(_batches((8, 8, 3), 1)[0])
    assert any(np.any(np.array(v) != 0.25) for v in slots)

    model.reset(0.5)

    assert all(np.all(np.array(v) == 0.25) for v in slots)
    assert float(model.optimizer.learning_rate) == 0.5
    assert int(model.optimizer.iterations) == 0


def test_gradients_are_clipped_over_all_weights_and_measured_before(branching_model: CompiledModel) -> None:
    """Plain gradient descent moves by the rate times the clipped norm."""
    model, batch = branching_model, _batches((8, 8, 3), 1)[0]
    start = [np.array(v) for v in model.built.model.variables]

    def stepped(clip: float) -> StepRecord:
        for variable, value in zip(model.built.model.variables, start, strict=True):
            variable.assign(value)
        model.reset(RATE)
        model.set_rate(RATE, clip=clip)
        return model.step(batch)

    free, clipped, loose = (stepped(clip) for clip in (np.inf, 1e-3, 1e3))

    total = float(np.linalg.norm(free.gradient))
    assert total > 1e-3
    assert clipped.gradient == pytest.approx(free.gradient)
    assert np.linalg.norm(clipped.update) == pytest.approx(RATE * 1e-3, rel=1e-2)
    assert np.linalg.norm(free.update) == pytest.approx(RATE * total, rel=1e-3)
    assert loose.update == pytest.approx(free.update)
    model.reset(RATE)
    assert float(model._clip) == np.inf


def test_inference_is_the_plain_model_in_inference_mode(branching_model: CompiledModel) -> None:
    model, batch = branching_model, _batches((8, 8, 3), 1)[0]
    (images,), (labels,) = batch
    predictions = np.asarray(model.built.model(images, training=False))
    used = model.targets.used[0]
    target = np.eye(CLASSES)[used[labels]]

    found = model.infer(batch)

    assert float(found["loss"]) == pytest.approx(
        float(keras.losses.CategoricalCrossentropy()(target, predictions)), rel=1e-5
    )
    assert found["judged"] == pytest.approx(
        -np.log(_right(predictions[:, used], labels)).mean() / np.log(CLASSES), rel=1e-4
    )
    assert found["accuracy"] == pytest.approx((predictions[:, used].argmax(axis=1) == labels).mean())


def test_the_device_is_one_that_a_report_may_name() -> None:
    assert device_name() in ("cpu", "gpu")
