"""Files of weights alone: layers, roles and values are read, and the report says what is missing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from analyzers.engine import read_and_judge
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.reading import open_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks that write the files


def model(framework: Any) -> Any:
    kl = framework.layers
    inner = framework.Sequential(
        [framework.Input((4,)), kl.Dense(4, name="d"), kl.BatchNormalization(name="n")]
    )
    parts = [framework.Input((4,)), inner, kl.Dense(3, name="head")]
    return framework.Sequential(parts)


@pytest.mark.parametrize(
    ("framework", "name"), [(keras, "a.weights.h5"), (tf_keras, "a.h5"), (tf_keras, "a.weights.h5")]
)
def test_every_tensor_has_an_owner_a_role_and_its_values(framework: Any, name: str, tmp_path: Path) -> None:
    written = model(framework)
    written.save_weights(tmp_path / name)
    with open_model(tmp_path / name) as spec:
        assert spec.provenance is not None
        assert spec.provenance.format == "keras-weights"
        assert not any(layer.known for layer in spec.layers)
        roles = sorted(tensor.role for tensor in spec.weights.tensors)
        assert roles == [
            "beta",
            "bias",
            "bias",
            "gamma",
            "kernel",
            "kernel",
            "moving_mean",
            "moving_variance",
        ]
        kernels = [spec.weights.load(one) for one in spec.weights.tensors if one.role == "kernel"]
        assert len({tensor.layer for tensor in spec.weights.tensors}) == 3
    expected = [np.asarray(one) for one in written.get_weights() if one.ndim == 2]
    assert all(any(np.array_equal(ours, theirs) for ours in kernels) for theirs in expected)


def test_paths_that_windows_wrote_lead_to_their_arrays(tmp_path: Path) -> None:
    model(keras).save_weights(tmp_path / "here.weights.h5")
    with h5py.File(tmp_path / "here.weights.h5") as here, h5py.File(tmp_path / "there.h5", "w") as there:
        for group in list(here["layers"]):
            here.copy(f"layers/{group}", there, name=f"layers\\{group}")
    with open_model(tmp_path / "here.weights.h5") as spec, open_model(tmp_path / "there.h5") as moved:
        told = [(one.layer, one.role, one.shape) for one in spec.weights.tensors]
        assert [(one.layer, one.role, one.shape) for one in moved.weights.tensors] == told
        for one, other in zip(spec.weights.tensors, moved.weights.tensors, strict=True):
            assert np.array_equal(spec.weights.load(one), moved.weights.load(other))


@pytest.mark.parametrize("framework", [keras, tf_keras])
def test_what_a_compiled_model_counts_is_no_layer(framework: Any, tmp_path: Path) -> None:
    written = model(framework)
    written.compile("adam", "mse", metrics=["mae", framework.metrics.AUC(num_thresholds=5)])
    written.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    written.save_weights(tmp_path / "a.weights.h5")
    with open_model(tmp_path / "a.weights.h5") as spec:
        assert len({tensor.layer for tensor in spec.weights.tensors}) == 3
        assert len(spec.weights.tensors) == 8
        assert spec.weights.slot_problem == "the file does not say which optimizer wrote its state"


def test_a_layer_that_cannot_be_told_keeps_the_numbers_of_its_arrays(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for number in range(3):
            file[f"layers/mystery/vars/{number}"] = np.ones((number + 1, 2))
        file["optimizer/vars/0"] = np.int64(7)
    with open_model(tmp_path / "a.weights.h5") as spec:
        assert [tensor.role for tensor in spec.weights.tensors] == ["0", "1", "2"]
        assert spec.weights.slot_problem is not None


def test_the_report_says_what_is_missing_and_still_finds_what_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    written = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    written.save_weights(path)
    report = read_and_judge(path, Options())
    assert report.verdict == "inconclusive"
    assert "weights without an architecture" in report.summary
    written.layers[0].kernel.assign(np.full((4, 3), np.nan))
    written.save_weights(path)
    report = read_and_judge(path, Options())
    assert [finding.rule for finding in report.findings if finding.status == "confirmed"] == [
        "non-finite-weights"
    ]


def test_other_data_is_still_no_model(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = np.zeros((3, 4))
    with pytest.raises(InputError, match="not a Keras model"), open_model(tmp_path / "data.h5"):
        pass


def subclass(framework: Any) -> Any:
    class Net(framework.Model):  # type: ignore[misc]  # the framework is a parameter
        def __init__(self) -> None:
            super().__init__()
            self.first = framework.layers.Dense(5, activation="relu", name="first")
            self.head = framework.layers.Dense(3, activation="softmax", name="head")

        def call(self, x: Any) -> Any:
            return self.head(self.first(x))

        def get_config(self) -> dict[str, Any]:
            return {}

    made = Net()
    made.compile(framework.optimizers.Adam(0.002), "sparse_categorical_crossentropy")
    made.fit(np.ones((8, 4), np.float32), np.zeros(8), verbose=0)
    return made


@pytest.mark.parametrize(("framework", "name"), [(keras, "a.keras"), (keras, "a.h5"), (tf_keras, "a.keras")])
def test_of_a_python_subclass_weights_settings_and_steps_are_read(
    framework: Any, name: str, tmp_path: Path
) -> None:
    written = subclass(framework)
    written.save(tmp_path / name)
    with open_model(tmp_path / name) as spec:
        assert not spec.has_graph
        assert spec.name == "Net"
        kernels = [spec.weights.load(one) for one in spec.weights.tensors if one.role == "kernel"]
        assert spec.training is not None
        assert spec.training.optimizer is not None
        assert (spec.training.optimizer.kind, spec.training.steps_taken) == ("Adam", 1)
        assert spec.training.learning_rate == pytest.approx(0.002)
    expected = [np.asarray(one) for one in written.get_weights() if one.ndim == 2]
    assert all(any(np.array_equal(ours, theirs) for ours in kernels) for theirs in expected)
    report = read_and_judge(tmp_path / name, Options())
    assert report.verdict == "inconclusive"
    assert "Python subclass" in report.summary
    assert not [check for check in report.checks if check.outcome == "error"]
