"""How often raw-input-statistics tells the scale of the training data: small networks at known scales.

    python -m benchmarks.input_scale [--runs 240] [--budget-s 900] [--write]

Every run trains one network by plain Keras on real pictures (scikit-learn's digits and photographs) at a
known scale, saves it, and asks the rule.  Results are kept under ``benchmarks/results``, and a further call
goes on where the last one ended.  The thresholds that fit one half of the runs are printed beside the rule's;
the table is about the other half.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import sklearn.datasets
import tensorflow as tf
from keras import layers

from analyzers.options import Options
from analyzers.reading import open_model
from analyzers.rule import Facts, Measurement
from analyzers.rules.input_scale import RAW
from analyzers.rules.weights.raw_input_statistics import SCALED_TWICE, RawInputStatistics
from analyzers.spec.graph import Graph
from benchmarks.running import RESULTS, machine
from benchmarks.shares import wilson

RESULT: Final = RESULTS / "input_scale.json"
TABLE: Final = Path(__file__).with_name("INPUT_SCALE.md")
BATCH: Final = 32
CROP: Final = 16

SCALES: Final[Mapping[str, Callable[[np.ndarray], np.ndarray]]] = {
    "0-255": lambda x: x,
    "0-1": lambda x: x / 255,
    "-1-1": lambda x: x / 127.5 - 1,
    "standardised": lambda x: (x - x.mean()) / x.std(),
    "scaled twice": lambda x: x / 255**2,
}
TRUTH: Final = {"0-255": "raw", "scaled twice": "scaled twice"}
"""What should be told of a scale; of the others, that it is usual."""

OPTIMIZERS: Final[Mapping[str, Callable[[], Any]]] = {
    "Adam": lambda: keras.optimizers.Adam(1e-3),
    "AdamW": lambda: keras.optimizers.AdamW(1e-3),
    "Nadam": lambda: keras.optimizers.Nadam(1e-3),
    "Adamax": lambda: keras.optimizers.Adamax(1e-3),
    "RMSprop": lambda: keras.optimizers.RMSprop(1e-3),
    "Adagrad": lambda: keras.optimizers.Adagrad(1e-2),
    "Adadelta": lambda: keras.optimizers.Adadelta(1.0),
    "SGD with momentum": lambda: keras.optimizers.SGD(1e-2, momentum=0.9),
    "Lion": lambda: keras.optimizers.Lion(1e-4),
}


def _convolutions(depth: int, *, normalized: bool = False) -> list[keras.Layer]:
    stack: list[keras.Layer] = []
    for number in range(depth):
        stack.append(layers.Conv2D(16, 3, padding="same", kernel_initializer="he_normal"))
        if normalized:
            stack.append(layers.BatchNormalization())
        stack.append(layers.ReLU())
        if number % 2:
            stack.append(layers.MaxPooling2D())
    return [*stack, layers.GlobalAveragePooling2D()]


NETWORKS: Final[Mapping[str, Callable[[], list[keras.Layer]]]] = {
    "dense": lambda: [layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(32, "relu")],
    "dense, tanh": lambda: [layers.Flatten(), layers.Dense(64, "tanh"), layers.Dense(32, "tanh")],
    "2 convolutions": lambda: _convolutions(2),
    "6 convolutions": lambda: _convolutions(6),
    "4 convolutions, BatchNormalization": lambda: _convolutions(4, normalized=True),
}
STEPS: Final = (110, 250, 600)


@dataclass(frozen=True)
class Run:
    """One network to train."""

    data: str
    network: str
    optimizer: str
    scale: str
    steps: int

    @property
    def key(self) -> str:
        """Name of its result."""
        return " | ".join(map(str, asdict(self).values()))

    @property
    def tuning(self) -> bool:
        """Whether it belongs to the half that thresholds are set on; a network's scales stay together."""
        places = ([*table].index(name) for table, name in
                  ((DATA, self.data), (NETWORKS, self.network), (OPTIMIZERS, self.optimizer)))  # fmt: skip
        return sum(places) % 2 == 0


