"""ModelSpec -> keras.Model: layers out of the allowlist, called as the spec's graph says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import keras
from keras.src.ops import numpy as numpy_ops

from analyzers.building.built import Built, Tensors
from analyzers.building.checks import RefusedError, numbers, shown
from analyzers.building.layers import legal_name
from analyzers.building.parts import Unbuildable, input_shape, make_parts
from analyzers.building.state import finish_seeding, seed_kernel
from analyzers.building.wrapping import forget
from analyzers.spec import Argument, Call, LayerSpec, ModelSpec, Shape, TensorRef
from analyzers.spec.flatten import call_order


def build(
    spec: ModelSpec,
    *,
    input_shapes: Mapping[str, Shape] | None = None,
    seed: int | None = None,
    free_batch: bool = True,
) -> Built:
    """Build a model from a spec.  Nothing of the file is deserialised: every object is our own.

    Args:
        spec: nested or flat.
        input_shapes: batch shapes to take in place of those of the named InputLayers.
        seed: draw every initial weight and random stream from this seed, the layer's path and the
            weight's role alone (as :func:`analyzers.building.reinitialize` does); None leaves the spec's
            own seeds and Keras's global one in force.
        free_batch: leave the batch dimension open even where the file fixes it; stateful layers then forget
            from batch to batch, since what an open batch holds has nothing to do with the batch before.

    Raises:
        Unbuildable: layers outside the allowlist, arguments out of range, shapes that do not fit.
    """
    parts = make_parts(spec, input_shapes or {})
    if parts.problems:
        raise Unbuildable(tuple(parts.problems))
    if free_batch or _has_open_batch(spec):
        for part in parts.made.values():
            forget(part)
    drawn = {}
    if seed is not None:
        drawn = {path: seed_kernel(part, path, seed) for path, part in parts.made.items()}
    builder = _Builder(parts.made, input_shapes or {}, free_batch)
    model = builder.model(spec)
    layers = {path: part for path, part in builder.parts.items() if isinstance(part, keras.Layer)}
    built = Built(spec, model, layers, builder.tensors)
    if seed is not None:
        finish_seeding(built, seed, drawn)
    return built


def _has_open_batch(spec: ModelSpec) -> bool:
    return any(input_shape(spec.layer(ref.layer))[0] is None for ref in spec.inputs)


def is_chain(spec: ModelSpec) -> bool:
    """Whether a Sequential spec can be built as one: each layer called once, on the one before it."""
    if spec.kind != "sequential" or len(spec.layers) < 2 or spec.layers[0].inbound:
        return False
    pairs = zip(spec.layers, spec.layers[1:], strict=False)
    return all(layer.inbound == (Call((TensorRef(before.name),)),) for before, layer in pairs) and (
        spec.outputs == (TensorRef(spec.layers[-1].name),)
    )


def _alone(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else items


@dataclass
class _Builder:
    """Calls the parts in order.  ``parts`` starts with the plain layers and gains inputs and models."""

    parts: dict[str, keras.Operation]
    input_shapes: Mapping[str, Shape]
    free_batch: bool
    tensors: dict[tuple[str, int], Tensors] = field(default_factory=dict)

    def model(self, spec: ModelSpec) -> keras.Model:
        """The model of one (sub)spec."""
        for layer in spec.layers:
            if layer.model is not None:
                self.parts[layer.path] = inner = self.model(layer.model)
                if not layer.trainable:
                    inner.trainable = False
            elif not layer.inbound:
                self.parts[layer.path] = self._input(layer)
        return self._sequential(spec) if is_chain(spec) else self._functional(spec)

    def _input(self, layer: LayerSpec) -> keras.layers.InputLayer:
        shape = self.input_shapes.get(layer.name) or input_shape(layer)
        part = keras.layers.InputLayer(
            batch_shape=(None, *shape[1:]) if self.free_batch else shape,
            dtype=layer.config.get("dtype", "float32"),
            name=legal_name(layer.name),
        )
        self.tensors[layer.path, 0] = (part.output,)
        return part

    def _sequential(self, spec: ModelSpec) -> keras.Sequential:
        try:
            model = keras.Sequential(
                [self.parts[layer.path] for layer in spec.layers], name=legal_name(spec.name)
            )
        except Exception as error:  # Keras has no common base class for what a layer may raise
            failed = next((one for one in spec.layers if not self.parts[one.path].built), spec.layers[-1])
            raise Unbuildable(((failed.path, _reason(error)),)) from error
        for layer in spec.layers[1:]:
            self.tensors[layer.path, 0] = _latest_outputs(self.parts[layer.path])
        return model

    def _functional(self, spec: ModelSpec) -> keras.Model:
        layers = {layer.name: layer for layer in spec.layers}
        values = {(layer.name, 0): self.tensors[layer.path, 0] for layer in spec.layers if not layer.inbound}
        for name, number in call_order(spec):
            layer = layers[name]
            if not layer.inbound:
                continue
            try:
                self._call(self.parts[layer.path], layer.inbound[number], values)
            except Exception as error:  # Keras has no common base class for what a layer may raise
                raise Unbuildable(((layer.path, _reason(error)),)) from error
            outputs = _latest_outputs(self.parts[layer.path])
            values[name, number] = self.tensors[layer.path, number] = outputs
        inputs = [values[ref.layer, ref.call][ref.index] for ref in spec.inputs]
        outputs_ = [values[ref.layer, ref.call][ref.index] for ref in spec.outputs]
        return keras.Model(_alone(inputs), _alone(outputs_), name=legal_name(spec.name))

    def _call(self, part: keras.Operation, call: Call, values: Mapping[tuple[str, int], Tensors]) -> None:
        convert = _operand
        if isinstance(part, keras.Layer):
            convert = _layer_argument
        elif isinstance(part, _TAKING):
            convert = partial(_number_operand, dtype="int32")
        elif not isinstance(part, numpy_ops.GetItem):
            convert = _number_operand
        args = [convert(item, values) for item in call.args]
        kwargs = {key: convert(item, values) for key, item in call.kwargs.items()}
        part(*args, **kwargs)


def _latest_outputs(part: keras.Operation) -> Tensors:
    """The outputs of the part's last call."""
    return tuple(part._inbound_nodes[-1].output_tensors)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines)[:300] or type(error).__name__


