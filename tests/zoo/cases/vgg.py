"""Plain VGG networks, the shape that four of the five founding cases share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.zoo.cases.case import Framework

Tensor = Any
"""A symbolic tensor of either framework."""


def blocks(
    k: Framework,
    x: Tensor,
    widths: Sequence[Sequence[int]],
    convolution: Callable[[Tensor, int], Tensor],
) -> Tensor:
    """Blocks of 3x3 convolutions, each block closed by 2x2 max pooling."""
    for block in widths:
        for filters in block:
            x = convolution(x, filters)
        x = k.layers.MaxPooling2D(2)(x)
    return x


def relu_convolution(k: Framework, **settings: Any) -> Callable[[Tensor, int], Tensor]:
    """A same-padded 3x3 convolution with its ReLU inside."""

    def apply(x: Tensor, filters: int) -> Tensor:
        return k.layers.Conv2D(filters, (3, 3), activation="relu", padding="same", **settings)(x)

    return apply


def normalized_convolution(k: Framework, **settings: Any) -> Callable[[Tensor, int], Tensor]:
    """Convolution, BatchNormalization, ReLU."""

    def apply(x: Tensor, filters: int) -> Tensor:
        x = k.layers.Conv2D(filters, (3, 3), padding="same", use_bias=False, **settings)(x)
        x = k.layers.BatchNormalization(momentum=0.9)(x)
        return k.layers.Activation("relu")(x)

    return apply


def dense_head(k: Framework, x: Tensor, units: int, classes: int, dropout: float = 0.5) -> Tensor:
    """Flatten, two wide ReLU layers with Dropout behind each, softmax."""
    x = k.layers.Flatten()(x)
    for _ in range(2):
        x = k.layers.Dense(units, activation="relu")(x)
        if dropout:
            x = k.layers.Dropout(dropout)(x)
    return k.layers.Dense(classes, activation="softmax")(x)
