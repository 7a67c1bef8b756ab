"""What reading and all rules without the probe cost: a 100 MB file, and models of up to 3000 layers.

    python -m benchmarks.rules_cost [--repeats 3] [--rules 5]

Processor seconds, the best of some repeats, so that other work on the machine counts little.  The files are
made once and kept under ``benchmarks/results/cost``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import keras
from keras import layers

from analyzers.engine import read_and_judge
from analyzers.options import Options
from analyzers.reading import open_model
from analyzers.registry import RULES
from analyzers.rule import Fact, Facts
from analyzers.spec.graph import Graph
from benchmarks.running import RESULTS, machine

FOLDER: Final = RESULTS / "cost"
MIB: Final = 2**20
STEPS: Final = 500
"""Recorded steps, so that rules which need a history run."""

AIMS: Final[Mapping[str, float]] = {"100 MB": 1.0, "3000 layers": 2.0}


def _saved(model: keras.Model, name: str) -> Path:
    model.compile("adam", "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(STEPS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    model.save(FOLDER / f"{name}.keras")
    return FOLDER / f"{name}.keras"


def large() -> keras.Model:
    """A VGG-like network whose weights and Adam's slots make a file of about 100 MB."""
    model = keras.Sequential([keras.Input((32, 32, 3))])
    for filters in (64, 128, 256, 512):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D())
    for units, activation in ((1700, "relu"), (1700, "relu"), (10, "softmax")):
        if units == 1700 and len(model.layers) == 12:
            model.add(layers.Flatten())
        model.add(layers.Dense(units, activation))
    return model


def deep(count: int) -> keras.Model:
    """A residual network of ``count`` small layers."""
    inputs = keras.Input((32,))
    x = layers.Dense(8, "relu")(inputs)
    for _ in range(count // 4):
        y = layers.ReLU()(layers.BatchNormalization()(layers.Dense(8)(x)))
        x = layers.Add()([x, y])
    return keras.Model(inputs, layers.Dense(2)(x))


FILES: Final[Mapping[str, Callable[[], keras.Model]]] = {
    "100 MB": large,
    **{f"{count} layers": lambda count=count: deep(count) for count in (750, 1500, 3000)},  # type: ignore[misc]
}


def cost(path: Path) -> tuple[float, float]:
    """Processor seconds of reading alone, and of reading with all static rules and the report."""
    started = time.process_time()
    with open_model(path):
        read = time.process_time() - started
    started = time.process_time()
    read_and_judge(path, Options())
    return read, time.process_time() - started


def by_rule(path: Path) -> dict[str, float]:
    """Processor seconds of each rule, in the registry's order: a shared pass counts for the first to ask."""
    seconds: dict[str, float] = {}
    with open_model(path) as spec:
        graph = Graph(spec)
        there: set[Fact] = {"training", "weights", "optimizer_state"}
        for rule in RULES.values():
            if rule.requires <= there:
                started = time.process_time()
                rule.measure(Facts(spec, graph, Options(), rule.requires))
                seconds[rule.id] = time.process_time() - started
    return seconds


def main() -> None:
    """Measure every file and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rules", type=int, default=5, help="dearest rules to list for each file")
    given = parser.parse_args()
    print(f"{machine()}; processor seconds, best of {given.repeats}\n")
    print("| file | MiB | reading | reading + rules + report | aim | dearest rules |")
    print("|---|---|---|---|---|---|")
    for name, make in FILES.items():
        path = FOLDER / f"{name}.keras"
        path = path if path.exists() else _saved(make(), name)
        costs = [cost(path) for _ in range(given.repeats)]
        dearest = sorted(by_rule(path).items(), key=lambda item: -item[1])[: given.rules]
        listed = ", ".join(f"{rule} {seconds:.2f}" for rule, seconds in dearest)
        read, whole = (min(column) for column in zip(*costs, strict=True))
        aim = f"{AIMS[name]:g}" if name in AIMS else "-"
        size = path.stat().st_size / MIB
        print(f"| {name} | {size:.0f} | {read:.2f} | {whole:.2f} | {aim} | {listed} |", flush=True)


if __name__ == "__main__":
    main()
