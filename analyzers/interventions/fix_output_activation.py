"""Give every output the one activation that its loss wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final

from analyzers.interventions.activity import is_matrix
from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.interventions.edit import by_path, change_layers, with_settings
from analyzers.spec import Call, Json, LayerSpec, ModelSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.output_heads import Family, Head, final_activations, heads

_STANDALONE: Final = frozenset({"Activation", *kinds.ACTIVATION_LAYERS})
_SQUASHED: Final = frozenset({"softmax", "sigmoid", "hard_sigmoid"})

WANTED: Final[Mapping[tuple[Family, bool], str]] = {
    ("categorical", False): "softmax", ("sparse", False): "softmax", ("binary", False): "sigmoid",
    ("categorical", True): "linear", ("sparse", True): "linear", ("binary", True): "linear",
    ("divergence", False): "softmax", ("regression", False): "linear", ("hinge", False): "linear",
}  # fmt: skip
"""(loss family, from_logits) -> the activation that the loss expects (keras.losses)."""


_FITTING: Final[Mapping[tuple[Family, bool], frozenset[str]]] = {
    ("hinge", False): frozenset({"tanh", "linear"}),
    ("binary", False): frozenset({"sigmoid", "hard_sigmoid"}),
}
"""Activations that suit as well as the wanted one."""

_BOUNDED: Final = _SQUASHED | kinds.RELU_LIKE | {"tanh"}
"""Activations that keep values of any size from being met."""


class FixOutputActivation(Intervention):
    """Set the last activation of every output to what its loss expects, and take out those under it.

    Outputs without a loss of Keras's own keep their last activation; a softmax over one unit becomes a
    sigmoid.  Outputs with the shape of an input (autoencoders, masks) may be bounded under a regression
    loss.
    """

    id: ClassVar[str] = "fix-output-activation"
    invasiveness: ClassVar[int] = 3
    moves: ClassVar[tuple[Quantity, ...]] = ("initial_loss", "output_spread", "output_gradient")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        graph = Graph(spec)
        wanted: dict[str, str] = {}
        for head in heads(graph, spec.training):
            wanted |= _changes(graph, head)
        layers = by_path(spec, lambda layer: wanted.get(layer.path) is not None)
        changed = {path: _with_activation(layer, wanted[path]) for path, layer in layers.items()}
        if not changed:
            return None
        words = ", ".join(f"{path} to {wanted[path]}" for path in changed)
        return Applied(change_layers(spec, changed), tuple(changed), f"Set the activation of {words}.")


def _changes(graph: Graph, head: Head) -> dict[str, str]:
    """Path -> the activation that it should have, for the layers at one output that have another."""
    last, *under = final_activations(graph, head.node) or ((head.producer, head.activation or ""),)
    changes = {node.path: "linear" for node, name in under if name in _SQUASHED | kinds.RELU_LIKE}
    target = _wanted(head, last[1])
    layer = graph.layer(last[0])
    settable = layer.kind in _STANDALONE or is_matrix(layer)
    if target is not None and target != last[1] and last[0].path not in changes and settable:
        changes[last[0].path] = target
    return changes


def _wanted(head: Head, present: str) -> str | None:
    """The activation that an output should end in; None where the present one may stay."""
    family = head.family
    if present == "softmax" and head.units == 1 and family in (None, "binary"):
        return "sigmoid"
    if family is None or not present or present in _FITTING.get((family, head.from_logits), ()):
        return None
    if family == "regression" and (head.mirrors_input or present not in _BOUNDED):
        return None
    if family in ("categorical", "sparse") and head.units == 1:
        return None
    return WANTED.get((family, head.from_logits))


def _with_activation(layer: LayerSpec, name: str) -> LayerSpec:
    if layer.kind not in _STANDALONE:
        return with_settings(layer, {"activation": name})
    config: dict[str, Json] = {"activation": name, "dtype": layer.config.get("dtype", "float32")}
    calls = tuple(Call(call.inputs[:1]) for call in layer.inbound)
    return replace(layer, kind="Activation", config=config, inbound=calls)
