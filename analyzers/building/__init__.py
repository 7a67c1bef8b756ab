"""ModelSpec -> a fresh keras.Model, from an explicit allowlist; nothing of a file is ever deserialised."""

from analyzers.building.built import Built
from analyzers.building.graph import build
from analyzers.building.parts import Unbuildable, problems
from analyzers.building.state import assign_weights, reinitialize
from analyzers.building.training import make_loss, make_optimizer

__all__ = [
    "Built",
    "Unbuildable",
    "assign_weights",
    "build",
    "make_loss",
    "make_optimizer",
    "problems",
    "reinitialize",
]
