from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
from keras import layers

from analyzers.rules.training.undertrained import Undertrained
from analyzers.spec import ModelSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = Undertrained()


def spec(units: int, steps: int | None, path: Path) -> ModelSpec:
    model = keras.Sequential([keras.Input((100,)), layers.Dense(units), layers.Dense(2)])
    model.compile("adam", "mse")
    made = spec_of(model, path)
    assert made.training is not None
    return replace(made, training=replace(made.training, steps_taken=steps))


def test_few_steps_for_the_size(tmp_path: Path) -> None:
    for units, steps in ((8, 40), (12_000, 600)):
        (finding,) = findings(RULE, spec(units, steps, tmp_path))
        assert (finding.severity, finding.evidence["steps_taken"]) == ("info", steps)


def test_enough_steps(tmp_path: Path) -> None:
    assert findings(RULE, spec(8, 600, tmp_path)) == []


def test_fresh_files(tmp_path: Path) -> None:
    assert "any steps were taken" in reason(RULE, spec(8, None, tmp_path))
