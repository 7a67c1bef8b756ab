from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.optimizer_state.recorded_exploding_gradient import RecordedExplodingGradient
from tests.rules.apply import findings, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = RecordedExplodingGradient()


def chain(depth: int, stddev: float) -> keras.Model:
    initializer = keras.initializers.RandomNormal(stddev=stddev, seed=1)
    hidden = [layers.Dense(32, "tanh", kernel_initializer=initializer, name=f"d{n}") for n in range(depth)]
    return keras.Sequential(
        [keras.Input((32,)), *hidden, layers.Dense(2, kernel_initializer=initializer, name="head")]
    )


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_a_gradient_that_grows_with_depth_is_told(tmp_path: Path, optimizer: str) -> None:
    """Weights far over the edge of chaos: tanh bounds the signal, and the gradient grows at each layer."""
    (finding,) = findings(
        RULE, spec_of(trained(chain(9, stddev=3.5), optimizer=optimizer, steps=12), tmp_path)
    )
    assert (finding.severity, finding.certain) == ("error", False)
    assert finding.layers[0] == "d0"
    assert finding.evidence["ratio"] > 1e3
    assert finding.evidence["steadiness"] < -0.7


def test_a_well_initialised_network_passes(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(trained(chain(5, stddev=0.18), steps=20), tmp_path)) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_state_that_is_not_finite_is_certain(tmp_path: Path, value: float) -> None:
    model = trained(chain(2, stddev=0.18), steps=12)
    slot = next(v for v in model.optimizer.variables if v.path.endswith("d1_kernel_velocity"))
    slot.assign(np.where(np.eye(32) > 0, value, 0.1))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.certain, finding.layers) == ("error", True, ("d1",))
    assert finding.evidence["not_finite"] == {"d1": ["velocity"]}


def test_it_abstains_where_there_is_no_trend_to_see(tmp_path: Path) -> None:
    assert "4 are needed" in reason(RULE, spec_of(trained(chain(2, stddev=0.18), steps=12), tmp_path))
