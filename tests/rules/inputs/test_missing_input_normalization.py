from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.options import Options
from analyzers.rule import Finding
from analyzers.rules.inputs.missing_input_normalization import MissingInputNormalization
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = MissingInputNormalization()


def raw_images() -> keras.Model:
    inputs = keras.Input((16, 16, 3), name="pixels")
    x = layers.Conv2D(4, 3, activation="relu", name="first")(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def scaled(layer: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, activation="relu")(layer(inputs))
    return keras.Model(inputs, layers.Flatten()(x))


def test_raw_images_are_a_warning(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(raw_images(), tmp_path))
    assert finding.severity == "warning"
    assert finding.layers == ("first",)
    assert "pixels 16x16x3" in finding.explanation
    assert not finding.certain


def test_a_table_that_is_said_to_be_raw_is_not_scaled_like_pixels(tmp_path: Path) -> None:
    table = keras.Sequential([keras.Input((20,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
    (finding,) = findings(RULE, spec_of(table, tmp_path), Options(input_range="0-255"))
    assert "adapted to the training data" in finding.fix


def test_whole_numbers_prove_raw_pixels(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3), dtype="uint8")
    x = layers.Conv2D(4, 3)(keras.ops.cast(inputs, "float32"))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, x), tmp_path))
    assert finding.severity == "error"
    assert "whole numbers" in finding.explanation


def test_what_the_sender_says_decides(tmp_path: Path) -> None:
    spec = spec_of(raw_images(), tmp_path)
    (finding,) = findings(RULE, spec, Options(input_range="0-255"))
    assert finding.severity == "error"
    assert findings(RULE, spec, Options(input_range="0-1")) == []
    assert findings(RULE, spec, Options(input_range="standardized")) == []


def test_what_the_real_run_recorded_is_read(tmp_path: Path) -> None:
    def fed(mean: float, std: float) -> Finding:
        model = keras.Sequential([
            keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="first"), layers.ReLU(),
            layers.GlobalAveragePooling2D(), layers.Dense(2),
        ])  # fmt: skip
        (finding,) = findings(RULE, spec_of(trained(model, mean=mean, std=std), tmp_path))
        return finding

    raw = fed(120.0, 64.0)
    assert (raw.recorded, raw.severity) == (True, "warning")
    assert 30 < raw.evidence["recorded_scale"] < 300
    assert "What the real run left in the file" in raw.explanation
    scaled_outside = fed(0.0, 1.0)
    assert not scaled_outside.recorded
    assert "The file cannot tell" in scaled_outside.explanation


@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=120.0, variance=3600.0),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_scaled_images_pass(layer: keras.layers.Layer, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(scaled(layer), tmp_path)) == []


def test_arithmetic_counts_as_scaling(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3)(inputs / 127.5 - 1.0)
    assert findings(RULE, spec_of(keras.Model(inputs, x), tmp_path)) == []


def test_scaling_is_found_inside_a_nested_model(tmp_path: Path) -> None:
    front = keras.Sequential([keras.Input((16, 16, 3)), layers.RandomFlip(), layers.Rescaling(1 / 255)])
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3)(front(inputs))
    assert findings(RULE, spec_of(keras.Model(inputs, x), tmp_path)) == []


def test_weights_inside_a_nested_model_are_named_by_path(tmp_path: Path) -> None:
    body = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="conv")], name="body")
    inputs = keras.Input((16, 16, 3))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, body(inputs)), tmp_path))
    assert finding.layers == ("body/conv",)


def test_one_raw_branch_of_two_is_found(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    left = layers.Conv2D(4, 3, name="left")(layers.Rescaling(1 / 255)(inputs))
    right = layers.Conv2D(4, 3, name="right")(layers.MaxPooling2D(1)(inputs))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Add()([left, right])), tmp_path))
    assert finding.layers == ("right",)


def test_normalization_right_behind_the_weights_makes_it_information(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(inputs))
    model = keras.Model(inputs, layers.Conv2D(4, 3)(layers.ReLU()(x)))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.severity == "info"


def test_grey_images_without_a_channel_axis_count(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(4, name="first")])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("first",)


def test_tables_and_sequences_are_not_judged(tmp_path: Path) -> None:
    table = keras.Sequential([keras.Input((12,)), layers.Dense(4)])
    sequence = keras.Sequential([keras.Input((28, 28)), layers.LSTM(4)])
    tokens = keras.Sequential([keras.Input((20,)), layers.Embedding(50, 4), layers.LSTM(4)])
    for model in (table, sequence, tokens):
        assert "standardise features" in reason(RULE, spec_of(model, tmp_path))


def test_a_table_that_is_fed_bytes_is_judged(tmp_path: Path) -> None:
    spec = spec_of(keras.Sequential([keras.Input((784,)), layers.Dense(4)]), tmp_path)
    (finding,) = findings(RULE, spec, Options(input_range="0-255"))
    assert finding.severity == "error"


def test_frozen_first_layers_are_passed_over(tmp_path: Path) -> None:
    model = raw_images()
    model.get_layer("first").trainable = False
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_nothing_is_claimed_behind_a_lambda(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Lambda(lambda t: keras.ops.log(t + 1.0), output_shape=(16, 16, 3), name="scale")(inputs)
    model = keras.Model(inputs, layers.Conv2D(4, 3)(x))
    assert "scale may scale the input" in reason(RULE, spec_of(model, tmp_path))


def test_a_lambda_of_plain_arithmetic_counts_as_scaling(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Lambda(lambda t: t / 255.0, output_shape=(16, 16, 3))(inputs)
    model = keras.Model(inputs, layers.Conv2D(4, 3)(x))
    assert findings(RULE, spec_of(model, tmp_path)) == []
