"""Train models of `tests.zoo.tasks` for real, at their own settings, and keep how held-out samples fare.

Every training runs in a process of its own, forked from one that has imported Keras and done nothing else with
it, so that no training leaves anything to the next.  It starts from a saved file; that of seed 0 is the file
that is diagnosed.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import json
import math
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from benchmarks.forking import forked
from benchmarks.running import RESULTS
from tests.zoo.tasks import TASK_MODELS
from tests.zoo.tasks.data import DATA, load
from tests.zoo.tasks.data.parts import Array, Measure, Part
from tests.zoo.tasks.task_model import TaskModel

FOLDER: Final = RESULTS / "agreement"
BATCH: Final = 32
PERIOD: Final = 60
"""Steps between two looks at the held-out samples: those of one run of the probe."""

PERIODS: Final = 20
"""Looks; the training is twenty of the probe's runs long."""

TIMEOUT_S: Final = 1200.0
_LOOPS: Final = (keras.layers.RNN, keras.layers.Bidirectional)
"""Layers whose loops over steps are slow unless they are compiled."""


@dataclass(frozen=True)
class Reading:
    """How an output is read as a decision.

    Attributes:
        sparse: whether the loss takes class indices.
        signs: whether it takes targets of -1 and 1.
        threshold: over which a single unit says yes.
    """

    sparse: bool
    signs: bool
    threshold: float


def readings(model: keras.Model) -> list[Reading]:
    """How each output is read, from the losses of a compiled model."""
    given = model.loss if isinstance(model.loss, list) else [model.loss]
    found = []
    for loss in given:
        name = (loss if isinstance(loss, str) else type(loss).__name__).lower()
        settings = {} if isinstance(loss, str) else loss.get_config()
        signs, logits = "hinge" in name, bool(settings.get("from_logits", False))
        found.append(Reading("sparse" in name, signs, 0.0 if signs or logits else 0.5))
    return found


def encoded(target: Array, measure: Measure, reading: Reading) -> Array:
    """A target as the loss takes it: one-hot classes, signs, or as it is."""
    if measure == "class" and not reading.sparse:
        return np.asarray(np.eye(int(target.max()) + 1, dtype=np.float32)[target])
    return 2 * target - 1 if measure == "yes-no" and reading.signs else target


def errors(output: Array, target: Array, measure: Measure, threshold: float) -> Array:
    """(samples,): the error of each sample in the data set's measure; infinite where an output is not finite."""
    if measure == "class":
        wrong = (output.argmax(axis=-1) != target).astype(float)
    elif measure == "yes-no":
        wrong = ((output > threshold) != (target > 0.5)).astype(float)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            wrong = np.square(output.astype(float) - target)
    wrong = wrong.reshape(len(target), -1).mean(axis=1)
    sound = np.isfinite(output.reshape(len(target), -1)).all(axis=1)
    return np.where(sound & np.isfinite(wrong), wrong, np.inf)


def constant_errors(target: Array, measure: Measure) -> Array:
    """(samples,): the errors of the constant that fits these very targets best, chosen for each place apart."""
    if measure == "value":
        return np.asarray(np.square(target - target.mean(axis=0)).reshape(len(target), -1).mean(axis=1))
    flat = target.reshape(len(target), -1).astype(int)
    common = np.array([np.bincount(column).argmax() for column in flat.T])
    return np.asarray((flat != common).mean(axis=1))


