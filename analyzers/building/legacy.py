"""What files need that no class of Keras 3 computes.  ``fix.code`` quotes the source of whatever it uses."""

from __future__ import annotations

from typing import Any

import keras


def legacy_hard_sigmoid() -> keras.Sequential:
    """The hard sigmoid of Keras before version 3, clip(0.2 x + 0.5, 0, 1); that of Keras 3 has slope 1/6."""
    return keras.Sequential(
        [
            keras.layers.Rescaling(0.2, 0.5, name="slope"),
            keras.layers.ReLU(1.0, name="clip"),
        ],
        name="legacy_hard_sigmoid",
    )


class InstanceNormalization(keras.layers.Layer):  # type: ignore[misc]
    """keras-contrib's layer: (x - mean) / (standard deviation + epsilon) over every sample by itself.

    Args:
        axis: the axis that keeps statistics of its own, usually the channels; None for none.
        epsilon: added to the standard deviation.
        center, scale: whether there is a ``beta`` and a ``gamma``, one for each channel.
        beta_initializer, gamma_initializer: their initialisers; likewise regularisers and constraints.
    """

    def __init__(
        self,
        *,
        axis: int | None = None,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make ``gamma`` and ``beta``."""
        size = 1 if self.axis is None else input_shape[self.axis]
        for role in (["gamma"] if self.scale else []) + (["beta"] if self.center else []):
            weight = self.add_weight(
                shape=(size,),
                name=role,
                initializer=getattr(self, f"{role}_initializer"),
                regularizer=getattr(self, f"{role}_regularizer"),
                constraint=getattr(self, f"{role}_constraint"),
            )
            setattr(self, role, weight)

    def call(self, inputs: Any) -> Any:
        """Normalise every sample."""
        rank = len(inputs.shape)
        kept = None if self.axis is None else self.axis % rank
        axes = [axis for axis in range(1, rank) if axis != kept]
        shape = [inputs.shape[axis] if axis == kept else 1 for axis in range(rank)]
        mean = keras.ops.mean(inputs, axis=axes, keepdims=True)
        outputs = (inputs - mean) / (keras.ops.std(inputs, axis=axes, keepdims=True) + self.epsilon)
        if self.scale:
            outputs = outputs * keras.ops.reshape(self.gamma, shape)
        if self.center:
            outputs = outputs + keras.ops.reshape(self.beta, shape)
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        config: dict[str, Any] = super().get_config()
        config |= {"axis": self.axis, "epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        for role in ("beta", "gamma"):
            for what in ("initializer", "regularizer", "constraint"):
                value = getattr(self, f"{role}_{what}")
                config[f"{role}_{what}"] = keras.saving.serialize_keras_object(value)
        return config
