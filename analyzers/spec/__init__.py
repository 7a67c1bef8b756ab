"""The ModelSpec and the questions asked of it."""

from analyzers.spec.model import (
    Argument,
    Call,
    Json,
    LayerSpec,
    ModelSpec,
    ObjectSpec,
    Provenance,
    Shape,
    TensorRef,
    TrainingSpec,
)
from analyzers.spec.weights import NO_WEIGHTS, Array, TensorInfo, Weights, by_layer

__all__ = [
    "NO_WEIGHTS",
    "Argument",
    "Array",
    "Call",
    "Json",
    "LayerSpec",
    "ModelSpec",
    "ObjectSpec",
    "Provenance",
    "Shape",
    "TensorInfo",
    "TensorRef",
    "TrainingSpec",
    "Weights",
    "by_layer",
]
