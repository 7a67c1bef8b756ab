"""Real training runs of the cases by plain Keras, no weight set by hand.

    python -m tests.zoo.train_stuck [NAME:FORMAT:SCALE ...]   the stuck runs whose saved states the zoo keeps
    python -m tests.zoo.train_stuck --evidence [NAME ...]     a run of every small twin, sick and cured

Both write the loss of every step to ``tests/zoo/losses/``: the zoo calls nothing sick that was not seen
to be stuck, and nothing cured that was not seen to learn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.zoo.cases.case import Case, Model, Scale
from tests.zoo.task import ImageTask

LOSSES: Final = Path(__file__).with_name("losses")
SEED: Final = 0
EVIDENCE_STEPS: Final = 80
EVIDENCE_BATCH: Final = 16


def train(case: Case, model: Model, scale: Scale, *, steps: int, batch: int) -> list[float]:
    """Train a compiled model on fresh batches of the easy task, scaled as the case's data were.

    Returns:
        The training loss of every step.
    """
    classes = case.classes[scale]
    task = ImageTask(model.input_shape[1], classes, case.pixels, SEED)
    losses = []
    for images, labels in task.batches(steps, batch):
        one_hot = np.eye(classes, dtype="float32")[labels]
        targets = labels if "sparse" in str(model.loss) else one_hot
        model.reset_metrics()
        results = model.train_on_batch(images, targets)  # the loss alone where there are no metrics
        losses.append(round(float(np.ravel(results)[0]), 6))
    return losses


def losses_path(name: str, fmt: str, scale: str) -> Path:
    """Where the losses of a run are kept."""
    return LOSSES / f"{name}.{scale}.{fmt}.json"


def record(case: Case, fmt: str, scale: Scale, losses: list[float], *, batch: int) -> None:
    """Keep a run's losses beside what produced them."""
    LOSSES.mkdir(exist_ok=True)
    kept = {
        "case": case.name,
        "scale": scale,
        "framework": "keras" if fmt == "keras" else "tf_keras",
        "batch": batch,
        "pixels": case.pixels,
        "chance_loss": round(float(np.log(case.classes[scale])), 6),
        "losses": losses,
    }
    losses_path(case.name, fmt, scale).write_text(json.dumps(kept) + "\n", "utf-8")


def recorded(name: str, fmt: str, scale: str) -> dict[str, Any]:
    """What :func:`record` kept."""
    kept: dict[str, Any] = json.loads(losses_path(name, fmt, scale).read_text("utf-8"))
    return kept


def _stuck_states(wanted: list[str]) -> None:
    from tests.zoo.cases import CASES  # noqa: PLC0415 - so that the cases may import this module
    from tests.zoo.files import FORMATS, model_file  # noqa: PLC0415 - files starts this training

    trained = [case.name for case in CASES.values() if case.training]
    every = [f"{name}:{fmt}:{scale}" for name in trained for scale in ("small", "full") for fmt in FORMATS]
    for item in wanted or every:
        name, fmt, scale = item.split(":")
        path = model_file(name, fmt, scale, record_losses=True)  # type: ignore[arg-type]  # words from argv
        losses = recorded(name, fmt, scale)["losses"]
        print(f"{item}: {len(losses)} steps, last losses {losses[-3:]}, {path.name}")  # noqa: T201


def _evidence(wanted: list[str]) -> None:
    import keras  # noqa: PLC0415 - the stuck states are trained by processes of their own

    from tests.zoo.cases import CASES  # noqa: PLC0415 - as above

    for case in CASES.values():
        if case.training or (wanted and case.name not in wanted):
            continue
        keras.utils.clear_session()
        keras.utils.set_random_seed(SEED)
        model = case.build(keras, "small")
        losses = train(case, model, "small", steps=EVIDENCE_STEPS, batch=EVIDENCE_BATCH)
        record(case, "keras", "small", losses, batch=EVIDENCE_BATCH)
        print(f"{case.name}: first {losses[0]:.3f}, last {np.mean(losses[-8:]):.3f}", flush=True)  # noqa: T201


if __name__ == "__main__":
    if "--evidence" in sys.argv:
        _evidence([word for word in sys.argv[1:] if word != "--evidence"])
    else:
        _stuck_states(sys.argv[1:])
