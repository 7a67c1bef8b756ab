"""recorded-vanishing-gradient: in the real run the gradient fell by orders of magnitude towards the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.recorded_gradients import STEADY, recorded_profile
from analyzers.rules.words import number

LOWEST_RATIO: Final = 1e-2
"""First over last layer's gradient: below it is 1 of 78 real files with slots (FORMATS.md, section 4)."""


class RecordedVanishingGradient(Rule):
    """In the real training run the gradient vanished towards the input.

    What it checks:
        The optimizer's record of gradients (second moments of Adam, RMSprop and Adadelta, corrected for
        their start; Adamax's norm; Adagrad's sum; else the momentum of SGD or Lion): the root mean square gradient of each layer's kernel in the real run. It is told when the first
        layer's is under a hundredth of the last one's, both as it stands and relative to the size of
        the kernel, and when it falls steadily over four layers or more.

    Why training suffers:
        Each layer's gradient is the next one's times its weights and its activation's slope. Where
        that product is below one, it shrinks exponentially with depth: the first layers stay at their
        random start and hand on noise, on which the last ones can build nothing.

    Bad example:
        ```python
        for _ in range(12):
            x = layers.Conv2D(64, 3, activation="sigmoid")(x)
        ```

    Fixed example:
        ```python
        for _ in range(12):
            x = layers.Conv2D(64, 3, kernel_initializer="he_normal", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
        ```

    How sure we are:
        The figures are the real run's own. In a survey of real files 1 of 78 fell below the threshold,
        and that one was made to. A small gradient alone stops nobody (Adam divides by it), so this is
        a suspicion until the probe has shown that the model does not learn and that the fix for its
        initialisation does.

    Known limitations:
        Adam's average remembers about 1 / (1 - beta_2) steps, RMSprop's 10, momentum 10, Adagrad's sum
        the whole run: the evidence is as old as that. Layers whose average is exactly zero are left to recorded-zero-gradient.
        Embeddings and attention are passed over.

    References:
        Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010,
        https://proceedings.mlr.press/v9/glorot10a.html
        He et al., Delving Deep into Rectifiers, 2015, https://arxiv.org/abs/1502.01852
    """

    id: ClassVar[str] = "recorded-vanishing-gradient"
    group: ClassVar[Group] = "optimizer_state"
    title: ClassVar[str] = "A gradient that vanished in the recorded run"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training", "weights", "optimizer_state"})
    interventions: ClassVar[tuple[str, ...]] = (
        "he-initialization", "add-batch-normalization", "leaky-relu",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"he-initialization"})
    references: ClassVar[tuple[str, ...]] = (
        "https://proceedings.mlr.press/v9/glorot10a.html", "https://arxiv.org/abs/1502.01852",
    )  # fmt: skip

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Gradient and weight scale of each layer's kernel, from the input to the output."""
        return recorded_profile(facts.graph)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A steady fall by two orders of magnitude is an error, once confirmed."""
        details = measurement.details
        steady = details["steadiness"] >= STEADY
        if measurement.value >= LOWEST_RATIO or details["relative_ratio"] >= LOWEST_RATIO or not steady:
            return ()
        paths = tuple(measurement.layers)
        first, last = measurement.layers[paths[0]], measurement.layers[paths[-1]]
        return (
            self.finding(
                "error",
                layers=_weakest(measurement.layers),
                evidence={"ratio": measurement.value, **details,
                          "gradient_rms": {path: row["gradient_rms"] for path, row in measurement.layers.items()}},
                explanation=f"In the recorded run the gradient fell from {number(last['gradient_rms'])} at {paths[-1]} to "
                f"{number(first['gradient_rms'])} at {paths[0]}, steadily over {len(paths)} layers: a ratio of "
                f"{number(measurement.value)}. The first layers hardly moved. The record covers about the last "
                f"{number(details['remembered_steps'])} steps.",
                fix="Initialise with he_normal where ReLU follows, and put BatchNormalization or skip connections "
                "between the layers.",
                confidence=0.7,
            ),
        )  # fmt: skip


def _weakest(layers: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Layers whose gradient is under the threshold, measured against the last layer's."""
    last = list(layers.values())[-1]["gradient_rms"]
    return tuple(path for path, row in layers.items() if row["gradient_rms"] < LOWEST_RATIO * last)
