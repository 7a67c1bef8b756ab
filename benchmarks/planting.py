"""Faults that can be planted in a healthy model: one function ModelSpec -> ModelSpec a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from analyzers.interventions.activity import is_matrix
from analyzers.interventions.edit import (
    Insertion,
    NewLayer,
    by_path,
    bypass,
    change_layers,
    insert,
    with_settings,
)
from analyzers.spec import Json, LayerSpec, ModelSpec, ObjectSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import model_inputs
from analyzers.spec.output_heads import heads
from analyzers.spec.roles import activation, bends, core, is_head, is_weighted, recurrent_parts, width

Plant = Callable[[ModelSpec], ModelSpec | None]
"""The model with the fault; None where it has no place for it."""

_HIDDEN: Final = kinds.CONVOLUTIONS | {"Dense"}


def _images(spec: ModelSpec) -> list[str]:
    """Names of the inputs that are images in colour."""
    return [item.name for item in model_inputs(Graph(spec)) if item.kind == "image" and item.shape[-1] == 3]


def _on_images(plant: Plant, *, to_classes: bool = False) -> Plant:
    """The same fault, in models of colour images alone (that tell classes apart with a dense layer)."""

    def planted(spec: ModelSpec) -> ModelSpec | None:
        fits = bool(_images(spec)) and (not to_classes or _softmax_head(spec) is not None)
        return plant(spec) if fits else None

    return planted


def _unscaled(plant: Plant) -> Plant:
    """The same fault, in models without scaling layers, which would make up for it."""
    return lambda spec: None if by_path(spec, lambda layer: layer.kind in kinds.SCALING) else plant(spec)


def _of_many_classes(plant: Plant) -> Plant:
    """The same fault, in classifiers of three classes or more: two units are no bottleneck before two."""

    def planted(spec: ModelSpec) -> ModelSpec | None:
        head = _softmax_head(spec)
        return plant(spec) if head is not None and (width(core(head)) or 0) > LEAST_CLASSES else None

    return planted


LEAST_CLASSES: Final = 2
"""Classes that two units tell apart as well as any number of them."""


def _behind_images(*layers: NewLayer) -> Plant:
    """New layers right behind every image input of known channels."""

    def plant(spec: ModelSpec) -> ModelSpec | None:
        names = _images(spec)
        return insert(spec, {name: Insertion(layers) for name in names})[0] if names else None

    return plant


def _bypassing(wanted: Callable[[LayerSpec], bool]) -> Plant:
    def plant(spec: ModelSpec) -> ModelSpec | None:
        paths = frozenset(by_path(spec, wanted))
        return bypass(spec, paths) if paths else None

    return plant


def _setting(
    wanted: Callable[[ModelSpec], Callable[[LayerSpec], bool]], settings: Mapping[str, Json]
) -> Plant:
    """Constructor arguments of some layers, where they have such."""

    def plant(spec: ModelSpec) -> ModelSpec | None:
        layers = by_path(spec, wanted(spec))
        changed = {
            path: with_settings(
                layer, {key: value for key, value in settings.items() if key in core(layer).config}
            )
            for path, layer in layers.items()
        }
        return change_layers(spec, changed) if changed else None

    return plant


def _softmax_head(spec: ModelSpec) -> LayerSpec | None:
    """The dense layer that makes the only output of a classifier of several classes."""
    graph = Graph(spec)
    found = heads(graph, spec.training)
    if len(found) != 1 or not found[0].classifies or (found[0].units or 0) < 2:
        return None
    layer = graph.layer(found[0].producer)
    inner = by_path(spec, lambda one: one.path == layer.path)
    return inner.get(layer.path) if layer.kind == "Dense" else None


def _head(settings: Mapping[str, Json], loss: ObjectSpec | None = None, *behind: NewLayer) -> Plant:
    """Another last layer of a classifier, another loss, and layers behind it."""

    def plant(spec: ModelSpec) -> ModelSpec | None:
        head = _softmax_head(spec)
        if head is None or spec.training is None:
            return None
        spec = change_layers(spec, {head.path: with_settings(head, settings)})
        if behind:
            spec, _ = insert(spec, {head.path: Insertion(behind)})
        if loss is None or spec.training is None:
            return spec
        return replace(spec, training=replace(spec.training, losses=(loss,)))

    return plant


def _before_head(*layers: NewLayer) -> Plant:
    """Layers in front of a classifier's last one."""

    def plant(spec: ModelSpec) -> ModelSpec | None:
        head = _softmax_head(spec)
        if head is None or "/" in head.path:
            return None
        source = head.inbound[0].inputs[0].layer
        if spec.layer(source).model is not None:
            return None
        return insert(spec, {source: Insertion(layers, frozenset({head.name}))})[0]

    return plant


