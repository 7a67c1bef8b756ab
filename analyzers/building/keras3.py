"""The allowlist's layers that no older Keras had, and those that encode categories."""

from __future__ import annotations

from typing import Final

from keras import layers as kl

from analyzers.building import objects as ob
from analyzers.building.checks import (
    DATA_FORMAT,
    EPSILON,
    MAX_SIZE,
    RATE,
    SEED,
    Argument,
    choice,
    flag,
    integer,
    listed,
    number,
    optional,
    required,
    sizes,
)
from analyzers.building.objects import Recipe

_HEADS: Final = required(integer(1, MAX_SIZE))

KERAS3: Final[dict[str, Recipe]] = {
    **{
        f"Adaptive{how}Pooling{rank}D": Recipe(
            getattr(kl, f"Adaptive{how}Pooling{rank}D"),
            {"output_size": required(sizes(rank)), "data_format": DATA_FORMAT},
        )
        for rank in (1, 2, 3)
        for how in ("Max", "Average")
    },
    "GroupQueryAttention": Recipe(
        kl.GroupQueryAttention,
        {
            "head_dim": required(integer(1)),
            "num_query_heads": _HEADS,
            "num_key_value_heads": _HEADS,
            "dropout": Argument(RATE, 0.0),
            "use_bias": ob.YES,
            "use_gate": ob.NO,
            "sliding_window": Argument(optional(integer(1))),
            "flash_attention": Argument(optional(flag)),
            "kernel_initializer": ob.GLOROT,
            "bias_initializer": ob.ZEROS,
            **{f"{role}_regularizer": ob.REGULARIZER for role in ("kernel", "bias")},
            **{f"{role}_constraint": ob.CONSTRAINT for role in ("kernel", "bias")},
            "seed": SEED,
        },
    ),
    "CategoryEncoding": Recipe(
        kl.CategoryEncoding,
        {
            "num_tokens": Argument(integer(1)),
            "output_mode": Argument(choice("multi_hot", "one_hot", "count"), "multi_hot"),
            "sparse": ob.NO,
        },
    ),
    "Discretization": Recipe(
        kl.Discretization,
        {
            "bin_boundaries": Argument(listed(number(), 1, MAX_SIZE)),
            "num_bins": ob.NEVER,
            "epsilon": Argument(EPSILON, 0.01),
            "output_mode": Argument(choice("int", "one_hot", "multi_hot", "count"), "int"),
            "sparse": ob.NO,
        },
    ),
}
