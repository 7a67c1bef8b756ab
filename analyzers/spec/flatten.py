"""The flat view: nested models opened in place, so that graph questions meet one plain graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from analyzers.errors import InputError
from analyzers.spec.model import Argument, Call, LayerSpec, ModelSpec, TensorRef

MAX_CALLS = 20_000
"""Layer calls after opening nested models; more is refused (SAFETY.md: billion laughs of submodels)."""


@dataclass
class _Flat:
    """Flat layers under construction, in order of their first call."""

    layers: dict[str, LayerSpec] = field(default_factory=dict)
    calls: dict[str, list[Call]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    total: int = 0

    def name_of(self, path: str) -> str:
        """A Keras-legal name for a path, unique in the flat model."""
        if path not in self.names:
            name = path.replace("/", "__")
            while name in self.taken:
                name += "_"
            self.taken.add(name)
            self.names[path] = name
        return self.names[path]

    def add(self, layer: LayerSpec, trainable: bool, call: Call | None) -> TensorRef:
        """Record one use of a layer and return its first output."""
        self.total += 1
        if self.total > MAX_CALLS:
            raise InputError("too-many-objects", f"more than {MAX_CALLS} layer calls")
        name = self.name_of(layer.path)
        self.layers.setdefault(layer.path, replace(layer, name=name, trainable=trainable))
        uses = self.calls.setdefault(layer.path, [])
        if call is not None:
            uses.append(call)
        return TensorRef(name, max(len(uses) - 1, 0))


def flatten(spec: ModelSpec) -> ModelSpec:
    """Open nested models in place.

    Layers of the result keep their ``path`` (so weights are found under it), get a unique ``name``
    made from it, and are frozen where any enclosing model is.  A nested model that is called twice
    gives its layers two calls.  InputLayers of nested models disappear.

    Raises:
        InputError: ``too-many-objects`` for more than 20,000 calls; ``invalid-config`` for a cycle or
            a reference to a layer that does not exist.
    """
    flat = _Flat()
    bound = _inline(spec, flat, bindings=None, trainable=True)
    layers = tuple(replace(layer, inbound=tuple(flat.calls[path])) for path, layer in flat.layers.items())
    return replace(
        spec,
        kind="functional",
        layers=layers,
        inputs=tuple(bound(ref) for ref in spec.inputs),
        outputs=tuple(bound(ref) for ref in spec.outputs),
    )


class _Bound:
    """Maps a tensor of one (sub)model to its tensor in the flat model."""

    def __init__(self) -> None:
        self.tensors: dict[TensorRef, TensorRef] = {}
        self.whole: dict[tuple[str, int], TensorRef] = {}

    def __call__(self, ref: TensorRef) -> TensorRef:
        if ref in self.tensors:
            return self.tensors[ref]
        try:
            return replace(self.whole[ref.layer, ref.call], index=ref.index)
        except KeyError:
            raise InputError("invalid-config", f"unknown tensor of layer {ref.layer!r}") from None

    def argument(self, value: Argument) -> Argument:
        """``value`` with every tensor replaced."""
        if isinstance(value, TensorRef):
            return self(value)
        if isinstance(value, tuple):
            return tuple(self.argument(item) for item in value)
        if isinstance(value, Mapping):
            return {key: self.argument(item) for key, item in value.items()}
        return value


def _inline(model: ModelSpec, flat: _Flat, bindings: tuple[TensorRef, ...] | None, trainable: bool) -> _Bound:
    bound = _Bound()
    if bindings is not None:
        if len(bindings) != len(model.inputs):
            raise InputError("invalid-config", f"model {model.name!r} is called with {len(bindings)} inputs")
        bound.tensors.update(zip(model.inputs, bindings, strict=True))
    layers = {layer.name: layer for layer in model.layers}
    for name, number in call_order(model):
        layer = layers[name]
        inherited = trainable and layer.trainable
        if not layer.inbound:
            if bindings is None:
                bound.whole[name, 0] = flat.add(layer, inherited, None)
            continue
        call = layer.inbound[number]
        if layer.model is None:
            args = tuple(bound.argument(item) for item in call.args)
            kwargs = {key: bound.argument(item) for key, item in call.kwargs.items()}
            bound.whole[name, number] = flat.add(layer, inherited, Call(args, kwargs))
        else:
            # Keras 3 writes a mask that reaches a nested model as a keyword; the model's inputs come first.
            given = call.inputs if len(call.inputs) == len(layer.model.inputs) else Call(call.args).inputs
            inner = _inline(layer.model, flat, tuple(bound(ref) for ref in given), inherited)
            for index, output in enumerate(layer.model.outputs):
                bound.tensors[TensorRef(name, number, index)] = inner(output)
    return bound


def call_order(model: ModelSpec) -> list[tuple[str, int]]:
    """Every (layer name, call number) of one (sub)model, producers before consumers.

    An InputLayer counts as one call, number 0.  The calls of one layer come in the order of their
    numbers; else the order is the file's where the graph allows it.

    Raises:
        InputError: ``invalid-config`` for a cycle or a reference to a call that does not exist.
    """
    known = {
        (layer.name, number) for layer in model.layers for number in range(max(len(layer.inbound), 1))
    }  # fmt: skip
    sorter: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
    for layer in model.layers:
        if not layer.inbound:
            sorter.add((layer.name, 0))
        for number, call in enumerate(layer.inbound):
            needed = [(ref.layer, ref.call) for ref in call.inputs]
            if missing := [key for key in needed if key not in known]:
                raise InputError("invalid-config", f"layer {layer.name!r} takes unknown tensor {missing[0]}")
            before = [(layer.name, number - 1)] if number else []
            sorter.add((layer.name, number), *needed, *before)
    try:
        return list(sorter.static_order())
    except CycleError:
        raise InputError("invalid-config", f"the graph of {model.name!r} has a cycle") from None