def _training(change: Callable[[ModelSpec], Mapping[str, Any] | None]) -> Plant:
    def plant(spec: ModelSpec) -> ModelSpec | None:
        changes = change(spec)
        if spec.training is None or changes is None:
            return None
        return replace(spec, training=replace(spec.training, **changes))

    return plant


def _optimizer(kind: str, rate: float, config: Mapping[str, Json] | None = None) -> Plant:
    return _training(
        lambda _: {"optimizer": ObjectSpec(kind, config or {}), "learning_rate": rate, "schedule": None}
    )


def _is_hidden(spec: ModelSpec) -> Callable[[LayerSpec], bool]:
    graph = Graph(spec)
    return lambda layer: (
        layer.kind in _HIDDEN and layer.trainable and not is_head(graph, graph.layer(layer.path))
    )


def _scaling_behind(spec: ModelSpec) -> ModelSpec | None:
    """A pixel scaling behind the first weights of an image model that has none in front."""
    graph = Graph(spec)
    if any(layer.kind in kinds.SCALING for layer in graph.flat.layers) or not _images(spec):
        return None
    first = next((node.path for node in graph.nodes if is_weighted(graph.layer(node))), None)
    return (
        insert(spec, {first: Insertion((_new("Rescaling", scale=1 / 255, offset=0.0),))})[0]
        if first
        else None
    )


def _linear(spec: ModelSpec) -> ModelSpec | None:
    """Every hidden activation taken out, where nothing else bends the signal."""
    graph = Graph(spec)
    standing = by_path(
        spec,
        lambda layer: (
            layer.kind in {"Activation", *kinds.ACTIVATION_LAYERS}
            and not any(node.path == layer.path for node in graph.outputs)
        ),
    )
    spec = bypass(spec, frozenset(standing))
    flat = Graph(spec)
    if any(
        bends(flat, node) and not is_matrix(flat.layer(node))
        for node in flat.nodes
        if node not in flat.outputs
    ):
        return None
    chosen = by_path(
        spec,
        lambda layer: activation(layer) not in (None, "linear") and not is_head(flat, flat.layer(layer.path)),
    )
    return change_layers(
        spec, {path: with_settings(layer, {"activation": "linear"}) for path, layer in chosen.items()}
    )


def _second_scaling(spec: ModelSpec) -> ModelSpec | None:
    graph = Graph(spec)
    scaling = [layer.path for layer in graph.flat.layers if layer.kind == "Rescaling"]
    if not scaling or not _images(spec) or "Normalization" in {layer.kind for layer in graph.flat.layers}:
        return None
    new = NewLayer("planted", "Rescaling", {"scale": 1 / 255, "offset": 0.0, "dtype": "float32"})
    return insert(spec, {scaling[-1]: Insertion((new,))})[0]


def _dropout_first(spec: ModelSpec) -> ModelSpec | None:
    graph = Graph(spec)
    fed = {
        before.path
        for node in graph.nodes
        if graph.layer(node).kind == "BatchNormalization"
        for before in graph.before(node)
        if len(graph.after(before)) == 1 and is_weighted(graph.layer(before))
    }
    new = NewLayer("planted", "Dropout", {"rate": 0.5, "noise_shape": None, "seed": None, "dtype": "float32"})
    return insert(spec, {path: Insertion((new,)) for path in fed})[0] if fed else None


def _recurrent(spec: ModelSpec) -> ModelSpec | None:
    chosen = by_path(
        spec, lambda layer: layer.kind in ("LSTM", "GRU", "SimpleRNN") and bool(recurrent_parts(layer))
    )
    changed = {path: with_settings(layer, {"activation": "relu"}) for path, layer in chosen.items()}
    return change_layers(spec, changed) if changed else None


def _new(kind: str, **config: Json) -> NewLayer:
    return NewLayer("planted", kind, {**config, "dtype": "float32"})


def _collapsed(spec: ModelSpec) -> ModelSpec | None:
    """Pooling to one cell in front of at least three convolutions that keep the size of their map."""
    found = [layer for layer in Graph(spec).flat.layers if layer.kind in ("Conv2D", "DepthwiseConv2D")]
    spatial = [layer for layer in found if layer.config.get("kernel_size") not in ([1, 1], 1)]
    if len(spatial) < LEAST_CONVOLUTIONS or any(layer.config.get("padding") != "same" for layer in found):
        return None
    pool = _new(
        "MaxPooling2D", pool_size=[512, 512], strides=[512, 512], padding="same", data_format="channels_last"
    )
    return _behind_images(pool)(spec)


