"""Bidirectional, put together from layers that are ours.

Keras's constructor clones the layer it is given by serialising and deserialising it; here both
directions are made from the allowlist and the wrapper's attributes are set as that constructor sets them.
"""

from __future__ import annotations

from typing import Any

import keras

from analyzers.building.checks import RefusedError

_WRAPPED = ("forward_layer", "backward_layer", "layer")
_SHARED = ("stateful", "return_sequences", "return_state")


def bidirectional(
    layer: tuple[keras.Layer, keras.Layer],
    backward_layer: keras.Layer | None,
    merge_mode: str | None,
    **common: Any,
) -> keras.layers.Bidirectional:
    """A ``keras.layers.Bidirectional``.

    Args:
        layer: the wrapped layer, and the same layer made to run backwards.
        backward_layer: takes the place of the second one where a file gives it.
        merge_mode: how the two outputs are joined; None returns both.
        common: ``name``, ``dtype`` and whatever else every layer takes.

    Raises:
        RefusedError: the two directions do not fit together, as Keras defines it.
    """
    forward, mirrored = layer
    backward = mirrored if backward_layer is None else backward_layer
    if not all(hasattr(one, "go_backwards") for one in (forward, backward)):
        raise RefusedError("the wrapped layer is not recurrent")
    if forward.go_backwards == backward.go_backwards:
        raise RefusedError("both directions run the same way")
    if any(getattr(forward, name) != getattr(backward, name) for name in _SHARED):
        raise RefusedError(f"the two directions differ in one of {', '.join(_SHARED)}")
    wrapper = keras.layers.Bidirectional.__new__(keras.layers.Bidirectional)
    keras.Layer.__init__(wrapper, **common)
    forward.name = f"forward_{forward.name.removeprefix('forward_')}"
    if backward_layer is None:
        backward.name = f"backward_{backward.name.removeprefix('backward_')}"
    for one in (forward, backward):
        one.zero_output_for_mask = one.return_sequences
    wrapper.forward_layer, wrapper.backward_layer = forward, backward
    wrapper.merge_mode = merge_mode
    for name in _SHARED:
        setattr(wrapper, name, getattr(forward, name))
    wrapper.supports_masking = True
    wrapper.input_spec = forward.input_spec
    return wrapper


def forget(part: object) -> None:
    """Make an unbuilt recurrent layer, or one that wraps such, start every batch afresh."""
    if getattr(part, "stateful", False):
        setattr(part, "stateful", False)  # noqa: B010 - of whatever class
    for name in _WRAPPED:
        if (inner := getattr(part, name, None)) is not None:
            forget(inner)
