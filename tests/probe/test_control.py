"""The control must learn the task, whatever is fed and asked."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyzers.options import Options
from analyzers.probe.control import LEARNING_RATE, build_control, control_targets
from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed, feeds_of
from analyzers.probe.plan import MAX_STEPS
from analyzers.probe.runner import Trial
from analyzers.probe.targets import make_targets
from analyzers.probe.task import Layout
from analyzers.spec.graph import Graph
from tests.probe.graphs import classifier, training
from tests.probe.layouts import LAYOUTS, classes, control_trial, targets_of
from tests.probe.models import setting, watch

IMAGES = (
    ((33, 17, 4), 3, "0-1"), ((8, 8, 1), 2, "-1-1"), ((16, 16, 3), 5, "raw"),
)  # fmt: skip

KINDS = (
    "image given back", "image classes at every place", "volume classes", "series numbers at every step",
    "table numbers", "table of one feature", "table to a map of numbers", "text classes", "text numbers",
    "single tokens", "pairs of images", "image and table", "classes and numbers",
)  # fmt: skip
"""Of these; `benchmarks.control` draws every kind many times."""


def _learns(trial: Trial, scale: InputScale = "standardized", seeds: int = 3) -> None:
    for seed in range(1, seeds + 1):
        run = trial.run(
            setting(seed=seed, scale=scale, steps=MAX_STEPS, learning_rate=LEARNING_RATE), watch()
        )
        assert run.verdict == "learnt", (seed, run.verdict, run.normalized_loss)


@pytest.mark.parametrize(("shape", "count", "scale"), IMAGES)
def test_the_control_learns_images_on_every_scale(
    shape: tuple[int, int, int], count: int, scale: InputScale
) -> None:
    _learns(control_trial(Layout((Feed("image", "image", shape),), (classes(count),)), scale), scale)


@pytest.mark.parametrize("name", KINDS)
def test_the_control_learns_every_kind_of_task(name: str) -> None:
    _learns(control_trial(LAYOUTS[name]))


def test_the_control_learns_features_in_units_of_their_own() -> None:
    _learns(control_trial(LAYOUTS["table classes"], "unscaled"), "unscaled")


def test_units_that_are_not_in_use_are_not_the_controls() -> None:
    spec = classifier(160, "softmax", training())
    targets = make_targets(spec, feeds_of(Graph(spec)), Options(), "standardized")
    (head,) = control_targets(targets, "standardized", 1).heads
    assert (head.units, head.classes) == (5, 5)


def test_its_weights_come_from_the_seed() -> None:
    targets = targets_of(LAYOUTS["table classes"])
    one, again, other = (build_control(targets, "standardized", seed).model for seed in (1, 1, 2))

    def kernel(model: keras.Model) -> bytes:
        return np.array(model.get_layer("whole").kernel).tobytes()

    assert kernel(one) == kernel(again) != kernel(other)
