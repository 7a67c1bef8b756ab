from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.outputs.double_softmax import DoubleSoftmax
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = DoubleSoftmax()


def chain(*end: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((6,)), layers.Dense(8, "relu"), *end])


@pytest.mark.parametrize(
    "end",
    [
        lambda: (layers.Dense(10, "softmax", name="inner"), layers.Softmax(name="outer")),
        lambda: (layers.Dense(10, "softmax", name="inner"), layers.Activation("softmax", name="outer")),
        lambda: (
            layers.Dense(10, "sigmoid", name="inner"),
            layers.Dropout(0.1),
            layers.Softmax(name="outer"),
        ),
        lambda: (layers.Dense(10, "softmax", name="inner"), layers.Activation("sigmoid", name="outer")),
    ],
)
def test_squashed_twice_is_certain(end: Callable[[], tuple[keras.layers.Layer, ...]], tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(chain(*end()), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("outer", "inner"), True)


def test_an_operation_on_the_output_of_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    body = keras.Sequential([keras.Input((6,)), layers.Dense(10, "softmax", name="classes")], name="body")
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, keras.ops.softmax(body(inputs))), tmp_path))
    assert "body/classes" in finding.layers
    assert finding.evidence["largest_probability"] == pytest.approx(0.232, abs=1e-3)


def test_a_softmax_between_hidden_layers(tmp_path: Path) -> None:
    (finding,) = findings(
        RULE, spec_of(chain(layers.Dense(8, "softmax", name="hidden"), layers.Dense(3, "softmax")), tmp_path)
    )
    assert (finding.severity, finding.layers, finding.certain) == ("warning", ("hidden",), False)


def test_one_softmax_and_gates(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(chain(layers.Dense(10), layers.Softmax()), tmp_path)) == []
    inputs = keras.Input((6,))
    gated = layers.Multiply()([layers.Dense(6, "softmax")(inputs), inputs])
    model = keras.Model(inputs, layers.Dense(3, "softmax")(gated))
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_logits(tmp_path: Path) -> None:
    assert "squashed" in reason(RULE, spec_of(chain(layers.Dense(3)), tmp_path))
