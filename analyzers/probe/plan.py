"""The plan: sizes of inputs, batch and steps that fit a budget, from counted operations, never a stopwatch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from analyzers.errors import InputError
from analyzers.probe.feeds import OPEN, Feed, feeds_of
from analyzers.spec import ModelSpec, Shape, kinds
from analyzers.spec.cost import estimate
from analyzers.spec.flatten import flatten
from analyzers.spec.graph import Graph
from analyzers.spec.roles import core
from analyzers.spec.shapes import infer_shapes

LADDER: Final[tuple[tuple[int, int], ...]] = (
    (224, 16), (160, 16), (128, 16), (96, 16), (80, 16), (64, 16), (48, 32), (32, 32),
    (32, 16),
)  # fmt: skip
"""(side, batch) from dear to cheap.  At total stride 32 the last map then still has 32 values a channel,
the least that BatchNormalization's statistics need (PROBE.md); the last rung is for networks whose maps
are large enough with half the batch."""

LARGEST_BATCH: Final = 64
"""Samples a step of a sender's batch: larger ones cost time and tell no more in as few steps."""

LEAST_VALUES: Final = 32
"""Values per channel of a batch at the smallest map."""

BATCH: Final = 32
"""Samples a step where no input is an image."""

LENGTHS: Final = (1024, 512, 256, 128, 64, 32)
"""Lengths of a series or of a text, from dear to cheap, where its own is too dear."""

MAX_STEPS: Final = 60
"""Steps of one run before it is judged; twice as many where the loss is still falling."""

CHEAP: Final = 4
"""How many times as many steps a run gets where no input is an image and the budget allows it: networks for
tables and series are small, and their usual rates are made for thousands of steps, which cost next to
nothing."""

EXPECTED_STEPS: Final = 600
"""Steps of a whole diagnosis of a stuck model: scales, rates, candidates, proof, and the passes that
measure the end of each run (measured on plain networks: 450 to 650)."""

LEAST_STEPS: Final = 7 * MAX_STEPS
"""Steps of the shortest diagnosis that ends in a proof: the model on two scales, a cure, and the cure's proof
(`Plan.proof_steps`).  Where the budget affords fewer, no more than these are begun."""

LAYER_S: Final = 0.0015
"""Seconds that a weighted or normalising layer costs a step beside its arithmetic: a deep network of
small maps is held up by its many kernels (measured on a ResNet50 at 32x32)."""

TRACING_S: Final = 0.25
"""Seconds that such a layer costs a diagnosis in building and tracing: the model's own two graphs, and
those of a changed model or two (measured on the same)."""

NO_DEARER: Final = 1.25
"""Multiple of a step's price up to which a larger image is taken all the same."""

TIME_STEP_S: Final = 0.0005
"""Seconds that one step in time of a recurrent layer costs, forward and back: its loop runs in many small
kernels."""

LEAST_SIDE: Final = 8
"""Shortest side that a smaller image may have."""

CallShapes = Mapping[tuple[str, int], tuple[Shape, ...]]
"""Output shapes of every call, by the layer's path and the call's number (`analyzers.spec.shapes`)."""

_LAYERED: Final = kinds.WEIGHTED | kinds.NORMALIZATIONS

PASSES: Final = 3
"""A training step costs about three forward passes (forward, gradient by input, gradient by weight)."""

UPDATE_OPERATIONS: Final = 24
"""Memory-bound operations per parameter and step for Adam's update and the measured norms, counted as
arithmetic."""

CPU_GFLOPS: Final[tuple[tuple[str, float], ...]] = (("amx_tile", 48.0), ("avx512f", 36.0), ("avx2", 18.0))
"""Effective float32 GFLOP/s per core of training steps, by the best instruction set: measured with AVX2 on a
VGG16, the wider ones by the ratio of their vectors' widths.  The table is coarse on purpose: the same machine always gets the same plan."""

SLOW_CPU_GFLOPS: Final = 8.0
GPU_GFLOPS: Final = 5000.0

BYTES: Final = 4
MEMORY_SHARE: Final = 0.6
"""Share of the memory that the plan may fill: the rest is for the framework."""


