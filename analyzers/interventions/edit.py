"""Surgery on nested specs: change layers in place, insert layers behind others.

Names and paths of untouched layers never change, so saved tensors keep finding their layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from analyzers.spec import Argument, Call, Json, LayerSpec, ModelSpec, TensorRef
from analyzers.spec.flatten import call_order

_SPELLED_OUT: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class NewLayer:
    """A layer to add.  ``name`` gets a number behind it where the model has a layer of that name.

    ``joins`` makes it a merge of what it stands behind with what that layer takes: a shortcut.
    """

    name: str
    kind: str
    config: Mapping[str, Json]
    joins: bool = False


@dataclass(frozen=True)
class Insertion:
    """Layers to put behind one layer, the first of them next to it.

    ``consumers`` names the layers of the same (sub)model that take the new output; None means all of
    them and the (sub)model's outputs.
    """

    layers: tuple[NewLayer, ...]
    consumers: frozenset[str] | None = None


def change_layers(spec: ModelSpec, changed: Mapping[str, LayerSpec]) -> ModelSpec:
    """``spec`` with the layers at the given paths exchanged; name, path and calls must stay as they are."""

    def change(layer: LayerSpec) -> LayerSpec:
        if layer.path in changed:
            return changed[layer.path]
        return layer if layer.model is None else replace(layer, model=change_layers(layer.model, changed))

    return replace(spec, layers=tuple(change(layer) for layer in spec.layers))


def insert(spec: ModelSpec, insertions: Mapping[str, Insertion]) -> tuple[ModelSpec, tuple[str, ...]]:
    """Insert layers behind the first output of layers, at every call of each.

    Args:
        spec: nested or flat.
        insertions: path of a layer (an InputLayer and a nested model count) -> what comes behind it.

    Returns:
        The new spec and the paths of the added layers, in the model's order.
    """
    added: list[str] = []
    return _insert(spec, "", insertions, added), tuple(added)


def _insert(
    model: ModelSpec, prefix: str, insertions: Mapping[str, Insertion], added: list[str]
) -> ModelSpec:
    taken = {layer.name for layer in model.layers}
    last: dict[str, str] = {}
    layers: list[LayerSpec] = []
    for layer in model.layers:
        if layer.model is not None:
            layer = replace(layer, model=_insert(layer.model, f"{layer.path}/", insertions, added))  # noqa: PLW2901
        layers.append(layer)
        if layer.path in insertions:
            new = _chain(layer, insertions[layer.path], prefix, taken)
            layers.extend(new)
            added.extend(one.path for one in new)
            last[layer.name] = new[-1].name
    takers = {name: insertions[model.layer(name).path].consumers for name in last}
    own = {layer.name for layer in model.layers}
    return replace(
        model,
        layers=tuple(_rewired(layer, last, takers) if layer.name in own else layer for layer in layers),
        outputs=tuple(
            replace(ref, layer=last[ref.layer])
            if ref.layer in last and ref.index == 0 and takers[ref.layer] is None
            else ref
            for ref in model.outputs
        ),
    )


def _chain(layer: LayerSpec, insertion: Insertion, prefix: str, taken: set[str]) -> list[LayerSpec]:
    """The new layers behind ``layer``, each called as often as it."""
    chain: list[LayerSpec] = []
    source = layer.name
    for new in insertion.layers:
        name = unique_name(new.name, taken)
        taken.add(name)
        calls = tuple(
            Call(((ref, layer.inbound[ref.call].inputs[0]),) if new.joins else (ref,))
            for ref in (TensorRef(source, number) for number in range(max(len(layer.inbound), 1)))
        )
        chain.append(LayerSpec(name, new.kind, new.config, calls, path=prefix + name))
        source = name
    return chain


def _rewired(
    layer: LayerSpec, last: Mapping[str, str], takers: Mapping[str, frozenset[str] | None]
) -> LayerSpec:
    """``layer`` taking the last of the new layers where it took the one in front, if it is to."""

    def rewire(ref: TensorRef) -> TensorRef:
        if ref.layer not in last or ref.index != 0:
            return ref
        allowed = takers[ref.layer]
        return replace(ref, layer=last[ref.layer]) if allowed is None or layer.name in allowed else ref

    return _redirected(layer, rewire)


def _redirected(layer: LayerSpec, source: Callable[[TensorRef], TensorRef]) -> LayerSpec:
    """``layer`` with every tensor that it takes replaced by ``source`` of it."""

    def redirect(value: Argument) -> Argument:
        if isinstance(value, TensorRef):
            return source(value)
        if isinstance(value, tuple):
            return tuple(redirect(item) for item in value)
        if isinstance(value, Mapping):
            return {key: redirect(item) for key, item in value.items()}
        return value

    calls = tuple(
        Call(
            tuple(redirect(item) for item in call.args),
            {key: redirect(item) for key, item in call.kwargs.items()},
        )
        for call in layer.inbound
    )
    return replace(layer, inbound=calls)


def bypass(spec: ModelSpec, paths: frozenset[str]) -> ModelSpec:
    """Take layers of one input out: whoever took their output takes their input.

    A nested model of which nothing is left goes with them.
    """
    layers = [
        layer if layer.model is None else replace(layer, model=bypass(layer.model, paths))
        for layer in spec.layers
    ]
    gone = {layer.name: layer for layer in layers if layer.path in paths or _is_empty(layer)}

    def source(ref: TensorRef) -> TensorRef:
        """What the first layer that stays gives, up the chain of those that go."""
        while ref.layer in gone:
            ref = gone[ref.layer].inbound[ref.call].inputs[0]
        return ref

    kept = tuple(_redirected(layer, source) for layer in layers if layer.name not in gone)
    return replace(spec, layers=kept, outputs=tuple(source(ref) for ref in spec.outputs))


def _is_empty(layer: LayerSpec) -> bool:
    return layer.model is not None and not any(inner.inbound for inner in layer.model.layers)


def move_behind(spec: ModelSpec, moved: str, target: str) -> ModelSpec:
    """Move the layer at the path ``moved`` behind the one at ``target``, in the same (sub)model.

    Both are called once, and ``target`` depends on ``moved``.
    """
    layers = {layer.path: layer for layer in spec.layers}
    if moved not in layers:
        inner = tuple(
            layer if layer.model is None else replace(layer, model=move_behind(layer.model, moved, target))
            for layer in spec.layers
        )
        return replace(spec, layers=inner)
    before, name, end = layers[moved].inbound[0].inputs[0], layers[moved].name, layers[target].name

    def source(ref: TensorRef) -> TensorRef:
        """The moved layer's input where it stood, its output where the target's was taken."""
        if ref.layer == name:
            return before
        return replace(ref, layer=name) if ref.layer == end else ref

    found: list[LayerSpec] = []
    for layer in spec.layers:
        if layer.name != name:
            found.append(_redirected(layer, source))
        if layer.name == end:
            found.append(replace(layers[moved], inbound=(Call((TensorRef(end),)),)))
    return replace(spec, layers=tuple(found), outputs=tuple(source(ref) for ref in spec.outputs))


def feed(spec: ModelSpec, consumers: frozenset[str], old: str, new: str) -> ModelSpec:
    """Let some layers of the top model take the output of the layer ``new`` where they took that of ``old``."""

    def source(ref: TensorRef) -> TensorRef:
        return TensorRef(new) if ref.layer == old and ref.index == 0 else ref

    layers = {
        layer.name: _redirected(layer, source) if layer.name in consumers else layer for layer in spec.layers
    }
    fed = replace(spec, layers=tuple(layers.values()))
    order = dict.fromkeys(name for name, _ in call_order(fed))
    return replace(fed, layers=tuple(layers[name] for name in order))


def unique_name(wanted: str, taken: set[str]) -> str:
    """``wanted``, with the first free number behind it where it is taken."""
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def with_settings(layer: LayerSpec, settings: Mapping[str, Json]) -> LayerSpec:
    """``layer`` with constructor arguments set, those of the wrapped layer for TimeDistributed."""
    return replace(layer, config=_set(layer.kind, layer.config, settings))


def _set(kind: str, config: Mapping[str, Json], settings: Mapping[str, Json]) -> dict[str, Json]:
    inner = config.get("layer") if kind == "TimeDistributed" else None
    if not isinstance(inner, dict):
        return {**config, **settings}
    inner_config = inner.get("config")
    new = _set(str(inner.get("kind")), inner_config if isinstance(inner_config, dict) else {}, settings)
    return {**config, "layer": {**inner, "config": new}}


def by_path(spec: ModelSpec, wanted: Callable[[LayerSpec], bool]) -> dict[str, LayerSpec]:
    """Every layer of the nested spec that satisfies ``wanted``, by its path."""
    return {layer.path: layer for layer in spec.walk() if wanted(layer)}


def counted(number: int, noun: str) -> str:
    """``one layer``, ``two layers``, ``13 layers``."""
    words = _SPELLED_OUT[number] if number < len(_SPELLED_OUT) else str(number)
    return f"{words} {noun}" if number == 1 else f"{words} {noun}s"
