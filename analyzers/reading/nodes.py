"""Inbound nodes: how a layer is called, in the form of Keras 3 and in that of Keras 1 and 2.

References are read as written; :mod:`analyzers.reading.architecture` settles call numbers and names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from analyzers.errors import InputError
from analyzers.reading.plain import as_list, shown, sub_config
from analyzers.spec.kinds import RECURRENT
from analyzers.spec.model import Argument, Call, Json, Shape, TensorRef

MAX_CONSTANT: Final = 10_000
"""Elements of a constant array in a call."""

_CONSTANT: Final = "_CONSTANT_VALUE"


def map_refs(value: Argument, change: Callable[[TensorRef], TensorRef]) -> Argument:
    """``value`` with every tensor reference replaced."""
    if isinstance(value, TensorRef):
        return change(value)
    if isinstance(value, tuple):
        return tuple(map_refs(item, change) for item in value)
    if isinstance(value, Mapping):
        return {key: map_refs(item, change) for key, item in value.items()}
    return value


def map_call(call: Call, change: Callable[[TensorRef], TensorRef]) -> Call:
    """``call`` with every tensor reference replaced."""
    args = tuple(map_refs(item, change) for item in call.args)
    return Call(args, {key: map_refs(item, change) for key, item in call.kwargs.items()})


def calls(
    nodes: Json, kind: str, members: Collection[str], shapes: dict[TensorRef, Shape]
) -> tuple[Call, ...]:
    """Every call of one layer.

    Args:
        nodes: the layer's ``inbound_nodes``.
        kind: the layer's class name; recurrent layers of Keras 2 take states as extra inbound tensors.
        members: names of the model's layers, to tell a reference from a plain list.
        shapes: filled with the shapes of the tensors that the nodes describe.

    Raises:
        InputError: ``invalid-config``, a node cannot be read.
    """
    found = []
    for node in as_list(nodes if nodes is not None else [], "inbound_nodes"):
        if isinstance(node, dict) and "args" in node:
            found.append(_current(node, shapes))
        elif node:
            found.append(_legacy(node, kind, members))
    return tuple(call for call in found if call.inputs)


def _kept(kwargs: Mapping[str, Argument]) -> dict[str, Argument]:
    """Call arguments that say something: Keras records None for defaults and ``training`` as it stood."""
    return {
        key: value
        for key, value in kwargs.items()
        if value is not None and not (key == "training" and value is not True)
    }


def _current(node: Mapping[str, Json], shapes: dict[TensorRef, Shape]) -> Call:
    args = tuple(_argument(item, shapes) for item in as_list(node["args"], "a call's args"))
    kwargs = node.get("kwargs")
    named = {key: _argument(item, shapes) for key, item in kwargs.items()} if isinstance(kwargs, dict) else {}
    if not args and "inputs" in named:
        args = (named.pop("inputs"),)
    return Call(tuple(_sorted_values(item) for item in args), _kept(named))


def _sorted_values(value: Argument) -> Argument:
    """A mapping of tensors as the tuple that Keras flattens it to: values in the order of their keys."""
    if isinstance(value, Mapping) and any(isinstance(item, TensorRef) for item in value.values()):
        return tuple(value[key] for key in sorted(value))
    return value


def _argument(value: Json, shapes: dict[TensorRef, Shape]) -> Argument:
    if isinstance(value, list):
        return tuple(_argument(item, shapes) for item in value)
    if not isinstance(value, dict):
        return value
    read = _SERIALIZED.get(str(value.get("class_name")))
    if read is not None:
        return read(value, shapes)
    if "class_name" in value:
        raise InputError("invalid-config", f"a call takes a {shown(value['class_name'])}")
    return {key: _argument(item, shapes) for key, item in value.items()}


def _tensor(value: Mapping[str, Json], shapes: dict[TensorRef, Shape]) -> Argument:
    config = sub_config(value)
    ref = reference(config.get("keras_history"))
    shape = config.get("shape")
    if isinstance(shape, list):
        shapes[ref] = tuple(size if isinstance(size, int) else None for size in shape)
    return ref


def _tuple(value: Mapping[str, Json], shapes: dict[TensorRef, Shape]) -> Argument:
    return tuple(_argument(item, shapes) for item in as_list(value.get("items"), "a tuple"))


def _slice(value: Mapping[str, Json], shapes: dict[TensorRef, Shape]) -> Argument:
    config = sub_config(value)
    return {key: _argument(config.get(key), shapes) for key in ("start", "stop", "step")}


def _ellipsis(_value: Mapping[str, Json], _shapes: dict[TensorRef, Shape]) -> Argument:
    return "..."


def _constant(value: Mapping[str, Json], _shapes: dict[TensorRef, Shape]) -> Argument:
    """An array that was written into a call, as nested tuples; what is no number becomes None."""
    budget = MAX_CONSTANT

    def numbers(item: Json) -> Argument:
        nonlocal budget
        if isinstance(item, list):
            return tuple(numbers(inner) for inner in item)
        budget -= 1
        if budget < 0:
            raise InputError(
                "too-many-objects", f"a call holds a constant of more than {MAX_CONSTANT} elements"
            )
        return item if isinstance(item, int | float) else None

    return numbers(sub_config(value).get("value"))


_SERIALIZED: Final[dict[str, Callable[[Mapping[str, Json], dict[TensorRef, Shape]], Argument]]] = {
    "__keras_tensor__": _tensor,
    "__tuple__": _tuple,
    "__slice__": _slice,
    "__ellipsis__": _ellipsis,
    "__numpy__": _constant,
    "__tensor__": _constant,
}
"""Class name of a serialized argument -> how it is read."""


def reference(value: Json) -> TensorRef:
    """A tensor as Keras writes it: ``[layer name, node index, tensor index]``.

    Raises:
        InputError: ``invalid-config``, it has another form.
    """
    if is_reference(value) and isinstance(value, list):
        call, index = int(str(value[1])), int(str(value[2]))
        if min(call, index) >= 0:
            return TensorRef(str(value[0]), call, index)
    raise InputError("invalid-config", f"{shown(value)} does not name a tensor")


def is_reference(value: Json) -> bool:
    """Whether a value has the form of a tensor reference."""
    return (
        isinstance(value, list)
        and len(value) >= 3
        and isinstance(value[0], str)
        and all(type(number) is int for number in value[1:3])
    )


def references(value: Json) -> tuple[TensorRef, ...]:
    """Every tensor of ``input_layers`` or ``output_layers``, in the order of the model's tensors."""
    if is_reference(value):
        return (reference(value),)
    if isinstance(value, list):
        return tuple(ref for item in value for ref in references(item))
    if isinstance(value, dict):
        return tuple(ref for key in sorted(value) for ref in references(value[key]))
    raise InputError("invalid-config", f"{shown(value)} does not name tensors")


