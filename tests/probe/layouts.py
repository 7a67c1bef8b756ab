"""One small task of every kind, and the control on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analyzers.building import make_optimizer
from analyzers.probe.compiled import CompiledModel, configure
from analyzers.probe.control import LEARNING_RATE, build_control, control_targets
from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.probe.plan import MAX_STEPS, Plan
from analyzers.probe.runner import Trial
from analyzers.probe.targets import Grade, Targets
from analyzers.probe.task import Layout, Question
from analyzers.spec import ObjectSpec

BATCH: Final = 32

IMAGE: Final = Feed("image", "image", (16, 16, 3))
SERIES: Final = Feed("series", "field", (40, 2))
TABLE: Final = Feed("table", "table", (9,))
TOKENS: Final = Feed("tokens", "tokens", (40,), "int32", 500)


def classes(count: int, *positions: int, local: bool = False) -> Question:
    """Which of so many classes."""
    return Question("classes", count, count, positions, local)


def numbers(units: int, *positions: int, local: bool = False) -> Question:
    """So many numbers."""
    return Question("values", 0, units, positions, local)


LAYOUTS: Final[Mapping[str, Layout]] = {
    "image classes": Layout((IMAGE,), (classes(5),)),
    "image numbers": Layout((IMAGE,), (numbers(2),)),
    "image classes at every place": Layout((IMAGE,), (classes(3, 16, 16, local=True),)),
    "image given back": Layout((IMAGE,), (Question("input", 0, 3, (16, 16), True, "unit"),)),
    "volume classes": Layout((Feed("volume", "field", (8, 8, 8, 1)),), (classes(2),)),
    "series classes": Layout((SERIES,), (classes(4),)),
    "series numbers": Layout((SERIES,), (numbers(1),)),
    "series classes at every step": Layout((SERIES,), (classes(3, 40, local=True),)),
    "series numbers at every step": Layout((SERIES,), (numbers(2, 40, local=True),)),
    "table classes": Layout((TABLE,), (classes(5),)),
    "table of one feature": Layout((Feed("table", "table", (1,)),), (classes(2),)),
    "table numbers": Layout((TABLE,), (numbers(1),)),
    "table to a map of numbers": Layout((TABLE,), (numbers(1, 8, 8),)),
    "text classes": Layout((TOKENS,), (classes(2),)),
    "text numbers": Layout((TOKENS,), (numbers(1),)),
    "text classes at every word": Layout((TOKENS,), (classes(3, 40, local=True),)),
    "single tokens": Layout((Feed("token", "tokens", (), "int32", 500),), (classes(2),)),
    "pairs of images": Layout((IMAGE, Feed("other", "image", (16, 16, 3))), (classes(2),), "pair"),
    "image and table": Layout((IMAGE, TABLE), (classes(3),), "sum"),
    "two texts": Layout((TOKENS, Feed("other", "tokens", (30,), "int32", 300)), (classes(2),), "sum"),
    "classes and numbers": Layout((TABLE,), (classes(3), numbers(1))),
}
"""By name."""


def targets_of(layout: Layout, scale: InputScale = "standardized", seed: int = 1) -> Targets:
    """The control's targets for a layout."""
    unknown = (Grade(1.0, 0.0),) * len(layout.questions)
    graded = control_targets(Targets((), (), unknown, (), layout), scale, seed)
    return control_targets(graded, scale, seed)


def control_trial(
    layout: Layout, scale: InputScale = "standardized", seed: int = 1, *, hidden: bool = True
) -> Trial:
    """The control on a layout, or without its hidden layers a linear model of what the control sees."""
    configure(0)
    targets = targets_of(layout, scale, seed)
    built = build_control(targets, scale, seed, hidden=hidden)
    compiled = CompiledModel(built, targets, make_optimizer(ObjectSpec("Adam"), LEARNING_RATE))
    return Trial(built, compiled, Plan(layout.feeds, BATCH, MAX_STEPS, 10**6, 0, ()), targets)
