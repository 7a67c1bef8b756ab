"""frozen-random-layers: layers that cannot learn and never did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.freshness import freshness, is_fresh
from analyzers.rules.words import listed
from analyzers.spec import LayerSpec, TensorInfo, by_layer
from analyzers.spec.roles import is_weighted, normalizes

UNTRAINED_ROLES: Final = frozenset(
    {"moving_mean", "moving_variance", "mean", "variance", "count", "seed_generator_state"}
)
"""Tensors that no optimizer ever changes."""

CONFIDENCE_RANDOM: Final = 0.5
"""Random features can be good enough for an easy task."""


class FrozenRandomLayers(Rule):
    """Frozen layers that were never trained.

    What it checks:
        Whether the model has any tensor that training may change, nested models and frozen parents
        included. And for each frozen layer with a kernel, whether its saved weights still have the
        very distribution of the layer's initialiser, with all biases exactly zero.

    Why training suffers:
        With nothing trainable every step leaves the model as it is. Random frozen layers pass on a
        random projection of the input: what is lost in it, the layers behind cannot learn.

    Bad example:
        ```python
        base = keras.applications.VGG16(weights=None, include_top=False)  # random, not ImageNet
        base.trainable = False
        ```

    Fixed example:
        ```python
        base = keras.applications.VGG16(weights="imagenet", include_top=False)
        base.trainable = False
        ```

    How sure we are:
        "Nothing trainable" is certain. Frozen random layers are found by a statistical test that trained
        kernels fail by far, but some tasks can be learnt on random features, so the probe decides.

    Known limitations:
        Kernels of under 200 weights and orthogonal or constant initialisers are not tested. A GAN's
        discriminator that is saved on its own is often frozen by the training script and is then
        reported, rightly: this file cannot be trained as it is.

    References:
        https://keras.io/guides/transfer_learning/
    """

    id: ClassVar[str] = "frozen-random-layers"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Frozen layers that were never trained"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("unfreeze-layers",)
    specific: ClassVar[frozenset[str]] = frozenset({"unfreeze-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/guides/transfer_learning/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Count trainable layers, and measure how far frozen kernels are from their initialisers."""
        flat = facts.graph.flat
        owned = by_layer(facts.spec.weights.tensors)
        trainable = [layer.path for layer in flat.layers if layer.trainable and _learns(layer, owned)]
        frozen = [layer for layer in flat.layers if not layer.trainable and _learns(layer, owned)]
        rows = {
            layer.path: row
            for layer in frozen
            if (row := freshness(facts.graph, layer, tables=True)) is not None
        }
        return Measurement(
            float(len(trainable)),
            "trainable layers",
            rows,
            {"frozen": [layer.path for layer in frozen]},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Nothing trainable is certain; frozen kernels at their initialiser are for the probe."""
        findings = []
        if measurement.value == 0:
            findings.append(self._nothing_trainable(measurement.details["frozen"]))
        fresh = [path for path, row in measurement.layers.items() if is_fresh(row)]
        if fresh:
            findings.append(self._random(fresh, measurement))
        return findings

    def _nothing_trainable(self, frozen: Sequence[str]) -> Finding:
        why = (
            f"all {len(frozen)} layers with weights are frozen ({listed(frozen)})"
            if frozen
            else "no layer has weights that training could change"
        )
        return self.finding(
            "error",
            title="Nothing in the model can be trained",
            layers=frozen,
            evidence={"trainable_layers": 0, "frozen_layers": len(frozen)},
            explanation=f"Training changes nothing: {why}.",
            fix="Set trainable=True on the layers that should learn, and compile again."
            if frozen
            else "Add a layer with weights between the input and the output.",
            certain=True,
            confidence=1.0,
        )

    def _random(self, fresh: Sequence[str], measurement: Measurement) -> Finding:
        rows = measurement.layers
        return self.finding(
            "error",
            layers=fresh,
            evidence={"layers": len(fresh), "frozen_layers": len(measurement.details["frozen"]),
                      "largest_distance": max(rows[path]["distance"] for path in fresh)},
            explanation=f"{listed(fresh)} cannot be trained (trainable=False), and the saved weights still have the "
            "exact distribution of the initialiser: they were never trained before they were frozen. The "
            "layers behind get a random projection of the input.",
            fix=f"Load trained weights into {listed(fresh)} before freezing, or set trainable=True.",
            confidence=CONFIDENCE_RANDOM,
        )  # fmt: skip


def _learns(layer: LayerSpec, owned: Mapping[str, Sequence[TensorInfo]]) -> bool:
    """Whether a layer has tensors that training would change if it is not frozen."""
    if any(tensor.role not in UNTRAINED_ROLES for tensor in owned.get(layer.path, ())):
        return True
    affine = bool(layer.config.get("scale", True) or layer.config.get("center", True))
    return is_weighted(layer) or (normalizes(layer) and affine) or layer.kind == "PReLU" or not layer.known
