"""initializer-activation-mismatch: kernels initialised for another activation than the one behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.initializers import UNSUITED, activation_behind
from analyzers.rules.propagation import plain_stretch
from analyzers.rules.training_math import initializer_name
from analyzers.rules.words import listed
from analyzers.spec import LayerSpec, kinds
from analyzers.spec.graph import Graph
from analyzers.spec.roles import activation, core, is_weighted

MANY: Final = 8
"""Mismatched layers in a row from which the lost factor adds up to an order of magnitude (0.71 ** 8 < 0.1)."""

CONFIDENCE: Final = 0.3
CONFIDENCE_FEW: Final = 0.1
"""Most networks of this kind train: the factor of one layer is small."""


class InitializerActivationMismatch(Rule):
    """Initialisers made for another activation.

    What it checks:
        The kernel initialiser of every weighted layer against the activation that follows it, in the
        layer or as a layer of its own: Glorot before ReLU, He before tanh or sigmoid, anything but
        LeCun before SELU; Dropout in place of AlphaDropout behind SELU. Layers whose output is
        normalised before the activation are passed over, since their scale does not matter.

    Why training suffers:
        An initialiser's variance is made so that one kind of activation keeps the signal's scale.
        Glorot before ReLU loses a factor of 0.71 in every layer. One layer makes no difference; the
        factors of many layers without normalisation multiply up.

    Bad example:
        ```python
        x = layers.Dense(256, activation="relu")(x)  # the default is glorot_uniform
        ```

    Fixed example:
        ```python
        x = layers.Dense(256, activation="relu", kernel_initializer="he_normal")(x)
        ```

    How sure we are:
        The settings are in the file. It is information for a few layers, and a warning for eight or
        more in a row without normalisation; whether the lost scale stops training is for the probe to show with He initialisation.

    Known limitations:
        Says nothing about saved weights that were trained or loaded: the initialiser is history then.
        Gains of activations between those in the table (ELU, GELU, swish) are close enough to either
        initialiser.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward networks, 2010.
        He et al., Delving Deep into Rectifiers, 2015, https://arxiv.org/abs/1502.01852
        Klambauer et al., Self-Normalizing Neural Networks, 2017, https://arxiv.org/abs/1706.02515
    """

    id: ClassVar[str] = "initializer-activation-mismatch"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Initialisers made for another activation"
    interventions: ClassVar[tuple[str, ...]] = ("he-initialization",)
    specific: ClassVar[frozenset[str]] = frozenset({"he-initialization"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1502.01852",
        "https://arxiv.org/abs/1706.02515",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Pair every trainable kernel's initialiser with the activation behind it."""
        graph = facts.graph
        pairs: dict[str, dict[str, Any]] = {}
        judged = 0
        for node in graph.nodes:
            layer = graph.layer(node)
            following = activation_behind(graph, node) if layer.trainable and _has_kernel(layer) else None
            if following is None:
                continue
            judged += 1
            name = initializer_name(_initializer(layer))
            unsuited, suited = UNSUITED.get(following, (frozenset(), ""))
            if name in unsuited:
                pairs[node.path] = {"initializer": name, "activation": following, "suited": suited}
        in_a_row = sum(node.path in pairs for node in plain_stretch(graph))
        if not judged:
            return NotApplicable(
                "no trainable kernel with an activation behind it and no normalisation between"
            )
        return Measurement(
            float(len(pairs)),
            "layers",
            pairs,
            {
                "judged": judged,
                "in_a_row": in_a_row,
                "dropouts": _dropouts_behind_selu(graph),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One finding for all mismatched layers, one for Dropout behind SELU."""
        return (*self._initializers(measurement), *self._dropouts(measurement.details["dropouts"]))

    def _initializers(self, measurement: Measurement) -> Sequence[Finding]:
        rows = measurement.layers
        if not rows:
            return ()
        in_a_row = measurement.details["in_a_row"]
        suited = {
            name: [path for path, row in rows.items() if row["suited"] == name]
            for name in dict.fromkeys(row["suited"] for row in rows.values())
        }
        kinds_seen = sorted({f"{row['initializer']} before {row['activation']}" for row in rows.values()})
        return (
            self.finding(
                "warning" if in_a_row >= MANY else "info",
                layers=tuple(rows),
                evidence={
                    "layers": len(rows),
                    "of": measurement.details["judged"],
                    "in_a_row": in_a_row,
                    "pairs": kinds_seen,
                },
                explanation=f"{listed(rows)}: {listed(kinds_seen)}. The initialiser is made for another activation, "
                f"and no normalisation between sets the scale right. {_weight(in_a_row)}",
                fix="Set "
                + " and ".join(
                    f'kernel_initializer="{name}" on {listed(own)}' for name, own in suited.items()
                )
                + ".",
                confidence=CONFIDENCE if in_a_row >= MANY else CONFIDENCE_FEW,
            ),
        )

    def _dropouts(self, dropouts: Sequence[str]) -> Sequence[Finding]:
        if not dropouts:
            return ()
        return (
            self.finding(
                "info",
                title="Dropout in place of AlphaDropout behind SELU",
                layers=dropouts,
                evidence={"layers": len(dropouts)},
                explanation=f"Behind SELU comes {listed(dropouts)}. SELU keeps mean 0 and variance 1 by itself; setting "
                "units to zero breaks both, AlphaDropout keeps them.",
                fix=f"Replace {listed(dropouts)} by AlphaDropout of the same rate.",
                confidence=CONFIDENCE,
            ),
        )


def _weight(in_a_row: int) -> str:
    if in_a_row < MANY:
        return "With so few in a row the lost factor hardly matters."
    return f"{in_a_row} of them follow each other, and their factors multiply up."


def _has_kernel(layer: LayerSpec) -> bool:
    return is_weighted(layer) and core(layer).kind in kinds.CONVOLUTIONS | {"Dense"}


def _initializer(layer: LayerSpec) -> Any:
    config = core(layer).config
    for key in ("kernel_initializer", "pointwise_initializer", "depthwise_initializer"):
        if config.get(key) is not None:
            return config[key]
    return None


def _dropouts_behind_selu(graph: Graph) -> list[str]:
    plain = kinds.DROPOUTS - {"AlphaDropout"}
    return list(
        dict.fromkeys(
            node.path
            for node in graph.nodes
            if graph.layer(node).kind in plain
            and any(activation(graph.layer(producer)) == "selu" for producer in graph.before(node))
        )
    )
