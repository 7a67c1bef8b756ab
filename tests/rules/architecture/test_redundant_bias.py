from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.redundant_bias import RedundantBias
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = RedundantBias()


def stack(*body: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((8, 8, 3)), *body, layers.Flatten(), layers.Dense(2)])


def test_a_bias_that_is_subtracted(tmp_path: Path) -> None:
    (finding,) = findings(
        RULE, spec_of(stack(layers.Conv2D(4, 3, name="c"), layers.BatchNormalization()), tmp_path)
    )
    assert (finding.severity, finding.layers) == ("info", ("c",))


def test_no_bias_or_an_activation_between(tmp_path: Path) -> None:
    plain = layers.Conv2D(4, 3, use_bias=False)
    assert findings(RULE, spec_of(stack(plain, layers.BatchNormalization()), tmp_path)) == []
    active = stack(layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization())
    assert "BatchNormalization alone" in reason(RULE, spec_of(active, tmp_path))


def test_a_second_consumer_needs_the_bias(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    x = layers.Dense(6)(inputs)
    model = keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x)]))
    assert "BatchNormalization alone" in reason(RULE, spec_of(model, tmp_path))
