"""Put a normalisation between the layers' products and their activations."""

from __future__ import annotations

from collections.abc import Callable

from analyzers.interventions.activity import MATRICES, is_normalized, trainable
from analyzers.interventions.base import Applied
from analyzers.interventions.edit import (
    Insertion,
    NewLayer,
    by_path,
    change_layers,
    counted,
    insert,
    with_settings,
)
from analyzers.spec import LayerSpec, ModelSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.roles import is_head


def normalize(spec: ModelSpec, kind: str, make: Callable[[LayerSpec], NewLayer]) -> Applied | None:
    """Convolution or Dense -> normalisation -> activation, for every hidden layer that has none.

    An activation given as the layer's argument becomes a layer of its own behind the normalisation.
    Layers that end in an output, are frozen, or meet a normalisation before the next weights are left
    alone.  The layers keep their bias, so that their saved tensors still fit.

    Args:
        spec: the model.
        kind: class of the normalisation, for the summary.
        make: the normalisation of one layer.
    """
    graph = Graph(spec)
    chosen = {
        layer.path
        for layer in trainable(graph, lambda layer: layer.kind in MATRICES - {"EinsumDense"})
        if not is_head(graph, layer) and not is_normalized(graph, layer)
    }
    if not chosen:
        return None
    layers = by_path(spec, lambda layer: layer.path in chosen)
    linear = {path: with_settings(layer, {"activation": "linear"}) for path, layer in layers.items()}
    insertions = {path: Insertion((make(layer), *own_activation(layer))) for path, layer in layers.items()}
    changed, added = insert(change_layers(spec, linear), insertions)
    split = [path for path, layer in layers.items() if len(insertions[path].layers) > 1]
    return Applied(
        changed,
        (*split, *added),
        f"Add {kind} behind {counted(len(layers), 'layer')}, before the activation.",
    )


def own_activation(layer: LayerSpec) -> tuple[NewLayer, ...]:
    """The activation that a layer has as an argument, as a layer of its own; none for a linear one."""
    dtype = layer.config.get("dtype", "float32")
    activation = layer.config.get("activation")
    if activation in (None, "linear"):
        return ()
    if isinstance(activation, dict):
        kind, config = str(activation.get("kind")), activation.get("config")
        settings = (
            {key: value for key, value in config.items() if key != "name"} if isinstance(config, dict) else {}
        )
        name = f"{layer.name}_{_called(kinds.ACTIVATION_LAYERS.get(kind, kind.lower()))}"
        return (NewLayer(name, kind, {**settings, "dtype": dtype}),)
    name = f"{layer.name}_{_called(str(activation))}"
    return (NewLayer(name, "Activation", {"activation": activation, "dtype": dtype}),)


def _called(activation: str) -> str:
    """An activation's name as part of a layer's name."""
    return activation if activation.isidentifier() else "activation"
