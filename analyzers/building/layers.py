"""The allowlist: every layer that the builder makes, with the checks of its arguments.

One line a kind.  A kind that is not here is not built, whatever it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import keras
from keras import layers as kl
from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from analyzers.building import objects as ob
from analyzers.building.augmentation import AUGMENTATIONS
from analyzers.building.checks import (
    AXES,
    AXIS,
    DATA_FORMAT,
    EPSILON,
    MAX_SIZE,
    RATE,
    SEED,
    Argument,
    RefusedError,
    choice,
    either,
    equation,
    flag,
    integer,
    letters,
    listed,
    number,
    numbers,
    optional,
    required,
    shown,
    sizes,
)
from analyzers.building.keras3 import KERAS3
from analyzers.building.legacy import InstanceNormalization
from analyzers.building.objects import Recipe
from analyzers.building.reshaping import RESHAPING
from analyzers.building.wrapping import bidirectional
from analyzers.spec import Json

_COUNT: Final = required(integer(1))
_SIZE: Final = required(integer(1, MAX_SIZE))


def _activation(value: Json) -> Any:
    """An activation: a function by name, or a layer made from this very table."""
    return make_nested(value) if isinstance(value, dict) else ob.activation_function(value)


LINEAR: Final = Argument(_activation)
TANH: Final = Argument(_activation, "tanh")
SIGMOID: Final = Argument(_activation, "sigmoid")


def _weights(*roles: str, **initializers: Argument) -> dict[str, Argument]:
    """The regulariser and constraint of each role, and the initialisers as given."""
    settings = {
        f"{role}_{what}": getattr(ob, what.upper())
        for role in roles
        for what in ("regularizer", "constraint")
    }
    return {**settings, **{f"{role}_initializer": default for role, default in initializers.items()}}


_KERNEL: Final = {
    "activation": LINEAR,
    "use_bias": ob.YES,
    **_weights("kernel", "bias", kernel=ob.GLOROT, bias=ob.ZEROS),
}
_DEPTHWISE: Final = {
    "activation": LINEAR,
    "use_bias": ob.YES,
    "depth_multiplier": Argument(integer(1), 1),
    **_weights("depthwise", "bias", depthwise=ob.GLOROT, bias=ob.ZEROS),
}
_SEPARABLE: Final = {
    **_DEPTHWISE,
    "filters": _COUNT,
    **_weights("pointwise", pointwise=ob.GLOROT),
}
_NORM: Final = {
    "epsilon": Argument(EPSILON, 0.001),
    "center": ob.YES,
    "scale": ob.YES,
    **_weights("beta", "gamma", beta=ob.ZEROS, gamma=ob.ONES),
}


def _window(rank: int, *paddings: str) -> dict[str, Argument]:
    return {
        "kernel_size": required(sizes(rank)),
        "strides": Argument(sizes(rank), 1),
        "padding": Argument(choice("valid", "same", *paddings), "valid"),
        "data_format": DATA_FORMAT,
        "dilation_rate": Argument(sizes(rank), 1),
    }


def _convolutions() -> dict[str, Recipe]:
    table = {}
    for rank in (1, 2, 3):
        causal = ("causal",) if rank == 1 else ()
        plain = {"filters": _COUNT, "groups": Argument(integer(1), 1), **_window(rank, *causal), **_KERNEL}
        transposed = {"filters": _COUNT, **_window(rank), **_KERNEL,
                      "output_padding": Argument(optional(sizes(rank, 0)))}  # fmt: skip
        table[f"Conv{rank}D"] = Recipe(getattr(kl, f"Conv{rank}D"), plain)
        table[f"Conv{rank}DTranspose"] = Recipe(getattr(kl, f"Conv{rank}DTranspose"), transposed)
    for rank in (1, 2):
        causal = ("causal",) if rank == 1 else ()
        table[f"DepthwiseConv{rank}D"] = Recipe(
            getattr(kl, f"DepthwiseConv{rank}D"), {**_window(rank), **_DEPTHWISE}
        )
        table[f"SeparableConv{rank}D"] = Recipe(
            getattr(kl, f"SeparableConv{rank}D"), {**_window(rank, *causal), **_SEPARABLE}
        )
    return table


def _poolings() -> dict[str, Recipe]:
    table = {}
    for rank in (1, 2, 3):
        for how in ("Max", "Average"):
            size = Argument(sizes(rank), 2) if how == "Max" else required(sizes(rank))
            table[f"{how}Pooling{rank}D"] = Recipe(
                getattr(kl, f"{how}Pooling{rank}D"),
                {
                    "pool_size": size,
                    "strides": Argument(optional(sizes(rank))),
                    "padding": Argument(choice("valid", "same"), "valid"),
                    "data_format": DATA_FORMAT,
                },
            )
            table[f"Global{how}Pooling{rank}D"] = Recipe(
                getattr(kl, f"Global{how}Pooling{rank}D"), {"data_format": DATA_FORMAT, "keepdims": ob.FLAG}
            )
    return table


_ACTIVATIONS: Final[dict[str, Recipe]] = {
    "Activation": Recipe(kl.Activation, {"activation": required(_activation)}),
    "ReLU": Recipe(
        kl.ReLU,
        {
            "max_value": Argument(optional(number(0))),
            "negative_slope": Argument(number(0), 0.0),
            "threshold": Argument(number(0), 0.0),
        },
    ),
    "LeakyReLU": Recipe(kl.LeakyReLU, {"negative_slope": Argument(number(0), 0.3)}),
    "ELU": Recipe(kl.ELU, {"alpha": Argument(number(), 1.0)}),
    "PReLU": Recipe(kl.PReLU, {"shared_axes": Argument(optional(AXES)), **_weights("alpha", alpha=ob.ZEROS)}),
    "Softmax": Recipe(kl.Softmax, {"axis": Argument(AXES, -1)}),
}

_MERGES: Final[dict[str, Recipe]] = {
    **{
        name: Recipe(getattr(kl, name), {})
        for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
    },
    "Concatenate": Recipe(kl.Concatenate, {"axis": Argument(AXIS, -1)}),
    "Dot": Recipe(kl.Dot, {"axes": required(AXES), "normalize": ob.FLAG}),
}

_NORMALIZATIONS: Final[dict[str, Recipe]] = {
    "BatchNormalization": Recipe(
        kl.BatchNormalization,
        {
            **_NORM,
            "axis": Argument(AXIS, -1),
            "momentum": Argument(RATE, 0.99),
            "moving_mean_initializer": ob.ZEROS,
            "moving_variance_initializer": ob.ONES,
            "synchronized": ob.NO,
            "renorm": ob.NO,
            "renorm_clipping": ob.NEVER,
            "renorm_momentum": Argument(RATE, 0.99),
        },
    ),
    "LayerNormalization": Recipe(
        kl.LayerNormalization, {**_NORM, "axis": Argument(AXES, -1), "rms_scaling": ob.NO}
    ),
    "GroupNormalization": Recipe(
        kl.GroupNormalization, {**_NORM, "groups": Argument(integer(-1), 32), "axis": Argument(AXIS, -1)}
    ),
    "RMSNormalization": Recipe(
        kl.RMSNormalization, {"axis": Argument(AXES, -1), "epsilon": Argument(EPSILON, 1e-6)}
    ),
    "InstanceNormalization": Recipe(InstanceNormalization, {**_NORM, "axis": Argument(optional(AXIS))}),
    "UnitNormalization": Recipe(kl.UnitNormalization, {"axis": Argument(AXES, -1)}),
}

_NOISE_SHAPE: Final = Argument(optional(listed(optional(integer(1)))))
_NOISE: Final[dict[str, Recipe]] = {
    "Dropout": Recipe(kl.Dropout, {"rate": required(RATE), "noise_shape": _NOISE_SHAPE, "seed": SEED}),
    "AlphaDropout": Recipe(
        kl.AlphaDropout, {"rate": required(RATE), "noise_shape": _NOISE_SHAPE, "seed": SEED}
    ),
    "SpatialDropout1D": Recipe(kl.SpatialDropout1D, {"rate": required(RATE), "seed": SEED}),
    **{
        f"SpatialDropout{rank}D": Recipe(
            getattr(kl, f"SpatialDropout{rank}D"),
            {"rate": required(RATE), "seed": SEED, "data_format": DATA_FORMAT},
        )
        for rank in (2, 3)
    },
    "GaussianDropout": Recipe(kl.GaussianDropout, {"rate": required(RATE), "seed": SEED}),
    "GaussianNoise": Recipe(kl.GaussianNoise, {"stddev": required(number(0)), "seed": SEED}),
    "ActivityRegularization": Recipe(
        kl.ActivityRegularization, {"l1": Argument(number(0), 0.0), "l2": Argument(number(0), 0.0)}
    ),
    "StochasticDepth": Recipe(StochasticDepth, {"drop_path_rate": required(RATE)}),
}

_SCALING: Final[dict[str, Recipe]] = {
    "Rescaling": Recipe(kl.Rescaling, {"scale": required(numbers), "offset": Argument(numbers, 0.0)}),
    "Normalization": Recipe(
        kl.Normalization,
        {
            "axis": Argument(optional(AXES), -1),
            "mean": Argument(optional(numbers)),
            "variance": Argument(optional(numbers)),
            "invert": ob.FLAG,
        },
    ),
    "LayerScale": Recipe(LayerScale, {"init_values": required(number()), "projection_dim": _COUNT}),
    "CustomScaleLayer": Recipe(CustomScaleLayer, {"scale": required(number())}),
}

_UNTUNED: Final = dict.fromkeys(("lora_rank", "lora_alpha", "quantization_config"), ob.NEVER)
_DENSE: Final[dict[str, Recipe]] = {
    "Dense": Recipe(
        kl.Dense,
        {
            "units": _COUNT,
            **_KERNEL,
            **_UNTUNED,
        },
    ),
    "EinsumDense": Recipe(
        kl.EinsumDense,
        {
            "equation": required(equation),
            "output_shape": required(either(integer(1), listed(optional(integer(1)), 1))),
            "bias_axes": Argument(optional(letters)),
            **{key: value for key, value in _KERNEL.items() if key != "use_bias"},
            **_UNTUNED,
            "gptq_unpacked_column_size": ob.NEVER,
            "quantization_config": ob.NEVER,
        },
    ),
    "Embedding": Recipe(
        kl.Embedding,
        {
            "input_dim": _COUNT,
            "output_dim": _COUNT,
            **_weights("embeddings", embeddings=ob.UNIFORM),
            "mask_zero": ob.FLAG,
            "weights": ob.NEVER,
            **_UNTUNED,
        },
    ),
}


_RECURRENT: Final[dict[str, Argument]] = {
    "units": _COUNT,
    "activation": TANH,
    "use_bias": ob.YES,
    **_weights("kernel", "recurrent", "bias", kernel=ob.GLOROT, recurrent=ob.ORTHOGONAL, bias=ob.ZEROS),
    "dropout": Argument(RATE, 0.0),
    "recurrent_dropout": Argument(RATE, 0.0),
    "seed": SEED,
    "return_sequences": ob.FLAG,
    "return_state": ob.FLAG,
    "go_backwards": ob.FLAG,
    "stateful": ob.FLAG,
    "unroll": ob.FLAG,
}


def _inner_layer(value: Json) -> keras.Layer:
    """A wrapped layer."""
    return make_nested(value)


def _both_directions(value: Json) -> tuple[keras.Layer, keras.Layer]:
    """A wrapped recurrent layer, and the same made to run backwards."""
    kind, config = ob.kind_and_config(value)
    return make_nested(value), make_nested({"kind": kind, "config": {**config, "go_backwards": True}})


def _conv_lstms() -> dict[str, Recipe]:
    stepwise = {key: value for key, value in _RECURRENT.items() if key not in ("units", "unroll")}
    return {
        f"ConvLSTM{rank}D": Recipe(
            getattr(kl, f"ConvLSTM{rank}D"),
            {
                "filters": _COUNT,
                **_window(rank),
                **stepwise,
                "recurrent_activation": SIGMOID,
                "unit_forget_bias": ob.YES,
            },
        )
        for rank in (1, 2, 3)
    }


_SEQUENCES: Final[dict[str, Recipe]] = {
    "SimpleRNN": Recipe(kl.SimpleRNN, _RECURRENT),
    "LSTM": Recipe(kl.LSTM, {**_RECURRENT, "recurrent_activation": SIGMOID, "unit_forget_bias": ob.YES}),
    "GRU": Recipe(kl.GRU, {**_RECURRENT, "recurrent_activation": SIGMOID, "reset_after": ob.YES}),
    **_conv_lstms(),
    "TimeDistributed": Recipe(kl.TimeDistributed, {"layer": required(_inner_layer)}),
    "SpectralNormalization": Recipe(
        kl.SpectralNormalization,
        {"layer": required(_inner_layer), "power_iterations": Argument(integer(1, 100), 1)},
    ),
    "Bidirectional": Recipe(
        bidirectional,
        {
            "layer": required(_both_directions),
            "backward_layer": Argument(optional(_inner_layer)),
            "merge_mode": Argument(choice("sum", "mul", "ave", "concat", None), "concat"),
        },
    ),
    "MultiHeadAttention": Recipe(
        kl.MultiHeadAttention,
        {
            "num_heads": _SIZE,
            "key_dim": _COUNT,
            "value_dim": Argument(optional(integer(1))),
            "dropout": Argument(RATE, 0.0),
            "use_bias": ob.YES,
            "use_gate": ob.FLAG,
            "output_shape": Argument(optional(either(integer(1), listed(integer(1), 1)))),
            "attention_axes": Argument(optional(AXES)),
            "sliding_window": Argument(optional(integer(1))),
            "flash_attention": Argument(optional(flag)),
            **_weights("kernel", "bias", kernel=ob.GLOROT, bias=ob.ZEROS),
            "seed": SEED,
        },
    ),
    "Attention": Recipe(
        kl.Attention,
        {
            "use_scale": ob.FLAG,
            "score_mode": Argument(choice("dot", "concat"), "dot"),
            "dropout": Argument(RATE, 0.0),
            "seed": SEED,
        },
    ),
    "AdditiveAttention": Recipe(kl.AdditiveAttention, {"use_scale": ob.YES, "dropout": Argument(RATE, 0.0)}),
}

_OWN_ACTIVITY: Final = frozenset(
    {"ActivityRegularization", "Discretization", *(f"SpatialDropout{rank}D" for rank in (1, 2, 3))}
)
"""Layers whose constructors take no ``activity_regularizer``."""


def _complete(kind: str, recipe: Recipe) -> Recipe:
    """``recipe`` with the arguments that every layer has."""
    common: dict[str, Argument] = {"dtype": Argument(ob.policy)}
    if kind not in _OWN_ACTIVITY:
        common["activity_regularizer"] = ob.REGULARIZER
    return replace(recipe, arguments={**recipe.arguments, **common})


LAYERS: Final[Mapping[str, Recipe]] = {
    kind: _complete(kind, recipe)
    for group in (_DENSE, _convolutions(), _poolings(), RESHAPING, _ACTIVATIONS, _MERGES, _NORMALIZATIONS, _NOISE,
                  _SCALING, _SEQUENCES, AUGMENTATIONS, KERAS3)
    for kind, recipe in group.items()
}  # fmt: skip
"""Kind -> how to make it.  ``InputLayer`` and nested models are made by ``analyzers.building.graph``."""


def make_layer(kind: str, config: Mapping[str, Json], name: str, *, trainable: bool = True) -> keras.Layer:
    """A fresh, unbuilt layer.

    Raises:
        RefusedError: the kind is not in the table, or an argument is outside its range.
    """
    if kind not in LAYERS:
        raise RefusedError(f"{shown(kind)} is not a layer that unstuck builds")
    layer: keras.Layer = LAYERS[kind](config, name=name)
    layer.trainable = trainable
    return layer


def make_nested(value: Json) -> keras.Layer:
    """The layer of a ``{"kind", "config"}`` object: a wrapped layer, or an activation that is a layer.

    Raises:
        RefusedError: as :func:`make_layer`.
    """
    kind, config = ob.kind_and_config(value)
    name, trainable = config.get("name"), config.get("trainable", True)
    if name is not None and not isinstance(name, str):
        raise RefusedError(f"{shown(name)} is not a name")
    rest = {key: item for key, item in config.items() if key not in ("name", "trainable")}
    return make_layer(kind, rest, legal_name(name or kind.lower()), trainable=flag(trainable))


def legal_name(name: str) -> str:
    """``name`` without the slashes that Keras 3 forbids in names."""
    return name.replace("/", "__")
