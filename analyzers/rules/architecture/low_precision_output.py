"""low-precision-output: probabilities and losses in half precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, Rule
from analyzers.rules.words import listed, subject
from analyzers.spec import LayerSpec
from analyzers.spec.output_heads import heads
from analyzers.spec.roles import core, is_weighted

HALF: Final = frozenset({"float16", "mixed_float16"})
LOW: Final = HALF | {"bfloat16", "mixed_bfloat16"}
"""dtype policies whose layers compute in 16 bits."""

PURE: Final = frozenset({"float16", "bfloat16"})
"""The ones whose weights have 16 bits too, so that an update of a thousandth of a weight is lost
(Micikevicius et al. 2018, section 3.1)."""

CONFIDENCE: Final = 0.4
CONFIDENCE_PURE: Final = 0.6
"""Outputs in half precision train mostly; weights in half precision seldom do."""


class LowPrecisionOutput(Rule):
    """Probabilities, losses or weights in half precision.

    What it checks:
        The dtype policy of the layers that make the outputs, and layers whose weights themselves have
        16 bits.

    Why training suffers:
        In float16 the smallest step at 1 is 0.001 and numbers under 6e-8 are zero: the logarithm of a
        small probability is minus infinity, and sums over classes overflow at 65504. In 16-bit weights
        an update of less than a thousandth of the weight vanishes by rounding, and without loss
        scaling, which Keras adds for mixed_float16 only, small gradients are zero.

    Bad example:
        ```python
        keras.mixed_precision.set_global_policy("mixed_float16")
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        keras.mixed_precision.set_global_policy("mixed_float16")
        outputs = layers.Dense(10, activation="softmax", dtype="float32")(x)
        ```

    How sure we are:
        The policies are in the file; that they keep this model from learning is for the probe to show.

    Known limitations:
        A loss that is computed from logits in float32 by a custom training step does not show.

    References:
        https://www.tensorflow.org/guide/mixed_precision
        Micikevicius et al., Mixed Precision Training, 2018, https://arxiv.org/abs/1710.03740
    """

    id: ClassVar[str] = "low-precision-output"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Output or weights in half precision"
    references: ClassVar[tuple[str, ...]] = (
        "https://www.tensorflow.org/guide/mixed_precision",
        "https://arxiv.org/abs/1710.03740",
    )

    def measure(self, facts: Facts) -> Measurement:
        """Read the dtype policies of outputs and of layers with weights."""
        graph = facts.graph
        makers = {head.producer.path: head.activation for head in heads(graph, None)}
        layers: dict[str, dict[str, Any]] = {
            layer.path: {
                "policy": policy,
                "output": layer.path in makers,
                "activation": makers.get(layer.path),
            }
            for layer in graph.flat.layers
            if (policy := _policy(layer)) in LOW
            and (layer.path in makers or (policy in PURE and is_weighted(layer)))
        }
        return Measurement(float(len(layers)), "layers", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """A warning for outputs, one for weights of 16 bits."""
        rows = measurement.layers
        outputs = [path for path, row in rows.items() if row["output"]]
        pure = [path for path, row in rows.items() if row["policy"] in PURE]
        found = []
        if pure:
            found.append(
                self.finding(
                    "warning",
                    title="Weights in half precision",
                    layers=pure,
                    evidence={
                        "layers": len(pure),
                        "policies": sorted({rows[path]["policy"] for path in pure}),
                    },
                    explanation=f"The weights of {listed(pure)} have 16 bits, so that small updates vanish by rounding, and "
                    "Keras scales the loss for mixed_float16 only.",
                    fix='Use the policy "mixed_float16" or "mixed_bfloat16", which keep the weights in float32.',
                    confidence=CONFIDENCE_PURE,
                )
            )
        if outputs:
            found.append(
                self.finding(
                    "warning",
                    layers=outputs,
                    evidence={
                        "layers": len(outputs),
                        "policies": sorted({rows[path]["policy"] for path in outputs}),
                    },
                    explanation=f"{subject(outputs, 'computes', 'compute')} the output in 16 bits: small probabilities become zero and their "
                    "logarithm infinite, large logits overflow.",
                    fix=f'Give {listed(outputs)} dtype="float32".',
                    confidence=CONFIDENCE,
                )
            )
        return found


def _policy(layer: LayerSpec) -> str:
    return str(core(layer).config.get("dtype", layer.config.get("dtype", "float32")))
