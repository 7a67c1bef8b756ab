"""What the builder hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import keras

from analyzers.spec import ModelSpec

Tensors: TypeAlias = "tuple[keras.KerasTensor, ...]"


@dataclass(frozen=True)
class Built:
    """A fresh model and the way from the spec's names to its parts.

    Attributes:
        spec: what was built.
        model: the model; not compiled.
        layers: path -> layer, nested models and their layers included; operations are not layers.
        tensors: (path, call number) -> the outputs of that call.  Layers of a nested model appear with
            the tensors of the nested model's own graph; a flat spec has one graph only.
    """

    spec: ModelSpec
    model: keras.Model
    layers: Mapping[str, keras.Layer]
    tensors: Mapping[tuple[str, int], Tensors]
