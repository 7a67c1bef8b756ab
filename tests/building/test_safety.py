"""Nothing of a file is deserialised: what reaches Keras's deserialiser are constants of Keras's own code."""

from __future__ import annotations

import sys
from typing import Any

import keras
import pytest
from keras.src.saving import serialization_lib

from analyzers.building import build, make_loss, make_optimizer, reinitialize
from analyzers.building.training import LOSSES, OPTIMIZERS
from analyzers.spec import ObjectSpec
from tests.building.samples import OPERATIONS, SAMPLES, Sample

_BUILT_WITH_NAMES = {
    "Normalization": {"zeros", "ones"},
    "RMSNormalization": {"ones"},
    "LSTM": {"ones"},
    **{f"ConvLSTM{rank}D": {"ones"} for rank in (1, 2, 3)},
    "Bidirectional": {"ones"},
    "Attention": {"ones"},
    "AdditiveAttention": {"glorot_uniform"},
}
"""Kinds whose ``build`` in Keras names initialisers as string constants, and the names."""


@pytest.fixture
def deserialized(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Everything that is handed to ``deserialize_keras_object`` or imported under its name."""
    seen: list[Any] = []
    original = serialization_lib.deserialize_keras_object

    def spy(config: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(config)
        return original(config, *args, **kwargs)

    for name, module in list(sys.modules.items()):
        if name.startswith("keras") and getattr(module, "deserialize_keras_object", None) is original:
            monkeypatch.setattr(module, "deserialize_keras_object", spy)
    return seen


def _names(seen: list[Any]) -> set[str]:
    """Constants that Keras's code asked for; anything with content is returned whole."""
    constants = set()
    for config in seen:
        assert isinstance(config, dict), config
        assert not config["config"], config
        constants.add(keras.src.utils.naming.to_snake_case(config["class_name"]))
    return constants


def test_the_spy_sees_a_name_that_reaches_a_constructor(deserialized: list[Any]) -> None:
    keras.layers.Dense(3, kernel_initializer="he_normal")
    assert _names(deserialized) == {"he_normal", "zeros"}


@pytest.mark.parametrize("sample", [*SAMPLES, *OPERATIONS], ids=lambda sample: sample.id)
def test_building_deserializes_nothing(sample: Sample, deserialized: list[Any]) -> None:
    built = build(sample.spec(), seed=1)
    reinitialize(built, 2)
    assert _names(deserialized) <= _BUILT_WITH_NAMES.get(sample.kind, set())


def test_losses_and_optimizers_deserialize_nothing(deserialized: list[Any]) -> None:
    for kind in LOSSES:
        make_loss(ObjectSpec(kind))
    for kind in OPTIMIZERS:
        make_optimizer(ObjectSpec(kind), 0.1)
    assert deserialized == []
