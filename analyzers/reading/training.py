"""The compile settings of a file, as data in today's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from analyzers.errors import InputError
from analyzers.reading.objects import class_name, plain_value, snake_case
from analyzers.reading.plain import number, short, sub_config
from analyzers.reading.signatures import LOSSES, OPTIMIZERS, SCHEDULES
from analyzers.spec.model import Json, ModelSpec, ObjectSpec, TrainingSpec

_LOSS_NAMES: Final[dict[str, str]] = {
    **{snake_case(kind): kind for kind in LOSSES},
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "bce": "BinaryCrossentropy",
    "kld": "KLDivergence",
    "kl_divergence": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence",
    "logcosh": "LogCosh",
    "log_cosh": "LogCosh",
    "cosine_proximity": "CosineSimilarity",
    "cosine": "CosineSimilarity",
    "huber_loss": "Huber",
    "ctc": "CTC",
}
"""Name of a loss, of whatever Keras, in lower case -> today's class."""

_WRAPPERS: Final = frozenset({"LossFunctionWrapper", "MeanMetricWrapper"})
_OPTIMIZER_NAMES: Final[dict[str, str]] = {kind.casefold(): kind for kind in OPTIMIZERS}
_RENAMED: Final[dict[str, str]] = {"lr": "learning_rate"}
_RATE: Final = "learning_rate"

_DEFAULT_RATE: Final = 0.001
_DEFAULT_RATES: Final[dict[str, float]] = {"SGD": 0.01}
"""Rate of an optimizer that was compiled by its name alone, where it is not 0.001."""

_PEAKS: Final[dict[str, tuple[str, ...]]] = {
    "ExponentialDecay": ("initial_learning_rate",),
    "InverseTimeDecay": ("initial_learning_rate",),
    "PolynomialDecay": ("initial_learning_rate",),
    "CosineDecay": ("initial_learning_rate", "warmup_target"),
    "CosineDecayRestarts": ("initial_learning_rate",),
    "PiecewiseConstantDecay": ("values",),
}
"""Schedule -> settings whose largest number is its peak."""


def read(compiled: Json, spec: ModelSpec) -> TrainingSpec | None:
    """The training settings out of a ``compile_config`` or ``training_config``.

    Args:
        compiled: the settings as the file says them; None or empty for an uncompiled model.
        spec: the model, for its outputs' names.

    Returns:
        None when the file gives neither a loss nor an optimizer.
    """
    if not isinstance(compiled, dict):
        return None
    written = compiled.get("optimizer_config", compiled.get("optimizer"))
    loss = compiled.get("loss")
    if written is None and loss is None:
        return None
    optimizer, rate, schedule = _optimizer(written)
    names = [ref.layer for ref in spec.outputs]
    losses = _by_output(loss, names)
    weights = _by_output(compiled.get("loss_weights"), names)
    numbers = [number(weight) for weight in weights]
    return TrainingSpec(
        losses=tuple(_loss(one) for one in losses),
        loss_weights=tuple(1.0 if n is None else n for n in numbers)
        if any(n is not None for n in numbers)
        else None,
        optimizer=optimizer,
        learning_rate=rate,
        schedule=schedule,
        metrics=tuple(_metric_names(compiled.get("metrics"))),
    )


def named_loss(name: str) -> ObjectSpec:
    """A loss by any name that Keras knows it under (``mse``, ``sparse_categorical_crossentropy``).

    Raises:
        InputError: ``unknown-option`` for a name that Keras does not know.
    """
    loss = _loss(name)
    if loss is None or loss.kind not in LOSSES:
        raise InputError("unknown-option", "loss is not the name of a Keras loss")
    return loss


def named_optimizer(name: str) -> ObjectSpec:
    """An optimizer by name, its settings Keras's defaults.

    Raises:
        InputError: ``unknown-option`` for a name that Keras does not know.
    """
    optimizer, _, _ = _optimizer(name)
    if optimizer is None or optimizer.kind not in OPTIMIZERS:
        raise InputError("unknown-option", "optimizer is not the name of a Keras optimizer")
    return optimizer


