"""Train every output with the loss that suits what it gives."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final, Literal

from analyzers.interventions.base import Applied, Intervention, Quantity
from analyzers.spec import ModelSpec, ObjectSpec
from analyzers.spec.graph import Graph
from analyzers.spec.output_heads import Head, heads

_SIGMOIDS: Final = frozenset({"sigmoid", "hard_sigmoid"})
_NAMES: Final = {"categorical": "CategoricalCrossentropy", "binary": "BinaryCrossentropy"}


class FixLoss(Intervention):
    """Choose the cross-entropy that suits the activation of every output whose loss does not.

    Softmax gets a categorical, sigmoids and single units a binary cross-entropy; ``from_logits`` is set
    by what really makes the output.  Class numbers stay class numbers.  Regression outputs and outputs
    without a loss stay as they are.
    """

    id: ClassVar[str] = "fix-loss"
    invasiveness: ClassVar[int] = 1
    moves: ClassVar[tuple[Quantity, ...]] = ("initial_loss", "output_spread", "output_gradient")

    def apply(self, spec: ModelSpec) -> Applied | None:
        """See the base class."""
        if spec.training is None:
            return None
        found = heads(Graph(spec), spec.training)
        losses = tuple(_suited(head) for head in found)
        if len(losses) != len(spec.training.losses) or losses == spec.training.losses:
            return None
        changed = [
            (head, loss)
            for head, loss, old in zip(found, losses, spec.training.losses, strict=True)
            if loss != old and loss is not None
        ]
        words = ", ".join(f"{head.node.path} with {_shown(loss)}" for head, loss in changed)
        return Applied(
            replace(spec, training=replace(spec.training, losses=losses)),
            (),
            f"Train {words}.",
            {"loss": [loss.kind for _, loss in changed]},
        )


def _suited(head: Head) -> ObjectSpec | None:
    """The loss of an output, or the one that suits it better."""
    loss, wanted = head.loss, _wanted(head)
    if loss is None or wanted is None:
        return loss
    logits = head.activation == "linear"
    if head.family == wanted or (head.family == "sparse" and wanted == "categorical"):
        same = head.from_logits == logits
        return loss if same else replace(loss, config={**loss.config, "from_logits": logits})
    return ObjectSpec(_NAMES[wanted], {"from_logits": logits})


def _wanted(head: Head) -> Literal["categorical", "binary"] | None:
    """The cross-entropy that an output should have; None where its loss may stay."""
    family, name = head.family, head.activation
    counts = family is None and head.loss is not None and "accuracy" in head.loss.kind.lower()
    squashed = name == "softmax" or name in _SIGMOIDS
    values = family == "regression" and squashed and not head.mirrors_input
    if not (head.classifies or counts or values) or not (squashed or name == "linear"):
        return None
    if head.units == 1:
        return None if name == "softmax" else "binary"
    if name == "linear":
        return "binary" if family == "binary" else "categorical"
    return "categorical" if name == "softmax" else "binary"


def _shown(loss: ObjectSpec) -> str:
    logits = "from_logits=True" if loss.config.get("from_logits") else ""
    return f"{loss.kind}({logits})"
