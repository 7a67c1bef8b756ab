"""raw-input-statistics: the scale of the real training data, read back from what it left in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.input_scale import RAW, recorded_scales
from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.words import FEATURES_SCALED, PIXELS_SCALED, listed, roughly, subject

SCALED_TWICE: Final = 0.02
"""Scale below which pixels were divided twice.  The same networks put it at 0.05; it is lower because dark
images, which are nearly zero almost everywhere, come close to that at a usual scale."""


class RawInputStatistics(Rule):
    """The first layer was trained on numbers far from standard scale.

    What it checks:
        The size of the numbers that reached the first weights in the real run, read back without data.
        (a) From the optimizer's record of gradients: the root mean square of the first kernel's gradient
        over that of its bias's gradient. The kernel's gradient is the bias's times the input. (b) From the
        first BatchNormalization behind the first weights: the square root of the median over channels c
        of ((variance_c - m^n) / (1 - m^n)) / ||W_c||^2, with m its momentum and n the steps taken.
        Over 10 means raw, under 0.02 means that pixels were scaled twice.

    Why training suffers:
        Initialisers are made for inputs of size one. A hundred times larger, the first layer's outputs
        and gradients are a hundred times larger than its rate suits; a hundred times smaller, the input
        hardly counts beside the biases.

    Bad example:
        ```python
        model.fit(images, labels)             # 0-255
        ```

    Fixed example:
        ```python
        model.fit(images / 127.5 - 1, labels)
        ```

    How sure we are:
        An order of magnitude, no more. Of 70 small networks held out, trained on digits and photographs
        at known scales by nine optimizers, the scale was told right in 67 of 69 that gave an answer
        (97 %, 95 % interval 90-99 %), and none of the 42 at a usual scale was told otherwise; the tables
        are in benchmarks/INPUT_SCALE.md. That the scale is raw proves no harm: many networks learn from
        raw pixels, as the stock ResNet50 did. The probe shows whether this one does.

    Known limitations:
        (a) needs a bias without a normalisation behind it, no regularizer on the kernel, a hundred steps,
        and an optimizer that keeps a record: all but plain SGD. Lion and momentum average gradients that
        cancel, so their estimates are the least exact (Lion: 5 of 7 right). (b) takes the input's values for uncorrelated. Frozen layers keep
        the scale of an earlier training and are not judged. That data were scaled twice is told for
        images only: one-hot rows are as small by nature, and so would be images of pure noise.

    References:
        Kingma and Ba, Adam, 2015, https://arxiv.org/abs/1412.6980
        Ioffe and Szegedy, Batch Normalization, 2015, https://arxiv.org/abs/1502.03167
    """

    id: ClassVar[str] = "raw-input-statistics"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Training data far from standard scale"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("rescale-inputs", "standardize-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"rescale-inputs", "standardize-inputs"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1412.6980", "https://arxiv.org/abs/1502.03167",
    )  # fmt: skip

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Estimate the scale at every first trainable layer, by whichever way is open."""
        layers: dict[str, dict[str, Any]] = {
            path: {"input": found.input.name, "image": found.input.kind == "image",
                   "scale": found.scale, "read_from": found.read_from}
            for path, found in recorded_scales(facts.graph).items()
        }  # fmt: skip
        if not layers:
            return NotApplicable(
                "neither the optimizer's state nor a BatchNormalization behind the first weights tells the "
                f"scale of the input; a file saved after {RECORD_STEPS} steps of Adam or RMSprop would settle it"
            )
        worst = max(layers.values(), key=lambda row: abs(math.log(row["scale"])))
        return Measurement(float(worst["scale"]), "times standard scale", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Warn of raw input, and of images scaled twice."""
        raw = {path: row for path, row in measurement.layers.items() if row["scale"] > RAW}
        tiny = {
            path: row
            for path, row in measurement.layers.items()
            if row["scale"] < SCALED_TWICE and row["image"]
        }
        findings = []
        if raw:
            findings.append(
                self._told(raw, "raw", *_raw_in_words(images=any(row["image"] for row in raw.values())))
            )
        if tiny:
            findings.append(self._told(tiny, "scaled twice", "far too small, as if scaled twice",
                            "Scale the input once: either in the data pipeline or in the model."))  # fmt: skip
        return findings

    def _told(self, layers: Mapping[str, Mapping[str, Any]], scale: str, words: str, fix: str) -> Finding:
        figures = {path: row["scale"] for path, row in layers.items()}
        value = max(figures.values(), key=lambda v: abs(math.log(v)))
        return self.finding(
            "warning",
            layers=tuple(layers),
            evidence={"scale": scale, "estimated_input_scale": value, "by_layer": figures,
                      "read_from": sorted({row["read_from"] for row in layers.values()}),
                      "inputs": sorted({row["input"] for row in layers.values()})},
            explanation=f"What {subject(layers, 'was', 'were')} fed in the real run was about {roughly(value)} in size: {words}. "
            f"This is read from {listed(sorted({row['read_from'] for row in layers.values()}))} "
            "and is right to an order of magnitude.",
            fix=fix,
            confidence=0.7,
        )  # fmt: skip


def _raw_in_words(*, images: bool) -> tuple[str, str]:
    """What raw input looks like, and what to do about it."""
    if images:
        return (
            "raw, like pixels of 0-255",
            f"Scale the input to about [-1, 1] inside the model: {PIXELS_SCALED} in front.",
        )
    return (
        "raw, in units of its own",
        f"Standardise every feature inside the model: {FEATURES_SCALED}, in front.",
    )
