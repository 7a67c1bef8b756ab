"""output-loss-mismatch: the last activation and the loss do not belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from analyzers.report import Severity
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.spec.output_heads import LOSS_FAMILIES, Family, Head, heads

CONFIDENCE: Final[Mapping[Severity, float]] = {"error": 0.6, "warning": 0.3, "info": 0.2}
"""How often a pairing of each severity keeps a model from learning; all but the impossible ones can
train on some task, so that the probe decides (PROBE.md)."""

PAIR_OF_CLASSES: Final = 2
"""Binary cross-entropy on a softmax over two units is, up to a factor, categorical cross-entropy."""


@dataclass(frozen=True)
class Mismatch:
    """What a pairing does, and what suits instead.

    ``despite_learning``: it is wrong even where a model learns with it (`analyzers.rule.Finding`).
    """

    severity: Severity
    effect: str
    fix: str
    despite_learning: bool = False


_NOT_PROBABILITIES: Final = (
    "the loss takes the logarithm of values that are no probabilities: they are clipped to between 0 and 1, "
    "and where that happens the gradient is zero"
)
_TWICE: Final = "the loss squashes values that are squashed already, so its gradient is flat and it can never come near zero"
_SOFTMAX_OR_LOGITS: Final = (
    'Give {layer} activation="softmax", or pass from_logits=True to the loss.'  # the usual pair, or none
)
_SIGMOID_OR_LOGITS: Final = 'Give {layer} activation="sigmoid", or pass from_logits=True to the loss.'
_PLAIN_LOSS: Final = "Leave from_logits at False, or remove the activation of {layer}."
_LINEAR: Final = "Remove the activation of {layer} so that the loss gets logits."
_HALF: Final = "logits need both signs and large values, and this activation leaves out a part of them"

_UNSQUASHED: Final = (
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "tanh",
)


def _each(
    families: Sequence[Family], logits: bool, names: Sequence[str], mismatch: Mismatch
) -> dict[tuple[Family, bool, str], Mismatch]:
    return {(family, logits, name): mismatch for family in families for name in names}


MISMATCHES: Final[Mapping[tuple[Family, bool, str], Mismatch]] = {
    **_each(("categorical", "sparse"), False, _UNSQUASHED,
            Mismatch("error", _NOT_PROBABILITIES, _SOFTMAX_OR_LOGITS, despite_learning=True)),
    **_each(("binary",), False, _UNSQUASHED,
            Mismatch("error", _NOT_PROBABILITIES, _SIGMOID_OR_LOGITS, despite_learning=True)),
    **_each(("divergence",), False, _UNSQUASHED,
            Mismatch("warning", _NOT_PROBABILITIES, 'Give {layer} activation="softmax".')),
    **_each(("categorical", "sparse", "binary"), True, ("softmax", "sigmoid", "hard_sigmoid"),
            Mismatch("error", _TWICE, _PLAIN_LOSS)),
    **_each(("categorical", "sparse", "binary"), True, ("relu", "relu6", "tanh"),
            Mismatch("warning", _HALF, _LINEAR)),
    **_each(("categorical", "sparse"), False, ("sigmoid", "hard_sigmoid"), Mismatch(
        "warning", "the units are squashed one by one, but the loss compares them as one distribution over classes",
        'Give {layer} activation="softmax" for one class a sample, or train with binary_crossentropy for '
        "several labels a sample.")),
    **_each(("binary",), False, ("softmax",), Mismatch(
        "warning", "the units share one distribution, but the loss asks each for its own yes or no",
        "Train with categorical_crossentropy for one class a sample, or give {layer} "
        'activation="sigmoid" for several labels a sample.')),
    **_each(("regression",), False, ("softmax",), Mismatch(
        "warning", "probabilities that sum to 1 are compared with targets of any size, and where the softmax is "
        "sure and wrong the gradient of a squared error is nearly zero",
        "Train with categorical_crossentropy for classes, or remove the activation of {layer} for values.")),
    **_each(("regression",), False, ("sigmoid", "hard_sigmoid"), Mismatch(
        "warning", "values between 0 and 1 are compared with targets that may lie outside, and where the sigmoid is "
        "sure and wrong the gradient of a squared error is nearly zero",
        "Train with binary_crossentropy for classes, or remove the activation of {layer} for values.")),
    **_each(("hinge",), False, ("sigmoid", "softmax", "relu", "relu6"), Mismatch(
        "warning", "the hinge loss pulls the output towards -1 and 1, and this activation never gets to -1",
        'Give {layer} activation="tanh", or none.')),
}  # fmt: skip
"""(loss family, from_logits, last activation) -> what is wrong; pairings that are not here are fine."""


class OutputLossMismatch(Rule):
    """A last activation and a loss that do not belong together.

    What it checks:
        For every output, the activation that really makes it (walking back through reshapes, dropout
        and separate activation layers) against its loss and the loss's `from_logits`: logits where
        probabilities are expected and the reverse, softmax with binary and sigmoid with categorical
        cross-entropy, squashed outputs under a regression loss, and hinge losses on outputs that never
        become negative.

    Why training suffers:
        The logarithm of something that is no probability is clipped, and clipped values have no
        gradient. Squashing twice leaves a loss that is flat and cannot reach zero.

    Bad example:
        ```python
        outputs = layers.Dense(10)(x)  # logits
        model.compile(loss="categorical_crossentropy")  # expects probabilities
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(10)(x)
        model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
        ```

    How sure we are:
        These are pairings that cannot work or can work badly; some train all the same, so the probe
        decides with the file's own loss. Values that are no probabilities under a loss that takes their
        logarithm stay a warning even where the probe's easy task was learnt: what is minimised there is
        not the cross-entropy.

    Known limitations:
        Custom losses are not judged. On TensorFlow, Keras replaces a softmax directly in front of the
        loss by its logits, which makes `from_logits=True` on probabilities harmless there. A sigmoid
        under a regression loss is taken as meant where the output has the input's shape or lies over
        positions, as in autoencoders and masks.

    References:
        https://keras.io/api/losses/probabilistic_losses/
    """

    id: ClassVar[str] = "output-loss-mismatch"
    group: ClassVar[Group] = "outputs"
    title: ClassVar[str] = "Last activation that does not suit the loss"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("fix-output-activation", "fix-loss")
    specific: ClassVar[frozenset[str]] = frozenset({"fix-output-activation", "fix-loss"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/api/losses/probabilistic_losses/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Pair every output's activation with its loss."""
        found = heads(facts.graph, facts.training)
        pairs = [_row(head) for head in found if head.loss is not None and head.loss.kind in LOSS_FAMILIES]
        known = [row for row in pairs if row["activation"] is not None]
        if not pairs:
            return NotApplicable("no output has a loss of Keras's own; a built-in loss would settle it")
        if not known:
            return NotApplicable("what makes the output is not a layer with a known activation")
        return Measurement(
            float(len(known)),
            "outputs",
            {row["layer"]: {key: row[key] for key in ("activation", "loss", "units")} for row in known},
            {"pairs": known},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Look every pairing up in the table."""
        found = (self._pair(row) for row in measurement.details["pairs"])
        return tuple(finding for finding in found if finding is not None)

    def _pair(self, row: Mapping[str, Any]) -> Finding | None:
        if row["units"] == 1 and (
            row["activation"] == "softmax" or row["family"] in ("categorical", "sparse")
        ):
            return None  # single-unit-softmax and wrong-loss-for-output tell it
        mismatch = MISMATCHES.get((row["family"], row["from_logits"], row["activation"]))
        if mismatch is None or (row["mirrors_input"] and row["family"] == "regression"):
            return None
        severity = mismatch.severity
        if (row["family"], row["activation"], row["units"]) == ("binary", "softmax", PAIR_OF_CLASSES):
            severity = "info"
        return self.finding(
            severity,
            layers=(row["layer"],),
            evidence=dict(row),
            explanation=f"{row['layer']} ends in {row['activation']}, and its loss {_loss_text(row)} "
            f"expects something else: {mismatch.effect}.",
            fix=mismatch.fix.format(layer=row["layer"]),
            despite_learning=mismatch.despite_learning,
            confidence=CONFIDENCE[severity],
        )


def _row(head: Head) -> dict[str, Any]:
    loss = head.loss.kind if head.loss is not None else ""
    return {
        "output": head.node.path,
        "layer": head.producer.path,
        "activation": head.activation,
        "loss": loss,
        "family": LOSS_FAMILIES[loss],
        "from_logits": head.from_logits,
        "units": head.units,
        "mirrors_input": head.mirrors_input,
    }


def _loss_text(row: Mapping[str, Any]) -> str:
    if row["family"] in ("categorical", "sparse", "binary"):
        return f"{row['loss']}(from_logits={row['from_logits']})"
    return str(row["loss"])
