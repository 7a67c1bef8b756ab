"""missing-gradient-clipping: recurrent gradients without a bound, or a bound that lets nothing through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import number, subject
from analyzers.spec.learning_rates import bare_optimizer, clipping
from analyzers.spec.roles import recurrent_parts

SMALLEST_STEPPING: Final = 1e-3
"""Bound below which an optimizer whose steps are as long as its gradients stands still: with a rate of
0.01 a thousand steps of one direction move a weight by 0.01, a fifth of a typical one."""

SMALLEST_ADAPTIVE: Final = 1e-6
"""The same for optimizers that divide by the gradient's size: only where the bound comes near their
epsilon of 1e-7 do steps shrink (Kingma & Ba 2015, section 2.1)."""

STEPPING: Final = frozenset({"SGD", "Adagrad", "Ftrl"})
"""Optimizers whose first steps are in proportion to the gradient."""

CONFIDENCE_MISSING: Final = 0.2
CONFIDENCE_TINY: Final = 0.6
"""Most LSTMs train without clipping; hardly anything trains with a bound that small."""


class MissingGradientClipping(Rule):
    """Recurrent gradients without a bound, or a bound that lets nothing through.

    What it checks:
        Whether the optimizer clips gradients (`clipnorm`, `global_clipnorm`, `clipvalue`) where the model
        has trainable recurrent layers; and, in all models, whether the bound is so small that steps
        become nothing.

    Why training suffers:
        Backpropagation through time multiplies the gradient once a step, so that now and then one is
        thousands of times as large as the others and throws the weights far off. A bound far below
        the usual gradients shortens every step instead of the rare ones.

    Bad example:
        ```python
        model.compile(optimizer=keras.optimizers.SGD(0.01, clipvalue=1e-5))
        ```

    Fixed example:
        ```python
        model.compile(optimizer=keras.optimizers.SGD(0.01, clipnorm=1.0))
        ```

    How sure we are:
        Missing clipping is advice: most recurrent models train without. A tiny bound is an error once the
        probe has shown that the model learns with a larger one.

    Known limitations:
        Clipping in a custom training loop does not show in the file.

    References:
        Pascanu et al., On the difficulty of training recurrent neural networks, 2013,
        https://arxiv.org/abs/1211.5063
    """

    id: ClassVar[str] = "missing-gradient-clipping"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "Gradients that are not clipped, or to nothing"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("clip-gradients",)
    specific: ClassVar[frozenset[str]] = frozenset({"clip-gradients"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1211.5063",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the optimizer's bound, and find the recurrent layers."""
        optimizer = bare_optimizer(facts.training.optimizer)
        recurrent = [
            layer.path for layer in facts.graph.flat.layers if recurrent_parts(layer) and layer.trainable
        ]
        bound = clipping(optimizer)
        if optimizer is None:
            return NotApplicable("the file names no optimizer; the option optimizer would settle it")
        if bound is None and not recurrent:
            return NotApplicable("the model is not recurrent, and its optimizer clips nothing")
        least = SMALLEST_STEPPING if optimizer.kind in STEPPING else SMALLEST_ADAPTIVE
        details = {"optimizer": optimizer.kind, "argument": bound[0] if bound else "", "least": least,
                   "recurrent": recurrent}  # fmt: skip
        return Measurement(bound[1] if bound else 0.0, "largest gradient", {}, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information where nothing is clipped, an error where everything is."""
        details, bound = measurement.details, measurement.value
        recurrent = details["recurrent"]
        if not details["argument"]:
            return (
                self.finding(
                    "info",
                    title="Recurrent layers without gradient clipping",
                    layers=recurrent,
                    evidence={"recurrent_layers": len(recurrent), "optimizer": details["optimizer"]},
                    explanation=f"{subject(recurrent, 'is', 'are')} trained by {details['optimizer']} without clipping: one sequence "
                    "with an exploding gradient can undo what was learnt.",
                    fix=f"Clip: optimizer={details['optimizer']}(..., clipnorm=1.0).",
                    confidence=CONFIDENCE_MISSING,
                ),
            )
        if bound >= details["least"]:
            return ()
        return (
            self.finding(
                "error",
                title="Gradients clipped to nothing",
                evidence={"argument": details["argument"], "bound": bound, "optimizer": details["optimizer"]},
                explanation=f"{details['optimizer']} clips gradients to {details['argument']}={number(bound)}, far below "
                "what networks have (0.1 to 10 a layer): every step becomes as good as nothing.",
                fix="Set clipnorm=1.0, or clip nothing.",
                confidence=CONFIDENCE_TINY,
            ),
        )
