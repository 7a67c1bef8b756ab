"""Specs made by hand: what needs no Keras to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyzers.spec import Call, LayerSpec, ModelSpec, ObjectSpec, TensorRef, TrainingSpec

Layer = tuple[str, str, Mapping[str, Any]]
"""Name, kind, config."""

CATEGORICAL = ObjectSpec("CategoricalCrossentropy", {"from_logits": False})


def training(loss: ObjectSpec | None = CATEGORICAL, **changes: Any) -> TrainingSpec:
    """Compile settings for one output; Adam at 1e-3."""
    given: dict[str, Any] = {
        "losses": (loss,), "loss_weights": None, "optimizer": ObjectSpec("Adam"), "learning_rate": 1e-3,
    }  # fmt: skip
    return TrainingSpec(**{**given, **changes})


def chain(
    layers: Sequence[Layer],
    shape: Sequence[int | None] = (None, 16, 16, 3),
    trained: TrainingSpec | None = None,
    dtype: str = "float32",
) -> ModelSpec:
    """Layers one behind the other."""
    made = [LayerSpec("image", "InputLayer", {"batch_shape": list(shape), "dtype": dtype}, (), path="image")]
    for name, kind, config in layers:
        call = Call((TensorRef(made[-1].name),))
        made.append(LayerSpec(name, kind, dict(config), (call,), path=name))
    return ModelSpec(
        "chain", "functional", tuple(made), (TensorRef("image"),), (TensorRef(made[-1].name),), trained
    )


def classifier(
    units: int = 10,
    activation: str = "softmax",
    trained: TrainingSpec | None = None,
    *,
    front: Sequence[Layer] = (),
    shape: Sequence[int | None] = (None, 16, 16, 3),
    filters: int = 8,
) -> ModelSpec:
    """A convolution, global pooling, one dense layer; ``front`` comes before the convolution."""
    layers: list[Layer] = [
        *front,
        ("conv", "Conv2D", {"filters": filters, "kernel_size": 3, "padding": "same", "activation": "relu"}),
        ("pool", "GlobalAveragePooling2D", {}),
        ("head", "Dense", {"units": units, "activation": activation}),
    ]
    return chain(layers, shape, trained)
