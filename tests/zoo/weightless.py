"""Specs of Keras models whose weights were never made: what rules need that look at the graph alone.

Variables in a stateless scope get no values, so that the largest network costs as little as its graph.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import keras

from analyzers.reading import architecture, training
from analyzers.spec import ModelSpec
from tests.zoo.kinds import KINDS

APPLICATIONS: Final = tuple(name for name in dir(keras.applications) if name[0].isupper())
"""Names of all networks that Keras ships."""


def weightless(make: Callable[[], keras.Model], **settings: Any) -> ModelSpec:
    """The spec that the reader makes of a model's config and compile settings.

    Args:
        make: builds the model, not compiled; automatic names count from zero.
        settings: for ``compile``; none leaves the model uncompiled.
    """
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        model = make()
    if settings:
        model.compile(**settings)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    spec = architecture.read(config, legacy=False).spec
    return replace(spec, training=training.read(config.get("compile_config"), spec))


def application(name: str) -> ModelSpec:
    """One of Keras's own networks at its native size with 1000 classes, trained with Adam at 1e-4."""
    return weightless(
        lambda: getattr(keras.applications, name)(weights=None),
        optimizer=keras.optimizers.Adam(1e-4),
        loss="categorical_crossentropy",
    )


def of_kind(name: str) -> ModelSpec:
    """One of the small healthy models of `tests.zoo.kinds`, compiled as it says."""
    kind = KINDS[name]
    return weightless(kind.build, optimizer=kind.optimizer(), loss=kind.loss)
