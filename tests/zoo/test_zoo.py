"""The zoo is what it says it is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.reports.factory import report
from tests.zoo.cases import CASES, c5_constant_output
from tests.zoo.cases.case import Expectation
from tests.zoo.files import FORMATS, Format, model_file
from tests.zoo.healthy import APPLICATIONS
from tests.zoo.judge import mismatches
from tests.zoo.task import SCALING, ImageTask
from tests.zoo.train_stuck import recorded

STUCK_SHARE = 0.95
"""Share of the chance loss over which the end of a run counts as stuck."""

LEARNT_SHARE = 0.7
"""Share of the chance loss under which the end of a short run counts as learning."""

LEARNS = [name for name in CASES if name.endswith("-cured") or name == "c4"]
SICK = [name for name, case in CASES.items() if name not in LEARNS and not case.training]
TRAINED_STUCK = [name for name in CASES if name in ("c2-trained", "c5-trained")]


def end_share(kept: dict[str, Any]) -> float:
    """Mean of the last eight losses, over chance."""
    return float(np.mean(kept["losses"][-8:])) / float(kept["chance_loss"])


@pytest.mark.parametrize("name", SICK)
def test_sick_twins_were_seen_to_be_stuck(name: str) -> None:
    assert end_share(recorded(name, "keras", "small")) > STUCK_SHARE


@pytest.mark.parametrize("name", LEARNS)
def test_cured_twins_and_c4_were_seen_to_learn(name: str) -> None:
    assert end_share(recorded(name, "keras", "small")) < LEARNT_SHARE


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("scale", ["small", "full"])
@pytest.mark.parametrize("name", TRAINED_STUCK)
def test_trained_states_come_from_a_real_stuck_training(name: str, scale: str, fmt: str) -> None:
    kept = recorded(name, fmt, scale)
    training = CASES[name].training
    assert training is not None
    assert len(kept["losses"]) == training.steps[scale]  # type: ignore[index]  # parametrized by its own keys
    assert end_share(kept) > STUCK_SHARE


def test_c5_has_the_source_s_parameters() -> None:
    import keras  # noqa: PLC0415 - only this test builds a model here

    model = c5_constant_output.sick(keras, "full")
    assert model.count_params() == 71_866_277
    first_dense = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dense))
    assert first_dense.count_params() == 51_384_320
    assert model.input_shape == (30, 224, 224, 3)


def config_of(path: Path) -> dict[str, Any]:
    """The architecture as the file holds it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            text = archive.read("config.json")
    else:
        with h5py.File(path) as file:
            text = file.attrs["model_config"]
    config: dict[str, Any] = json.loads(text)["config"]
    return config


@pytest.mark.parametrize(("fmt", "name"), [("keras", "functional_1"), ("h5", "model")])
def test_c1_files_hold_no_trace_of_preprocessing_but_the_name(fmt: Format, name: str) -> None:
    config = config_of(model_file("c1", fmt))
    kinds = {layer["class_name"] for layer in config["layers"]}
    assert config["name"] == name
    assert kinds == {"InputLayer", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dropout"}


@pytest.mark.parametrize("name", ["c1-second-output", "c1-joined-late"])
def test_c1_variants_keep_the_bypassed_layers(name: str) -> None:
    kinds = {layer["class_name"] for layer in config_of(model_file(name))["layers"]}
    assert {"RandomFlip", "Rescaling"} <= kinds


def test_files_are_built_once_and_leave_no_partial_file(monkeypatch: pytest.MonkeyPatch) -> None:
    first = model_file("healthy-perceptron")
    monkeypatch.setattr("subprocess.run", _refuse)
    assert model_file("healthy-perceptron") == first
    assert not list(first.parent.glob("healthy-perceptron*.partial*"))


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("built again")


def test_applications_are_ten_of_seven_families_or_more() -> None:
    assert len(APPLICATIONS) == 10
    assert len({model.family for model in APPLICATIONS.values()}) >= 7
    assert "vgg16" in APPLICATIONS


def test_judge_names_every_mismatch() -> None:
    stuck = report("stuck")
    top = stuck.findings[0].rule
    used = [change.intervention for change in stuck.fix.changes] if stuck.fix else []
    right = Expectation(
        verdicts=frozenset({"stuck"}),
        top=frozenset({top}),
        named=frozenset({top}),
        interventions=frozenset(used),
    )
    assert mismatches(stuck, right) == []
    wrong = Expectation(
        verdicts=frozenset({"converges"}),
        top=frozenset({"unknown-rule"}),
        named=frozenset({"unknown-rule"}),
        interventions=frozenset({"unknown-change"}),
        level_error=False,
    )
    assert [line.split()[0] for line in mismatches(stuck, wrong)] == [
        "verdict",
        "first",
        "not",
        "false",
        "fix",
    ]


def test_task_is_seeded_and_scaled() -> None:
    for pixels, (factor, offset) in SCALING.items():
        images, labels = ImageTask(16, 3, pixels, seed=1).batch(8)
        raw, same = ImageTask(16, 3, "0-255", seed=1).batch(8)
        assert images.shape == (8, 16, 16, 3)
        assert (labels == same).all()
        np.testing.assert_allclose(images, raw * factor + offset, rtol=1e-4, atol=1e-4)
        assert raw.min() >= 0
        assert raw.max() <= 255