def _by_output(value: Json, names: Sequence[str]) -> list[Json]:
    """A per-output setting as a list: given once, in order, or by output name."""
    if isinstance(value, list):
        return [value[i] if i < len(value) else None for i in range(len(names))]
    if isinstance(value, dict) and "class_name" not in value:
        if set(value) & set(names) or len(value) != len(names):
            return [value.get(name) for name in names]
        return [value[key] for key in sorted(value)]
    return [value] * len(names)


def _loss(value: Json) -> ObjectSpec | None:
    if isinstance(value, list) and len(value) == 1:
        return _loss(value[0])
    name, config = _named(value)
    if name is None:
        return None
    kind = _LOSS_NAMES.get(snake_case(name), _LOSS_NAMES.get(name.lower(), name))
    if kind not in LOSSES:
        return ObjectSpec(kind, {key: plain_value(item) for key, item in config.items()})
    settings = {
        key: plain_value(item) for key, item in config.items() if key in LOSSES[kind] and key != "dtype"
    }
    if "from_logits" in LOSSES[kind]:
        settings.setdefault("from_logits", False)
    if settings.get("reduction") in ("auto", None):
        settings["reduction"] = "sum_over_batch_size"
    return ObjectSpec(kind, settings)


def _named(value: Json) -> tuple[str | None, dict[str, Json]]:
    """Name and config of a loss or metric given by name, by function or as an object."""
    if isinstance(value, str):
        return short(value), {}
    if not isinstance(value, dict):
        return None, {}
    name, config = class_name(value), sub_config(value)
    if name == "function" or not isinstance(value.get("config"), dict):
        function = value.get("config")
        return (short(function), {}) if isinstance(function, str) else (name or None, {})
    if name in _WRAPPERS:
        inner, _ = _named(config.get("fn"))
        return inner or short(str(config.get("name", name))), config
    return name, config


def _metric_names(value: Json) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _metric_names(item)]
    if isinstance(value, dict) and "class_name" not in value:
        return [name for item in value.values() for name in _metric_names(item)]
    name, config = _named(value)
    if name is None:
        return []
    return [
        short(str(config["name"])) if name[:1].isupper() and isinstance(config.get("name"), str) else name
    ]


def _optimizer(value: Json) -> tuple[ObjectSpec | None, float | None, ObjectSpec | None]:
    """Optimizer without its rate, constant or peak rate, schedule."""
    if isinstance(value, str):
        kind = _OPTIMIZER_NAMES.get(value.casefold(), short(value))
        return (
            ObjectSpec(kind, {}),
            _DEFAULT_RATES.get(kind, _DEFAULT_RATE if kind in OPTIMIZERS else None),
            None,
        )
    if not isinstance(value, dict):
        return None, None, None
    written, config = class_name(value), sub_config(value)
    inner = config.get("inner_optimizer", config.get("optimizer"))
    if written == "LossScaleOptimizer" and isinstance(inner, dict):
        return _optimizer(inner)
    kind = _OPTIMIZER_NAMES.get(written.casefold(), written)
    config = {_RENAMED.get(key, key): item for key, item in config.items()}
    rate, schedule = _rate(config.get(_RATE), number(config.get("decay")) or 0.0)
    known = OPTIMIZERS.get(kind)
    settings = {
        key: plain_value(item)
        for key, item in config.items()
        if key not in (_RATE, "name")
        and (known is None or key in known)
        and not (key == "epsilon" and item is None)
    }
    return ObjectSpec(kind, settings), rate, schedule


def _rate(value: Json, decay: float) -> tuple[float | None, ObjectSpec | None]:
    """A rate, or a schedule with its peak; ``decay`` of Keras 1 and 2 is an inverse-time schedule."""
    if isinstance(value, dict):
        config = sub_config(value)
        kind = class_name(value)
        names = SCHEDULES.get(kind)
        settings = {
            k: plain_value(v) for k, v in config.items() if k != "name" and (names is None or k in names)
        }
        return _peak(kind, settings), ObjectSpec(kind, settings)
    rate = number(value)
    if rate is None or decay <= 0:
        return rate, None
    settings = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay, "staircase": False}
    return rate, ObjectSpec("InverseTimeDecay", settings)


def _peak(kind: str, settings: Mapping[str, Json]) -> float | None:
    found: list[float] = []
    for key in _PEAKS.get(kind, ()):
        value = settings.get(key)
        items = value if isinstance(value, list) else [value]
        found += [n for n in map(number, items) if n is not None]
    return max(found, default=None)
