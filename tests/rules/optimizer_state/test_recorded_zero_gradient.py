from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.optimizer_state.recorded_zero_gradient import RecordedZeroGradient
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import kill, trained
from tests.support import spec_of

RULE = RecordedZeroGradient()


def classifier(activation: str) -> keras.Model:
    hidden = layers.Dense(8, activation="relu", name="hidden")
    return keras.Sequential([keras.Input((6,)), hidden, layers.Dense(1, activation=activation, name="head")])


@pytest.mark.parametrize("optimizer", ["adam", "adamax", "lion", keras.optimizers.SGD(0.01, momentum=0.9)])
def test_layers_in_front_of_a_dead_one_never_had_a_gradient(tmp_path: Path, optimizer: Any) -> None:
    first, second = (layers.Dense(8, activation="relu", name=name) for name in ("first", "second"))
    model = keras.Sequential([keras.Input((6,)), first, second, layers.Dense(1, name="head")])
    kill(second)
    (finding,) = findings(RULE, spec_of(trained(model, optimizer=optimizer), tmp_path))
    assert (finding.severity, finding.certain) == ("error", True)
    assert finding.layers == ("first", "second")
    assert (finding.evidence["layers_without_gradient"], finding.evidence["of"]) == (2, 3)


def test_a_branch_without_a_gradient_is_a_warning(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    branch = layers.Dense(6, activation="relu", name="branch")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()([inputs, branch])))
    kill(model.get_layer("branch"))
    (finding,) = findings(RULE, spec_of(trained(model), tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("warning", False, ("branch",))


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_an_output_without_a_loss_is_not_judged(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    x = layers.Dense(4, activation="relu")(inputs)
    model = keras.Model(inputs, [layers.Dense(2, name="judged")(x), layers.Dense(2, name="free")(x)])
    model.compile("adam", loss=["mse", None], jit_compile=False)
    assert findings(RULE, spec_of(trained(model), tmp_path)) == []


def test_a_healthy_model_passes(tmp_path: Path) -> None:
    model = trained(classifier("sigmoid"), loss="binary_crossentropy")
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_it_abstains_without_a_record(tmp_path: Path) -> None:
    assert "100 steps" in reason(RULE, spec_of(trained(classifier("sigmoid"), steps=5), tmp_path))
    sums = trained(classifier("sigmoid"), optimizer="adagrad")
    assert "Adam or RMSprop" in reason(RULE, spec_of(sums, tmp_path))