@dataclass(frozen=True)
class Plan:
    """What the probe will run.

    Attributes:
        feeds: the inputs at the sizes that are trained.
        batch: samples per step.
        steps: steps of one run before it is judged.
        total_steps: steps of the whole diagnosis, at most.
        memory_bytes: what training is expected to take.
        reductions: what was made smaller, for a person.
    """

    feeds: tuple[Feed, ...]
    batch: int
    steps: int
    total_steps: int
    memory_bytes: int
    reductions: tuple[str, ...]

    @property
    def input_shapes(self) -> dict[str, Shape]:
        """Batch shapes that replace those of the file's InputLayers (flat names)."""
        return shapes_of(self.feeds)

    @property
    def stretch(self) -> float:
        """Length of a run, in those of an image classifier's."""
        return self.steps / MAX_STEPS

    @property
    def proof_steps(self) -> int:
        """Steps that the proof of a quick cure takes: three runs of the original to their end, three short ones."""
        return 4 * self.steps


def shapes_of(feeds: Sequence[Feed]) -> dict[str, Shape]:
    """Batch shapes of the InputLayers that take the feeds."""
    return {feed.name: (None, *feed.shape) for feed in feeds}


def gflops(device: Literal["cpu", "gpu"], cores: int) -> float:
    """Arithmetic per second that the plan counts on."""
    if device == "gpu":
        return GPU_GFLOPS
    return cores * next((rate for flag, rate in CPU_GFLOPS if flag in _cpu_flags()), SLOW_CPU_GFLOPS)


