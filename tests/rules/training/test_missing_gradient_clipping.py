from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.training.missing_gradient_clipping import MissingGradientClipping
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = MissingGradientClipping()


def model(optimizer: Any, *, recurrent: bool = True) -> keras.Model:
    body = layers.Bidirectional(layers.LSTM(4), name="lstm") if recurrent else layers.Flatten()
    made = keras.Sequential([keras.Input((5, 3)), body, layers.Dense(2)])
    made.compile(optimizer, "mse")
    return made


def test_recurrent_without_clipping_is_information(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model("adam"), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("lstm",))


@pytest.mark.parametrize(
    "optimizer", [keras.optimizers.SGD(0.01, clipvalue=1e-5), keras.optimizers.Adam(1e-3, clipnorm=1e-8)]
)
def test_a_bound_that_lets_nothing_through(optimizer: Any, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(optimizer, recurrent=False), tmp_path))
    assert (finding.severity, finding.certain) == ("error", False)


@pytest.mark.parametrize(
    "optimizer",
    [keras.optimizers.SGD(0.01, clipnorm=1.0), keras.optimizers.Adam(1e-3, global_clipnorm=0.001)],
)
def test_usual_bounds(optimizer: Any, tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(optimizer), tmp_path)) == []


def test_other_models(tmp_path: Path) -> None:
    assert "not recurrent" in reason(RULE, spec_of(model("adam", recurrent=False), tmp_path))
