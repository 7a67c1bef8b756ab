"""Write one model file of the zoo, in a process of its own: ``python -m tests.zoo.write NAME FORMAT SCALE PATH``."""

from __future__ import annotations

import argparse
import importlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.zoo.cases import CASES
from tests.zoo.cases.case import Framework, Model, Scale
from tests.zoo.healthy import HEALTHY_MODELS
from tests.zoo.train_stuck import SEED, record, train

_FRAMEWORKS: Final = {"keras": "keras", "h5": "tf_keras"}


def write(name: str, fmt: str, scale: Scale, path: Path, *, record_losses: bool) -> None:
    """Build a model with the framework of its format, train it where its case says so, and save it."""
    k: Framework = importlib.import_module(_FRAMEWORKS[fmt])
    k.utils.set_random_seed(SEED)
    case = CASES.get(name)
    build: Callable[[Framework, Scale], Model] = case.build if case else HEALTHY_MODELS[name].build
    model = build(k, scale)
    if case and case.training:
        steps, batch = case.training.steps[scale], case.training.batch[scale]
        losses = train(case, model, scale, steps=steps, batch=batch)
        if record_losses:
            record(case, fmt, scale, losses, batch=batch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # tf_keras calls its own HDF5 format legacy
        model.save(path)


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("format", choices=sorted(_FRAMEWORKS))
    parser.add_argument("scale", choices=("full", "small"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--record-losses", action="store_true")
    given = parser.parse_args()
    write(given.name, given.format, given.scale, given.path, record_losses=given.record_losses)


if __name__ == "__main__":
    main()
