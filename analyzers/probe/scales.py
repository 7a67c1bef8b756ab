"""On which input scales a model is tried: a file does not say what numbers were fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from analyzers.options import InputRange, Options
from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.spec import Json, ModelSpec
from analyzers.spec.affine import RANGES, Chain, chains
from analyzers.spec.graph import Graph
from analyzers.spec.roles import keeps_scale

FROM_OPTION: Final[dict[InputRange, InputScale]] = {
    "0-255": "raw", "0-1": "0-1", "-1-1": "-1-1", "standardized": "standardized",
}  # fmt: skip
IN_WORDS: Final[dict[InputScale, str]] = {
    "raw": "raw pixels 0-255",
    "0-1": "pixels scaled to 0-1",
    "-1-1": "pixels scaled to -1-1",
    "standardized": "standardised input (mean 0, standard deviation 1)",
    "unscaled": "features in units of their own",
}
UNTOUCHED: Final[frozenset[InputScale]] = frozenset({"raw", "unscaled"})
"""Scales of data that nobody has scaled."""

DROWNED: Final = 20.0
"""Standard deviations of the pixels by which a shift in brightness leaves nothing of an image: it is
clipped to one value."""

SANE_STD: Final = (0.1, 3.0)
SANE_MEAN: Final = 3.0
"""What initialisers are made for is mean near 0 and standard deviation near 1 (CASES.md, C2); common
preprocessing leaves 0.25 (1/255) to 1, and a mean of at most a few deviations."""


@dataclass(frozen=True)
class Scales:
    """The scales to try.

    Attributes:
        natural: the scale that the graph is made for, by its own constants or the sender's word.
        tried: the scales to run, ``natural`` first.
        itself: the graph scales its input by fixed constants.
    """

    natural: InputScale
    tried: tuple[InputScale, ...]
    itself: bool


def scales_of(
    spec: ModelSpec, options: Options, feeds: Sequence[Feed], recorded: Sequence[float] = ()
) -> Scales:
    """Which input scales to try on a model.

    Where the graph's own constants bring some scale to a sane range, that scale is natural; without any
    constants it is standardised input.  Raw pixels, or features in units of their own where no input is an
    image, are always tried too, unless the sender named the scale, or the file tells that its own training had
    input of a sane one.  Tokens have no scale.

    Args:
        spec: the model.
        options: the sender's word.
        feeds: the model's inputs.
        recorded: the size of what each first layer was fed in the file's own training, where the file tells it.
    """
    found = _scales_of(spec, options, feeds)
    return replace(found, tried=found.tried[:1]) if was_sane(recorded) else found


def was_sane(recorded: Sequence[float]) -> bool:
    """Whether a file tells that every input of its own training was of a sane scale."""
    return bool(recorded) and all(SANE_STD[0] <= one <= SANE_STD[1] for one in recorded)


def _scales_of(spec: ModelSpec, options: Options, feeds: Sequence[Feed]) -> Scales:
    if not any(feed.kind == "image" for feed in feeds):
        return _of_features(options, feeds)
    graph = Graph(spec)
    found = [chain for node in graph.inputs for chain in chains(graph, node)]
    if options.input_range != "auto":
        given = FROM_OPTION[options.input_range]
        return Scales(given, (given,), bool(found))
    if not found:
        return Scales("standardized", ("standardized", "raw"), itself=False)
    candidates: tuple[InputRange, ...] = ("0-255", "0-1", "-1-1", "standardized")
    shift = _brightness_shift(graph)
    natural: InputScale = next(
        (
            FROM_OPTION[name]
            for name in candidates
            if _sane(found, name) and shift <= DROWNED * RANGES[name].std
        ),
        "raw",
    )
    tried: tuple[InputScale, ...] = (natural,) if natural == "raw" else (natural, "raw")
    return Scales(natural, tried, itself=True)


def without_scale(feeds: Sequence[Feed]) -> bool:
    """Whether no input has a scale: token ids have none."""
    return all(feed.kind == "tokens" for feed in feeds)


def _of_features(options: Options, feeds: Sequence[Feed]) -> Scales:
    itself = any(feed.own is not None for feed in feeds)
    if without_scale(feeds):
        return Scales("standardized", ("standardized",), itself=False)
    if options.input_range != "auto":
        given = FROM_OPTION[options.input_range]
        return Scales(given, (given,), itself)
    if itself:
        return Scales("unscaled", ("unscaled",), itself=True)
    return Scales("standardized", ("standardized", "unscaled"), itself=False)


def _brightness_shift(graph: Graph) -> float:
    """How far RandomBrightness in front of all scaling may shift its input, in the input's own units.

    It shifts by a share of its ``value_range``, 0-255 unless the file says otherwise, so it tells the scale
    that the author had in mind.
    """
    nodes = graph.reachable(
        graph.inputs, lambda node: (one for one in graph.after(node) if keeps_scale(graph, one))
    )
    layers = [graph.layer(node) for node in nodes]
    return max((_shift(layer.config) for layer in layers if layer.kind == "RandomBrightness"), default=0.0)


def _shift(config: Mapping[str, Json]) -> float:
    factor = np.abs(np.ravel(np.asarray(config.get("factor") or 0.0, dtype=float)))
    span = np.ptp(np.asarray(config.get("value_range") or (0.0, 255.0), dtype=float))
    return float(np.max(factor, initial=0.0) * span)


def _sane(found: list[Chain], name: InputRange) -> bool:
    for chain in found:
        mean, std = chain.map.image(RANGES[name])
        if not SANE_STD[0] <= std <= SANE_STD[1] or abs(mean) > SANE_MEAN:
            return False
    return True
