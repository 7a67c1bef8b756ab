"""Random augmentation, switched off while the probe trains.

Augmentation keeps what makes a photograph's class and changes the rest.  What makes the class of a synthetic
image is not what flips, rotations and shifts of brightness leave alone, so they would change labels, not
samples; and the samples are new in every step anyway.  What augmentation does to real images is judged by the
rules.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import keras

from analyzers.spec import ModelSpec, kinds

SAID: Final = "Random augmentation was switched off: the probe's samples are new in every step."


def augments(spec: ModelSpec) -> bool:
    """Whether the model holds a layer of random augmentation."""
    return any(layer.kind in kinds.AUGMENTATIONS for layer in spec.walk())


def switch_off(layer: keras.Layer) -> None:
    """Let an augmentation layer do in training what it does in inference."""
    layer.call = partial(_call, layer.call)


def _call(plain: Any, inputs: Any, training: bool | None = None) -> Any:
    del training
    return plain(inputs, training=False)
