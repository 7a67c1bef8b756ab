"""Opening a model file: container, architecture, training settings, weights, optimizer state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from analyzers import container
from analyzers.errors import InputError
from analyzers.reading import architecture, archive, bare, gaps, hdf5, plain, slots, training, weights
from analyzers.reading.architecture import Saved, no_kernels
from analyzers.reading.hdf5 import Tree
from analyzers.reading.layouts import Era
from analyzers.reading.objects import class_name
from analyzers.reading.plain import as_dict
from analyzers.reading.unshaped import Kernels
from analyzers.reading.weights import Stored
from analyzers.spec.model import Format, Json, ModelSpec, Provenance, TrainingSpec

_KERAS_3: Final = 3
_DIGITS: Final = 9
"""Digits of a version number that are looked at; Python refuses to convert thousands."""


@contextmanager
def open_model(path: Path, *, sha256: str | None = None) -> Iterator[ModelSpec]:
    """The model of a file, told by its content.

    Args:
        path: a ``.keras`` or ``.h5`` file under whatever name.
        sha256: its SHA-256 in hexadecimal, where somebody already knows it; else it is computed.

    Yields:
        The spec; its ``weights`` can be loaded inside the ``with`` block.

    Raises:
        InputError: the file cannot be used; the code says why.
    """
    with path.open("rb") as file:
        kind = container.of(file.read(container.HEAD_BYTES))
    opened = _archive if kind == "zip" else _hdf5
    if sha256 is None:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with opened(path) as spec:
        if spec.provenance is None:
            yield spec
            return
        yield replace(
            spec, provenance=replace(spec.provenance, sha256=sha256, size_bytes=path.stat().st_size)
        )


@contextmanager
def _archive(path: Path) -> Iterator[ModelSpec]:
    """A ``.keras`` file: of Keras 3, or of Keras 2.12 to 2.15."""
    with archive.opened(path) as zipped:
        config = as_dict(
            plain.parse(archive.document(zipped, archive.CONFIG), archive.CONFIG), archive.CONFIG
        )
        metadata = as_dict(
            plain.parse(archive.document(zipped, archive.METADATA), archive.METADATA), "metadata"
        )
        version = _text(metadata.get("keras_version"))
        with (
            archive.located(zipped, path, archive.WEIGHTS) as (file, start, size),
            hdf5.opened(file, start, size) as tree,
        ):
            read = _graph(config, tree, legacy=_before_keras3(version))
            settings = training.read(config.get("compile_config"), read.spec)
            placed = read.tensors or weights.from_archive(tree, read.saved)
            state = slots.from_archive(
                tree,
                placed,
                settings.optimizer if settings else None,
                rate_saved=not read.legacy and settings is not None and settings.schedule is None,
            )
            provenance = Provenance("keras-v3", version, saved_at=_text(metadata.get("date_saved")))
            held = weights.view(tree, placed, state.slots, state.problem)
            spec = gaps.filled(read.spec, held.tensors)
            yield replace(spec, training=_with_state(settings, state), weights=held, provenance=provenance)


@contextmanager
def _hdf5(path: Path) -> Iterator[ModelSpec]:
    """An ``.h5`` file of Keras 3, tf.keras 2 or Keras 2."""
    with path.open("rb") as file, hdf5.opened(file, 0, path.stat().st_size) as tree:
        document = tree.text("", "model_config")
        if document is None and not bare.is_bare(tree):
            raise InputError("not-a-model")
        below = weights.root(tree)
        version = tree.text("", "keras_version") or tree.text(below, "keras_version")
        backend = tree.text("", "backend") or tree.text(below, "backend")
        if document is None:
            spec, tensors, problem = bare.read(tree)
            provenance = Provenance("keras-weights", version, backend)
            yield replace(spec, weights=weights.view(tree, tensors, (), problem), provenance=provenance)
            return
        legacy = _before_keras3(version)
        read = _graph(
            plain.parse(document, "model_config"), tree, legacy=legacy, kernels=weights.first_shapes(tree)
        )
        compiled = tree.text("", "training_config")
        settings = training.read(plain.parse(compiled, "training_config") if compiled else None, read.spec)
        era = Era(legacy, first=(version or "1").startswith("1"), theano=backend == "theano")
        placed = read.tensors or weights.from_legacy(tree, read.saved, era)
        state = slots.from_legacy(tree, placed, settings.optimizer if settings else None, version)
        form: Format = "keras-legacy-hdf5" if legacy else "keras-v3-hdf5"
        provenance = Provenance(form, version, backend)
        held = weights.view(tree, placed, state.slots, state.problem)
        spec = gaps.filled(read.spec, held.tensors)
        yield replace(spec, training=_with_state(settings, state), weights=held, provenance=provenance)


@dataclass(frozen=True)
class _Read:
    """What a config and the weights beside it say.

    Attributes:
        spec: the graph; of a Python subclass the layers that hold weights, unconnected.
        saved: what the file calls the graph's layers.
        legacy: whether the file is older than Keras 3.
        tensors: of a Python subclass, as far as their names tell; of a graph they are found by its layers.
    """

    spec: ModelSpec
    saved: tuple[Saved, ...]
    legacy: bool
    tensors: list[Stored]


def _graph(document: Json, tree: Tree, *, legacy: bool, kernels: Kernels = no_kernels) -> _Read:
    """The model that a config says; of a Python subclass, whose graph it does not say, the weights' own.

    Raises:
        InputError: ``subclassed-model`` where there are no weights either, and those of the config.
    """
    try:
        read = architecture.read(document, legacy=legacy, kernels=kernels)
    except InputError as error:
        if error.code != "subclassed-model":
            raise
        item = as_dict(document, "the model's config")
        spec, tensors, _ = bare.read(tree, problem=bare.SUBCLASS)
        if not tensors or str(item.get("module")).startswith(
            "keras."
        ):  # an object of Keras's own is no subclass
            raise
        name = plain.short(class_name(item))
        return _Read(replace(spec, name=name), (), legacy, tensors)
    return _Read(read.spec, read.saved, read.legacy, [])


def _with_state(settings: TrainingSpec | None, state: slots.OptimizerState) -> TrainingSpec | None:
    if settings is None:
        return None
    return replace(settings, steps_taken=state.steps, rate_in_force=state.rate)


def _before_keras3(version: str | None) -> bool:
    """Whether a file is older than Keras 3; one without a version is from Keras 1."""
    major = (version or "1").partition(".")[0]
    return major.isascii() and major.isdigit() and int(major[:_DIGITS]) < _KERAS_3


def _text(value: Json) -> str | None:
    return plain.short(value) if isinstance(value, str) else None
