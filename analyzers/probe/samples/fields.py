"""Images, series, volumes and tables that show a code: colours, smooth templates and textures in noise.

Every source of a code has its own colour (a value per channel), its own smooth template and, where it
stands for a class, its own texture of random phase, so that a network finds it whether it flattens its
feature maps (template), pools them globally or reads them step by step (colour, texture), or sees one
channel only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import ClassVar, Final

import numpy as np

from analyzers.probe.feeds import Feed
from analyzers.spec import Array

COLOUR, TEMPLATE, TEXTURE, NOISE = 0.15, 0.35, 0.35, 0.8
"""Standard deviations of the parts of an image before it is standardised.

Noise outweighs every part, as in photographs: on cleaner images a deep plain network finds the classes
in its first steps, before a rate that kills it has done so, and would be called healthy."""

TEMPLATE_CELLS: Final = 4
"""Grid of random values behind a smooth template, before interpolation."""

SEPARATION: Final = 6.0
"""Standard deviations of the noise that lie between the two sources most alike: where a sample is too small
for its numbers to average the noise out, there is less of it (3 on either side: 0.1 % are confused)."""

CANDIDATES: Final = 64
"""Random sets of colours of which the best separated is taken."""


@dataclass(frozen=True)
class Field:
    """How one input shows codes.

    Attributes:
        feed: the input.
        classes: sources that stand for classes.
        values: sources that stand for numbers.
        local: every position shows a code of its own, by colour alone.
        seed: everything is drawn from it.
        quiet: with half the noise, where two samples are to be compared.
    """

    feed: Feed
    classes: int
    values: int
    local: bool
    seed: tuple[int, ...]
    quiet: bool = False

    def _generator(self, *key: int) -> np.random.Generator:
        return np.random.default_rng((*self.seed, *key))

    tells_all: ClassVar[bool] = False
    """Whether it cannot show a part of an answer: numbers can show any code."""

    @property
    def sources(self) -> int:
        """Length of a code."""
        return self.classes + self.values

    @cached_property
    def colours(self) -> Array:
        """(sources, channels), of variance 1 per channel.

        Those of the classes are well separated, of mean 0; those of the values are independent of each
        other where there are channels enough.
        """
        channels = self.feed.channels
        draws = self._generator(1).normal(size=(CANDIDATES, self.classes, channels))
        if self.classes > 1:
            draws = (draws - draws.mean(axis=1, keepdims=True)) / (draws.std(axis=1, keepdims=True) + 1e-9)
        distance = np.linalg.norm(draws[:, :, None] - draws[:, None, :], axis=-1)
        distance += 1e9 * np.eye(self.classes)
        best = draws[distance.min(axis=(1, 2), initial=np.inf).argmax()]
        square = self._generator(4).normal(size=(max(channels, self.values),) * 2)
        directions = np.linalg.qr(square)[0][: self.values, :channels] * np.sqrt(channels)
        return np.concatenate([best, directions])

    @cached_property
    def templates(self) -> Array:
        """(sources, *grid, channels), float32: the steady part, colour included."""
        grid, count = self.feed.grid, self.sources
        spread = self.colours.reshape(count, *(1 for _ in grid), -1)
        if self.local or not grid:
            share = np.sqrt(COLOUR**2 + TEMPLATE**2)
            return np.asarray(share * np.broadcast_to(spread, (count, *grid, self.feed.channels)), np.float32)
        axes = tuple(range(1, len(grid) + 1))
        smooth = self._generator(2).normal(size=(count, *(TEMPLATE_CELLS,) * len(grid), self.feed.channels))
        for axis, size in zip(axes, grid, strict=True):
            smooth = np.moveaxis(np.tensordot(interpolation(size), smooth, axes=(1, axis)), 0, axis)
        centred = smooth - smooth.mean(axis=axes, keepdims=True)
        smooth = centred / (smooth.std(axis=axes, keepdims=True) + 1e-9)
        return np.asarray(TEMPLATE * smooth + COLOUR * spread, np.float32)

    @cached_property
    def frequencies(self) -> Array:
        """(classes, axes): radians per position of each class's texture."""
        period = np.linspace(4.0, 8.0, self.classes)
        angle = np.pi * np.arange(self.classes) / max(self.classes, 1)
        along = np.stack([np.sin(angle), np.cos(angle), *(np.cos(angle),) * max(len(self.feed.grid) - 2, 0)])
        along = along[: len(self.feed.grid)] if len(self.feed.grid) > 1 else np.ones((1, self.classes))
        return np.asarray(2 * np.pi / period[:, None] * along.T)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the noise."""
        count = self.sources
        shown = self.templates.reshape(count, -1)
        if self.local:
            shown = shown.reshape(count, -1, self.feed.channels)[:, 0]
        pairs = [(i, j) for i in range(self.classes) for j in range(i)]
        distances = [float(np.linalg.norm(shown[i] - shown[j])) for i, j in pairs]
        lengths = [float(np.linalg.norm(row)) for row in shown[self.classes :]]
        return min(NOISE, min([*distances, *lengths]) / SEPARATION) * (0.5 if self.quiet else 1.0)

    def clean(self, codes: Array) -> Array:
        """What of the samples is not noise or texture, in units of the samples' own spread.

        Args:
            codes: (batch, sources), or (batch, *grid, sources) where every position has its own.

        Returns:
            (batch, *grid, channels) float32.
        """
        return np.asarray(self._steady(codes) / self._spread, np.float32)

    def samples(self, codes: Array, rng: np.random.Generator) -> Array:
        """Standardised samples that show codes; shapes as in `clean`."""
        shown = self._steady(codes)
        if self._textured:
            shown = shown + TEXTURE * np.sqrt(2.0) * self._texture(codes, rng)[..., None]
        shown = shown + np.float32(self.noise) * rng.standard_normal(size=shown.shape, dtype=np.float32)
        return np.asarray(shown / self._spread, np.float32)

    @property
    def _textured(self) -> bool:
        """Whether classes have textures: not where a single value must tell them."""
        return bool(self.classes and self.feed.grid) and not self.local

    @property
    def _spread(self) -> np.float32:
        texture = TEXTURE if self._textured else 0.0
        parts = bool(self.classes) + bool(self.values)
        return np.float32(np.sqrt(parts * (COLOUR**2 + TEMPLATE**2) + texture**2 + self.noise**2))

    def _steady(self, codes: Array) -> Array:
        if self.local:
            everywhere = self.templates.reshape(self.sources, -1, self.feed.channels)[:, 0]
            return np.asarray(np.tensordot(codes, everywhere, 1))
        return np.asarray(np.tensordot(codes, self.templates, 1), np.float32)

    def _texture(self, codes: Array, rng: np.random.Generator) -> Array:
        """(batch, *grid) float32: waves of the classes' frequencies, each sample at a phase of its own."""
        grid = self.feed.grid
        phase = rng.uniform(0, 2 * np.pi, size=(len(codes), 1)).astype(np.float32)
        strength = codes[..., : self.classes].astype(np.float32)
        total = np.zeros((len(codes), prod(grid)), np.float32)
        places = np.stack(np.meshgrid(*map(np.arange, grid), indexing="ij"), axis=-1).reshape(-1, len(grid))
        for number, frequency in enumerate(self.frequencies.astype(np.float32)):
            amplitude = strength[..., number].reshape(len(codes), -1)
            if amplitude.any():
                total += amplitude * np.sin(places.astype(np.float32) @ frequency + phase)
        return total.reshape(len(codes), *grid)


def interpolation(size: int, cells: int = TEMPLATE_CELLS) -> Array:
    """(size, cells) weights of linear interpolation from the cells to ``size`` positions."""
    position = np.linspace(0, cells - 1, size)
    return np.asarray(np.clip(1 - np.abs(position[:, None] - np.arange(cells)), 0, None))
