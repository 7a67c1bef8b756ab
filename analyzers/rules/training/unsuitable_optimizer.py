"""unsuitable-optimizer: an optimizer or settings of one that cannot do what is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.propagation import plain_stretch
from analyzers.rules.words import number
from analyzers.spec.learning_rates import bare_optimizer
from analyzers.spec.roles import recurrent_parts

ADADELTA_RATE: Final = 0.01
"""Rate of Adadelta below which it is Keras's default of 0.001 and not the 1.0 of its paper (Zeiler 2012)."""

DEEP: Final = 8
"""Weighted layers in a row without normalisation or shortcut (deep-plain-network's limit)."""

HIGHEST_MOMENTUM: Final = 0.99
"""Momentum from which a step is the sum of a hundred gradients and more (Sutskever et al. 2013, table 1:
0.99 works at the very end, and 0.9 or below is needed at the start)."""

EPSILON: Final = (1e-12, 1.0)
"""Adam's epsilon in use: 1e-8 (Kingma & Ba 2015) to 1.0 (Inception on ImageNet, says Keras's page)."""

BETA_1: Final = (0.0, 0.99)
BETA_2: Final = (0.9, 0.99999)
"""Adam's decay rates in use: beta_1 0 (GANs) to 0.95, beta_2 0.9 (GANs, WGAN-GP) to 0.9999."""

CONFIDENCE: Final[Mapping[str, float]] = {
    "adadelta": 0.6, "plain-sgd": 0.3, "momentum": 0.5, "epsilon": 0.4, "beta": 0.4,
}  # fmt: skip
"""Adadelta at 0.001 hardly moves at all; plain SGD trains many deep networks, only slowly."""


@dataclass(frozen=True)
class Trait:
    """What is wrong with an optimizer, and what to do about it; ``{name}`` stands for evidence."""

    applies: Callable[[Mapping[str, Any]], bool]
    effect: str
    fix: str


def _outside(value: Any, bounds: tuple[float, float]) -> bool:
    return isinstance(value, int | float) and not bounds[0] <= value <= bounds[1]


_TO_ADAM: Final = "Use Adam with a rate of 1e-3 (1e-4 for deep networks without normalisation)."

TRAITS: Final[Mapping[str, Trait]] = {
    "adadelta": Trait(
        lambda e: e["optimizer"] == "Adadelta" and (e["rate"] or 0) < ADADELTA_RATE,
        "Adadelta is made for a rate of 1.0 and trains with {rate}, so that its steps are a thousandth of what "
        "they should be",
        "Set learning_rate=1.0, or use Adam with a rate of 1e-3.",
    ),
    "plain-sgd": Trait(
        lambda e: e["optimizer"] == "SGD" and not e["momentum"] and (e["in_a_row"] > DEEP or e["recurrent"] > 0),
        "SGD without momentum follows every gradient as it is, and those of deep plain and of recurrent networks "
        "differ by orders of magnitude between layers ({in_a_row} layers in a row, {recurrent} recurrent)",
        f"Set momentum=0.9, or use another optimizer. {_TO_ADAM}",
    ),
    "momentum": Trait(
        lambda e: isinstance(e["momentum"], int | float) and e["momentum"] >= HIGHEST_MOMENTUM,
        "a momentum of {momentum} adds up a hundred gradients and more, so that the model overshoots and swings",
        "Set momentum=0.9.",
    ),
    "epsilon": Trait(
        lambda e: _outside(e["epsilon"], EPSILON),
        "an epsilon of {epsilon} is outside what is in use (1e-8 to 1): far larger ones make every step tiny, none "
        "at all divides by zero where a gradient is zero",
        "Leave epsilon at 1e-7.",
    ),
    "beta": Trait(
        lambda e: _outside(e["beta_1"], BETA_1) or _outside(e["beta_2"], BETA_2),
        "decay rates beta_1={beta_1} and beta_2={beta_2} are outside what is in use (0 to 0.99 and 0.9 to 0.9999)",
        "Leave beta_1 at 0.9 and beta_2 at 0.999.",
    ),
}  # fmt: skip
"""Trait -> when it applies, what it does, what to do."""


class UnsuitableOptimizer(Rule):
    """An optimizer, or settings of one, that cannot do what is asked.

    What it checks:
        Adadelta at a rate far below the 1.0 that it is made for (Keras's default is 0.001); SGD without
        momentum on deep plain or recurrent networks; momentum of 0.99 and more; epsilon and decay rates
        of the Adam family outside what is in use.

    Why training suffers:
        Adadelta's own unit correction already makes the steps; a factor of 0.001 on top makes them a
        thousandth. Plain SGD takes steps in proportion to gradients that differ by orders of magnitude
        from layer to layer. A momentum of 0.99 makes a step out of a hundred gradients.

    Bad example:
        ```python
        model.compile(optimizer="adadelta")  # learning_rate=0.001
        ```

    Fixed example:
        ```python
        model.compile(optimizer=keras.optimizers.Adadelta(learning_rate=1.0))
        ```

    How sure we are:
        The settings are facts. Whether they stop this model the probe shows by training it with Adam.

    Known limitations:
        Optimizers that Keras does not ship are not judged.

    References:
        Zeiler, ADADELTA, 2012, https://arxiv.org/abs/1212.5701
        Sutskever et al., On the importance of initialization and momentum in deep learning, 2013.
        Kingma and Ba, Adam, 2015, https://arxiv.org/abs/1412.6980
    """

    id: ClassVar[str] = "unsuitable-optimizer"
    group: ClassVar[Group] = "training"
    title: ClassVar[str] = "Optimizer that does not suit"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training"})
    interventions: ClassVar[tuple[str, ...]] = ("change-optimizer",)
    specific: ClassVar[frozenset[str]] = frozenset({"change-optimizer"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1212.5701",
        "https://arxiv.org/abs/1412.6980",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read the optimizer's settings, and what kind of network it trains."""
        optimizer = bare_optimizer(facts.training.optimizer)
        if optimizer is None:
            return NotApplicable("the file names no optimizer; the option optimizer would settle it")
        config, graph = optimizer.config, facts.graph
        details: dict[str, Any] = {
            "optimizer": optimizer.kind,
            "rate": facts.training.learning_rate,
            "in_a_row": len(plain_stretch(graph)),
            "recurrent": sum(bool(recurrent_parts(layer)) for layer in graph.flat.layers if layer.trainable),
            **{key: config.get(key) for key in ("momentum", "epsilon", "beta_1", "beta_2")},
        }
        return Measurement(float(details["in_a_row"]), "weighted layers in a row", {}, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for every trait."""
        evidence = dict(measurement.details)
        shown = {key: number(value) if isinstance(value, float) else value for key, value in evidence.items()}
        return tuple(
            self.finding(
                "warning",
                evidence=evidence,
                explanation=f"{trait.effect.format(**shown)}.",
                fix=trait.fix,
                confidence=CONFIDENCE[name],
            )
            for name, trait in TRAITS.items()
            if trait.applies(evidence)
        )