def _cpu_flags() -> frozenset[str]:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return frozenset()
    line = next((row for row in text.splitlines() if row.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def make_plan(
    spec: ModelSpec, budget_s: float, memory_bytes: int, speed_gflops: float, batch: int | None = None
) -> Plan:
    """The largest inputs that let a whole diagnosis fit the budget and the memory.

    Where none do, the smallest; and then larger ones that cost next to nothing more, as in deep networks
    of small maps, which are held up by their many kernels.

    Args:
        spec: the model.
        budget_s: seconds of training.
        memory_bytes: memory that training may take.
        speed_gflops: from `gflops`.
        batch: the sender's batch size.

    Raises:
        InputError: ``model-too-large`` where not even the smallest plan fits the memory.
        NotProbedError: there is no task for an input (`analyzers.probe.feeds`).
    """
    rungs = list(_priced(spec, budget_s, memory_bytes, speed_gflops, batch))
    if not rungs:
        raise InputError("model-too-large", "training it exceeds the memory of one diagnosis")
    chosen = next((one for one in rungs if one.affordable >= EXPECTED_STEPS), rungs[-1])
    best = next(one for one in rungs if one.step_s <= NO_DEARER * chosen.step_s)
    return best.plan


@dataclass(frozen=True)
class _Rung:
    """A plan with its price: seconds a step, and the steps that the budget buys."""

    plan: Plan
    step_s: float
    affordable: int


def _priced(
    spec: ModelSpec, budget_s: float, memory_bytes: int, speed_gflops: float, batch: int | None
) -> Iterator[_Rung]:
    """The plans that fit the memory, from large images to small."""
    graph = Graph(spec)
    feeds = feeds_of(graph)
    depth = sum(layer.kind in _LAYERED for layer in flatten(spec).layers)
    for rung_feeds, rung_batch in _rungs(feeds):
        shapes = shapes_of(rung_feeds)
        size = min(batch, LARGEST_BATCH) if batch is not None else rung_batch
        cost, found = estimate(spec, shapes, size), infer_shapes(spec, shapes)
        native = all(_same(ours, theirs) for ours, theirs in zip(rung_feeds, feeds, strict=True))
        if (not native and cost.unknown) or not _roomy(graph, found, size):
            continue
        memory = BYTES * (5 * cost.parameters + 3 * cost.activation_elements)
        if memory > memory_bytes * MEMORY_SHARE:
            continue
        operations = 2 * PASSES * cost.multiply_adds + UPDATE_OPERATIONS * cost.trainable_parameters
        step_s = max(
            operations / (speed_gflops * 1e9) + LAYER_S * depth + TIME_STEP_S * _time_steps(graph, found),
            1e-6,
        )
        affordable = int(max(budget_s - TRACING_S * depth, 0) / step_s)
        longer = (
            1 if any(feed.kind == "image" for feed in feeds) else min(affordable // EXPECTED_STEPS, CHEAP)
        )
        plan = Plan(
            feeds=rung_feeds,
            batch=size,
            steps=MAX_STEPS * max(longer, 1),
            total_steps=max(affordable, LEAST_STEPS * max(longer, 1)),
            memory_bytes=memory,
            reductions=(*_reductions(feeds, rung_feeds), *_smaller_batch(batch, size)),
        )
        yield _Rung(plan, step_s, affordable)


def _time_steps(graph: Graph, found: CallShapes) -> int:
    """Steps in time that recurrent layers take for one sample, one after another."""
    total = 0
    for node in graph.nodes:
        if core(graph.layer(node)).kind in kinds.RECURRENT:
            before = [found.get((one.path, one.call), ()) for one in graph.before(node)]
            lengths = [shape[0][1] or 1 for shape in before if shape and len(shape[0]) > 1]
            total += max(lengths, default=1)
    return total


def _same(ours: Feed, theirs: Feed) -> bool:
    return all(native in (None, size) for size, native in zip(ours.shape, theirs.shape, strict=True))


def _reductions(native: Sequence[Feed], trained: Sequence[Feed]) -> Iterator[str]:
    for was, now in zip(native, trained, strict=True):
        if was.shape != now.shape:
            noun = "images of" if now.kind == "image" else "series of" if now.kind == "field" else "texts of"
            yield f"The probe trained on {noun} {_sizes(now)} instead of {_sizes(was)}."


def _smaller_batch(asked: int | None, made: int) -> Iterator[str]:
    if asked is not None and asked > made:
        yield f"The probe trained in batches of {made} instead of {asked}."


def _sizes(feed: Feed) -> str:
    axes = feed.shape[: len(feed.grid)]
    return "an open size" if None in axes else "x".join(str(size) for size in axes)


def _rungs(feeds: Sequence[Feed]) -> Iterator[tuple[tuple[Feed, ...], int]]:
    """Sizes to consider, the file's own first, then down the ladder with the aspect ratio kept."""
    images = [feed for feed in feeds if feed.kind == "image"]
    if images:
        longest = max(max(feed.grid) for feed in images)
        is_open = any(None in feed.shape[:2] for feed in images)
        fitting = [rung for rung in LADDER if rung[0] <= (OPEN["image"] if is_open else longest)] or [
            LADDER[-1]
        ]
        if not is_open:
            yield _resized(feeds, longest), fitting[0][1]
        for side, size in fitting[1:] if fitting[0][0] >= longest and not is_open else fitting:
            yield _resized(feeds, side), size
        return
    longest = max((max(feed.grid) for feed in feeds if feed.grid), default=1)
    yield _resized(feeds, longest), BATCH
    for length in LENGTHS:
        if length < longest:
            yield _resized(feeds, length), BATCH


def _resized(feeds: Sequence[Feed], longest: int) -> tuple[Feed, ...]:
    """The inputs with no axis longer than this, and no axis open."""
    return tuple(replace(feed, shape=_shape(feed, longest)) for feed in feeds)


def _shape(feed: Feed, longest: int) -> Shape:
    grid = feed.grid
    factor = min(longest / max(grid, default=1), 1.0)
    sizes = tuple(min(max(round(size * factor), LEAST_SIDE), size) for size in grid)
    return sizes + tuple(feed.shape[len(grid) :])


def _roomy(graph: Graph, shapes: CallShapes, batch: int) -> bool:
    """Whether every spatial map keeps at least one cell, and enough values for batch statistics."""
    for node in graph.nodes:
        found = shapes.get((node.path, node.call), ())
        if not found or any(size is not None and size < 1 for size in found[0]):
            return False
        layer = graph.layer(node)
        if len(found[0]) == 4 and layer.kind in kinds.CONVOLUTIONS | kinds.NORMALIZATIONS:
            if any(size is None for size in found[0][1:3]):
                continue
            height, width = (int(size or 0) for size in found[0][1:3])
            if batch * height * width < LEAST_VALUES:
                return False
    return True
