from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.training.missing_training_config import MissingTrainingConfig
from tests.rules.apply import findings, reason
from tests.support import spec_of, stored_spec

RULE = MissingTrainingConfig()


def model() -> keras.Model:
    return keras.Sequential([keras.Input((8,)), layers.Dense(2)])


def test_a_file_that_was_never_compiled(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(), tmp_path))
    assert finding.severity == "info"
    assert finding.evidence["missing"] == ["loss", "optimizer", "learning rate"]


def test_a_compiled_file_passes(tmp_path: Path) -> None:
    compiled = model()
    compiled.compile(optimizer="adam", loss="mse")
    assert findings(RULE, spec_of(compiled, tmp_path)) == []
    assert findings(RULE, spec_of(compiled, tmp_path, format="h5")) == []


def test_weights_alone_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    model().save_weights(path)
    assert "weights" in reason(RULE, stored_spec(path, tmp_path))
