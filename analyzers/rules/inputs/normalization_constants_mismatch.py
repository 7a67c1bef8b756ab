"""normalization-constants-mismatch: scaling constants that belong to another input scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.options import InputRange
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, number, subject
from analyzers.spec.affine import (
    RANGES,
    SANE_MEAN,
    Chain,
    Constants,
    Vector,
    affine_of,
    chains,
    is_sane,
    normalization_constants,
    repeats,
)
from analyzers.spec.graph import Graph
from analyzers.spec.model_inputs import ModelInput, model_inputs

LARGEST_UNIT_MEAN: Final = 1.0
"""Means up to this belong to pixels of 0-1 (or -1-1); the means of 0-255 pixels lie near 120."""

LEAST_BYTE_MEAN: Final = 20.0
"""Means from here on belong to pixels of 0-255: even very dark images lie above."""

LARGEST_BYTE_SCALE: Final = 1 / 16
"""Multiplying by less than this only makes sense for pixels far above 1 (1/255, 1/127.5, 1/64)."""

STD_LIKE_VARIANCE: Final = (0.15, 0.35)
"""Standard deviations of natural images on 0-1 (ImageNet: 0.229/0.224/0.225).  Their variance is a
third of that (0.05), so a variance in this interval is probably a standard deviation."""

STD_LIKE_OUTPUT: Final = 0.75
"""With a standard deviation for variance, images come out at about 0.5 instead of 1.  Above this a
second layer makes good for it, as in EfficientNet."""

MID_GREY: Final = (0.3, 0.6)
"""Means of natural images on 0-1 (ImageNet: 0.485/0.456/0.406)."""

LARGEST: Final = 1e30
"""What an infinite output is reported as: JSON has no infinity."""

CONFIDENCE_PROVEN_RANGE: Final = 0.8
"""The input range is given by the sender or by the scaling layers in front."""

CONFIDENCE_GUESSED_RANGE: Final = 0.35
"""0-255 is what images are before anybody scales them, but many are scaled outside the file."""

CONFIDENCE_STD_AS_VARIANCE: Final = 0.2
"""The constants have the look of it; the outcome differs by a factor of two only."""


class NormalizationConstantsMismatch(Rule):
    """Scaling constants that belong to another input scale.

    What it checks:
        The Rescaling and Normalization layers between an image-shaped input and the first weights are
        composed into one map, which is applied to the mean and standard deviation of typical images on
        the input range that the sender gave, that the constants of the first scaling layer imply, or
        else on 0-255. Where constants of one scale meet pixels of another, what comes out is far from
        any sane scale: mean 0.485 and variance 0.05 on 0-255 pixels give values around 540. Negative
        and zero variances are looked for on inputs of every kind, and a variance that looks like a
        standard deviation on images.

    Why training suffers:
        The network behind sees inputs hundreds of times too large, or so small and far from zero that
        all images look alike to it; gradients of the first layers follow. A negative variance makes
        every output NaN.

    Bad example:
        ```python
        x = layers.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.052, 0.050, 0.051])(pixels_0_255)
        ```

    Fixed example:
        ```python
        x = layers.Rescaling(1 / 255)(pixels_0_255)
        x = layers.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.052, 0.050, 0.051])(x)
        ```

    How sure we are:
        A negative variance is certain. A map that fails on the range that the sender gave, or that a
        Rescaling(1/255) in front implies, is a strong suspicion. Constants for 0-1 pixels directly on
        the input are right if the pixels are divided by 255 before they are fed, so there the probe
        decides by training on raw and on standardised pixels. A standard deviation given as variance
        is a weak suspicion: it changes the scale by a factor of two only.

    Known limitations:
        The statistics of the data are assumed, not known, so only errors of a factor of ten or more are
        seen. A variance of exactly 1 is taken for "subtract the mean only", as Caffe-style
        preprocessing does. Chains of Rescaling layers alone are not judged here. The columns of a table
        may have any scale.

    References:
        https://keras.io/api/layers/preprocessing_layers/numerical/normalization/
        Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009 (CIFAR-10's statistics).
    """

    id: ClassVar[str] = "normalization-constants-mismatch"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Normalisation constants of another input scale"
    optional: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = ("standardize-inputs", "rescale-inputs")
    specific: ClassVar[frozenset[str]] = frozenset({"standardize-inputs", "rescale-inputs"})
    references: ClassVar[tuple[str, ...]] = (
        "https://keras.io/api/layers/preprocessing_layers/numerical/normalization/",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read every Normalization's constants, and push typical images through each scaling chain."""
        graph = facts.graph
        read = {
            layer.path: constants
            for layer in graph.flat.layers
            if layer.kind == "Normalization"
            and (constants := normalization_constants(facts.spec, layer)) is not None
        }
        found = [
            _row(item, chain, read, *known)
            for item in model_inputs(graph)
            if item.kind == "image"
            for chain in chains(graph, item.node)
            if _judged(graph, chain, read)
            and (known := _range(graph, chain, read, facts.options.input_range)) is not None
        ]
        if not read and not found:
            return NotApplicable("no Normalization or Rescaling with readable constants")
        return Measurement(
            max((abs(row["output_mean"]) for row in found), default=0.0),
            "mean of the scaled input",
            {path: _constants_row(constants) for path, constants in read.items()},
            {"chains": found},
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Impossible variances first, then maps that end outside the sane range, then look-alikes."""
        impossible = self._variances(measurement.layers)
        outside = [self._chain(row) for row in measurement.details["chains"] if not _sane(row)]
        alike = [self._alike(row) for row in measurement.details["chains"] if _halved(row)]
        return (*impossible, *outside, *alike)

    def _variances(self, layers: Mapping[str, Mapping[str, Any]]) -> Sequence[Finding]:
        findings = []
        for path, row in layers.items():
            if row["negative"]:
                findings.append(
                    self.finding(
                        "error",
                        title="Negative variance",
                        layers=(path,),
                        evidence=dict(row),
                        explanation=f"{path} has a negative variance in {row['negative']} of {row['values']} "
                        "channels; its square root is NaN, and so is everything behind it.",
                        fix=f"Give {path} the square of the standard deviation as variance, or adapt it to the data.",
                        certain=True,
                        confidence=1.0,
                    )
                )
            elif row["zero"] == row["values"]:
                findings.append(
                    self.finding(
                        "error",
                        title="Zero variance",
                        layers=(path,),
                        evidence=dict(row),
                        explanation=f"Every variance of {path} is zero, so it divides by Keras's smallest number "
                        "(1e-7): whatever differs from the mean comes out ten million times as large.",
                        fix=f"Adapt {path} to real training data, or give it the variance of the data.",
                        confidence=CONFIDENCE_PROVEN_RANGE,
                    )
                )
        return findings

    def _chain(self, row: Mapping[str, Any]) -> Finding:
        names = listed(row["layers"])
        proven = row["range_from"] != "assumed"
        explanation = (
            f"On pixels of {row['range']}, {names} gives values of mean {number(row['output_mean'])} and "
            f"standard deviation {number(row['output_std'])} instead of about 0 and 1"
        )
        explanation += {
            "sender": "; the range is what you said is fed.",
            "constants": "; the range is the one that the constants of the first of these layers are made for.",
            "assumed": ". Its constants belong to pixels of 0-1: if the data are divided by 255 before they "
            "are fed, they are right, and if raw pixels are fed, the network sees this scale. The file "
            "cannot tell; the probe trains on both.",
        }[row["range_from"]]
        if row["std_like"]:
            explanation += (
                f" The variances of {listed(row['std_like'])} look like standard deviations besides."
            )
        return self.finding(
            "error",
            layers=tuple(row["layers"]),
            evidence=dict(row),
            explanation=explanation,
            fix=f"Make the constants fit what is fed: Rescaling(1/255) in front of {row['layers'][-1]} for "
            "0-255 pixels, or a Normalization adapted to the training data.",
            confidence=CONFIDENCE_PROVEN_RANGE if proven else CONFIDENCE_GUESSED_RANGE,
        )

    def _alike(self, row: Mapping[str, Any]) -> Finding:
        return self.finding(
            "info",
            title="A standard deviation given as variance",
            layers=tuple(row["std_like"]),
            evidence=dict(row),
            explanation=f"{subject(row['std_like'], 'has', 'have')} variances like the standard deviations of natural images on "
            "0-1 (ImageNet: 0.229, 0.224, 0.225). Normalization takes the variance, their square "
            "(0.052, 0.050, 0.051); with these constants its output is about half as large as meant.",
            fix="Square the standard deviations: Normalization(mean=mean, variance=std ** 2).",
            confidence=CONFIDENCE_STD_AS_VARIANCE,
        )


def _judged(graph: Graph, chain: Chain, read: Mapping[str, Constants]) -> bool:
    """Whether a chain has constants to judge: a Normalization that does something, or one Rescaling.

    The same constants twice are repeated-normalization's.
    """
    if repeats(graph, chain):
        return False
    normalizations = [read[node.path] for node in chain.nodes if node.path in read]
    if not normalizations:
        return len(chain.nodes) == 1 and graph.layer(chain.nodes[0]).kind == "Rescaling"
    return not all(constants.neutral for constants in normalizations)


def _row(
    item: ModelInput, chain: Chain, read: Mapping[str, Constants], pixels: InputRange, source: str
) -> dict[str, Any]:
    mean, std = (
        float(np.nan_to_num(value, posinf=LARGEST, neginf=-LARGEST))
        for value in chain.map.image(RANGES[pixels])
    )
    centring = any(bool(np.all(read[n.path].variance == 1)) for n in chain.nodes if n.path in read)
    return {
        "input": item.name,
        "layers": list(dict.fromkeys(node.path for node in chain.nodes)),
        "range": pixels,
        "range_from": source,
        "output_mean": mean,
        "output_std": std,
        "centring_only": centring,
        "std_like": [n.path for n in chain.nodes if n.path in read and _looks_like_std(read[n.path])],
    }


def _range(
    graph: Graph, chain: Chain, read: Mapping[str, Constants], said: InputRange
) -> tuple[InputRange, str] | None:
    """The input range to judge a chain on and where it is known from; None where nothing tells.

    Adapted statistics are those of the data that were fed, so they are never held against 0-255.
    """
    if said != "auto":
        return said, "sender"
    first = chain.nodes[0]
    if first.path not in read:
        step = affine_of(graph, first)
        small = step is not None and bool(np.all(np.abs(step.scale) < LARGEST_BYTE_SCALE))
        return ("0-255", "constants") if small else None
    constants = read[first.path]
    mean = float(np.max(np.abs(constants.mean)))
    if mean >= LEAST_BYTE_MEAN:
        return "0-255", "constants"
    unit = mean <= LARGEST_UNIT_MEAN and bool(np.all(constants.variance <= 1))
    return ("0-255", "assumed") if constants.given and unit and not constants.neutral else None


def _looks_like_std(constants: Constants) -> bool:
    low, high = STD_LIKE_VARIANCE
    dark, bright = MID_GREY
    return bool(
        np.all((constants.variance >= low) & (constants.variance <= high))
        and np.all((constants.mean >= dark) & (constants.mean <= bright))
    )


def _sane(row: Mapping[str, Any]) -> bool:
    mean, std = row["output_mean"], row["output_std"]
    if row["centring_only"]:
        return bool(abs(mean) <= max(SANE_MEAN, std))
    return is_sane(mean, std)


def _finite_mean(values: Vector) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


def _halved(row: Mapping[str, Any]) -> bool:
    """Whether constants look like standard deviations and the output is as small as that makes it."""
    return _sane(row) and bool(row["std_like"]) and row["output_std"] < STD_LIKE_OUTPUT


def _constants_row(constants: Constants) -> dict[str, Any]:
    return {
        "mean": _finite_mean(constants.mean),
        "variance": _finite_mean(constants.variance),
        "values": int(constants.variance.size),
        "negative": int(np.sum(constants.variance < 0)),
        "zero": int(np.sum(constants.variance == 0)),
    }