def _legacy(node: Json, kind: str, members: Collection[str]) -> Call:
    """A node of Keras 1 and 2: ``[[layer, node, tensor, kwargs], ...]``, or one such entry unwrapped."""
    reader = _LegacyNode(members)
    inputs = reader.inputs(node)
    if isinstance(inputs, tuple) and len(inputs) == 1:
        inputs = inputs[0]
    if kind in RECURRENT and isinstance(inputs, tuple):
        reader.kwargs["initial_state"] = inputs[1:]
        inputs = inputs[0]
    return Call((inputs,), _kept(reader.kwargs))


class _LegacyNode:
    """Reads one node of Keras 1 and 2; every entry repeats the call's ``kwargs``."""

    def __init__(self, members: Collection[str]) -> None:
        self._members = members
        self.kwargs: dict[str, Argument] = {}

    def inputs(self, value: Json) -> Argument:
        """The inbound tensors, in the structure that the layer was called with."""
        if isinstance(value, dict):
            return tuple(self.inputs(value[key]) for key in sorted(value))
        if type(value) in (int, float):
            return self._argument(value)
        if isinstance(value, list) and not (value and isinstance(value[0], str)):
            return tuple(self.inputs(item) for item in value)
        if not isinstance(value, list) or len(value) < 3:
            raise InputError("invalid-config", "an inbound node names no tensor")
        if len(value) > 3 and isinstance(value[3], dict):
            self.kwargs.update({key: self._argument(item) for key, item in value[3].items()})
        return self._argument(value) if value[0] == _CONSTANT else reference(value)

    def _argument(self, value: Json) -> Argument:
        if isinstance(value, list):
            if is_reference(value) and value[0] in self._members:
                return reference(value)
            if len(value) >= 3 and value[0] == _CONSTANT:
                return self._argument(value[2])
            return tuple(self._argument(item) for item in value)
        if isinstance(value, dict):
            if "class_name" in value:
                return _argument(value, {})
            return {key: self._argument(item) for key, item in value.items()}
        return value
