from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.architecture.ignored_mask import IgnoredMask
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = IgnoredMask()

# Keras says the same when such a model is built.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask:UserWarning")


def model(*body: keras.layers.Layer, mask: bool = True) -> keras.Model:
    front = layers.Embedding(50, 8, mask_zero=mask, name="words")
    return keras.Sequential([keras.Input((20,)), front, *body, layers.Dense(1)])


def test_a_convolution_drops_the_mask(tmp_path: Path) -> None:
    body = (layers.Dropout(0.1), layers.Conv1D(8, 3, name="conv"), layers.LSTM(4, name="lstm"))
    (finding,) = findings(RULE, spec_of(model(*body), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("conv",))
    assert finding.evidence == {"mask_from": ["words"], "needed_by": ["lstm"]}


def test_on_one_branch_of_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((20,))
    x = layers.Embedding(50, 8, mask_zero=True, name="words")(inputs)
    lost = [layers.MaxPooling1D(1, name="pool"), layers.GlobalAveragePooling1D(name="mean")]
    branch = keras.Sequential([keras.Input((20, 8)), *lost], name="branch")
    joined = layers.Concatenate()([layers.LSTM(4)(x), branch(x)])
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Dense(1)(joined)), tmp_path))
    assert finding.layers == ("branch/pool",)


def test_masks_that_arrive_or_that_nobody_needs(tmp_path: Path) -> None:
    handed_on = (layers.Dense(8), layers.LayerNormalization(), layers.Bidirectional(layers.LSTM(4)))
    assert findings(RULE, spec_of(model(*handed_on), tmp_path)) == []
    assert findings(RULE, spec_of(model(layers.Conv1D(8, 3), layers.GlobalMaxPooling1D()), tmp_path)) == []


def test_without_a_mask(tmp_path: Path) -> None:
    assert "no layer makes a mask" in reason(RULE, spec_of(model(layers.LSTM(4), mask=False), tmp_path))
