"""The repaired model as a ``.keras`` file that plain Keras loads and trains."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import keras

from analyzers.building.code.training import metric_names
from analyzers.building.graph import build
from analyzers.building.schedules import make_schedule
from analyzers.building.state import assign_weights
from analyzers.building.training import make_loss, make_optimizer
from analyzers.spec import ModelSpec, TrainingSpec

EVERY_LAYER = "*"


def save(spec: ModelSpec, path: Path, *, fresh: frozenset[str], seed: int) -> None:
    """Build, fill with the saved weights, compile, and write a model.

    The graph is the spec's own: nested models, names and a fixed batch size are kept.  Optimizer state
    is not: the repaired model starts its training afresh, and its file has no empty slots, which would
    triple it (Keras warns so on loading, as for any model that was compiled and not trained).

    Args:
        spec: the repaired model, its ``weights`` those of the original file.
        path: the file to write, under whatever name; it appears only when it is complete.
        fresh: paths of layers that are drawn from their initialisers instead; ``"*"`` means all that
            are not frozen.
        seed: seed of whatever is drawn, layers without saved tensors included.

    Raises:
        Unbuildable: a layer, loss or optimizer is not in the builder's tables.
    """
    built = build(spec, seed=seed, free_batch=False)
    if EVERY_LAYER in fresh:
        fresh = frozenset(path for path, layer in built.layers.items() if layer.trainable)
    assign_weights(built, spec.weights, skip=fresh)
    if spec.training is not None:
        _compile(built.model, spec.training)
    written = path.with_name(
        f"{path.stem}-{secrets.token_hex(4)}.keras"
    )  # Landlock 1 lets no file change folders
    try:
        built.model.save(written)
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def _compile(model: keras.Model, training: TrainingSpec) -> None:
    settings: dict[str, Any] = {}
    if training.optimizer is not None:
        optimizer = make_optimizer(training.optimizer, training.learning_rate or 0.001)
        if training.schedule is not None:
            optimizer.learning_rate = make_schedule(training.schedule)
        settings["optimizer"] = optimizer
    losses = [None if loss is None else make_loss(loss) for loss in training.losses]
    if any(loss is not None for loss in losses):
        settings["loss"] = losses[0] if len(losses) == 1 else losses
    if training.loss_weights is not None:
        settings["loss_weights"] = list(training.loss_weights)
    if len(losses) == 1:
        settings["metrics"] = list(metric_names(training))
    model.compile(**settings)
