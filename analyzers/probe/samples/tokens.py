"""Sequences of tokens that show a code by which tokens occur in them.

Each source has a few tokens of its own; the rest are drawn evenly from the vocabulary.  Token 0 is never
drawn: it is padding by convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

import numpy as np

from analyzers.probe.feeds import Feed
from analyzers.spec import Array

TOKENS_A_SOURCE: Final = 8
"""Tokens of each source, at most: few enough for a short probe to meet each of them often."""

SIGNAL: Final = 0.3
"""Share of the tokens of a long sequence that belong to a source."""

LEAST_SIGNAL: Final = 6.0
"""Tokens of a sequence that do, on average, however short it is (most of a short sequence)."""

MOST_SIGNAL: Final = 0.9
LEAST_GRADED: Final = 8
"""Tokens from which on their shares tell codes apart that lie between classes."""

SHARPNESS: Final = 4.0
"""Factor on a code before the softmax that says which class a token speaks for, and before the sigmoid that
says which sign of a value."""


@dataclass(frozen=True)
class Tokens:
    """How one input of tokens shows codes; attributes as in `analyzers.probe.samples.fields.Field`."""

    feed: Feed
    classes: int
    values: int
    local: bool
    seed: tuple[int, ...]
    quiet: bool = False

    @property
    def tells_all(self) -> bool:
        """Whether it cannot show a part of an answer: a few tokens show the class of a code, not how clear it is."""
        return prod(self.feed.grid) < LEAST_GRADED

    @cached_property
    def sets(self) -> Array:
        """(classes + 2 values, tokens of each): tokens of the classes, then of each value's two signs."""
        count = self.classes + 2 * self.values
        rng = np.random.default_rng((*self.seed, 1))
        known = rng.permutation(np.arange(1, max(self.feed.vocabulary, 2)))
        each = min(max(len(known) // count, 1), TOKENS_A_SOURCE)
        return np.resize(known, (count, each))

    def samples(self, codes: Array, rng: np.random.Generator) -> Array:
        """Sequences that show codes.

        Args:
            codes: (batch, sources), or (batch, *grid, sources) where every position has its own.
            rng: draws them.

        Returns:
            (batch, *grid, 1) of the feed's own whole numbers.
        """
        shape = (len(codes), *self.feed.grid)
        if not self.local:
            codes = codes.reshape(len(codes), *(1 for _ in self.feed.grid), -1)
        chosen = self._sources(np.broadcast_to(codes, (*shape, codes.shape[-1])), rng)
        own = self.sets[chosen, rng.integers(self.sets.shape[1], size=shape)]
        other = rng.integers(1, max(self.feed.vocabulary, 2), size=shape)
        return np.asarray(np.where(rng.random(shape) < self._share, own, other))[..., None]

    @property
    def _share(self) -> float:
        if self.local:
            return MOST_SIGNAL
        return min(max(SIGNAL, LEAST_SIGNAL / prod(self.feed.grid)), MOST_SIGNAL)

    def _sources(self, codes: Array, rng: np.random.Generator) -> Array:
        """Which set each token is drawn from: Gumbel-max for the class, a coin for the sign of a value."""
        shape = codes.shape[:-1]
        scores = SHARPNESS * codes[..., : self.classes] + rng.gumbel(size=(*shape, self.classes))
        of_class = scores.argmax(axis=-1) if self.classes else np.zeros(shape, np.int64)
        if not self.values:
            return np.asarray(of_class)
        number = rng.integers(self.values, size=shape)
        value = np.take_along_axis(codes[..., self.classes :], number[..., None], axis=-1)[..., 0]
        positive = rng.random(shape) < 1 / (1 + np.exp(-SHARPNESS / 2 * value))
        of_value = self.classes + 2 * number + positive
        speaks = rng.random(shape) < (0.5 if self.classes else 1.0)
        return np.where(speaks, of_value, of_class)
