"""repeated-normalization: pixels that are scaled again after they were scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.options import InputRange
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, number
from analyzers.spec.affine import RANGES, Chain, chains, judged
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import ModelInput, model_inputs

CONFIDENCE: Final = 0.8
"""No usual range of pixels comes out on a sane scale; 16-bit images divided by 255 twice would."""


class RepeatedNormalization(Rule):
    """Pixels that are scaled again after they were scaled.

    What it checks:
        The fixed scaling layers that an image meets one after another (Rescaling, Normalization and
        arithmetic with numbers, through nested models and branches) are composed into one map. It is
        applied to pixels on every usual range, or on the one that the sender named. Where nothing sane
        comes out of all layers, but did come out of the first of them, the rest scales what was scaled
        already. The number of layers proves nothing: EfficientNet has three that belong together.

    Why training suffers:
        Divided by 255 twice, the whole image lies between 0 and 0.004: all images look alike to the
        first layer, whose gradient is as small, and only the biases learn.

    Bad example:
        ```python
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Rescaling(1 / 127.5, offset=-1)(x)
        ```

    Fixed example:
        ```python
        x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
        ```

    How sure we are:
        The arithmetic is exact, the range of what is fed is taken from the usual ones. The probe trains
        the model with the superfluous layer taken out.

    Known limitations:
        Scaling that is done before the data are fed does not show in the file; a model with one scaling
        layer that is fed scaled pixels is seen only in the optimizer's state. Normalization with
        adapted statistics is judged by normalization-constants-mismatch, unless the same map stands
        there twice.

    References:
        https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/
        LeCun et al., Efficient BackProp, 1998, section 4.3.
    """

    id: ClassVar[str] = "repeated-normalization"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Pixels that are scaled twice"
    optional: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("remove-double-normalization", "standardize-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"remove-double-normalization"})
    references: ClassVar[tuple[str, ...]] = (
        "https://keras.io/api/layers/preprocessing_layers/image_preprocessing/rescaling/",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Push pixels of every usual range through each chain of scaling layers."""
        graph = facts.graph
        rows = [
            row
            for item in model_inputs(graph)
            if item.kind == "image"
            for chain in chains(graph, item.node)
            if (row := _row(graph, item, chain, facts.options.input_range)) is not None
        ]
        if not rows:
            return NotApplicable("no image goes through two fixed scaling layers")
        return Measurement(
            float(max(len(row["layers"]) for row in rows)), "scaling layers in a row", {}, {"chains": rows}
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error where only a part of the chain ends on a sane scale."""
        return tuple(self._finding(row) for row in measurement.details["chains"] if row["repeated"])

    def _finding(self, row: Mapping[str, Any]) -> Finding:
        names, rest = listed(row["layers"]), listed(row["superfluous"])
        return self.finding(
            "error",
            layers=tuple(row["layers"]),
            evidence=dict(row),
            explanation=f"{names} together multiply the pixels of {row['input']} by {number(row['scale'])}: pixels "
            f"of {row['range']} come out with mean {number(row['output_mean'])} and standard deviation "
            f"{number(row['output_std'])}, where networks expect about 0 and 1. In front of {rest} the scale "
            "was right already.",
            fix=f"Remove {rest}.",
            confidence=CONFIDENCE,
        )


def _row(graph: Graph, item: ModelInput, chain: Chain, said: InputRange) -> dict[str, Any] | None:
    """What a chain does to pixels, and the layers at its end without which it is sane."""
    ranges = [RANGES[said]] if said != "auto" else list(RANGES.values())
    found = judged(graph, chain, ranges)
    if found is None:
        return None
    shown = found.sane or found.start or ranges[0].name
    mean, std = chain.map.image(RANGES[shown])
    return {
        "input": item.name,
        "layers": list(dict.fromkeys(node.path for node in chain.nodes)),
        "superfluous": list(dict.fromkeys(node.path for node in found.superfluous)),
        "repeated": found.repeated,
        "range": shown,
        "scale": float(np.mean(chain.map.scale)),
        "output_mean": mean,
        "output_std": std,
    }