def _layer_argument(value: Argument, values: Mapping[tuple[str, int], Tensors]) -> Any:
    """A layer is called with tensors, lists of them, and switches."""
    if isinstance(value, TensorRef):
        return values[value.layer, value.call][value.index]
    if isinstance(value, tuple):
        return [_layer_argument(item, values) for item in value]
    if value is None or isinstance(value, bool):
        return value
    raise RefusedError(f"it is called with {shown(value)}")


_TAKING: Final = (numpy_ops.Take, numpy_ops.TakeAlongAxis)
"""Operations whose lists of numbers are places."""


def _number_operand(
    value: Argument, values: Mapping[tuple[str, int], Tensors], dtype: str = "float32"
) -> Any:
    """An operand of arithmetic: a tensor, a number, or a list of numbers for the last axis."""
    if isinstance(value, tuple) and value and not Call((value,)).inputs:
        return keras.ops.convert_to_tensor(numbers(list(value)), dtype)  # type: ignore[arg-type]
    return _operand(value, values)


def _operand(value: Argument, values: Mapping[tuple[str, int], Tensors]) -> Any:
    """An operation also takes numbers and indices, written as ``analyzers.reading.operations`` does."""
    if isinstance(value, int | float):
        return value
    if value == "...":
        return Ellipsis
    if isinstance(value, tuple):
        return tuple(_operand(item, values) for item in value)
    if isinstance(value, Mapping) and set(value) == {"start", "stop", "step"}:
        bounds = [value[key] for key in ("start", "stop", "step")]
        if all(bound is None or isinstance(bound, int) for bound in bounds):
            return slice(*bounds)
    return _layer_argument(value, values)
