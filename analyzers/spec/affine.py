"""Fixed affine maps in front of the weights: Rescaling, Normalization and arithmetic with numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from analyzers.spec import LayerSpec, ModelSpec, TensorRef, by_layer
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import call_of, is_scaling, keeps_scale

Vector = NDArray[np.float64]
PixelScale = Literal["0-255", "0-1", "-1-1", "standardized"]

MOST_STEPS: Final = 10_000
"""Steps of the search for chains of scaling layers."""

KERAS_EPSILON: Final = 1e-7
"""Normalization divides by max(sqrt(variance), this) (keras.config.epsilon())."""


@dataclass(frozen=True)
class PixelRange:
    """Typical statistics of image data on one scale; mean and standard deviation over all pixels.

    The figures are CIFAR-10's (mean 125.3/123.0/113.9 and std 63.0/62.1/66.7 of 255), rounded.
    """

    name: PixelScale
    mean: float
    std: float


RANGES: Final[Mapping[str, PixelRange]] = {
    "0-255": PixelRange("0-255", 121.0, 64.0),
    "0-1": PixelRange("0-1", 0.474, 0.251),
    "-1-1": PixelRange("-1-1", -0.05, 0.502),
    "standardized": PixelRange("standardized", 0.0, 1.0),
}


SANE_STD: Final = (0.05, 10.0)
"""Standard deviation that scaled pixels may have.  Rescaling(1/255) gives 0.25, standardising 1;
a factor of ten beyond standardised, and a fifth of the smallest usual one, is another scale."""

SANE_MEAN: Final = 10.0
"""Largest mean, in either direction, that scaled pixels may have: ten standardised deviations."""


def is_sane(mean: float, std: float) -> bool:
    """Whether pixels of that mean and standard deviation are on a scale that networks are fed with."""
    low, high = SANE_STD
    return abs(mean) <= SANE_MEAN and low <= std <= high


@dataclass(frozen=True)
class Affine:
    """The map ``x -> x * scale + offset``, per channel (arrays of length 1 for all channels alike)."""

    scale: Vector
    offset: Vector

    def then(self, other: Affine) -> Affine:
        """This map, followed by another; arrays that do not fit each other are averaged first."""
        left, right = _fitted(self, other)
        return Affine(left.scale * right.scale, left.offset * right.scale + right.offset)

    def image(self, pixels: PixelRange) -> tuple[float, float]:
        """Mean and standard deviation of what comes out, averaged over channels."""
        mean = float(np.mean(pixels.mean * self.scale + self.offset))
        return mean, float(np.mean(np.abs(pixels.std * self.scale)))


IDENTITY: Final = Affine(np.ones(1), np.zeros(1))


def _fitted(left: Affine, right: Affine) -> tuple[Affine, Affine]:
    sizes = {left.scale.size, right.scale.size} - {1}
    if len(sizes) <= 1:
        return left, right
    return tuple(Affine(np.mean(m.scale, keepdims=True), np.mean(m.offset, keepdims=True))
                 for m in (left, right))  # type: ignore[return-value] # fmt: skip  # two in, two out


@dataclass(frozen=True)
class Constants:
    """A Normalization layer's statistics, flat, and whether they were given, adapted, or neither.

    ``count`` is the number of values that ``adapt`` saw, None where the file does not say.
    """

    mean: Vector
    variance: Vector
    given: bool
    count: float | None = None

    @property
    def neutral(self) -> bool:
        """Mean 0 and variance 1 everywhere: the layer changes nothing."""
        return bool(np.all(self.mean == 0) and np.all(self.variance == 1))


def normalization_constants(spec: ModelSpec, layer: LayerSpec) -> Constants | None:
    """The statistics of a Normalization layer, from its settings or else its saved tensors."""
    mean, variance = layer.config.get("mean"), layer.config.get("variance")
    if mean is not None and variance is not None:
        constants = Constants(_flat(mean), _flat(variance), given=True)
        return constants if constants.mean.size and constants.variance.size else None
    tensors = {tensor.role: tensor for tensor in by_layer(spec.weights.tensors).get(layer.path, ())}
    if not {"mean", "variance"} <= tensors.keys():
        return None
    count = tensors.get("count")
    return Constants(
        _flat(spec.weights.load(tensors["mean"])),
        _flat(spec.weights.load(tensors["variance"])),
        given=False,
        count=None if count is None else float(_flat(spec.weights.load(count)).max(initial=0.0)),
    )


def _flat(value: Any) -> Vector:
    """Numbers as a flat array; an empty one for anything that is no number or list of numbers."""
    try:
        return np.asarray(value, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        return np.empty(0)


def affine_of(graph: Graph, node: Node) -> Affine | None:
    """The affine map of a scaling node; None where its constants cannot be read or make no map."""
    layer = graph.layer(node)
    if layer.kind == "Rescaling":
        scale, offset = _flat(layer.config.get("scale", 1.0)), _flat(layer.config.get("offset", 0.0))
        return Affine(scale, offset) if scale.size and offset.size else None
    if layer.kind == "Normalization":
        constants = normalization_constants(graph.flat, layer)
        return None if constants is None else _normalizing(constants, bool(layer.config.get("invert")))
    return _arithmetic(graph, node)


def _normalizing(constants: Constants, invert: bool) -> Affine | None:
    if not np.all(constants.variance >= 0):
        return None
    deviation = np.maximum(np.sqrt(constants.variance), KERAS_EPSILON)
    if len({constants.mean.size, deviation.size} - {1}) > 1:
        return None
    if invert:
        return Affine(deviation, constants.mean)
    return Affine(1 / deviation, -constants.mean / deviation)


_LEFT: Final[Mapping[str, Callable[[Vector], tuple[Vector, Vector]]]] = {
    "Add": lambda c: (np.ones_like(c), c),
    "Subtract": lambda c: (np.ones_like(c), -c),
    "Multiply": lambda c: (c, np.zeros_like(c)),
    "Divide": lambda c: (1.0 / c, np.zeros_like(c)),
    "TrueDivide": lambda c: (1.0 / c, np.zeros_like(c)),
}
"""``x op c`` as (scale, offset)."""

_RIGHT: Final[Mapping[str, Callable[[Vector], tuple[Vector, Vector]]]] = {
    "Add": _LEFT["Add"],
    "Subtract": lambda c: (-np.ones_like(c), c),
    "Multiply": _LEFT["Multiply"],
}
"""``c op x`` as (scale, offset); ``c / x`` is not affine."""


def _arithmetic(graph: Graph, node: Node) -> Affine | None:
    """The map of ``x op c``, ``c op x`` or ``-x``, ``c`` a number or one number a channel."""
    kind, call = graph.layer(node).kind, call_of(graph, node)
    if kind == "Negative":
        return Affine(-np.ones(1), np.zeros(1))
    operands = [*call.args, *call.kwargs.values()]
    constants = [item for item in operands if not isinstance(item, TensorRef)]
    table = _LEFT if operands and isinstance(operands[0], TensorRef) else _RIGHT
    if len(operands) != 2 or len(constants) != 1 or kind not in table:
        return None
    constant = _flat(constants[0])
    if not constant.size or ("Divide" in kind and not np.all(constant)):
        return None
    return Affine(*table[kind](constant))


@dataclass(frozen=True)
class Chain:
    """Scaling nodes in the order in which one input meets them, and their composed map."""

    start: Node
    nodes: tuple[Node, ...]
    map: Affine


def chains(graph: Graph, start: Node) -> tuple[Chain, ...]:
    """Every longest chain of scaling nodes that an input meets before anything else.

    Between them only nodes that keep the scale may lie.  A chain through a scaling node whose
    constants cannot be read is left out: its map is not known.
    """
    found: list[Chain] = []
    seen: set[tuple[Node, tuple[Node, ...]]] = set()
    # A graph of many parallel scalings has a chain for every way through it: the first ones do.
    stack: list[tuple[Node, tuple[Node, ...], Affine]] = [(start, (), IDENTITY)]
    while stack and len(seen) < MOST_STEPS:
        node, passed, composed = stack.pop()
        if (node, passed) in seen:
            continue
        seen.add((node, passed))
        if is_scaling(graph, node):
            step = affine_of(graph, node)
            if step is None:
                continue
            passed, composed = (*passed, node), composed.then(step)
        elif not keeps_scale(graph, node):
            if passed:
                found.append(Chain(start, passed, composed))
            continue
        stack.extend((consumer, passed, composed) for consumer in graph.after(node))
    unique = {chain.nodes: chain for chain in found}
    return tuple(unique.values())


def repeats(graph: Graph, chain: Chain) -> bool:
    """Whether a chain applies one and the same map, other than the identity, twice."""
    maps = [step for node in chain.nodes if (step := affine_of(graph, node)) is not None]
    return any(
        _alike(one, other) and not _alike(one, IDENTITY)
        for place, one in enumerate(maps)
        for other in maps[place + 1 :]
    )


def _alike(one: Affine, other: Affine) -> bool:
    left, right = _fitted(one, other)
    return bool(np.allclose(left.scale, right.scale) and np.allclose(left.offset, right.offset))


@dataclass(frozen=True)
class Judged:
    """A chain of scaling nodes on usual pixels.

    Attributes:
        chain: the chain.
        sane: a range on which all of it ends on a sane scale; None where there is none.
        start: a range on which the longest sane start of it does; None where there is none.
        superfluous: the nodes behind that start.
    """

    chain: Chain
    sane: PixelScale | None
    start: PixelScale | None
    superfluous: tuple[Node, ...]

    @property
    def repeated(self) -> bool:
        """Whether the chain scales what an earlier part of it had scaled already."""
        return self.sane is None and bool(self.superfluous)


def judged(graph: Graph, chain: Chain, ranges: Sequence[PixelRange]) -> Judged | None:
    """A chain of two fixed maps or more on pixels of some ranges; None for others.

    A Normalization's statistics may be those of the data at that point, so chains with one count only
    where they apply the same map twice.
    """
    fixed = all(graph.layer(node).kind != "Normalization" for node in chain.nodes)
    if len(chain.nodes) < 2 or not (fixed or repeats(graph, chain)):
        return None
    composed, start, rest = IDENTITY, None, tuple[Node, ...]()
    for place, node in enumerate(chain.nodes):
        composed = composed.then(affine_of(graph, node) or IDENTITY)
        sane = next((pixels.name for pixels in ranges if is_sane(*composed.image(pixels))), None)
        if sane is not None:
            start, rest = sane, chain.nodes[place + 1 :]
    whole = next((pixels.name for pixels in ranges if is_sane(*chain.map.image(pixels))), None)
    return Judged(chain, whole, start, rest)
