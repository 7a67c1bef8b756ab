"""The graph of a saved model: its config, of whatever age, as a ModelSpec without training or weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Final, Literal

from analyzers.bounds import MAX_LAYERS
from analyzers.errors import InputError
from analyzers.reading import masks, nodes, operations, sizes, stacked, stepwise, told_shapes, unshaped
from analyzers.reading.layer_names import Names, Place
from analyzers.reading.layers import MODELS, LayerConfig, upgrade
from analyzers.reading.objects import class_name, dtype_policy
from analyzers.reading.plain import as_dict, as_list, as_str, short, shown, sub_config
from analyzers.reading.unshaped import Kernels
from analyzers.spec.flatten import call_order
from analyzers.spec.model import Call, Json, LayerSpec, ModelSpec, Shape, TensorRef

_TENSORFLOW_OPERATIONS: Final = frozenset({"TFOpLambda", "SlicingOpLambda"})
_UNBUILT: Final = "no layer of {name} says the input shape"


@dataclass(frozen=True)
class Saved:
    """What the file calls a layer, beside what the spec makes of it: the key to its saved tensors.

    Attributes:
        name: the layer's name in the file.
        written: its class name in the file.
        layer: the layer in the spec.
        item: the layer as the file serialized it; empty where it did not.
        members: the layers of a nested model, in the file's order.
        implied: an InputLayer that the file does not hold.
        operation: a node that Keras 3 does not count among the model's layers.
    """

    name: str
    written: str
    layer: LayerSpec
    item: Mapping[str, Json] = field(default_factory=dict, repr=False)
    members: tuple[Saved, ...] = ()
    implied: bool = False
    operation: bool = False

    def walk(self) -> Iterator[Saved]:
        """This layer and everything nested in it."""
        yield self
        for member in self.members:
            yield from member.walk()


@dataclass
class _Reader:
    """Reads one file's models.

    Attributes:
        legacy: whether the file is older than Keras 3.
        masked: whether any layer makes a mask.
        kernels: shapes of the first arrays of the file's layers.
    """

    legacy: bool
    masked: bool
    kernels: Kernels
    count: int = 0

    def model(self, item: Mapping[str, Json], prefix: str) -> tuple[ModelSpec, tuple[Saved, ...]]:
        """A serialized model and what the file calls its layers."""
        config = item.get("config")
        if isinstance(config, list):
            config = {"name": item.get("name", "sequential"), "layers": config}
        settings = as_dict(config, "the model's config")
        if "layers" not in settings:
            raise InputError("subclassed-model", f"class {shown(class_name(item))}")
        if not as_list(settings["layers"], "layers"):
            raise InputError("no-layers")
        name = short(as_str(settings.get("name") or item.get("name") or "model", "the model's name"))
        if "input_layers" in settings:
            return self._functional(settings, name, prefix)
        return self._sequential(item, settings, name, prefix)

    def _functional(
        self, settings: Mapping[str, Json], name: str, prefix: str
    ) -> tuple[ModelSpec, tuple[Saved, ...]]:
        items = [as_dict(item, "a layer") for item in as_list(settings["layers"], "layers")]
        names = Names(
            as_str(item.get("name") or sub_config(item).get("name"), "a layer's name") for item in items
        )
        saved = [
            member
            for original, item in zip(names.originals, items, strict=True)
            for member in self._members(item, names.place(original, prefix), names)
        ]
        saved = [_declared(one, names.shapes) for one in saved]
        inputs = nodes.references(settings["input_layers"])
        outputs = nodes.references(settings.get("output_layers"))
        saved, inputs, outputs = self._settled(saved, inputs, outputs, names)
        spec = ModelSpec(name, "functional", tuple(one.layer for one in saved), inputs, outputs)
        if self.legacy:
            spec = sizes.resolved(spec, merging=not self.masked)
            by_name = {layer.name: layer for layer in spec.layers}
            saved = [
                replace(one, layer=by_name[one.layer.name]) for one in saved if one.layer.name in by_name
            ]
        if self.legacy and self.masked:
            spec = replace(spec, layers=masks.written_out(spec.layers))
        return _ordered(spec), tuple(saved)

    def _members(self, item: Mapping[str, Json], place: Place, names: Names) -> list[Saved]:
        """One layer of a functional model, its calls still as written; a function that is two operations, as both."""
        written = class_name(item)
        calls = nodes.calls(item.get("inbound_nodes"), written, names.legal, names.shapes)
        built = told_shapes.built_shapes(item)
        if len(calls) == 1 and len(built) == len(Call(calls[0].args).inputs):
            names.shapes.update(zip(Call(calls[0].args).inputs, built, strict=True))
        if not self.legacy and operations.is_operation(item):
            made = operations.keras_operation(item, calls, names.shapes, merging=not self.masked)
            return [replace(self._operation(made, place), operation=True)]
        if written in _TENSORFLOW_OPERATIONS:
            made = operations.tensorflow_operation(item, calls, merging=not self.masked)
            if made.before is None:
                return [replace(self._operation(made, place), written=written)]
            first = names.added(place, made.before.kind.lower())
            taken = tuple(Call((TensorRef(first.original, number),)) for number in range(len(made.calls)))
            both = (self._operation(made.before, first), self._operation(replace(made, calls=taken), place))
            return [replace(one, written=written) for one in both]
        return [self._layer(item, place, calls)]

    def _operation(self, made: operations.Operation, place: Place) -> Saved:
        self._counted()
        known = made.problem is None
        layer = LayerSpec(
            place.legal,
            made.kind,
            made.config,
            made.calls,
            path=place.path,
            known=known,
            problem=made.problem,
        )
        return Saved(place.original, made.kind, layer)

    def _layer(self, item: Mapping[str, Json], place: Place, calls: tuple[Call, ...]) -> Saved:
        """A layer or nested model."""
        self._counted()
        written, config = class_name(item), sub_config(item)
        spread = stepwise.spread(item)
        if spread is None and not any("initial_state" in call.kwargs for call in calls):
            spread = stacked.spread(item, self._sequence)
        if spread is not None or written in MODELS or ("layers" in config and "input_layers" in config):
            inner, members = self.model(spread or item, place.path + "/")
            members = members if spread is None else tuple(map(_unwrapped, members))
            kind = "Functional" if inner.kind == "functional" else "Sequential"
            trainable = config.get("trainable") is not False
            layer = LayerSpec(place.legal, kind, {}, calls, trainable, place.path, inner)
            return Saved(place.original, written, layer, item, members)
        made = _input_layer(item) if written == "InputLayer" else upgrade(item, legacy=self.legacy)
        layer = LayerSpec(
            place.legal,
            made.kind,
            made.config,
            calls,
            made.trainable,
            place.path,
            known=made.known,
            problem=made.problem,
        )
        return Saved(place.original, written, layer, item)

    def _sequence(self, item: Mapping[str, Json]) -> list[Json] | None:
        """The batch shape of what a recurrent layer takes, as the file says it or as its kernel does."""
        kernel = self.kernels(as_str(sub_config(item).get("name", ""), "a layer's name"))
        told: list[Json] | None = [None, None, kernel[0]] if kernel and len(kernel) == 2 else None
        return told_shapes.batch_shape(item) or told

    def _counted(self) -> None:
        self.count += 1
        if self.count > MAX_LAYERS:
            raise InputError("too-many-objects", f"more than {MAX_LAYERS} layers")

    def _settled(
        self, saved: list[Saved], inputs: tuple[TensorRef, ...], outputs: tuple[TensorRef, ...], names: Names
    ) -> tuple[list[Saved], tuple[TensorRef, ...], tuple[TensorRef, ...]]:
        """References with call numbers counted from 0 and names that Keras allows.

        Keras 1 and 2 count a nested model's own creation as its node 0, so its first call is node 1;
        Keras 3 does so in ``output_layers`` only, and for functional models only.
        """
        nested = {
            one.name: one for one in saved if one.layer.model is not None and one.written != "TimeDistributed"
        }
        used = [ref for one in saved for call in one.layer.inbound for ref in call.inputs]
        first = {
            name: min((r.call for r in (*used, *outputs) if r.layer == name), default=0) for name in nested
        }

        def inbound(ref: TensorRef) -> TensorRef:
            """A tensor that a layer takes, under its final name and call number."""
            one = nested.get(ref.layer)
            late = one is not None and (
                first[ref.layer] > 0 if self.legacy else ref.call >= len(one.layer.inbound)
            )
            return names.renamed(replace(ref, call=ref.call - 1) if late else ref)

        def outward(ref: TensorRef) -> TensorRef:
            """An output of the model, where Keras 3 counts a functional model's creation too."""
            one = nested.get(ref.layer)
            if self.legacy or one is None or one.layer.kind != "Functional" or ref.call == 0:
                return inbound(ref)
            return names.renamed(replace(ref, call=ref.call - 1))

        settled = [
            replace(
                one,
                layer=replace(
                    one.layer, inbound=tuple(nodes.map_call(call, inbound) for call in one.layer.inbound)
                ),
            )
            for one in saved
        ]
        return settled, tuple(inbound(ref) for ref in inputs), tuple(outward(ref) for ref in outputs)

    def _sequential(
        self, item: Mapping[str, Json], settings: Mapping[str, Json], name: str, prefix: str
    ) -> tuple[ModelSpec, tuple[Saved, ...]]:
        items = [as_dict(entry, "a layer") for entry in as_list(settings["layers"], "layers")]
        names = Names(_every_name(items))
        saved: list[Saved] = []
        end = self._chain(
            items,
            names,
            prefix,
            saved,
            told_shapes.sizes(settings.get("build_input_shape")) or told_shapes.built_shape(item),
        )
        if end is None:
            raise InputError("unbuilt-model", _UNBUILT.format(name=shown(name)))
        layers = tuple(one.layer for one in saved)
        inputs = tuple(TensorRef(layer.name) for layer in layers if not layer.inbound)
        kind: Literal["functional", "sequential"] = "sequential" if len(inputs) == 1 else "functional"
        return ModelSpec(name, kind, layers, inputs, (end,)), tuple(saved)

    def _chain(
        self,
        items: Sequence[Mapping[str, Json]],
        names: Names,
        prefix: str,
        saved: list[Saved],
        built: list[Json] | None,
    ) -> TensorRef | None:
        """Add the layers of a Sequential, each called on the one before.

        Returns:
            The last one's output; None where nothing says what the first one takes.
        """
        branches = _branches(items[0])
        before: tuple[Call, ...] = ()
        if branches:
            ends = [self._chain(branch, names, prefix, saved, None) for branch in branches]
            if any(end is None for end in ends):
                return None
            before = (Call((tuple(end for end in ends if end is not None),)),)
        elif class_name(items[0]) != "InputLayer":
            shape = told_shapes.batch_shape(items[0]) or built
            shape = shape or unshaped.input_shape(items, self.kernels, legacy=self.legacy)
            if shape is None:
                return None
            saved.append(_implied_input(names, prefix, shape, _name_of(items[0])))
            before = (Call((TensorRef(saved[-1].layer.name),)),)
        for entry, after in zip_longest(items, items[1:]):
            made = self._layer(entry, names.place(_name_of(entry), prefix), before)
            taken = None if after is None else told_shapes.built_shape(after)
            shapes = {} if taken is None else {TensorRef(made.name): told_shapes.plain_shape(taken)}
            saved.append(_declared(made, shapes))
            before = (Call((TensorRef(saved[-1].layer.name),)),)
        return TensorRef(saved[-1].layer.name)


