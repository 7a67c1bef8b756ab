"""What many tests need: a Keras model as the spec that the reader makes of its file."""

from __future__ import annotations

import warnings
from pathlib import Path
from uuid import uuid4

import keras

from analyzers.reading import open_model
from analyzers.spec import ModelSpec, store

SHARED_MODELS = Path(__file__).parents[2] / "shared" / "models"
"""Real model files of other people, for reading only."""


def saved(model: keras.Model, tmp_path: Path, *, format: str = "keras") -> Path:  # noqa: A002
    """Save a model under a fresh name; ``format`` is the extension, ``keras`` or ``h5``."""
    path = tmp_path / f"{uuid4().hex}.{format}"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras and NumPy 2
        warnings.filterwarnings("ignore", "You are saving your model as an HDF5 file", UserWarning)
        model.save(path)
    return path


def spec_of(model: keras.Model, tmp_path: Path, *, format: str = "keras") -> ModelSpec:  # noqa: A002
    """The spec that the reader makes of a saved model; its weights stay readable."""
    return stored_spec(saved(model, tmp_path, format=format), tmp_path)


def stored_spec(path: Path, tmp_path: Path, *, copy_weights: bool = True) -> ModelSpec:
    """The spec of a model file, written to disk and loaded again."""
    directory = tmp_path / f"spec-{uuid4().hex}"
    directory.mkdir()
    with open_model(path) as spec:
        store.write(spec, directory, copy_weights=copy_weights)
    return store.load(directory)