LEAST_CONVOLUTIONS: Final = 3
"""Convolutions on one cell that make a model one with a collapsed map."""


def _dense(activation_name: str, units: int = 64) -> NewLayer:
    config: dict[str, Json] = {
        "units": units, "activation": activation_name, "use_bias": True,
        "kernel_initializer": {"kind": "GlorotUniform", "config": {}},
    }  # fmt: skip
    return NewLayer("planted", "Dense", {**config, "dtype": "float32"})


_ZEROS: Final[dict[str, Json]] = {"kind": "Zeros", "config": {}}
_L2: Final[dict[str, Json]] = {"kind": "L2", "config": {"l2": 1.0}}
_CATEGORICAL: Final = ObjectSpec("CategoricalCrossentropy", {"from_logits": False})
_SQUARED: Final = ObjectSpec("MeanSquaredError", {})

PLANTS: Final[Mapping[str, Plant]] = {
    "missing-input-normalization": _on_images(_bypassing(lambda layer: layer.kind in kinds.SCALING)),
    "repeated-normalization": _second_scaling,
    "normalization-constants-mismatch": _unscaled(
        _behind_images(_new("Normalization", axis=-1, mean=[0.485], variance=[0.052], invert=False))
    ),
    "normalization-after-weights": _scaling_behind,
    "channel-order-mismatch": _behind_images(_new("Permute", dims=[3, 1, 2])),
    "destructive-augmentation": _behind_images(
        _new("RandomFlip", mode="vertical"), _new("RandomRotation", factor=0.5), _new("RandomContrast", factor=0.9)
    ),
    "single-unit-softmax": _head({"units": 1, "activation": "softmax"}),
    "double-softmax": _head({"activation": "softmax"}, None, _new("Softmax", axis=-1)),
    "relu-before-output-activation": _head({"activation": "relu"}, None, _new("Softmax", axis=-1)),
    "output-loss-mismatch": _head({"activation": "linear"}, _CATEGORICAL),
    "wrong-loss-for-output": _head({"units": 1, "activation": "sigmoid"}, _CATEGORICAL),
    "bounded-output-for-regression": _head({"units": 1, "activation": "relu"}, _SQUARED),
    "missing-flatten": _on_images(
        _bypassing(lambda layer: layer.kind in kinds.GLOBAL_POOLING | {"Flatten"}), to_classes=True
    ),
    "output-bottleneck": _of_many_classes(_before_head(_dense("relu", 2))),
    "under-capacity": _before_head(_dense("relu", 1)),
    "excessive-dropout": _before_head(_new("Dropout", rate=0.95, noise_shape=None, seed=None)),
    "missing-nonlinearity": _linear,
    "saturating-activations": _before_head(*(_dense("sigmoid") for _ in range(5))),
    "deep-plain-network": _before_head(*(_dense("relu") for _ in range(15))),
    "degenerate-initializer": _setting(_is_hidden, {"kernel_initializer": _ZEROS}),
    "excessive-regularization": _setting(_is_hidden, {"kernel_regularizer": _L2}),
    "low-precision-output": _setting(lambda _: lambda layer: bool(layer.inbound), {"dtype": "mixed_float16"}),
    "collapsed-feature-map": _collapsed,
    "disconnected-layer": _before_head(_new("Rescaling", scale=0.0, offset=0.0)),
    "dropout-before-batch-normalization": _dropout_first,
    "recurrent-instability": _recurrent,
    "weak-embedding": _setting(lambda _: lambda layer: layer.kind == "Embedding", {"output_dim": 1}),
    "learning-rate-too-high": _training(lambda spec: {"learning_rate": 10.0}),
    "learning-rate-too-low": _training(lambda spec: {"learning_rate": 1e-9}),
    "learning-rate-collapsed": _training(
        lambda spec: {"schedule": ObjectSpec("CosineDecay", {"initial_learning_rate": 1e-3, "decay_steps": 50}),
                      "learning_rate": 1e-3}
    ),
    "unsuitable-optimizer": _optimizer("Adam", 1e-3, {"beta_1": 0.9, "beta_2": 0.5}),
    "missing-gradient-clipping": _optimizer("SGD", 0.01, {"momentum": 0.9, "clipvalue": 1e-6}),
}  # fmt: skip
"""Rule -> its fault."""