def _declared(one: Saved, shapes: Mapping[TensorRef, Shape]) -> Saved:
    """An unknown layer with the shapes of its outputs, where those who take them or the layer itself say them."""
    if one.layer.known or one.layer.model is not None or len(one.layer.inbound) != 1:
        return one
    told: list[Shape] = []
    while (ref := TensorRef(one.name, 0, len(told))) in shapes:
        told.append(shapes[ref])
    own = told_shapes.sizes(sub_config(one.item).get("output_shape")) if one.written == "Lambda" else None
    if not told and own is not None:
        told = [(None, *told_shapes.plain_shape(own))]
    return replace(one, layer=replace(one.layer, declared=tuple(told)))


def _name_of(item: Mapping[str, Json]) -> str:
    return as_str(sub_config(item).get("name") or item.get("name"), "a layer's name")


def _branches(item: Mapping[str, Json]) -> list[list[dict[str, Json]]]:
    """The Sequentials that a Merge of Keras 1 joins at the head of another; none for any other layer."""
    branches = sub_config(item).get("layers") if class_name(item) == "Merge" else None
    found = []
    for branch in as_list(branches or [], "a Merge's layers"):
        serialized = as_dict(branch, "a Merge's layer")
        layers = serialized.get("config")
        if class_name(serialized) != "Sequential":
            layers = [serialized]
        elif isinstance(layers, dict):
            layers = layers.get("layers")
        found.append([as_dict(entry, "a layer") for entry in as_list(layers, "layers")])
        if not found[-1]:
            raise InputError("no-layers")
    return found


