from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.architecture.disconnected_layer import DisconnectedLayer
from analyzers.spec import LayerSpec, ModelSpec, TensorRef
from tests.rules.apply import findings
from tests.support import spec_of

RULE = DisconnectedLayer()


def test_an_input_that_nothing_uses(tmp_path: Path) -> None:
    spec = spec_of(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), tmp_path)
    lonely = LayerSpec(
        "lonely", "InputLayer", {"batch_shape": [None, 3], "dtype": "float32"}, (), path="lonely"
    )
    both = ModelSpec(
        spec.name, "functional", (*spec.layers, lonely), (*spec.inputs, TensorRef("lonely")), spec.outputs
    )
    (finding,) = findings(RULE, both)
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("lonely",), False)


def test_a_branch_that_is_multiplied_away(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    kept = layers.Dense(4, name="kept")(inputs)
    lost = layers.Rescaling(0.0, name="nothing")(layers.Dense(4, name="lost")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()([kept, lost])))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("lost",)
    assert finding.evidence["always_zero"] == ["nothing"]


def test_a_tensor_subtracted_from_itself_in_a_nested_model(tmp_path: Path) -> None:
    inner = keras.Input((4,))
    x = layers.Dense(4, name="d")(inner)
    body = keras.Model(inner, layers.Subtract(name="zero")([x, x]), name="body")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(layers.Add()([inputs, body(inputs)])))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("body/d",)


def test_an_output_past_all_weights(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Softmax(name="bare")(inputs)])
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.layers == ("bare",)


def test_connected_models(tmp_path: Path) -> None:
    left, right = keras.Input((4,)), keras.Input((4,))
    x = layers.Subtract()([layers.Dense(4)(left), layers.Dense(4)(right)])
    model = keras.Model([left, right], [layers.Dense(2)(x * 0.5), layers.Dense(1)(left)])
    assert findings(RULE, spec_of(model, tmp_path)) == []
