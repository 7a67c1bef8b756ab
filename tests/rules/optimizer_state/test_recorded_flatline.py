from __future__ import annotations

from pathlib import Path

import keras
import pytest
from keras import layers

from analyzers.rules.optimizer_state.recorded_flatline import RecordedFlatline
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import kill, trained
from tests.support import spec_of

RULE = RecordedFlatline()


def model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", name="first"),
            layers.Dense(8, activation="relu", name="second"),
            layers.Dense(2, name="head"),
        ]
    )


def test_a_network_that_died_in_the_run(tmp_path: Path) -> None:
    sick = trained(model(), steps=20)
    kill(sick.get_layer("second"))
    (finding,) = findings(RULE, spec_of(trained(sick, steps=200), tmp_path))
    assert (finding.severity, finding.certain) == ("error", False)
    assert finding.layers == ("first", "second", "head")
    assert finding.evidence["steps_without_gradient"] == pytest.approx(200, abs=40)


def test_layers_that_died_while_others_live_are_a_warning(tmp_path: Path) -> None:
    inputs = keras.Input((6,))
    branch = layers.Dense(6, activation="relu", name="branch")(inputs)
    sick = trained(keras.Model(inputs, layers.Dense(2)(layers.Add()([inputs, branch]))), steps=20)
    kill(sick.get_layer("branch"))
    (finding,) = findings(RULE, spec_of(trained(sick, steps=200), tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("branch",))


def test_a_living_network_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(model()), tmp_path)) == []


def test_it_abstains_without_both_averages_or_steps(tmp_path: Path) -> None:
    assert "Adam" in reason(RULE, spec_of(trained(model(), optimizer="rmsprop", steps=5), tmp_path))
    assert "100 steps" in reason(RULE, spec_of(trained(model(), steps=5), tmp_path))
