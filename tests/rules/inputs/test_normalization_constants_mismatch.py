from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.options import Options
from analyzers.rules.inputs.normalization_constants_mismatch import NormalizationConstantsMismatch
from analyzers.spec import ModelSpec
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = NormalizationConstantsMismatch()

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
VARIANCE = [value**2 for value in STD]


def spec_behind(path: Path, *front: keras.layers.Layer) -> ModelSpec:
    model = keras.Sequential([keras.Input((16, 16, 3)), *front, layers.Conv2D(4, 3)])
    return spec_of(model, path)


def test_unit_constants_on_the_input_depend_on_what_is_fed(tmp_path: Path) -> None:
    spec = spec_behind(tmp_path, layers.Normalization(mean=MEAN, variance=VARIANCE, name="norm"))
    (finding,) = findings(RULE, spec)
    assert (finding.severity, finding.layers) == ("error", ("norm",))
    assert finding.confidence < 0.5
    assert "The file cannot tell" in finding.explanation
    assert finding.evidence["output_mean"] == pytest.approx(530, rel=0.1)
    (known,) = findings(RULE, spec, Options(input_range="0-255"))
    assert known.confidence > 0.5
    assert findings(RULE, spec, Options(input_range="0-1")) == []


def test_unit_constants_behind_rescaling_pass(tmp_path: Path) -> None:
    front = (layers.Rescaling(1 / 255), layers.Normalization(mean=MEAN, variance=VARIANCE))
    assert findings(RULE, spec_behind(tmp_path, *front)) == []


def test_byte_constants_behind_rescaling(tmp_path: Path) -> None:
    front = (
        layers.Rescaling(1 / 255, name="scale"),
        layers.Normalization(mean=[125.3, 123.0, 113.9], variance=[3969.0, 3856.0, 4449.0], name="norm"),
    )
    (finding,) = findings(RULE, spec_behind(tmp_path, *front))
    assert finding.layers == ("scale", "norm")
    assert finding.evidence["range_from"] == "constants"
    assert finding.evidence["output_std"] < 0.01


def test_byte_constants_on_the_input_pass(tmp_path: Path) -> None:
    front = layers.Normalization(mean=[125.3, 123.0, 113.9], variance=[3969.0, 3856.0, 4449.0])
    assert findings(RULE, spec_behind(tmp_path, front)) == []


def test_subtracting_the_mean_only_passes(tmp_path: Path) -> None:
    front = layers.Normalization(mean=[103.9, 116.8, 123.7], variance=[1.0, 1.0, 1.0])
    assert findings(RULE, spec_behind(tmp_path, front)) == []


def test_an_offset_of_the_wrong_scale(tmp_path: Path) -> None:
    (finding,) = findings(
        RULE, spec_behind(tmp_path, layers.Rescaling(1 / 127.5, offset=-127.5, name="scale"))
    )
    assert finding.layers == ("scale",)


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (1 / 127.5, -1.0), (2.0, -1.0)])
def test_usual_rescaling_passes(scale: float, offset: float, tmp_path: Path) -> None:
    front = (layers.Rescaling(scale, offset=offset), layers.Normalization(mean=0.0, variance=1.0))
    assert findings(RULE, spec_behind(tmp_path, *front)) == []


def test_a_standard_deviation_given_as_variance_is_weak(tmp_path: Path) -> None:
    front = (layers.Rescaling(1 / 255), layers.Normalization(mean=MEAN, variance=STD, name="norm"))
    (finding,) = findings(RULE, spec_behind(tmp_path, *front))
    assert (finding.severity, finding.layers) == ("info", ("norm",))


def test_a_second_layer_that_makes_good_for_it_passes(tmp_path: Path) -> None:
    """EfficientNet divides by the root of its standard deviations once more."""
    front = (
        layers.Rescaling(1 / 255),
        layers.Normalization(mean=MEAN, variance=STD),
        layers.Rescaling([1 / np.sqrt(value) for value in STD]),
    )
    assert findings(RULE, spec_behind(tmp_path, *front)) == []


def test_a_negative_variance_is_certain(tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Normalization(mean=MEAN, variance=[1, -1, 1], name="norm"),
            layers.Dense(1),
        ]
    )
    assert not np.all(np.isfinite(model.predict(np.ones((1, 3)), verbose=0)))
    (finding,) = findings(RULE, spec_of(model, tmp_path))
    assert finding.certain
    assert (finding.severity, finding.layers) == ("error", ("norm",))


def test_zero_variance_everywhere_is_an_error_one_constant_column_is_not(tmp_path: Path) -> None:
    def table(variance: list[float]) -> ModelSpec:
        front = layers.Normalization(mean=[1.0, 2.0], variance=variance)
        return spec_of(keras.Sequential([keras.Input((2,)), front, layers.Dense(1)]), tmp_path)

    (finding,) = findings(RULE, table([0.0, 0.0]))
    assert (finding.severity, finding.certain) == ("error", False)
    assert findings(RULE, table([0.0, 3.0])) == []


def test_adapted_statistics_are_those_of_what_is_fed(tmp_path: Path) -> None:
    front = layers.Normalization(axis=-1)
    front.adapt(np.random.default_rng(0).random((8, 16, 16, 3), dtype=np.float32))
    assert findings(RULE, spec_behind(tmp_path, front)) == []


def test_many_parallel_scalings_end(tmp_path: Path) -> None:
    inputs = x = keras.Input((8, 8, 3))
    for _ in range(24):
        x = layers.Average()([layers.Rescaling(0.5)(x), layers.Rescaling(2.0)(x)])
    x = layers.Normalization(mean=MEAN, variance=VARIANCE)(x)
    spec = spec_of(keras.Model(inputs, layers.Conv2D(4, 3)(x)), tmp_path)
    assert all(finding.severity == "error" for finding in findings(RULE, spec))


def test_nothing_to_judge(tmp_path: Path) -> None:
    assert "no Normalization" in reason(RULE, spec_behind(tmp_path))
