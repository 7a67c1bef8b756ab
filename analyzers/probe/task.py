"""The synthetic task of a model: answers drawn first, then inputs that show them.

Samples are drawn anew for every step, so the loss of a training batch is the loss on unseen samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal

import numpy as np

from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.probe.samples import codes
from analyzers.probe.samples.codes import Codes, Joint
from analyzers.probe.samples.fields import Field
from analyzers.probe.samples.scaling import on_scale
from analyzers.probe.samples.tokens import Tokens
from analyzers.spec import Array

Link = Literal["linear", "unit", "signed", "positive"]
"""Range of the numbers that an output is asked for: all, 0 to 1, -1 to 1, or over 0."""

Batch = tuple[tuple[Array, ...], tuple[Array, ...]]
"""Inputs in the form that the model takes, and per trained output its answers."""

_PIXEL_SCALES: Final[dict[Link, InputScale]] = {"unit": "0-1", "signed": "-1-1", "positive": "0-1"}


@dataclass(frozen=True)
class Numbers:
    """Mean and standard deviation of the numbers that each unit of an output is asked for."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Question:
    """What one trained output is asked.

    Attributes:
        goal: ``classes``: which class.  ``values``: numbers that the input shows.  ``input``: the input
            itself, without its noise.
        classes: classes that occur; 0 for numbers.
        units: width of the output.
        positions: sizes of the axes along which it answers; () for one answer a sample.
        local: each answer is about its own place in the input; else the sample as a whole decides all.
        link: range of the numbers.
        bounds: lowest and highest number, where the sender named them.
        numbers: their scale, where the trained file tells another than mean 0 and standard deviation 1.
    """

    goal: Literal["classes", "values", "input"]
    classes: int
    units: int
    positions: tuple[int, ...] = ()
    local: bool = False
    link: Link = "linear"
    bounds: tuple[float, float] | None = None
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Layout:
    """What a model is fed and asked: the same for every seed.

    Attributes:
        feeds: its inputs, all sizes known.
        questions: what its trained outputs are asked.
        joint: how several inputs answer together.
    """

    feeds: tuple[Feed, ...]
    questions: tuple[Question, ...]
    joint: Joint = "single"

    @property
    def classes(self) -> int:
        """Classes that occur in the labels; 0 where only numbers are asked for."""
        return max(question.classes for question in self.questions)

    @property
    def values(self) -> int:
        """Numbers that a sample shows: as many as are asked for, and as the narrowest input has room for."""
        asked = [question.units for question in self.questions if question.goal != "classes"]
        room = [feed.channels for feed in self.feeds if feed.kind != "tokens"]
        return min([MOST_VALUES, *room, max(asked)]) if asked else 0

    @property
    def local(self) -> bool:
        """Whether inputs show an answer at every position."""
        return any(question.local for question in self.questions)

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes of the axes along which local answers lie: those of the first input that has any."""
        return next((feed.grid for feed in self.feeds if feed.grid), ())

    def places(self, feed: Feed) -> bool:
        """Whether an input shows an answer at every position, rather than that of the sample as a whole."""
        return self.local and len(feed.grid) == len(self.grid)

    def scale_of(self, feed: Feed, scale: InputScale) -> InputScale:
        """The scale of one input: beside an image, whose scale is meant, features have the graph's own or none."""
        if feed.kind == "image" or not any(one.kind == "image" for one in self.feeds):
            return scale
        return "standardized" if feed.own is None else "unscaled"


MOST_VALUES: Final = 3


