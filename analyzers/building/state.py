"""The values of a built model's variables: drawn afresh from a seed, or copied from saved tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import keras
from keras import initializers, layers
from keras.src.applications.convnext import LayerScale
from keras.src.initializers.random_initializers import RandomInitializer
from keras.src.layers.convolutional.base_conv import BaseConv
from keras.src.layers.convolutional.base_conv_transpose import BaseConvTranspose

from analyzers.building.built import Built
from analyzers.spec import TensorInfo, Weights, by_layer

_ADAPTED: Final = layers.Normalization
"""Its statistics are data: no initialiser drew them, none may."""

_LSTM_GATES: Final = 4
"""Equal parts of an LSTM's bias, convolutional or not: input, forget, cell and output gate."""

_WITH_KERNEL: Final = (layers.Dense, BaseConv, BaseConvTranspose)
"""Layers that draw a ``kernel`` of their own with ``kernel_initializer`` alone."""


def derived_seed(seed: int, path: str, role: str) -> int:
    """A seed in [0, 2^31) that depends on nothing but its arguments, in any process."""
    text = f"{seed}\0{path}\0{role}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> 1


def variables(layer: keras.Layer) -> dict[str, keras.Variable]:
    """The weights of one layer by role, in Keras's creation order.

    A recurrent layer's cell and a wrapper's only layer add nothing to the role: an LSTM has a
    ``kernel``, a Bidirectional a ``forward/kernel``, a MultiHeadAttention a ``query/kernel``.
    A nested model has none of its own.
    """
    return {role: variable for role, _, variable in _owned(layer)}


def _owned(layer: keras.Layer) -> Iterator[tuple[str, keras.Layer, keras.Variable]]:
    for prefix, owner in _owners(layer, ""):
        borrowed = isinstance(owner, layers.SpectralNormalization)  # its kernel is the wrapped layer's
        own = () if borrowed else owner._trainable_variables
        for variable in (*own, *owner._non_trainable_variables):
            name = "gamma" if isinstance(owner, LayerScale) else variable.name
            yield f"{prefix}{name}", owner, variable


def _owners(layer: keras.Layer, prefix: str) -> Iterator[tuple[str, keras.Layer]]:
    if isinstance(layer, keras.Model):
        return
    yield prefix, layer
    own = bool(layer._trainable_variables or layer._non_trainable_variables)
    for sublayer in layer._layers:
        if isinstance(layer, layers.Bidirectional):
            part = "forward/" if sublayer is layer.forward_layer else "backward/"
        else:
            alone = len(layer._layers) == 1 and (not own or isinstance(layer, layers.SpectralNormalization))
            part = "" if alone else f"{sublayer.name}/"
        yield from _owners(sublayer, prefix + part)


def reinitialize(built: Built, seed: int, *, paths: frozenset[str] | None = None) -> None:
    """Draw the weights of a built model afresh, in place, so that one compiled graph serves many seeds.

    Every weight comes from its own initialiser under a seed made of ``seed``, the layer's path and the
    weight's role: the same values as ``build(..., seed=seed)`` gives, whatever was drawn before.
    Random streams (dropout, augmentation) start over, BatchNormalization's moving statistics go back to
    their initial values; the adapted statistics of Normalization layers are data and stay.

    Args:
        built: from :func:`analyzers.building.build`.
        seed: any whole number.
        paths: the layers to treat; None for all of them.
    """
    for path, layer in built.layers.items():
        if paths is None or path in paths:
            _redraw(layer, path, seed, frozenset())


def seed_kernel(layer: keras.Operation, path: str, seed: int) -> frozenset[str]:
    """Make an unbuilt layer draw its kernel as :func:`reinitialize` would: the largest weights, once.

    The layer's config keeps the seed of the spec.

    Returns:
        The roles that need no drawing once the layer is built.
    """
    source = getattr(layer, "kernel_initializer", None)
    if not isinstance(layer, _WITH_KERNEL) or not isinstance(source, RandomInitializer):
        return frozenset()
    source.seed = derived_seed(seed, path, "kernel")
    return frozenset({"kernel"})


def finish_seeding(built: Built, seed: int, drawn: Mapping[str, frozenset[str]]) -> None:
    """Draw every weight that :func:`seed_kernel` did not."""
    for path, layer in built.layers.items():
        _redraw(layer, path, seed, drawn.get(path, frozenset()))


