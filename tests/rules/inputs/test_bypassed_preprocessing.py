from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.inputs.bypassed_preprocessing import BypassedPreprocessing
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = BypassedPreprocessing()


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    """Keras counts automatic names through a whole process."""
    keras.backend.clear_session()


def head(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Dense(2)(layers.GlobalAveragePooling2D()(x))


def test_scaling_that_reaches_only_a_second_output(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3), name="pixels")
    scaled = layers.Rescaling(1 / 255, name="scale")(inputs)
    x = layers.Conv2D(4, 3, name="first")(inputs)
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, [head(x), scaled]), tmp_path))
    assert finding.severity == "error"
    assert finding.layers == ("scale", "first")
    assert finding.explanation.startswith("pixels goes through scale, but it also reaches first")


def test_scaling_that_is_joined_after_the_first_convolution(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    scaled = layers.Normalization(mean=120.0, variance=3600.0, name="scale")(inputs)
    x = layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    x = layers.Conv2D(4, 3)(layers.Concatenate()([x, scaled]))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, head(x)), tmp_path))
    assert finding.layers == ("scale", "first")


def test_a_bypassed_nested_preprocessing_model(tmp_path: Path) -> None:
    front = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.RandomFlip(name="flip"), layers.Rescaling(1 / 255, name="scale")],
        name="front",
    )
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="first")(inputs)
    found = findings(RULE, spec_of(keras.Model(inputs, [head(x), front(inputs)]), tmp_path))
    assert [(f.severity, f.layers) for f in found] == [
        ("error", ("front/scale", "first")),
        ("warning", ("front/flip", "first")),
    ]


def test_bypassed_augmentation_is_a_warning(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    scaled = layers.Rescaling(1 / 255)(inputs)
    flipped = layers.RandomFlip(name="flip")(scaled)
    x = layers.Conv2D(4, 3, name="first")(scaled)
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, [head(x), flipped]), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("flip", "first"))


def test_preprocessing_on_every_path_passes(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(layers.RandomFlip()(inputs))
    left, right = layers.Conv2D(4, 3)(x), layers.Conv2D(4, 3)(x)
    assert findings(RULE, spec_of(keras.Model(inputs, head(layers.Add()([left, right]))), tmp_path)) == []


def test_branches_that_scale_in_their_own_way_pass(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    left = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(inputs))
    right = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, offset=-1)(inputs))
    assert findings(RULE, spec_of(keras.Model(inputs, head(layers.Add()([left, right]))), tmp_path)) == []


def test_a_second_input_that_needs_no_scaling_passes(tmp_path: Path) -> None:
    image, table = keras.Input((16, 16, 3)), keras.Input((5,))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(image)))
    joined = layers.Concatenate()([x, layers.Dense(4)(table)])
    assert findings(RULE, spec_of(keras.Model([image, table], layers.Dense(2)(joined)), tmp_path)) == []


def test_a_shortcut_from_input_to_output_passes(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(3, 3, padding="same")(layers.Rescaling(1 / 255)(inputs))
    assert findings(RULE, spec_of(keras.Model(inputs, layers.Add()([inputs, x])), tmp_path)) == []


def test_a_mask_made_from_the_input_passes(tmp_path: Path) -> None:
    inputs = keras.Input((20, 3))
    x = layers.Rescaling(0.1)(layers.Masking()(inputs))
    assert findings(RULE, spec_of(keras.Model(inputs, layers.LSTM(4)(x)), tmp_path)) == []


def test_a_discarded_augmentation_model_is_betrayed_by_the_name(tmp_path: Path) -> None:
    augment = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])
    inputs = keras.Input((16, 16, 3))
    augment(inputs)
    layers.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, head(layers.Conv2D(4, 3)(inputs)))
    assert model.name == "functional_1"
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.severity == "info"
    assert "functional_1, so functional was built before it" in finding.explanation


def test_a_missing_number_is_a_trace(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3)(inputs)
    layers.Conv2D(4, 3)(inputs)
    model = keras.Model(inputs, head(layers.Conv2D(4, 3)(x)))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.severity == "info"
    assert finding.evidence["missing_layers"] == ["conv2d_1"]


def test_absurd_numbers_are_no_trace(tmp_path: Path) -> None:
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="conv2d_999999")(layers.Conv2D(4, 3, name="conv2d")(inputs))
    spec = spec_of(keras.Model(inputs, head(x)), tmp_path)
    assert findings(RULE, replace(spec, name="functional_99999999999999")) == []


def test_a_model_rebuilt_in_one_session_is_no_trace(tmp_path: Path) -> None:
    for _ in range(2):
        inputs = keras.Input((16, 16, 3))
        model = keras.Model(inputs, head(layers.Conv2D(4, 3)(inputs)))
    assert model.name == "functional_1"
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_numbers_that_start_at_one_are_no_trace(tmp_path: Path) -> None:
    """Keras before 2.4 called the first model ``sequential_1`` and its layers ``conv2d_1``."""
    inputs = keras.Input((16, 16, 3), name="input_1")
    x = layers.Conv2D(4, 3, name="conv2d_1")(inputs)
    x = layers.Dense(2, name="dense_1")(layers.GlobalAveragePooling2D(name="global_average_pooling2d_1")(x))
    spec = spec_of(keras.Model(inputs, x), tmp_path)
    assert findings(RULE, replace(spec, name="model_1")) == []
    assert len(findings(RULE, replace(spec, name="model_2"))) == 1


def test_a_nested_model_explains_the_number(tmp_path: Path) -> None:
    body = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3)])
    inputs = keras.Input((16, 16, 3))
    model = keras.Model(inputs, head(body(inputs)))
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_tokens_need_no_preprocessing(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((20,)), layers.Embedding(50, 4), layers.LSTM(4)])
    assert "token" in reason(RULE, spec_of(model, tmp_path))
