from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.optimizer_state.recorded_vanishing_gradient import RecordedVanishingGradient
from analyzers.rules.recorded_gradients import steadiness
from tests.rules.apply import findings, measured, reason
from tests.rules.weights.trained import trained
from tests.support import spec_of

RULE = RecordedVanishingGradient()


def chain(depth: int, **settings: Any) -> keras.Model:
    hidden = [layers.Dense(8, name=f"d{number}", **settings) for number in range(depth)]
    return keras.Sequential([keras.Input((6,)), *hidden, layers.Dense(2, name="head")])


@pytest.mark.parametrize("optimizer", ["adam", keras.optimizers.SGD(1e-3, momentum=0.9)])
def test_a_deep_sigmoid_network_shows_it(tmp_path: Path, optimizer: Any) -> None:
    model = trained(chain(7, activation="sigmoid"), optimizer=optimizer, steps=40)
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert (finding.severity, finding.certain) == ("error", False)
    assert finding.layers[:3] == ("d0", "d1", "d2")
    assert finding.evidence["ratio"] < 1e-2
    assert finding.evidence["remembered_steps"] == pytest.approx(40 if optimizer == "adam" else 10)


def test_a_well_initialised_network_passes(tmp_path: Path) -> None:
    model = trained(chain(7, activation="relu", kernel_initializer="he_normal"), steps=40)
    assert findings(RULE, spec_of(model, tmp_path)) == []


def test_a_fall_has_to_be_steady() -> None:
    assert steadiness([1e-9, 1e-7, 1e-5, 1e-3]) == pytest.approx(1.0)
    assert steadiness([1e-3, 1e-5, 1e-7, 1e-9]) == pytest.approx(-1.0)
    assert steadiness([1e-4, 1e-1, 1e-7, 1e-2, 1e-6, 1e-3]) < 0.7


def test_it_abstains_where_nothing_was_recorded(tmp_path: Path) -> None:
    assert "4 are needed" in reason(RULE, spec_of(trained(chain(2), steps=40), tmp_path))
    assert "10 steps" in reason(RULE, spec_of(trained(chain(4), steps=4), tmp_path))
    plain = trained(chain(4), optimizer=keras.optimizers.Ftrl(0.01), steps=40)
    assert "Adam or RMSprop" in reason(RULE, spec_of(plain, tmp_path))


def test_the_profile_is_kept_for_the_report(tmp_path: Path) -> None:
    measurement = measured(RULE, spec_of(trained(chain(4), steps=20), tmp_path))
    assert list(measurement.layers) == ["d0", "d1", "d2", "d3", "head"]  # type: ignore[union-attr]
