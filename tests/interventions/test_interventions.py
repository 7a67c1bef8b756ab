from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.building import build
from analyzers.interventions.base import Applied
from analyzers.interventions.registry import INTERVENTIONS
from analyzers.spec import LayerSpec, ModelSpec, TensorRef
from analyzers.spec.flatten import flatten
from analyzers.spec.graph import Graph, Node
from tests.interventions.models import MODELS, augmented, branching, nested, sequential, shared, straight
from tests.support import spec_of


def applied(identifier: str, spec: ModelSpec, **arguments: Any) -> Applied:
    found = INTERVENTIONS[identifier](**arguments).apply(spec)
    assert found is not None
    return found


def at(spec: ModelSpec, path: str) -> LayerSpec:
    return next(layer for layer in spec.walk() if layer.path == path)


def chain(spec: ModelSpec, start: str) -> list[str]:
    """Paths of the flat layers behind ``start``, as long as there is one consumer only."""
    graph = Graph(spec)
    node, found = Node(start), list[str]()
    while len(graph.after(node)) == 1:
        node = graph.after(node)[0]
        found.append(node.path)
    return found


def outputs(spec: ModelSpec, images: Any) -> Any:
    return np.asarray(build(spec, seed=3).model(images, training=False))


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_every_intervention_says_what_it_is(name: str) -> None:
    intervention = INTERVENTIONS[name]()
    assert intervention.id == name
    assert 1 <= intervention.invasiveness <= 5
    assert intervention.moves


@pytest.mark.parametrize("name", MODELS)
def test_interventions_combine_and_happen_once(name: str, tmp_path: Path) -> None:
    spec = spec_of(MODELS[name](), tmp_path)
    for first, second in itertools.combinations(INTERVENTIONS, 2):
        current = spec
        for identifier in (first, second):
            found = INTERVENTIONS[identifier]().apply(current)
            if found is None:
                continue
            current = found.spec
            flatten(current)
            assert {layer.path for layer in spec.walk()} <= {layer.path for layer in current.walk()}
            assert set(found.layers) <= {layer.path for layer in current.walk()}
            if not found.settings.get("learning_rate") and identifier != "reinitialize-dead-layers":
                assert INTERVENTIONS[identifier]().apply(current) is None


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backwards", [False, True])
def test_everything_at_once_builds(name: str, backwards: bool, tmp_path: Path) -> None:
    spec = spec_of(MODELS[name](), tmp_path)
    order = list(INTERVENTIONS)[:: -1 if backwards else 1]
    for identifier in order:
        found = INTERVENTIONS[identifier]().apply(spec)
        spec = spec if found is None else found.spec
    build(spec)
    build(flatten(spec))


class TestRescaleInputs:
    def test_stands_right_behind_the_input(self, tmp_path: Path) -> None:
        found = applied("rescale-inputs", spec_of(straight(), tmp_path))
        assert found.layers == ("rescaling",)
        assert chain(found.spec, "image")[:2] == ["rescaling", "conv1"]
        pixels = np.array([0.0, 127.5, 255.0]).reshape(1, 1, 1, 3) * np.ones((1, 12, 12, 1))
        built = build(found.spec)
        scaled = keras.Model(built.model.inputs[0], built.tensors["rescaling", 0][0])(pixels)
        np.testing.assert_allclose(np.asarray(scaled)[0, 0, 0], [-1, 0, 1], atol=1e-6)

    def test_stands_behind_augmentation_which_expects_pixels(self, tmp_path: Path) -> None:
        inputs = keras.Input((12, 12, 3), name="pixels")
        x = layers.RandomContrast(0.1, name="contrast")(layers.Resizing(8, 8, name="size")(inputs))
        x = layers.Flatten(name="flat")(x)
        spec = spec_of(keras.Model(inputs, layers.Dense(2, name="out")(x)), tmp_path)
        found = applied("rescale-inputs", spec)
        assert chain(found.spec, "pixels") == ["size", "contrast", "rescaling", "flat", "out"]

    def test_scales_only_the_branch_that_is_not_scaled(self, tmp_path: Path) -> None:
        inputs = keras.Input((12, 12, 3), name="pixels")
        scaled = layers.Conv2D(2, 3, name="fine")(layers.Rescaling(1 / 255, name="scale")(inputs))
        raw = layers.Conv2D(2, 3, name="raw")(inputs)
        spec = spec_of(keras.Model(inputs, layers.Add(name="add")([scaled, raw])), tmp_path)
        found = applied("rescale-inputs", spec)
        assert found.spec.layer("scale").inbound[0].inputs == (TensorRef("pixels"),)
        assert found.spec.layer("raw").inbound[0].inputs == (TensorRef("rescaling"),)

    def test_scales_every_image_input(self, tmp_path: Path) -> None:
        found = applied("rescale-inputs", spec_of(shared(), tmp_path))
        assert found.layers == ("rescaling", "rescaling_1")
        assert [call.inputs for call in found.spec.layer("conv").inbound] == [
            (TensorRef("rescaling"),),
            (TensorRef("rescaling_1"),),
        ]

    def test_leaves_scaled_pixels_and_tables_alone(self, tmp_path: Path) -> None:
        table = keras.Sequential([keras.Input((5,)), layers.Dense(2)])
        for model in (augmented(), table):
            assert INTERVENTIONS["rescale-inputs"]().apply(spec_of(model, tmp_path)) is None

    def test_stays_a_sequential(self, tmp_path: Path) -> None:
        found = applied("rescale-inputs", spec_of(sequential(), tmp_path))
        assert isinstance(build(found.spec).model, keras.Sequential)


