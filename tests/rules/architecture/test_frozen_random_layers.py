from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.architecture.frozen_random_layers import FrozenRandomLayers
from tests.rules.apply import findings
from tests.support import spec_of

RULE = FrozenRandomLayers()


def base_and_head(initializer: str = "glorot_uniform") -> keras.Model:
    base = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(16, 3, kernel_initializer=initializer, name="conv")],
        name="base",
    )
    inputs = keras.Input((8, 8, 3))
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(base(inputs))))


def test_nothing_trainable_is_certain(tmp_path: Path) -> None:
    model = base_and_head()
    model.trainable = False
    found = findings(RULE, spec_of(model, tmp_path))
    assert found[0].certain
    assert found[0].severity == "error"
    assert set(found[0].layers) == {"base/conv", "head"}


def test_a_model_without_weights_is_certain_too(tmp_path: Path) -> None:
    inputs = keras.Input((8,))
    model = keras.Model(inputs, layers.Normalization(name="norm")(inputs))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.certain


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "random_normal", "lecun_uniform"])
def test_a_frozen_base_at_its_initialiser(initializer: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    model = base_and_head(initializer)
    model.get_layer("base").trainable = False
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("error", False, ("base/conv",))


def test_a_frozen_base_with_trained_weights_passes(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    model = base_and_head()
    conv = model.get_layer("base").get_layer("conv")
    kernel, bias = conv.get_weights()
    conv.set_weights([np.random.default_rng(0).standard_t(3, kernel.shape) * kernel.std(), bias + 0.01])
    model.get_layer("base").trainable = False
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_a_trained_kernel_without_bias_passes(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    body = (layers.Conv2D(16, 3, use_bias=False, name="conv"), layers.Flatten(), layers.Dense(2))
    model = keras.Sequential([keras.Input((8, 8, 3)), *body])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse")
    generator = np.random.default_rng(0)
    data = generator.normal(size=(64, 8, 8, 3)), generator.normal(size=(64, 2))
    model.fit(*data, epochs=10, verbose=0)
    model.get_layer("conv").trainable = False
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_trainable_layers_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(base_and_head(), tmp_path)) == []
