"""Operations in functional graphs: ``x / 127.5 - 1``, ``a + b``, ``x[..., ::-1]``.

Keras 3 saves them as nodes of ``keras.src.ops`` classes, tf.keras 2 as TFOpLambda layers.  Only those of
``analyzers.spec.operations`` are known.  In a spec they appear under the Keras 3 class name with the call's
arguments as written (``Multiply`` with ``args == (tensor, 2.0)``), with two exceptions that make a
graph read the same however it was written: elementwise operations on two tensors of one rank become
the merge layer of that name (``args == ((a, b),)``) unless the file has masks, which only layers hand
on, and parameterless activations become
``Activation``.  An index is a tuple whose slices are ``{"start", "stop", "step"}`` mappings and whose
ellipsis is the string ``"..."``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from analyzers.reading.objects import class_name, plain_value
from analyzers.reading.plain import shown, sub_config
from analyzers.reading.tensorflow_operations import (
    CHOSEN,
    COMPOSED,
    OLD,
    TENSORFLOW,
    TRANSPOSED,
    TensorFlowOperation,
)
from analyzers.spec.model import Argument, Call, Json, Shape, TensorRef
from analyzers.spec.operations import BINARY, SETTINGS, UNARY, UNSET

MERGED: Final = frozenset({"Add", "Subtract", "Multiply", "Maximum", "Minimum"})
"""Operations that have a layer of the same name for two tensors."""

_PAIRS: Final = MERGED | BINARY | {"Matmul", "Take"}
"""Operations that two operands are needed for."""

ACTIVATIONS: Final[dict[str, str]] = {
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Selu": "selu",
    "HardSigmoid": "hard_sigmoid",
    "HardTanh": "hard_tanh",
    "LogSigmoid": "log_sigmoid",
    "HardSilu": "hard_silu",
    "TanhShrink": "tanh_shrink",
    "SparsePlus": "sparse_plus",
    "SparseSigmoid": "sparse_sigmoid",
}
"""Operation -> name of the activation that it is."""

KINDS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(MERGED | UNARY | BINARY | UNSET, frozenset()),
    **SETTINGS,
}
"""Operation -> its settings."""

_LAYERS: Final[dict[str, tuple[str, str]]] = {
    "LeakyRelu": ("LeakyReLU", "negative_slope"),
    "Elu": ("ELU", "alpha"),
}
"""Operation -> the layer that it is, and the one setting of both."""


_LOST: Final = "the file does not say which tensors {function} takes"
"""tf.keras saved a call's first argument and those by name; the operands of tf.einsum are neither."""

_IGNORED: Final = frozenset({"name"})
_LAST: Final = ("NHWC", "NWC", "NDHWC", "N...C", "channels_last")
"""Names of the layout that Keras's operations take."""


@dataclass(frozen=True)
class Operation:
    """One operation as a spec holds it.

    Attributes:
        kind, config, calls: of the layer in the spec.
        problem: why it is not known; None when it is.
        before: an operation whose results this one takes in place of its calls' tensors.
    """

    kind: str
    config: dict[str, Json]
    calls: tuple[Call, ...]
    problem: str | None = None
    before: Operation | None = None


def is_operation(item: Mapping[str, Json]) -> bool:
    """Whether a serialized graph member is an operation of Keras 3: only layers say if they train."""
    module = item.get("module")
    if isinstance(module, str):
        return module.startswith("keras.src.ops")
    kind, config = class_name(item), sub_config(item)
    if kind == "InputLayer" or "trainable" in config:
        return False
    return kind in KINDS or kind in ACTIVATIONS or kind in _LAYERS or set(config) <= _OPERATION_KEYS


_OPERATION_KEYS: Final = frozenset({"name"}).union(*KINDS.values())


def keras_operation(
    item: Mapping[str, Json], calls: tuple[Call, ...], shapes: Mapping[TensorRef, Shape], *, merging: bool
) -> Operation:
    """An operation node of Keras 3.

    Args:
        item: the serialized operation.
        calls: its calls, as written.
        shapes: of the tensors, as far as the file says them.
        merging: whether it may become a merge layer.
    """
    kind = class_name(item)
    config = {key: plain_value(value) for key, value in sub_config(item).items() if key != "name"}
    if (layer := _as_layer(kind, config, calls)) is not None:
        return layer
    if kind not in KINDS:
        problem = f"the operation {shown(kind)} is not one that unstuck builds"
        return Operation(f"ops.{kind}", config, calls, problem)
    config = {key: value for key, value in config.items() if key in KINDS[kind]}
    if merging:
        calls = tuple(_merged(kind, call, shapes) for call in calls)
    return Operation(kind, config, calls)


