from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.architecture.low_precision_output import LowPrecisionOutput
from tests.rules.apply import findings
from tests.support import spec_of

RULE = LowPrecisionOutput()


def model(hidden: str, output: str) -> keras.Model:
    body = [
        layers.Dense(8, "relu", dtype=hidden, name="hidden"),
        layers.Dense(3, dtype=output, name="scores"),
    ]
    return keras.Sequential([keras.Input((4,)), *body, layers.Softmax(dtype=output, name="out")])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_probabilities_in_half_precision(policy: str, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(policy, policy), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("out",))


def test_weights_in_half_precision(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model("float16", "float32"), tmp_path))
    assert (finding.title, finding.layers) == ("Weights in half precision", ("hidden",))


def test_an_output_of_a_nested_model(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    head = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, "softmax", dtype="mixed_float16", name="d")], name="head"
    )
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, head(layers.Add()([inputs, inputs]))), tmp_path))
    assert finding.layers == ("head/d",)


def test_full_precision_at_the_end(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model("mixed_float16", "float32"), tmp_path)) == []