class _Looks(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Looks at the held-out samples after every period; stops where the loss is no number any more."""

    def __init__(self, held: Part, measures: tuple[Measure, ...], thresholds: list[float]) -> None:
        super().__init__()
        self.losses: list[float] = []
        self.errors: list[list[Array]] = []
        self._held, self._measures, self._thresholds = held, measures, thresholds

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """After a period: Keras counts one execution of `PERIOD` steps as a batch."""
        del batch
        self.losses.append(float((logs or {})["loss"]))
        self.model.reset_metrics()
        outputs = self.model.predict_on_batch(_one_or_all(self._held.inputs))
        outputs = outputs if isinstance(outputs, list) else [outputs]
        rows = zip(outputs, self._held.targets, self._measures, self._thresholds, strict=True)
        self.errors.append([errors(*row) for row in rows])
        if not math.isfinite(self.losses[-1]):
            self.model.stop_training = True


def _one_or_all(arrays: tuple[Array, ...]) -> Any:
    return arrays[0] if len(arrays) == 1 else list(arrays)


def train(path: Path, data: str, seed: int) -> dict[str, Any]:
    """Train a saved model.

    Args:
        path: the file, compiled.
        data: name of the data set.
        seed: of the order of the samples and of what the model draws.

    Returns:
        For every period, the mean training ``loss`` and the held-out ``risk`` of each output (mean error,
        None where not finite); the ``chance`` risk of the best constant for each output; at the last look,
        how far the risk is under chance (``gain``) and that difference's standard error.
    """
    keras.utils.set_random_seed(seed)
    model = loaded(path)
    chosen, whole = DATA[data], load(data)
    read = readings(model)
    model.jit_compile = any(isinstance(layer, _LOOPS) for layer in model.layers)
    model.steps_per_execution = PERIOD
    rng, order = np.random.default_rng(seed), np.empty(0, int)
    while len(order) < PERIODS * PERIOD * BATCH:
        order = np.concatenate([order, rng.permutation(len(whole.train))])
    part = whole.train.take(order[: PERIODS * PERIOD * BATCH])
    targets = tuple(map(encoded, part.targets, chosen.measures, read))
    looks = _Looks(whole.held, chosen.measures, [one.threshold for one in read])
    started = time.perf_counter()
    model.fit(
        _one_or_all(part.inputs), _one_or_all(targets), batch_size=BATCH, shuffle=False, verbose=0,
        callbacks=[looks],
    )  # fmt: skip
    constant = list(map(constant_errors, whole.held.targets, chosen.measures))
    gains = [base - wrong for base, wrong in zip(constant, looks.errors[-1], strict=True)]
    with np.errstate(invalid="ignore"):
        spread = [gain.std() / math.sqrt(len(gain)) for gain in gains]
    return {
        "loss": _finite(looks.losses),
        "risk": [_finite([wrong.mean() for wrong in look]) for look in looks.errors],
        "chance": [float(base.mean()) for base in constant],
        "gain": _finite([gain.mean() for gain in gains]),
        "gain_error": _finite(spread),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _finite(values: list[Any]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def loaded(path: Path) -> keras.Model:
    """The model of a file that was saved before its first step, with its settings."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Skipping variable loading for optimizer", UserWarning
        )  # it has none yet
        return keras.saving.load_model(path)


def model_path(name: str, seed: int = 0) -> Path:
    """Where the untrained file of a seed is kept."""
    return FOLDER / f"{name}.{seed}.keras"


def write_model(model: TaskModel, seed: int) -> Path:
    """Build a model from a seed and save it, untrained."""
    keras.utils.set_random_seed(seed)
    path = model_path(model.name, seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # Keras and NumPy 2
        model.build().save(path)
    return path


def trained(name: str, seed: int, *, resume: bool = True) -> dict[str, Any]:
    """What `train` found of a model, by an earlier run of the same sources or by a new one.

    Returns:
        The result, or ``{"failure": ...}``.
    """
    model, path = TASK_MODELS[name], FOLDER / f"{name}.{seed}.real.json"
    if resume and path.exists():
        kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if kept["state"] == sources(model):
            return kept

    def work() -> dict[str, Any]:
        return train(write_model(model, seed), model.data, seed) | {"state": sources(model)}

    return forked(work, path, TIMEOUT_S)


def sources(model: TaskModel) -> str:
    """A digest of what a training depends on: builder, data, lengths; comments and layout do not count."""
    modules = (
        model.build.__module__,
        DATA[model.data].make.__module__,
        TaskModel.__module__,
        Part.__module__,
    )
    parts = [model.name, model.data, f"{PERIODS} {PERIOD} {BATCH}", *map(_syntax, modules)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


@cache
def _syntax(module: str) -> str:
    found = sys.modules.get(module) or importlib.import_module(module)
    return ast.dump(ast.parse(Path(str(found.__file__)).read_text("utf-8")))
