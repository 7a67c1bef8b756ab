"""A part of what ``benchmarks.reading`` writes and compares: the small models, each in one or two forms."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.reading.generated.comparing import difference, disturb, outputs, rebuilt, samples
from tests.reading.generated.small import ONLY, SMALL

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks that write the files

FORMS = {"h5": tf_keras, "keras": keras}
"""Extension -> the framework that writes it here; the benchmark has all four."""


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        (name, extension)
        for name in SMALL
        for extension, framework in FORMS.items()
        if ONLY.get(name, framework.__name__) == framework.__name__
    ],
)
def test_a_rebuilt_model_computes_what_its_framework_does(name: str, extension: str, tmp_path: Path) -> None:
    framework: Any = FORMS[extension]
    framework.backend.clear_session()
    model = SMALL[name](framework)
    disturb(model)
    model.save(tmp_path / f"model.{extension}")
    spec, ours = rebuilt(tmp_path / f"model.{extension}")
    given = samples(spec)
    assert difference(outputs(ours, given), outputs(model, given)) < 1e-3
