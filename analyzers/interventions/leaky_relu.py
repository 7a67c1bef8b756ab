"""Exchange ReLU, whose units can die, and functions that saturate for LeakyReLU, which does neither."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar, Final

from analyzers.interventions.activity import is_matrix, trainable
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, counted, with_settings
from analyzers.spec import Json, LayerSpec, ModelSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.roles import activation

NEGATIVE_SLOPE: Final = 0.1
_STANDALONE: Final = frozenset({"Activation", "ReLU", "Softmax"})
_GATED: Final = frozenset({"Multiply", "Dot", "MatMul", "Einsum", "Matmul"})
"""Layers that weigh one tensor with another: what feeds them may be a gate or the shares of attention."""

_NAMES: Final = {
    **dict.fromkeys(kinds.RELU_LIKE, "ReLU"), **{name: name for name in (*sorted(kinds.SATURATING), "softmax")},
}  # fmt: skip
"""Activations that are replaced, as people write them."""


class LeakyRelu(Intervention):
    """Give every hidden ReLU (and ReLU6) a slope of 0.1 for negative inputs, and replace what saturates.

    It does so where the activation stands: as a layer's argument, an Activation layer or a layer of its
    own.  One that is an output of the model stays, since it bounds what the model may answer, and so do
    gates: what is multiplied with another tensor, and what is inside recurrent and attention layers.
    """

    id: ClassVar[str] = "leaky-relu"
    invasiveness: ClassVar[int] = 4
    moves: ClassVar[tuple[Quantity, ...]] = ("dead_fraction", "gradient_profile")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        outputs = {node.path for node in graph.outputs}
        gates = {
            before.path for node in graph.nodes if graph.layer(node).kind in _GATED for before in graph.before(node)
        }  # fmt: skip
        found = [layer for layer in trainable(graph, _is_bad) if layer.path not in outputs | gates]
        chosen = {layer.path for layer in found}
        if not chosen:
            return None
        changed = {
            path: _leaky(layer) for path, layer in by_path(spec, lambda one: one.path in chosen).items()
        }
        return Applied(
            change_layers(spec, changed),
            tuple(changed),
            f"Use LeakyReLU instead of {_names(found)} in {counted(len(changed), 'layer')}.",
            {"negative_slope": NEGATIVE_SLOPE},
        )


def _is_bad(layer: LayerSpec) -> bool:
    return (layer.kind in _STANDALONE or is_matrix(layer)) and activation(layer) in _NAMES


def _names(layers: Iterable[LayerSpec]) -> str:
    """What is replaced, each once: "ReLU", "sigmoid and tanh"."""
    return " and ".join(dict.fromkeys(_NAMES[str(activation(layer))] for layer in layers))


def _leaky(layer: LayerSpec) -> LayerSpec:
    if layer.kind in _STANDALONE:
        config: dict[str, Json] = {
            "negative_slope": NEGATIVE_SLOPE,
            "dtype": layer.config.get("dtype", "float32"),
        }
        return replace(layer, kind="LeakyReLU", config=config)
    argument: Json = {"kind": "LeakyReLU", "config": {"negative_slope": NEGATIVE_SLOPE}}
    return with_settings(layer, {"activation": argument})
