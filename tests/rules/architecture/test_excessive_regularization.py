from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from analyzers.rules.architecture.excessive_regularization import ExcessiveRegularization
from analyzers.spec import NO_WEIGHTS
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = ExcessiveRegularization()


def model(penalty: Any) -> keras.Model:
    body = [layers.Dense(64, "relu", kernel_regularizer=penalty, name="fc"), layers.Dense(10, "softmax")]
    made = keras.Sequential([keras.Input((784,)), *body])
    made.compile(loss="categorical_crossentropy")
    return made


@pytest.mark.parametrize("penalty", [keras.regularizers.L2(1.0), keras.regularizers.L1(0.1)])
def test_a_penalty_of_many_times_the_loss(penalty: Any, tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(penalty), tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("error", ("fc",), False)


def test_the_penalty_is_keras_s_own(tmp_path: Path) -> None:
    made = model(keras.regularizers.L1L2(0.02, 0.03))
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert finding.evidence["penalty"] == pytest.approx(float(made.losses[0]), rel=1e-4)
    without_weights = replace(spec_of(made, tmp_path), weights=NO_WEIGHTS)
    (drawn,) = findings(RULE, without_weights)
    assert drawn.evidence["penalty"] == pytest.approx(float(made.losses[0]), rel=0.1)


def test_both_branches_of_a_nested_model_count(tmp_path: Path) -> None:
    inputs = keras.Input((784,))
    dense = [layers.Dense(64, kernel_regularizer=keras.regularizers.L2(0.1), name=name) for name in "ab"]
    body = keras.Sequential([keras.Input((784,)), dense[0]], name="body")
    made = keras.Model(inputs, layers.Dense(2)(layers.Add()([body(inputs), dense[1](inputs)])))
    (finding,) = findings(RULE, spec_of(made, tmp_path))
    assert set(finding.layers) == {"body/a", "b"}


def test_usual_penalties(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(model(keras.regularizers.L2(1e-3)), tmp_path)) == []


def test_without_penalties(tmp_path: Path) -> None:
    assert "L1 or L2" in reason(RULE, spec_of(model(None), tmp_path))
