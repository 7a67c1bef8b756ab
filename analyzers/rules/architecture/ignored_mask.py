"""ignored-mask: padding that is masked at first and counted later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, subject
from analyzers.spec import kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import core

PASSING: Final = (
    kinds.DROPOUTS
    | kinds.MERGES
    | kinds.ATTENTION
    | frozenset(kinds.ACTIVATION_LAYERS)
    | {"Dense", "Activation", "TimeDistributed", "Masking", "BatchNormalization", "LayerNormalization",
       "GroupNormalization", "RMSNormalization", "ActivityRegularization", "GaussianNoise", "Identity",
       "EinsumDense", "Embedding"}
)  # fmt: skip
"""Layers that hand the mask on (``supports_masking`` in Keras)."""

NEEDING: Final = (kinds.RECURRENT - {"ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"}) | kinds.ATTENTION | {
    "GlobalAveragePooling1D"
}  # fmt: skip
"""Layers whose result depends on which steps are masked."""

CONFIDENCE: Final = 0.6
"""Keras's own documentation; that the padding harms depends on how much of it there is."""


class IgnoredMask(Rule):
    """A mask that is lost before a layer that needs it.

    What it checks:
        Embedding layers with `mask_zero=True` and Masking layers: whether a layer that drops masks
        (convolution, pooling, reshape, Flatten) lies between them and a recurrent layer, an attention
        or an average over steps.

    Why training suffers:
        Padding is then read like words: the state of an LSTM behind forty steps of padding has forgotten
        the sentence, and an average over steps is mostly of padding.

    Bad example:
        ```python
        x = layers.Embedding(10000, 64, mask_zero=True)(tokens)
        x = layers.Conv1D(64, 3, padding="same")(x)  # drops the mask
        x = layers.LSTM(64)(x)
        ```

    Fixed example:
        ```python
        x = layers.Embedding(10000, 64, mask_zero=True)(tokens)
        x = layers.LSTM(64)(x)
        ```

    How sure we are:
        Which layers drop a mask is documented. Networks learn to ignore padding if it always looks the
        same, so this is information.

    Known limitations:
        Masks that are given by hand as an argument of the call are not followed.

    References:
        https://keras.io/guides/understanding_masking_and_padding/
    """

    id: ClassVar[str] = "ignored-mask"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "A mask that is lost on the way"
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/guides/understanding_masking_and_padding/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Follow every mask to the layers that drop it, and look who needs it behind them."""
        graph = facts.graph
        sources = [node for node in graph.nodes if _makes_mask(graph, node)]
        if not sources:
            return NotApplicable("no layer makes a mask")
        layers: dict[str, dict[str, Any]] = {}
        for source in sources:
            masked = graph.reachable(
                [source],
                lambda node: (n for n in graph.after(node) if core(graph.layer(n)).kind in PASSING | NEEDING),
            )
            for node in masked:
                for dropper in graph.after(node):
                    needing = [] if dropper in masked else _needing(graph, dropper, masked)
                    if needing and graph.layer(dropper).known:
                        layers[dropper.path] = {"mask_from": source.path, "needed_by": needing}
        return Measurement(float(len(layers)), "layers that drop a mask", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information."""
        rows = measurement.layers
        if not rows:
            return ()
        needing = list(dict.fromkeys(path for row in rows.values() for path in row["needed_by"]))
        sources = list(dict.fromkeys(row["mask_from"] for row in rows.values()))
        return (
            self.finding(
                "info",
                layers=tuple(rows),
                evidence={"mask_from": sources, "needed_by": needing},
                explanation=f"{subject(sources, 'masks', 'mask')} the padding, and {subject(rows, 'drops', 'drop')} the mask before "
                f"{subject(needing, 'gets', 'get')} it, so that padding counts like data there.",
                fix=f"Put {listed(needing)} in front of {listed(rows)}, or pass the mask to it by hand.",
                confidence=CONFIDENCE,
            ),
        )


def _makes_mask(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    return layer.kind == "Masking" or (layer.kind == "Embedding" and bool(layer.config.get("mask_zero")))


def _needing(graph: Graph, dropper: Node, masked: frozenset[Node]) -> list[str]:
    """The layers behind a node, as far as the steps go, that would use a mask and get none."""
    found = graph.frontier(
        dropper, lambda layer: core(layer).kind in NEEDING or layer.kind in ("Flatten", "Masking")
    )
    return [node.path for node in found if core(graph.layer(node)).kind in NEEDING and node not in masked]