def _every_name(items: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    """The names of a Sequential's layers, those of the branches of its Merge first."""
    for item in items:
        for branch in _branches(item):
            yield from _every_name(branch)
        yield _name_of(item)


def _unwrapped(member: Saved) -> Saved:
    """A member of a model that the file wraps whole: there, it is what our TimeDistributed wraps."""
    inner = sub_config(member.item).get("layer")
    if member.written != "TimeDistributed" or not isinstance(inner, dict):
        return member
    return replace(member, written=class_name(inner), item=inner)


def _implied_input(names: Names, prefix: str, shape: list[Json], first: str) -> Saved:
    name = names.free(f"{names.legal[first]}_input")
    config: dict[str, Json] = {"batch_shape": shape, "dtype": "float32"}
    return Saved(
        "", "InputLayer", LayerSpec(name, "InputLayer", config, (), path=prefix + name), implied=True
    )


def _input_layer(item: Mapping[str, Json]) -> LayerConfig:
    config = sub_config(item)
    shape = told_shapes.sizes(config.get("batch_shape")) or told_shapes.sizes(config.get("batch_input_shape"))
    if shape is None:
        raise InputError("unbuilt-model", f"input {shown(config.get('name'))} has no shape")
    settings: dict[str, Json] = {"batch_shape": shape, "dtype": dtype_policy(config.get("dtype"))}
    problem = next(
        (f"it takes {word} tensors" for word in ("sparse", "ragged") if config.get(word) is True), None
    )
    return LayerConfig("InputLayer", settings, trainable=True, known=problem is None, problem=problem)


def _ordered(spec: ModelSpec) -> ModelSpec:
    """``spec`` with its layers in topological order: the file's where that is one."""
    place: dict[str, int] = {}
    for name, _ in call_order(spec):
        place.setdefault(name, len(place))
    seen: set[str] = set()
    for layer in spec.layers:
        if layer.inbound and not {ref.layer for ref in layer.inbound[0].inputs} <= seen:
            return replace(spec, layers=tuple(sorted(spec.layers, key=lambda one: place[one.name])))
        seen.add(layer.name)
    return spec


@dataclass(frozen=True)
class Architecture:
    """A file's model without training settings and weights.

    Attributes:
        spec: the graph.
        saved: the top model's layers as the file calls them, in its order.
        legacy: whether the file is older than Keras 3.
    """

    spec: ModelSpec
    saved: tuple[Saved, ...] = field(repr=False)
    legacy: bool


def no_kernels(_: str) -> None:
    """No array of any layer is known."""
    return


def read(document: Json, *, legacy: bool, kernels: Kernels = no_kernels) -> Architecture:
    """The model of a ``config.json`` or ``model_config``.

    Args:
        document: the config.
        legacy: whether the file is older than Keras 3.
        kernels: shapes of the first arrays of the file's layers, for layers that do not say what they take.

    Raises:
        InputError: ``subclassed-model``, ``no-layers``, ``unbuilt-model``, ``too-many-objects`` or
            ``invalid-config``.
    """
    spec, saved = _Reader(legacy, masks.produces_masks(document), kernels).model(
        as_dict(document, "the model's config"), ""
    )
    return Architecture(spec, saved, legacy)