def runs(wanted: int) -> list[Run]:
    """The first of all combinations in a fixed random order; stopping times go round."""
    every = list(itertools.product(DATA, NETWORKS, OPTIMIZERS, SCALES))
    random.Random(0).shuffle(every)  # noqa: S311 - a sample, no secret
    return [Run(*one, steps=STEPS[number % len(STEPS)]) for number, one in enumerate(every[:wanted])]


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits, (1797, 8, 8, 1), 0-255."""
    data = sklearn.datasets.load_digits()
    return data.images[..., None] / 16 * 255, data.target


def _photographs() -> tuple[np.ndarray, np.ndarray]:
    """Crops of two photographs, (2000, 16, 16, 3), 0-255; the label says which."""
    rng = np.random.default_rng(0)
    folder = Path(sklearn.datasets.__file__).with_name("images")
    crops, labels = [], []
    for label, name in enumerate(("china.jpg", "flower.jpg")):
        photograph = tf.io.decode_jpeg((folder / name).read_bytes()).numpy()
        for _ in range(1000):
            top, left = (int(rng.integers(0, side - CROP)) for side in photograph.shape[:2])
            crops.append(photograph[top : top + CROP, left : left + CROP])
            labels.append(label)
    return np.stack(crops).astype(float), np.array(labels)


DATA: Final = {"digits": _digits, "photographs": _photographs}


def measure(run: Run) -> dict[str, Any]:
    """Train the network and ask the rule.

    Returns:
        The run's true root mean square input, the final loss, and the rule's estimate with its source;
        the estimate is None where the rule abstains.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(zlib.crc32(run.key.encode()) % 2**31)
    images, labels = DATA[run.data]()
    images = SCALES[run.scale](images).astype("float32")
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            *NETWORKS[run.network](),
            layers.Dense(int(labels.max()) + 1, "softmax"),
        ]
    )
    model.compile(OPTIMIZERS[run.optimizer](), "sparse_categorical_crossentropy", jit_compile=False)
    chosen = np.random.default_rng(1).integers(0, len(images), run.steps * BATCH)
    history = model.fit(images[chosen], labels[chosen], batch_size=BATCH, shuffle=False, verbose=0)
    loss = float(history.history["loss"][-1])
    estimate, source = _asked(model)
    return asdict(run) | {
        "true_rms": float(np.sqrt(np.mean(np.square(images, dtype=np.float64)))),
        "mean_loss": loss if math.isfinite(loss) else None,
        "estimate": estimate,
        "read_from": source,
    }


def _asked(model: keras.Model) -> tuple[float | None, str | None]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with open_model(path) as spec:
            measurement = RawInputStatistics().measure(
                Facts(spec, Graph(spec), Options(), frozenset({"weights"}))
            )
    if not isinstance(measurement, Measurement):
        return None, None
    (row,) = measurement.layers.values()
    return measurement.value, row["read_from"]


def told(estimate: float | None, raw: float = RAW, twice: float = SCALED_TWICE) -> str:
    """What the rule says of an estimate."""
    if estimate is None:
        return "abstains"
    return "raw" if estimate > raw else "scaled twice" if estimate < twice else "usual"


def between(low: Iterable[float], high: Iterable[float]) -> float:
    """The threshold that errs least between two groups of estimates, on a logarithmic scale."""
    below, above = sorted(low), sorted(high)
    cuts = sorted({*below, *above})
    middles = [math.sqrt(a * b) for a, b in itertools.pairwise(cuts)]
    errors = {cut: sum(x > cut for x in below) + sum(x <= cut for x in above) for cut in middles}
    best = [cut for cut in middles if errors[cut] == min(errors.values())]
    return math.exp(sum(map(math.log, (best[0], best[-1]))) / 2)