class TestStandardizeInputs:
    @pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1 / 255, 0.0), (1 / 127.5, -1.0)])
    def test_every_image_has_mean_0_and_deviation_1(
        self, scale: float, offset: float, tmp_path: Path
    ) -> None:
        found = applied("standardize-inputs", spec_of(straight(), tmp_path))
        built = build(found.spec)
        assert not built.layers["standardization"].weights
        images = np.random.default_rng(0).uniform(0, 255, (3, 12, 12, 3)) * scale + offset
        result = np.asarray(
            keras.Model(built.model.inputs[0], built.tensors["standardization", 0][0])(
                images.astype("float32")
            )
        )
        np.testing.assert_allclose(result.mean(axis=(1, 2, 3)), 0, atol=1e-4)
        np.testing.assert_allclose(result.std(axis=(1, 2, 3)), 1, atol=1e-3)

    def test_stands_behind_scaling_that_may_be_wrong(self, tmp_path: Path) -> None:
        found = applied("standardize-inputs", spec_of(augmented(), tmp_path))
        assert chain(found.spec, "scale")[:2] == ["standardization", "frozen"]

    def test_leaves_an_input_that_is_normalised_alone(self, tmp_path: Path) -> None:
        model = keras.Sequential(
            [keras.Input((9, 9, 3)), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
        )
        assert INTERVENTIONS["standardize-inputs"]().apply(spec_of(model, tmp_path)) is None


def initializers(found: Applied, before: ModelSpec) -> Mapping[str, str]:
    """Path -> initialiser of the kernels that changed."""
    old = {layer.path: layer.config.get("kernel_initializer") for layer in before.walk()}
    new = {layer.path: layer.config.get("kernel_initializer") for layer in found.spec.walk()}
    changed = {path: value for path, value in new.items() if value != old[path]}
    return {path: str(value["kind"]) for path, value in changed.items() if isinstance(value, dict)}


class TestHeInitialization:
    def test_gives_relu_layers_he_and_leaves_what_fits(self, tmp_path: Path) -> None:
        spec = spec_of(straight(), tmp_path)
        found = applied("he-initialization", spec)
        assert initializers(found, spec) == {"conv1": "HeNormal", "fc1": "HeNormal"}
        assert found.fresh == {"conv1", "fc1"}

    def test_looks_for_the_activation_behind_normalisation_and_merging(self, tmp_path: Path) -> None:
        spec = spec_of(branching(), tmp_path)
        assert initializers(applied("he-initialization", spec), spec) == {
            "stem": "HeNormal",
            "left": "HeNormal",
        }
        chained = spec_of(sequential(), tmp_path)
        assert set(initializers(applied("he-initialization", chained), chained)) == {"a", "d"}

    def test_fits_other_activations(self, tmp_path: Path) -> None:
        kinds = {"tanh": "he_normal", "selu": "glorot_uniform", "softmax": "zeros", "linear": "he_uniform"}
        stack = [
            layers.Dense(4, name=name, activation=name, kernel_initializer=kind)
            for name, kind in kinds.items()
        ]
        spec = spec_of(keras.Sequential([keras.Input((4,)), *stack]), tmp_path)
        assert initializers(applied("he-initialization", spec), spec) == {
            "tanh": "GlorotUniform",
            "selu": "LecunNormal",
            "softmax": "GlorotUniform",
        }

    def test_depthwise_kernels_change_only_where_their_initialiser_is_degenerate(
        self, tmp_path: Path
    ) -> None:
        stack = [
            layers.DepthwiseConv2D(3, activation="relu", name="fine"),
            layers.DepthwiseConv2D(3, activation="relu", depthwise_initializer="ones", name="ones"),
            layers.SeparableConv2D(2, 3, activation="relu", name="both"),
        ]
        spec = spec_of(keras.Sequential([keras.Input((12, 12, 3)), *stack, layers.Flatten()]), tmp_path)
        found = applied("he-initialization", spec)
        assert found.layers == ("ones", "both")
        assert "HeNormal" in str(at(found.spec, "both").config["pointwise_initializer"])
        assert "HeNormal" not in str(at(found.spec, "both").config["depthwise_initializer"])

    def test_does_not_touch_frozen_layers(self, tmp_path: Path) -> None:
        spec = spec_of(augmented(), tmp_path)
        assert set(initializers(applied("he-initialization", spec), spec)) == {"free"}

    def test_reaches_into_nested_models_and_wrappers(self, tmp_path: Path) -> None:
        found = applied("he-initialization", spec_of(nested(), tmp_path))
        assert found.fresh == {"body/conv", "head/conv"}
        wrapped = layers.TimeDistributed(layers.Dense(3, activation="relu", name="inner"), name="wrap")
        spec = spec_of(keras.Sequential([keras.Input((4, 2)), wrapped]), tmp_path)
        inner = at(applied("he-initialization", spec).spec, "wrap").config["layer"]
        assert isinstance(inner, dict)
        assert "HeNormal" in str(inner["config"])


class TestAddBatchNormalization:
    def test_stands_between_product_and_activation(self, tmp_path: Path) -> None:
        found = applied("add-batch-normalization", spec_of(straight(), tmp_path))
        assert chain(found.spec, "image") == [
            "conv1", "conv1_bn", "conv1_relu", "pool1", "conv2", "conv2_bn", "conv2_tanh", "flatten",
            "fc1", "fc1_bn", "fc1_relu", "drop", "predictions",
        ]  # fmt: skip
        assert at(found.spec, "conv1").config["activation"] == "linear"
        assert at(found.spec, "conv2_tanh").config["activation"] == "tanh"

    def test_leaves_normalised_layers_and_heads_alone(self, tmp_path: Path) -> None:
        found = applied("add-batch-normalization", spec_of(sequential(), tmp_path))
        assert found.layers == ("d_bn",)
        assert chain(found.spec, "d")[:2] == ["d_bn", "e"]
        assert isinstance(build(found.spec).model, keras.Sequential)

    def test_normalisation_behind_activation_and_pooling_counts(self, tmp_path: Path) -> None:
        block = [layers.Conv2D(3, 3, activation="relu"), layers.MaxPooling2D(), layers.BatchNormalization()]
        model = keras.Sequential([keras.Input((9, 9, 3)), *block, layers.Flatten(), layers.Dense(2)])
        assert INTERVENTIONS["add-batch-normalization"]().apply(spec_of(model, tmp_path)) is None

    def test_serves_every_consumer(self, tmp_path: Path) -> None:
        found = applied("add-batch-normalization", spec_of(branching(), tmp_path))
        assert {"stem_bn", "left_bn", "left_relu", "right_bn", "right_relu"} <= set(found.layers)
        assert found.spec.layer("join").inbound[0].inputs == (TensorRef("stem_relu"), TensorRef("left_relu"))

    def test_follows_a_shared_layer_at_every_call(self, tmp_path: Path) -> None:
        found = applied("add-batch-normalization", spec_of(shared(), tmp_path))
        for name, source in (("conv_bn", "conv"), ("conv_relu", "conv_bn"), ("flat", "conv_relu")):
            calls = found.spec.layer(name).inbound
            assert [call.inputs for call in calls] == [(TensorRef(source, 0),), (TensorRef(source, 1),)]

    def test_works_inside_nested_models(self, tmp_path: Path) -> None:
        found = applied("add-batch-normalization", spec_of(nested(), tmp_path))
        assert {"body/conv_bn", "body/conv_relu", "head/conv_bn", "head/conv_relu"} <= set(found.layers)
        body = at(found.spec, "body").model
        assert body is not None
        assert body.layer("add").inbound[0].inputs[1] == TensorRef("conv_relu")
        head = at(found.spec, "head").model
        assert head is not None
        assert head.outputs == (TensorRef("conv_relu"),)

    def test_takes_the_channel_axis_of_the_layer(self, tmp_path: Path) -> None:
        model = keras.Sequential(
            [keras.Input((9, 9, 3)), layers.Conv2D(3, 3, name="c"), layers.Flatten(), layers.Dense(2)]
        )
        spec = spec_of(model, tmp_path)
        first = at(spec, "c")
        turned = replace(first, config={**first.config, "data_format": "channels_first"})
        spec = replace(spec, layers=(spec.layers[0], turned, *spec.layers[2:]))
        assert at(applied("add-batch-normalization", spec).spec, "c_bn").config["axis"] == 1

    def test_a_name_that_is_taken_gets_a_number(self, tmp_path: Path) -> None:
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(3, name="c"), layers.Dropout(0.1, name="c_bn"), layers.Dense(2)]
        )
        assert applied("add-batch-normalization", spec_of(model, tmp_path)).layers == ("c_bn_1",)


