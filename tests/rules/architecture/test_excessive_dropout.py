from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.excessive_dropout import ExcessiveDropout
from analyzers.spec import ModelSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = ExcessiveDropout()


def spec(path: Path, *body: keras.layers.Layer, units: int = 256) -> ModelSpec:
    front, back = layers.Dense(256, "relu"), layers.Dense(units, "relu")
    return spec_of(keras.Sequential([keras.Input((64,)), front, *body, back, layers.Dense(10)]), path)


def test_nine_tenths_is_an_error(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(tmp_path, layers.Dropout(0.9, name="drop")))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("drop",), False)


def test_three_quarters_is_a_warning_anywhere(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec(tmp_path, layers.Dropout(0.75)))
    assert finding.severity == "warning"


def test_several_in_a_row_are_taken_together(tmp_path: Path) -> None:
    row = (
        layers.Dropout(0.5),
        layers.Activation("linear"),
        layers.Dropout(0.5),
        layers.Dropout(0.5, name="third"),
    )
    (finding,) = findings(RULE, spec(tmp_path, *row))
    assert (finding.severity, finding.layers) == ("warning", ("third",))
    assert finding.evidence["largest_share_dropped"] == 0.875


def test_moderate_rates_pass(tmp_path: Path) -> None:
    assert findings(RULE, spec(tmp_path, layers.Dropout(0.5))) == []
    assert findings(RULE, spec(tmp_path, layers.Dropout(0.65))) == []
    vgg = (layers.Dropout(0.5), layers.Dense(256, "relu"), layers.Dropout(0.5), layers.Dense(256, "relu"))
    assert findings(RULE, spec(tmp_path, *vgg, layers.Dropout(0.5))) == []


def test_places_where_a_high_rate_hurts(tmp_path: Path) -> None:
    small = findings(RULE, spec(tmp_path, layers.Dropout(0.6), units=8))
    first = keras.Sequential([keras.Input((64,)), layers.Dropout(0.6), layers.Dense(64), layers.Dense(64)])
    last = keras.Sequential([keras.Input((64,)), layers.Dense(64), layers.Dropout(0.6), layers.Dense(64)])
    on_input = findings(RULE, spec_of(first, tmp_path))
    at_output = findings(RULE, spec_of(last, tmp_path))
    assert "layer of 8 units" in small[0].explanation
    assert "the model's input" in on_input[0].explanation
    assert "in front of the output" in at_output[0].explanation


def test_dropout_inside_recurrent_layers_and_nested_models(tmp_path: Path) -> None:
    body = keras.Sequential(
        [keras.Input((20, 4)), layers.Bidirectional(layers.LSTM(8, recurrent_dropout=0.95), name="lstm")],
        name="body",
    )
    inputs = keras.Input((20, 4))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Dense(2)(body(inputs))), tmp_path))
    assert (finding.severity, finding.layers) == ("error", ("body/lstm",))


def test_no_dropout(tmp_path: Path) -> None:
    assert "no dropout" in reason(RULE, spec(tmp_path))