def suggested(results: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """Thresholds for raw and scaled twice that fit these results."""
    groups: dict[str, list[float]] = {"raw": [], "usual": [], "scaled twice": []}
    for one in results:
        if one["estimate"] is not None:
            groups[TRUTH.get(one["scale"], "usual")].append(one["estimate"])
    return between(groups["usual"], groups["raw"]), between(groups["scaled twice"], groups["usual"])


def table(results: list[dict[str, Any]], by: str) -> str:
    """Told right, told wrong and abstained by one factor, as Markdown."""
    lines = [f"| {by.replace('_', ' ')} | runs | answers | told right | 95 % | estimates, 10-90 % |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    values = sorted({str(one[by]) for one in results}, key=_position)
    rows = [_line(value, [one for one in results if str(one[by]) == value]) for value in values]
    return "\n".join([*lines, *rows, _line("all", results)]) + "\n"


def _position(value: str) -> tuple[int, str]:
    order = [*SCALES, *NETWORKS, *OPTIMIZERS, *map(str, STEPS)]
    return (order.index(value), value) if value in order else (len(order), value)


def _line(name: str, results: list[dict[str, Any]]) -> str:
    answered = [one for one in results if one["estimate"] is not None]
    right = sum(told(one["estimate"]) == TRUTH.get(one["scale"], "usual") for one in answered)
    low, high = wilson(right, len(answered))
    share = f"{right / len(answered):.0%} | {low:.0%}-{high:.0%}" if answered else "- | -"
    spread = np.quantile([one["estimate"] for one in answered], [0.1, 0.9]) if answered else []
    shown = "-".join(f"{value:.2g}" for value in spread) or "-"
    return f"| {name} | {len(results)} | {len(answered)} | {share} | {shown} |"


def report(tuning: list[dict[str, Any]], held: list[dict[str, Any]]) -> str:
    """Everything that is published, as Markdown: thresholds from one half of the results, tables of the other."""
    raw, twice = suggested(tuning)
    wrong = [
        one for one in held if told(one["estimate"]) not in ("abstains", TRUTH.get(one["scale"], "usual"))
    ]
    usual = [one for one in held if one["scale"] not in TRUTH and one["estimate"] is not None]
    alarms = sum(told(one["estimate"]) != "usual" for one in usual)
    parts = [
        f"{len(tuning) + len(held)} networks trained at known scales, on {machine()}. Thresholds that fit the {len(tuning)} "
        f"runs for tuning best: raw over {raw:.3g}, scaled twice under {twice:.3g}; the rule's are {RAW:g} and "
        f"{SCALED_TWICE:g}. The tables are about the {len(held)} runs that were held out.",
        f"False alarms: {alarms} of {len(usual)} at a usual scale ({wilson(alarms, len(usual))[0]:.0%}-"
        f"{wilson(alarms, len(usual))[1]:.0%}).",
        *(table(held, by) for by in ("scale", "optimizer", "network", "steps", "data", "read_from")),
        "Told wrong: "
        + ("; ".join(f"{one['network']}, {one['optimizer']}, {one['scale']}, {one['data']}, {one['steps']} steps: "
                     f"{one['estimate']:.2g} (true {one['true_rms']:.2g})" for one in wrong) or "none") + ".",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Train what is missing within the budget, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=240)
    parser.add_argument("--budget-s", type=float, default=900.0, help="seconds after which no run is started")
    parser.add_argument("--write", action="store_true", help="write the tables to benchmarks/INPUT_SCALE.md")
    given = parser.parse_args()
    kept: dict[str, dict[str, Any]] = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    started = time.monotonic()
    chosen = runs(given.runs)
    for run in chosen:
        if run.key not in kept and time.monotonic() - started < given.budget_s:
            kept[run.key] = measure(run)
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            RESULT.write_text(json.dumps(kept, indent=1), "utf-8")
    tuning, held = (
        [kept[run.key] for run in chosen if run.key in kept and run.tuning == half] for half in (True, False)
    )
    text = report(tuning, held)
    print(text)
    if given.write:
        TABLE.write_text(
            f"# Input scale\n\n`make bench-input-scale` wrote this page.\n\n{text}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