def _redraw(layer: keras.Layer, path: str, seed: int, drawn: frozenset[str]) -> None:
    for role, owner, variable in _owned(layer):
        if not isinstance(owner, _ADAPTED) and role not in drawn:
            variable.assign(_drawn(owner, role, variable, derived_seed(seed, path, role)))
    for prefix, owner in _owners(layer, ""):
        for number, generator in enumerate(owner._seed_generators):
            role = f"{prefix}seed_generator_{number}"
            generator.state.assign([derived_seed(seed, path, role), 0])


def _drawn(owner: keras.Layer, role: str, variable: keras.Variable, seed: int) -> Any:
    """A fresh value for one variable of ``owner``, from the initialiser that Keras itself would use."""
    name = role.rpartition("/")[2]
    source = _initializer(owner, name)
    if isinstance(source, RandomInitializer):
        settings = {**source.get_config(), "seed": seed}
        if isinstance(owner, layers.EinsumDense) and isinstance(source, initializers.VarianceScaling):
            settings["input_axes"], settings["output_axes"] = _einsum_axes(owner.equation)
        source = type(source)(**settings)
    value = source(variable.shape, dtype=variable.dtype)
    if name == "bias" and getattr(owner, "unit_forget_bias", False):
        units = variable.shape[0] // _LSTM_GATES
        ones = keras.ops.ones((units,), dtype=variable.dtype)
        value = keras.ops.concatenate([value[:units], ones, value[2 * units :]])
    return value


def _initializer(owner: keras.Layer, name: str) -> Any:
    """The initialiser of a variable: the layer's setting, or what the layer's code says."""
    if isinstance(owner, LayerScale):
        return initializers.Constant(owner.init_values)
    if isinstance(owner, layers.SpectralNormalization):
        return initializers.TruncatedNormal(stddev=0.02)
    for setting in (name, name.removesuffix("_kernel"), "depthwise"):
        if (found := getattr(owner, f"{setting}_initializer", None)) is not None:
            return found
    if isinstance(owner, layers.AdditiveAttention):
        return initializers.GlorotUniform()
    return initializers.Ones()


def _einsum_axes(equation: str) -> tuple[list[int], list[int]]:
    """Which axes of an EinsumDense kernel are inputs and which outputs, as Keras counts its fans."""
    kernel, _, output = equation.partition(",")[2].partition("->")
    inputs = [axis for axis, letter in enumerate(kernel) if letter not in output]
    return inputs, [axis for axis, letter in enumerate(kernel) if letter in output]


def assign_weights(built: Built, weights: Weights, *, skip: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Copy saved tensors into a built model, one tensor at a time.

    A layer's tensors are found by its path and matched by role; where the roles are not the layer's own
    (a wrapper's inner names differ between Keras versions) by order, if every shape agrees.

    Args:
        built: from :func:`analyzers.building.build`.
        weights: the saved tensors.
        skip: paths of layers that keep their values.

    Returns:
        Paths of layers with weights that got none: no saved tensors, or other shapes.
    """
    saved = by_layer(weights.tensors)
    missed = []
    for path, layer in built.layers.items():
        ours = variables(layer)
        if not ours or path in skip:
            continue
        pairs = _matched(ours, saved.get(path, ()))
        if pairs is None:
            missed.append(path)
            continue
        for variable, tensor in pairs:
            variable.assign(weights.load(tensor))
        if isinstance(layer, _ADAPTED):
            layer.finalize_state()
    return tuple(missed)


def _matched(
    ours: dict[str, keras.Variable], saved: Sequence[TensorInfo]
) -> list[tuple[keras.Variable, TensorInfo]] | None:
    """Pairs of variable and saved tensor, or None where they do not fit."""
    by_role = {tensor.role: tensor for tensor in saved}
    if set(ours) <= set(by_role):
        pairs = [(variable, by_role[role]) for role, variable in ours.items()]
    elif len(ours) == len(saved):
        pairs = list(zip(ours.values(), saved, strict=True))
    else:
        return None
    return pairs if all(tuple(variable.shape) == tensor.shape for variable, tensor in pairs) else None
