"""Which initialiser suits which activation, and which activation a kernel's output meets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import activation, is_weighted, keeps_scale, normalizes

GLOROT: Final = frozenset({"GlorotUniform", "GlorotNormal"})
HE: Final = frozenset({"HeUniform", "HeNormal"})

UNSUITED: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    "relu": (GLOROT, "he_normal"),
    "relu6": (GLOROT, "he_normal"),
    "leaky_relu": (GLOROT, "he_normal"),
    "prelu": (GLOROT, "he_normal"),
    "tanh": (HE, "glorot_uniform"),
    "sigmoid": (HE, "glorot_uniform"),
    "selu": (GLOROT | HE, "lecun_normal"),
}
"""Activation -> initialisers made for others, and the one made for it (He et al. 2015, section 2.2;
Glorot & Bengio 2010, section 4.2.1; Klambauer et al. 2017, section 2)."""


def activation_behind(graph: Graph, node: Node) -> str | None:
    """The activation that a kernel's output meets first; None behind a normalisation, merge or weights."""
    own = activation(graph.layer(node))
    while own in (None, "linear"):
        consumers = graph.after(node)
        if len(consumers) != 1:
            return None
        node = consumers[0]
        layer = graph.layer(node)
        if normalizes(layer) or is_weighted(layer) or len(graph.before(node)) != 1:
            return None
        own = activation(layer)
        if own in (None, "linear") and not keeps_scale(graph, node):
            return None
    return own
