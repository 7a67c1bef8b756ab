"""missing-input-normalization: nothing in the file brings an image to a sane scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.input_scale import RAW, recorded_scales
from analyzers.rules.words import FEATURES_SCALED, PIXELS_SCALED, listed, roughly, shape_text
from analyzers.spec.model_inputs import ModelInput, model_inputs, scale_is_unknown
from analyzers.spec.roles import normalized_next, reached

CONFIDENCE_UNKNOWN_SCALE: Final = 0.25
"""Three quarters of real image models are scaled outside the file (51 of 67 measured, PROBE.md)."""

CONFIDENCE_RAW: Final = 0.6
"""The sender or the input's type says 0-255; even so raw pixels do not stop every network (CASES.md, C1)."""

FED_READY: Final = frozenset({"0-1", "-1-1", "standardized"})
"""Input ranges with which nothing is left to scale."""


class MissingInputNormalization(Rule):
    """Raw pixels reach the first trainable layer.

    What it checks:
        Every way from an image-shaped input to the first layers with trainable weights, through nested
        models and branches. A way counts when nothing on it changes the scale: no Rescaling,
        Normalization or arithmetic with numbers, no BatchNormalization, LayerNormalization or other
        normalisation. When the sender says that the model is fed 0-255, inputs of every shape count.
        Where the real run left the scale of its input in the file (see raw-input-statistics), that is
        read too.

    Why training suffers:
        Initialisers are made for inputs of mean near 0 and standard deviation near 1. Pixels of 0-255
        are all positive and some hundred times larger: the first layer's outputs and its gradients
        grow with them, ReLU units are pushed to one side for every image, and a rate that suits the
        other layers overshoots here.

    Bad example:
        ```python
        inputs = keras.Input((224, 224, 3))
        x = layers.Conv2D(32, 3, activation="relu")(inputs)
        ```

    Fixed example:
        ```python
        inputs = keras.Input((224, 224, 3))
        x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
        x = layers.Conv2D(32, 3, activation="relu")(x)
        ```

    How sure we are:
        The graph is certain, the scale of the data is not: three quarters of real image models are
        scaled before they are fed. So this is a suspicion until the probe has trained the model on raw
        and on standardised input, or until the file shows that the real run was fed raw numbers; an error only where the sender says 0-255 or the input takes whole numbers, and information where a
        normalisation right behind the first weights takes the scale out again.

    Known limitations:
        A table's or a time series' columns may have any scale, of which the file says nothing. Layers
        that are frozen keep the scale for which their saved weights were trained and are not judged.
        A Lambda layer in front may scale the input, so nothing is claimed behind one whose code is more
        than plain arithmetic.

    References:
        LeCun et al., Efficient BackProp, 1998, section 4.3.
        He et al., Delving Deep into Rectifiers, 2015, https://arxiv.org/abs/1502.01852
    """

    id: ClassVar[str] = "missing-input-normalization"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "No scaling between the input and the first weights"
    optional: ClassVar[frozenset[Fact]] = frozenset({"weights", "optimizer_state"})
    interventions: ClassVar[tuple[str, ...]] = ("rescale-inputs", "standardize-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"rescale-inputs", "standardize-inputs"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1502.01852",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Count the first trainable layers that an input reaches on its own scale."""
        graph = facts.graph
        said_raw = facts.options.input_range == "0-255"
        judged = [item for item in model_inputs(graph) if item.kind == "image" or _numeric(item, said_raw)]
        if not judged:
            return NotApplicable(
                "no input looks like an image, and the scale of other inputs is not in the file: standardise "
                "features before they are fed, or put an adapted Normalization layer in front"
            )
        recorded = recorded_scales(graph) if facts.has("weights") else {}
        layers: dict[str, dict[str, Any]] = {}
        for item in judged:
            for node in reached(graph, item.node):
                if graph.layer(node).trainable:
                    layers[node.path] = {
                        "input": item.name,
                        "input_shape": shape_text(item.shape),
                        "image": item.kind == "image",
                        "normalized_next": normalized_next(graph, node),
                        "whole_numbers": "int" in item.dtype,
                        "recorded_scale": recorded[node.path].scale if node.path in recorded else None,
                    }
        opaque = [path for item in judged for path in scale_is_unknown(graph, item.node)]
        if not layers and opaque:
            return NotApplicable(
                f"{listed(opaque)} may scale the input: what the layer computes is not in the file"
            )
        return Measurement(
            float(len(layers)), "first layers", layers, {"input_range": facts.options.input_range}
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn, raise it to an error where 0-255 is known, lower it where normalisation follows."""
        layers, said = measurement.layers, measurement.details["input_range"]
        if not layers or said in FED_READY:
            return ()
        harmless = all(row["normalized_next"] for row in layers.values())
        whole = all(row["whole_numbers"] for row in layers.values())
        if said == "0-255" or whole:
            severity, confidence = ("warning" if harmless else "error"), CONFIDENCE_RAW
        else:
            severity, confidence = ("info" if harmless else "warning"), CONFIDENCE_UNKNOWN_SCALE
        scales = [row["recorded_scale"] for row in layers.values() if (row["recorded_scale"] or 0.0) > RAW]
        recorded = max(scales, default=None)
        scaling = PIXELS_SCALED if any(row["image"] for row in layers.values()) else FEATURES_SCALED
        inputs = list(dict.fromkeys(f"{row['input']} {row['input_shape']}" for row in layers.values()))
        return (
            self.finding(
                severity,  # type: ignore[arg-type]  # a literal on every way here
                layers=tuple(layers),
                evidence={"first_layers_reached": len(layers), "inputs": inputs, "input_range": said,
                          "normalized_next": harmless, "whole_numbers": whole, "recorded_scale": recorded},
                explanation=_explanation(listed(inputs), listed(layers), _source(said, whole, recorded), harmless),
                fix=f"Put {scaling} between {listed(inputs)} and {listed(layers)}; "
                "if the data are scaled before they are fed, say so with input_range.",
                recorded=recorded is not None,
                confidence=confidence,
            ),
        )  # fmt: skip


def _numeric(item: ModelInput, said_raw: bool) -> bool:
    return said_raw and item.kind != "tokens" and "float" in item.dtype


def _source(said: str, whole: bool, recorded: float | None) -> str:
    """What tells that raw pixels are fed; empty where nothing does."""
    if said == "0-255":
        return "You say that it is fed 0-255, a hundred times"
    if recorded is not None:
        return f"What the real run left in the file shows that it was fed numbers about {roughly(recorded)} times"
    return "The input takes whole numbers, so pixels of 0-255 are fed, a hundred times" if whole else ""


def _explanation(inputs: str, layers: str, source: str, harmless: bool) -> str:
    text = (
        f"Nothing scales {inputs} on its way to {layers}: no Rescaling, Normalization or other normalisation."
    )
    text += (
        f" {source} the scale for which initialisers are made."
        if source
        else " If raw 0-255 pixels are fed, they are a hundred times the scale for which initialisers are made;"
        " if they are scaled before, this is no fault. The file cannot tell, the probe can."
    )
    if harmless:
        text += " The normalisation right behind these weights takes the scale out again, so little harm is likely."
    return text
