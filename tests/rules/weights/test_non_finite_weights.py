from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.weights.non_finite_weights import NonFiniteWeights
from analyzers.spec import NO_WEIGHTS
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = NonFiniteWeights()


def model() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, name="first"),
            layers.BatchNormalization(name="normalization"),
            layers.Dropout(0.5, seed=1),
            layers.Dense(2, name="second"),
        ]
    )


@pytest.mark.parametrize(("value", "nan", "infinite"), [(np.nan, 1, 0), (-np.inf, 0, 1)])
def test_one_number_is_a_certain_error(tmp_path: Path, value: float, nan: int, infinite: int) -> None:
    sick = model()
    variance = sick.get_layer("normalization").moving_variance
    variance.assign(np.where(np.arange(5) == 3, value, 1.0))
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert (finding.severity, finding.certain) == ("error", True)
    assert finding.layers == ("normalization",)
    assert finding.evidence["tensors"] == ["moving_variance"]
    assert (finding.evidence["nan"], finding.evidence["infinite"]) == (nan, infinite)


def test_the_first_layer_in_order_is_named(tmp_path: Path) -> None:
    sick = model()
    for name in ("second", "first"):
        sick.get_layer(name).kernel.assign(np.full(sick.get_layer(name).kernel.shape, np.nan))
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert finding.evidence["first_layer"] == "first"
    assert finding.layers == ("first", "second")
    assert finding.evidence["nan"] == 20 + 10


def test_finite_weights_pass(tmp_path: Path) -> None:
    healthy = model()
    healthy.get_layer("first").kernel.assign(np.full((4, 5), 1e38))
    assert findings(RULE, spec_of(healthy, tmp_path)) == []


def test_a_file_without_weights_is_not_judged(tmp_path: Path) -> None:
    spec = spec_of(model(), tmp_path)
    object.__setattr__(spec, "weights", NO_WEIGHTS)
    with pytest.raises(AssertionError, match="needs"):
        reason(RULE, spec)
