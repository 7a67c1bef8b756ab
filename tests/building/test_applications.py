"""keras.applications, rebuilt from their files: same config, same outputs, same counts."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from analyzers.building import assign_weights, build
from analyzers.spec.cost import estimate
from analyzers.spec.flatten import flatten
from analyzers.spec.shapes import infer_shapes
from tests.support import spec_of

_SMALL = {
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {"alpha": 0.75, "minimalistic": False},
    "ConvNeXtTiny": {},
    "EfficientNetB0": {},
}


@pytest.mark.parametrize("name", _SMALL)
def test_rebuilt_applications_compute_the_same(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=7, **_SMALL[name]
    )
    spec = spec_of(model, tmp_path)
    built = build(flatten(spec))
    assert assign_weights(built, spec.weights) == ()
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = model(images, training=False)
    np.testing.assert_allclose(built.model(images, training=False), expected, rtol=1e-5, atol=1e-7)
    shapes = {key: tuple(tuple(one.shape) for one in tensors) for key, tensors in built.tensors.items()}
    assert infer_shapes(spec) == shapes
    cost = estimate(spec)
    assert cost.parameters == model.count_params()
    assert cost.trainable_parameters == sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    assert cost.unknown == ()