class TestLeakyRelu:
    def test_replaces_every_form_of_relu_and_what_saturates(self, tmp_path: Path) -> None:
        straightly = applied("leaky-relu", spec_of(straight(), tmp_path))
        assert straightly.layers == ("conv1", "conv2", "fc1")
        assert straightly.summary == "Use LeakyReLU instead of ReLU and tanh in three layers."
        found = applied("leaky-relu", spec_of(sequential(), tmp_path))
        assert [(layer.kind, layer.config["negative_slope"]) for layer in map(found.spec.layer, "ce")] == [
            ("LeakyReLU", 0.1),
            ("LeakyReLU", 0.1),
        ]
        assert "stem_relu" in applied("leaky-relu", spec_of(branching(), tmp_path)).layers

    def test_leaves_gates_and_shares_of_attention(self, tmp_path: Path) -> None:
        inputs = keras.Input((6, 8))
        gate = layers.Dense(8, activation="sigmoid", name="gate")(inputs)
        gated = layers.Multiply(name="gated")([inputs, gate])
        shares = layers.Softmax(axis=1, name="shares")(layers.Dense(1, name="score")(gated))
        pooled = layers.Dot(axes=1, name="pooled")([shares, gated])
        hidden = layers.Dense(8, activation="sigmoid", name="hidden")(layers.Flatten(name="flat")(pooled))
        model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="answer")(hidden))
        model.compile("sgd", "binary_crossentropy")
        assert applied("leaky-relu", spec_of(model, tmp_path)).layers == ("hidden",)

    def test_negative_inputs_pass_with_a_tenth(self, tmp_path: Path) -> None:
        model = keras.Sequential(
            [
                keras.Input((2,)),
                layers.Dense(2, activation="relu", kernel_initializer="identity"),
                layers.Dense(2, kernel_initializer="identity"),
            ]
        )
        found = applied("leaky-relu", spec_of(model, tmp_path))
        np.testing.assert_allclose(outputs(found.spec, np.array([[-2.0, 3.0]])), [[-0.2, 3.0]], rtol=1e-6)

    def test_an_output_stays_positive(self, tmp_path: Path) -> None:
        model = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu", name="out")])
        assert INTERVENTIONS["leaky-relu"]().apply(spec_of(model, tmp_path)) is None

    def test_reaches_into_nested_models(self, tmp_path: Path) -> None:
        assert applied("leaky-relu", spec_of(nested(), tmp_path)).layers == ("head/conv", "body/conv")


