"""What an intervention is: a function ModelSpec -> ModelSpec, with its words and its prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from analyzers.spec import ModelSpec

Quantity = Literal[
    "input_scale", "activation_scale", "gradient_profile", "dead_fraction", "update_ratio",
    "output_spread", "train_inference_gap", "initial_loss", "output_gradient",
]  # fmt: skip
"""A measured quantity that an intervention predicts to move."""


@dataclass(frozen=True)
class Applied:
    """The outcome of an intervention.

    Attributes:
        spec: the changed model.
        layers: names of the layers that were added or changed.
        summary: one sentence in the imperative ("Add BatchNormalization after the 13 convolutions").
        settings: the numbers that were set ("learning_rate": 1e-4).
        fresh: paths of layers whose saved weights no longer make sense and are initialised anew
            (``"*"`` for all); added layers are fresh by themselves.
    """

    spec: ModelSpec
    layers: tuple[str, ...]
    summary: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()


class Intervention(ABC):
    """One way to change a model.

    Attributes:
        id: kebab-case, as RULES.md lists it.
        invasiveness: 1 a number outside the graph (rate), 2 scaling in front, 3 a setting of layers,
            4 added or exchanged layers, 5 weights thrown away.
        general: cures most sick models whatever their fault (normalisation, another rate), so that its
            cure alone confirms no cause except its own.
        moves: the quantities that it predicts to move, by which a cause is confirmed.
    """

    id: ClassVar[str]
    invasiveness: ClassVar[int]
    general: ClassVar[bool] = False
    moves: ClassVar[tuple[Quantity, ...]] = ()

    @abstractmethod
    def apply(self, spec: ModelSpec) -> Applied | None:
        """The changed model, or None where there is nothing for it to change."""
