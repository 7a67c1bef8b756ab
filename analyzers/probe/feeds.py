"""What each input of a model is fed: its kind, its size, and the units that its numbers come in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final, Literal

from analyzers.spec import Array, Shape
from analyzers.spec.affine import IDENTITY, Affine, chains
from analyzers.spec.graph import Graph, Node
from analyzers.spec.model_inputs import ModelInput, model_inputs
from analyzers.spec.roles import core, is_weighted

FeedKind = Literal["image", "field", "table", "tokens"]
"""``image``: pixels.  ``field``: features along one or more axes (series, volumes, feature maps), channels
last.  ``table``: a row of features.  ``tokens``: whole numbers that name rows of an Embedding."""

OPEN: Final[Mapping[FeedKind, int]] = {"image": 64, "field": 32, "table": 1, "tokens": 32}
"""Length of an axis that the file leaves open."""

PHOTOGRAPH: Final = 3
"""Channels of an image where the file leaves them open."""

_CODED: Final = frozenset({"CategoryEncoding", "IntegerLookup", "Hashing"})


class NotProbedError(Exception):
    """The probe has no task for this model.  The message says why, for a person."""


@dataclass(frozen=True)
class Feed:
    """One input.

    Attributes:
        name: of its InputLayer in the flat model.
        kind: what it is fed.
        shape: of one sample, as the model takes it; None where the file leaves a size open.
        dtype: of the numbers.
        vocabulary: for ``tokens``, how many there are, 0 included.
        own: for fields and tables, the graph's own affine map in front of the weights, which tells the
            units that the author's features come in; None where there is none.
    """

    name: str
    kind: FeedKind
    shape: Shape
    dtype: str = "float32"
    vocabulary: int = 0
    own: Affine | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes of the axes along which a sample extends; () for a table."""
        sizes = tuple(OPEN[self.kind] if size is None else size for size in self.shape)
        return sizes if self.kind == "tokens" or self.flat else sizes[:-1]

    @property
    def channels(self) -> int:
        """Features at each position."""
        return 1 if self.kind == "tokens" or self.flat else int(self.shape[-1] or 1)

    @property
    def flat(self) -> bool:
        """Whether it is an image without a channel axis."""
        return self.kind == "image" and len(self.shape) == 2

    @property
    def size(self) -> int:
        """Numbers in a sample."""
        return prod(self.grid) * self.channels

    def as_fed(self, values: Array) -> Array:
        """(batch, *grid, channels) values in the shape and type that the model takes."""
        axes = (*self.grid, self.channels)[: len(self.shape)]
        return values.reshape(len(values), *axes).astype(self.dtype)


def feeds_of(graph: Graph) -> tuple[Feed, ...]:
    """The model's inputs, in its own order; sizes as the file has them.

    Raises:
        NotProbedError: an input takes text, whole numbers of unknown meaning, or rows of unknown width.
    """
    return tuple(_feed(graph, found) for found in model_inputs(graph))


def _feed(graph: Graph, found: ModelInput) -> Feed:
    shape, name = found.shape[1:], graph.layer(found.node).name
    if "string" in found.dtype:
        raise NotProbedError(f"its input {name} takes text; the probe has tasks for numbers")
    vocabulary = _vocabulary(graph, found.node)
    if vocabulary:
        return Feed(name, "tokens", shape, found.dtype, vocabulary)
    if "int" in found.dtype or "bool" in found.dtype:
        raise NotProbedError(f"its input {name} takes {found.dtype} numbers that no Embedding reads")
    kind: FeedKind = "image" if found.kind == "image" or len(shape) == 3 else "field"
    kind = "table" if len(shape) == 1 else kind
    if 0 in shape:
        raise NotProbedError(f"its input {name} has the shape {list(found.shape)}, which holds nothing")
    if not shape or (shape[-1] is None and kind != "image"):
        raise NotProbedError(
            f"its input {name} has the shape {list(found.shape)}, which leaves its width open"
        )
    if kind == "image" and len(shape) == 3 and shape[-1] is None:
        shape = (*shape[:-1], PHOTOGRAPH)
    return Feed(name, kind, shape, found.dtype, own=None if kind == "image" else _own(graph, found.node))


def _vocabulary(graph: Graph, node: Node) -> int:
    """Rows of the smallest table that an input's numbers are looked up in; 0 where they are not."""
    ends = graph.frontier(node, lambda layer: is_weighted(layer) or layer.kind in _CODED or not layer.known)
    layers = [core(graph.layer(end)) for end in ends]
    sizes = [layer.config.get("input_dim", layer.config.get("num_tokens")) for layer in layers
             if layer.kind == "Embedding" or layer.kind in _CODED]  # fmt: skip
    return min((size for size in sizes if isinstance(size, int)), default=0)


def _own(graph: Graph, node: Node) -> Affine | None:
    """The one fixed map that this input meets, unless it changes nothing."""
    maps = [chain.map for chain in chains(graph, node)]
    if len(maps) != 1:
        return None
    same = bool((maps[0].scale == IDENTITY.scale).all() and (maps[0].offset == IDENTITY.offset).all())
    return None if same or not bool((maps[0].scale != 0).all()) else maps[0]
