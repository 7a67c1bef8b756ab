"""Other people's files: each gives a spec or a specific error, never anything else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from analyzers.errors import InputError
from analyzers.reading import open_model
from analyzers.spec.flatten import flatten
from tests.reading.generated.comparing import difference, outputs, rebuilt, samples
from tests.reading.references import reference
from tests.support import SHARED_MODELS

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks that load the files

MANIFEST = SHARED_MODELS / "manifest.json"
ENTRIES: list[dict[str, Any]] = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else []

NOT_MODELS = {"empty": "empty-file", "git-lfs pointer": "git-lfs-pointer"}


def test_the_files_are_there() -> None:
    assert ENTRIES, f"{MANIFEST} is missing: these tests read the model files beside the project"


def wanted(entry: dict[str, Any]) -> str | None:
    """The error code that a file must give; None for one that holds layers."""
    return NOT_MODELS[entry["container"]] if entry["kind"] == "not a model" else None


def is_bare(entry: dict[str, Any]) -> bool:
    """Whether a file holds weights alone."""
    return bool(entry["kind"].startswith("weights only"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry["file"]))
def test_a_file_gives_a_spec_or_its_error(entry: dict[str, Any]) -> None:
    path = SHARED_MODELS / entry["file"]
    if (code := wanted(entry)) is not None:
        with pytest.raises(InputError) as caught, open_model(path):
            pass
        assert caught.value.code == code
        assert str(SHARED_MODELS) not in caught.value.detail
        return
    with open_model(path) as spec:
        assert flatten(spec).layers
        assert spec.weights.tensors
        assert spec.provenance is not None
        assert spec.provenance.sha256 == entry["sha256"]
        assert spec.provenance.keras_version == entry["keras_version"]
        assert (spec.provenance.format == "keras-weights") == is_bare(entry)
        assert (spec.training is not None) == bool(entry["has_compile_config"])
        for tensor in (*spec.weights.tensors, *spec.weights.slots):
            assert spec.weights.load(tensor).shape == tensor.shape
        if entry["optimizer_arrays"] and not is_bare(entry):
            assert spec.weights.slot_problem is None
            assert spec.weights.slots


AUTHORS_OWN = {"QDense", "QActivation", "GarNet", "GarNetStack", "FixedPointQuantizer", "Lambda"}
"""Classes in these files whose code is their author's; the one Lambda calls a function by its name."""


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ENTRIES if wanted(entry) is None and not is_bare(entry)],
    ids=lambda entry: str(entry["file"]),
)
def test_a_file_that_needs_no_code_of_its_author_is_rebuilt_and_computes_the_same(
    entry: dict[str, Any],
) -> None:
    path = SHARED_MODELS / entry["file"]
    with open_model(path) as spec:
        unknown = {layer.kind for layer in spec.walk() if not layer.known}
    if unknown:
        assert unknown <= AUTHORS_OWN
        return
    spec, model = rebuilt(path)
    given = samples(spec)
    found = outputs(model, given)
    assert all(np.isfinite(one).all() for one in found)
    theirs, problem = reference(path)
    assert theirs is not None, problem
    assert difference(found, outputs(theirs, given)) < 1e-3


def test_second_moments_are_never_negative() -> None:
    """A slot that was mapped to the wrong array would hold first moments, which are."""
    checked = 0
    for entry in ENTRIES:
        if wanted(entry) is not None or is_bare(entry) or not entry["optimizer_arrays"]:
            continue
        with open_model(SHARED_MODELS / entry["file"]) as spec:
            for slot in spec.weights.slots:
                if slot.slot in ("velocity", "accumulated_grad"):
                    checked += 1
                    assert np.min(spec.weights.load(slot), initial=0.0) >= 0.0
    assert checked > 100
