"""redundant-bias: a bias that the normalisation behind it takes away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed
from analyzers.spec import kinds
from analyzers.spec.roles import activation, core

CONFIDENCE: Final = 0.05
"""That it keeps anything from learning; that it is redundant is arithmetic."""


class RedundantBias(Rule):
    """A bias right under a BatchNormalization.

    What it checks:
        Dense and convolutional layers with a bias and no activation, whose output goes to
        BatchNormalization layers alone.

    Why training suffers:
        It does not. BatchNormalization subtracts the mean of each channel, and the bias with it: the
        bias gets no gradient, takes memory and a slot in the optimizer, and confuses whoever looks at
        gradients.

    Bad example:
        ```python
        x = layers.Conv2D(64, 3)(x)
        x = layers.BatchNormalization()(x)
        ```

    Fixed example:
        ```python
        x = layers.Conv2D(64, 3, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        ```

    How sure we are:
        Certain, and of no consequence: advice on style. ResNet50 as Keras ships it has 49 of them.

    Known limitations:
        A frozen BatchNormalization uses its moving mean, so that there the bias does count.

    References:
        Ioffe and Szegedy, Batch Normalization, 2015, section 3.2, https://arxiv.org/abs/1502.03167
    """

    id: ClassVar[str] = "redundant-bias"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Bias under BatchNormalization"
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1502.03167",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find biases whose only consumers are BatchNormalization layers that learn."""
        graph = facts.graph
        layers: dict[str, dict[str, Any]] = {}
        normalized = 0
        for node in graph.nodes:
            layer, following = graph.layer(node), graph.after(node)
            plain = core(layer).kind in kinds.CONVOLUTIONS | {"Dense"} and activation(layer) == "linear"
            under = bool(following) and all(
                graph.layer(one).kind == "BatchNormalization" and graph.layer(one).trainable
                for one in following
            )
            normalized += int(plain and under)
            if plain and under and layer.trainable and core(layer).config.get("use_bias", True):
                layers[node.path] = {"normalization": following[0].path}
        if not normalized:
            return NotApplicable("no dense or convolutional layer is followed by BatchNormalization alone")
        return Measurement(float(len(layers)), "biases", layers, {"normalized": normalized})

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Information."""
        names = tuple(measurement.layers)
        if not names:
            return ()
        return (
            self.finding(
                "info",
                layers=names,
                evidence={"layers": len(names), "of": measurement.details["normalized"]},
                explanation=f"The bias of {listed(names)} is subtracted again by the BatchNormalization behind it; it "
                "costs a little memory and does no harm.",
                fix=f"Set use_bias=False on {listed(names)}.",
                confidence=CONFIDENCE,
            ),
        )