class TestLearningRate:
    def test_takes_a_tenth_or_ten_times_the_rate(self, tmp_path: Path) -> None:
        spec = spec_of(straight(), tmp_path)
        lower, higher = applied("lower-learning-rate", spec), applied("raise-learning-rate", spec)
        assert lower.summary == "Lower the learning rate from 0.1 to 0.01."
        assert lower.settings["learning_rate"] == pytest.approx(0.01)
        assert higher.settings["learning_rate"] == pytest.approx(1.0)
        assert lower.spec.layers == spec.layers
        assert lower.layers == ()

    @pytest.mark.parametrize(
        ("rate", "lower", "higher"), [(5.0, 1e-3, 50.0), (1e-2, 1e-3, 1e-1), (1e-9, 1e-10, 1e-3)]
    )
    def test_takes_the_usual_rate_from_outside_the_range_of_its_optimizer(
        self, tmp_path: Path, rate: float, lower: float, higher: float
    ) -> None:
        model = straight()
        model.optimizer.learning_rate = rate
        spec = spec_of(model, tmp_path)
        assert applied("lower-learning-rate", spec).settings["learning_rate"] == pytest.approx(lower)
        assert applied("raise-learning-rate", spec).settings["learning_rate"] == pytest.approx(higher)

    def test_takes_the_given_rate(self, tmp_path: Path) -> None:
        spec = spec_of(straight(), tmp_path)
        found = applied("lower-learning-rate", spec, rate=1e-4)
        assert found.spec.training is not None
        assert found.spec.training.learning_rate == 1e-4
        assert INTERVENTIONS["lower-learning-rate"](rate=0.5).apply(spec) is None
        assert INTERVENTIONS["raise-learning-rate"](rate=0.01).apply(spec) is None

    def test_replaces_a_schedule(self, tmp_path: Path) -> None:
        model = straight()
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)
        model.compile(keras.optimizers.Adam(schedule), "mse")
        spec = spec_of(model, tmp_path)
        assert spec.training is not None
        assert spec.training.schedule is not None
        found = applied("lower-learning-rate", spec)
        assert found.spec.training is not None
        assert found.spec.training.schedule is None

    def test_needs_training_settings(self, tmp_path: Path) -> None:
        spec = replace(spec_of(straight(), tmp_path), training=None)
        assert INTERVENTIONS["lower-learning-rate"]().apply(spec) is None
        assert INTERVENTIONS["raise-learning-rate"]().apply(spec) is None