@dataclass(frozen=True)
class Task:
    """A seeded task of one layout."""

    layout: Layout
    seed: int

    @cached_property
    def _shows(self) -> tuple[Field | Tokens, ...]:
        layout = self.layout
        classes = codes.PAIR_CLASSES if layout.joint == "pair" else layout.classes
        pair = layout.joint == "pair"
        return tuple(  # the classes of a pair look the same in both
            (Tokens if feed.kind == "tokens" else Field)(
                feed, classes, layout.values, layout.places(feed), (self.seed, 0 if pair else number), pair
            )
            for number, feed in enumerate(layout.feeds)
        )

    def batch(self, size: int, scale: InputScale, *key: int) -> Batch:
        """Fresh samples.  ``key`` names the draw: the same key gives the same batch.

        Returns:
            Inputs, per feed (size, *shape) in its type; answers, per question (size, *positions) int64
            classes, or (size, *positions, units) float32 numbers.
        """
        rng = np.random.default_rng((self.seed, 3, *key))
        drawn = self._codes(size, rng)
        inputs = tuple(
            feed.as_fed(self._scaled(show, show.samples(code, rng), scale))
            for feed, show, code in zip(self.layout.feeds, self._shows, drawn.shown, strict=True)
        )
        return inputs, self._answers(drawn, scale)

    def answers(self, size: int, scale: InputScale, *key: int) -> tuple[Array, ...]:
        """The answers of `batch` alone."""
        return self._answers(self._codes(size, np.random.default_rng((self.seed, 3, *key))), scale)

    def _scaled(self, show: Field | Tokens, samples: Array, scale: InputScale) -> Array:
        if isinstance(show, Tokens):
            return samples
        return on_scale(samples, self.layout.scale_of(show.feed, scale), show.feed)

    def _codes(self, size: int, rng: np.random.Generator) -> Codes:
        layout = self.layout
        if not layout.local:
            telling = [show.tells_all for show in self._shows]
            return codes.whole(
                size, layout.classes, layout.values, telling=telling, joint=layout.joint, rng=rng
            )
        grids = [feed.grid if layout.places(feed) else layout.grid for feed in layout.feeds]
        drawn = codes.local(size, layout.classes, layout.values, [layout.grid, *grids], rng)
        shown = tuple(
            code if layout.places(feed) else code.reshape(size, -1, code.shape[-1]).mean(axis=1)
            for code, feed in zip(drawn.shown[1:], layout.feeds, strict=True)
        )
        return replace(drawn, shown=shown)

    def _answers(self, drawn: Codes, scale: InputScale) -> tuple[Array, ...]:
        asked = enumerate(self.layout.questions)
        return tuple(self._answer(number, question, drawn, scale) for number, question in asked)

    def _answer(self, number: int, question: Question, drawn: Codes, scale: InputScale) -> Array:
        if question.goal == "classes":
            return self._classes(number, question, drawn)
        if question.goal == "input":
            return self._input(question, drawn, scale)
        return self._values(number, question, drawn)

    def _classes(self, number: int, question: Question, drawn: Codes) -> Array:
        """Classes of the task, grouped where the output has fewer."""
        if question.local and drawn.label_map is not None:
            labels = codes.nearest(drawn.label_map, question.positions)
        else:
            labels = drawn.labels.reshape(-1, *(1,) * len(question.positions))
            if question.positions:  # a pattern of the sample's class: another class at every place
                rng = np.random.default_rng((self.seed, 5, number))
                turn = rng.integers(self.layout.classes, size=(1, *(codes.CELLS,) * len(question.positions)))
                labels = (labels + codes.nearest(turn, question.positions)) % self.layout.classes
        return labels * question.classes // max(self.layout.classes, 1)

    def _values(self, number: int, question: Question, drawn: Codes) -> Array:
        rng = np.random.default_rng((self.seed, 6, number))
        count = self.layout.values
        if question.local and drawn.value_map is not None:
            shown = codes.nearest(drawn.value_map, question.positions)
        else:
            shown = drawn.values.reshape(len(drawn.values), *(1,) * len(question.positions), count)
        places = () if question.local else question.positions
        mixing = rng.normal(size=(1, *(codes.CELLS,) * len(places), count, question.units))
        mixing = codes.smooth(mixing, places)[0]
        mixing /= np.linalg.norm(mixing, axis=-2, keepdims=True)
        numbers = (shown[..., None, :] @ mixing)[..., 0, :]
        if question.bounds is not None:
            low, high = question.bounds
            return low + (high - low) * linked(numbers, "unit")
        if question.numbers is not None:
            numbers = np.asarray(question.numbers.mean) + np.asarray(question.numbers.std) * numbers
        return linked(numbers, question.link)

    def _input(self, question: Question, drawn: Codes, scale: InputScale) -> Array:
        feed, show, code = self.layout.feeds[0], self._shows[0], drawn.shown[0]
        assert isinstance(show, Field)  # noqa: S101 - tokens are not reconstructed as numbers
        clean = on_scale(show.clean(code), _PIXEL_SCALES.get(question.link, scale), feed)
        return np.asarray(clean.reshape(len(clean), *question.positions, question.units), np.float32)


def linked(values: Array, link: Link) -> Array:
    """Numbers of mean 0 and variance 1 brought into an output's range, float32."""
    if link == "unit":
        values = 1 / (1 + np.exp(-1.5 * values))
    elif link == "signed":
        values = np.tanh(values)
    elif link == "positive":
        values = np.exp(0.5 * values)
    return np.asarray(values, np.float32)


def in_words(layout: Layout, batch: int) -> str:
    """The task as one line for a person."""
    shapes = " and ".join(_feed_in_words(feed) for feed in layout.feeds)
    asked = _asked(layout)
    return f"{asked} ({shapes}, {batch} a step, every sample new)"


_NOUNS: Final = {"image": "images", "field": "series", "table": "rows", "tokens": "token sequences"}


def _feed_in_words(feed: Feed) -> str:
    if feed.kind == "table":
        return f"{feed.channels} features"
    sizes = "x".join(
        str(size) for size in (*feed.grid, *(() if feed.flat or feed.kind == "tokens" else (feed.channels,)))
    )
    return f"{sizes or 1} tokens" if feed.kind == "tokens" else sizes


def _numbers(count: int) -> str:
    return "number" if count == 1 else f"{count} numbers"


def _asked(layout: Layout) -> str:
    nouns = " and ".join(dict.fromkeys(_NOUNS[feed.kind] for feed in layout.feeds))
    everywhere = " at every position" if layout.local else ""
    parts = []
    if layout.joint == "pair":
        return f"tell whether two synthetic {nouns} are of the same of {codes.PAIR_CLASSES} classes"
    if layout.classes:
        parts.append(f"tell {layout.classes} classes of synthetic {nouns} apart{everywhere}")
    goals: Sequence[str] = [question.goal for question in layout.questions]
    if "values" in goals:
        parts.append(f"find the {_numbers(layout.values)} that synthetic {nouns} show{everywhere}")
    if "input" in goals:
        parts.append(f"give synthetic {nouns} back without their noise")
    return ", and ".join(parts)
