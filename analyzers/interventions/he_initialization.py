"""Give each layer the initialiser that keeps the signal's scale through its activation."""

from __future__ import annotations

from typing import ClassVar, Final

from analyzers.interventions.activity import effective_activation, is_matrix, trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, counted, with_settings
from analyzers.spec import Json, LayerSpec, ModelSpec
from analyzers.spec.graph import Graph
from analyzers.spec.roles import core

_HALVING: Final = frozenset(
    {"relu", "relu6", "leaky_relu", "prelu", "elu", "celu", "gelu", "silu", "swish", "mish", "softplus",
     "hard_silu", "hard_swish"}
)  # fmt: skip
"""Activations that let about half of the signal's power through, for which He et al. (2015) derive 2/fan-in."""

_SATURATING: Final = frozenset({"sigmoid", "tanh", "hard_sigmoid", "hard_tanh", "softsign"})
_HE: Final = frozenset({"HeNormal", "HeUniform"})
_UNIT: Final = frozenset({"GlorotNormal", "GlorotUniform", "LecunNormal", "LecunUniform", "Orthogonal"})
_LECUN: Final = frozenset({"LecunNormal", "LecunUniform"})

_ROLES: Final = {
    "SeparableConv1D": ("depthwise_initializer", "pointwise_initializer"),
    "SeparableConv2D": ("depthwise_initializer", "pointwise_initializer"),
    "DepthwiseConv1D": ("depthwise_initializer",),
    "DepthwiseConv2D": ("depthwise_initializer",),
}
"""Kind -> its initialisers, where it has others than ``kernel_initializer``."""

_GAINS: Final = {"HeNormal": (1.2, 4.0), "LecunNormal": (0.5, 1.5), "GlorotUniform": (0.3, 3.0)}
"""Initialiser -> the range of ``VarianceScaling.scale`` that serves as well."""


class HeInitialization(Intervention):
    """Set HeNormal before ReLU-like activations, LecunNormal before SELU, GlorotUniform before the rest.

    The activation that counts is the one the layer's output meets, behind a BatchNormalization too.
    Initialisers that fit already stay.  Changed layers are drawn anew.
    """

    id: ClassVar[str] = "he-initialization"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("activation_scale", "gradient_profile")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        settings = {
            layer.path: change
            for layer in trainable(graph, is_matrix)
            if (change := _settings(layer, effective_activation(graph, layer)))
        }
        if not settings:
            return None
        layers = by_path(spec, lambda layer: layer.path in settings)
        changed = {path: with_settings(layer, settings[path]) for path, layer in layers.items()}
        names = dict.fromkeys(_kind(value) for change in settings.values() for value in change.values())
        return Applied(
            change_layers(spec, changed),
            tuple(changed),
            f"Initialise {counted(len(changed), 'layer')} with {' and '.join(names)}, which fits what follows.",
            {"initializers": list(names)},
            frozenset(changed),
        )


def _settings(layer: LayerSpec, activation: str) -> dict[str, Json]:
    """The initialisers of a layer that must change for ``activation``."""
    inner = core(layer)
    wanted = _fitting(activation)
    roles = _ROLES.get(inner.kind, ("kernel_initializer",))
    return {
        role: {"kind": wanted, "config": {"seed": None}}
        for role in roles
        if not _fits(role, inner.config.get(role, {"kind": "GlorotUniform"}), wanted, activation)
    }


def _fitting(activation: str) -> str:
    if activation == "selu":
        return "LecunNormal"
    return "HeNormal" if activation in _HALVING else "GlorotUniform"


def _fits(role: str, initializer: Json, wanted: str, activation: str) -> bool:
    """Whether an initialiser serves as well as the wanted one.

    Keras counts every channel into the fan of a depthwise kernel, so that all initialisers that are
    scaled by a fan are about alike there; what follows them is nearly always a normalisation.
    """
    kind = _kind(initializer)
    if role == "depthwise_initializer" and kind in _HE | _UNIT | {"VarianceScaling"}:
        return True
    if kind == "VarianceScaling":
        config = initializer.get("config") if isinstance(initializer, dict) else None
        scale = config.get("scale", 1.0) if isinstance(config, dict) else 1.0
        low, high = _GAINS[wanted]
        return isinstance(scale, int | float) and low <= scale <= high
    if wanted == "HeNormal":
        return kind in _HE
    if wanted == "LecunNormal":
        return kind in _LECUN
    return kind in _UNIT or (kind in _HE and activation not in _SATURATING)


def _kind(initializer: Json) -> str:
    return str(initializer.get("kind")) if isinstance(initializer, dict) else "GlorotUniform"