class TestSettings:
    def test_lowers_dropout_wherever_it_is(self, tmp_path: Path) -> None:
        model = keras.Sequential(
            [
                keras.Input((6, 3)),
                layers.SpatialDropout1D(0.1, name="fine"),
                layers.LSTM(3, dropout=0.5, recurrent_dropout=0.1, name="lstm"),
                layers.Dropout(0.9, name="drop"),
                layers.Dense(2),
            ]
        )
        found = applied("reduce-dropout", spec_of(model, tmp_path))
        assert found.layers == ("lstm", "drop")
        assert at(found.spec, "drop").config["rate"] == 0.2
        assert [at(found.spec, "lstm").config[key] for key in ("dropout", "recurrent_dropout")] == [0.2, 0.1]

    def test_lowers_momentum(self, tmp_path: Path) -> None:
        found = applied("lower-batch-normalization-momentum", spec_of(sequential(), tmp_path))
        assert found.layers == ("b",)
        assert at(found.spec, "b").config["momentum"] == 0.9


class TestReinitializeDeadLayers:
    def test_marks_the_given_layers_fresh(self, tmp_path: Path) -> None:
        spec = spec_of(nested(), tmp_path)
        found = applied("reinitialize-dead-layers", spec, layers=("body/conv", "gone"))
        assert found.spec is spec
        assert found.fresh == {"body/conv"}

    def test_takes_all_trainable_layers_by_default(self, tmp_path: Path) -> None:
        found = applied("reinitialize-dead-layers", spec_of(augmented(), tmp_path))
        assert found.fresh == {"free", "out"}
        assert found.summary == "Draw the weights of every layer anew."