def _as_layer(kind: str, config: Mapping[str, Json], calls: tuple[Call, ...]) -> Operation | None:
    """The layer that an activation's operation is, None for another operation."""
    if kind in ACTIVATIONS:
        return Operation("Activation", {"activation": ACTIVATIONS[kind], "dtype": "float32"}, calls)
    if kind == "Flatten":
        return Operation(kind, {"dtype": "float32"}, calls)
    if kind == "Reshape":
        return _reshape(config.get("newshape"), calls)
    if kind not in _LAYERS:
        return None
    layer, setting = _LAYERS[kind]
    settings = {setting: config[setting]} if setting in config else {}
    return Operation(layer, {**settings, "dtype": "float32"}, calls)


def _reshape(shape: Json, calls: tuple[Call, ...]) -> Operation:
    """A reshape that leaves the batch alone as the layer of that name; where it does not, the layer's sizes clash."""
    if not isinstance(shape, list) or not shape or shape[0] not in (-1, None):
        return Operation("ops.Reshape", {}, calls, "it gives the batch axis a fixed size")
    return Operation("Reshape", {"target_shape": shape[1:], "dtype": "float32"}, calls)


class _UnreadError(Exception):
    """A TensorFlow function that no operation of Keras 3 is."""


def tensorflow_operation(item: Mapping[str, Json], calls: tuple[Call, ...], *, merging: bool) -> Operation:
    """A TFOpLambda or SlicingOpLambda of tf.keras 2, as the Keras 3 operation it equals.

    ``merging`` says whether it may become a merge layer.
    """
    function = str(sub_config(item).get("function", ""))
    try:
        return _translated(function.removeprefix(OLD), calls, merging)
    except _UnreadError as error:
        problem = str(error).replace("{function}", f"the TensorFlow function {shown(function)}")
        return Operation(class_name(item), {"function": function}, calls, problem)


def _translated(name: str, calls: tuple[Call, ...], merging: bool) -> Operation:
    """The operation that some calls of a TensorFlow function are.

    Raises:
        _UnreadError: none that is known.
    """
    if not calls:
        raise _UnreadError(_LOST)
    if name in COMPOSED:
        first, second = COMPOSED[name]
        taken = tuple(Call((call.inputs[0],)) for call in calls)
        return replace(_translated(second, taken, merging), before=_translated(first, calls, merging))
    chosen = CHOSEN[name](calls[0].kwargs) if name in CHOSEN and len(calls) == 1 else None
    if chosen is not None:
        return Operation(chosen.kind, chosen.config, (Call((*calls[0].args, *chosen.operands)),))
    if name not in TENSORFLOW:
        raise _UnreadError("runs {function}")
    known = TENSORFLOW[name]
    kind, config = known.kind, dict(known.defaults)
    written = tuple(_written(known, call, config) for call in calls)
    if switched := {one for call in calls for one in _switches(known, call)}:
        if len(calls) > 1:
            raise _UnreadError("transposes in several calls of {function}")
        kind = "Einsum"
        first, second = (axes[one in switched] for one, axes in TRANSPOSED.items())
        config["subscripts"] = f"...{first},...{second}->...ik"
    if merging:
        written = tuple(_merged(kind, call, {}) for call in written)
    return _as_layer(kind, config, written) or Operation(kind, config, written)


def _written(known: TensorFlowOperation, call: Call, config: dict[str, Json]) -> Call:
    """One call with its operands alone; its settings join ``config``.

    Raises:
        _UnreadError: an argument says what the operation cannot.
    """
    operands = list(call.args)
    switches = _switches(known, call)
    for name, value in call.kwargs.items():
        if name in known.operands:
            operands.insert(known.operands.index(name), value)
        elif name in known.settings and not Call((value,)).inputs:
            setting = known.settings[name]
            config[setting] = known.convert.get(setting, _unchanged)(_json(value))
        elif name not in switches and name not in known.aside and not _says_nothing(name, value):
            raise _UnreadError(f"passes {shown(name)} to {{function}}")
    if len(operands) < len(known.operands) and known.kind in _PAIRS:
        raise _UnreadError(_LOST)
    return Call(tuple(operands))


def _switches(known: TensorFlowOperation, call: Call) -> set[str]:
    """The operands that a matrix product transposes."""
    if known.kind != "Matmul":
        return set()
    return {name for name, value in call.kwargs.items() if name in TRANSPOSED and value is True}


def _says_nothing(name: str, value: Argument) -> bool:
    return name in _IGNORED or value in (None, False) or (name == "data_format" and value in _LAST)


def _unchanged(value: Json) -> Json:
    return value


def _merged(kind: str, call: Call, shapes: Mapping[TensorRef, Shape]) -> Call:
    """``kind(a, b)`` on two tensors of one rank as the merge layer's ``kind([a, b])``."""
    operands = (*call.args, *call.kwargs.values())
    if kind not in MERGED or len(operands) != 2:
        return call
    first, second = operands
    if not isinstance(first, TensorRef) or not isinstance(second, TensorRef):
        return call
    if len(shapes.get(first, ())) != len(shapes.get(second, ())):
        return call
    return Call(((first, second),))


def _json(value: Argument) -> Json:
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, Mapping | TensorRef):
        return None
    return value
