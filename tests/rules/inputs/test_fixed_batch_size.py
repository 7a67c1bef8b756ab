from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.inputs.fixed_batch_size import FixedBatchSize
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = FixedBatchSize()


def model(batch_size: int | None, *body: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input(batch_shape=(batch_size, 6), name="table"), *body, layers.Dense(2)])


def test_a_fixed_size_is_information(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(30), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("table",))
    assert "exactly 30 samples" in finding.explanation


def test_a_tiny_size_under_batch_normalization_is_a_warning(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(2, layers.BatchNormalization()), tmp_path))
    assert finding.severity == "warning"
    (finding,) = findings(RULE, spec_of(model(30, layers.BatchNormalization()), tmp_path))
    assert finding.severity == "info"


def test_an_open_batch_axis_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(None, layers.BatchNormalization()), tmp_path)) == []


def test_stateful_layers_need_it(tmp_path: Path) -> None:
    stateful = keras.Sequential([keras.Input(batch_shape=(4, 5, 3)), layers.LSTM(2, stateful=True)])
    assert "stateful" in reason(RULE, spec_of(stateful, tmp_path))
