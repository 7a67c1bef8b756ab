"""destructive-augmentation: random changes that take away what the labels are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, number, subject
from analyzers.spec import LayerSpec, kinds
from analyzers.spec.affine import affine_of
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import is_scaling, is_weighted, normalizes

MOST: Final[Mapping[str, tuple[tuple[str, float], ...]]] = {
    "RandomRotation": (("factor", 0.15),),
    "RandomZoom": (("height_factor", 0.5), ("width_factor", 0.5)),
    "RandomTranslation": (("height_factor", 0.3), ("width_factor", 0.3)),
    "RandomContrast": (("factor", 0.5),),
    "RandomBrightness": (("factor", 0.5),),
    "RandomShear": (("x_factor", 0.5), ("y_factor", 0.5)),
    "RandomHue": (("factor", 0.5),),
    "RandomSaturation": (("factor", 0.75),),
}
"""Kind -> its arguments and the size up to which an image of an upright scene can still be recognised:
RULES.md's 15 % of a turn and 0.5; the rest are the largest magnitudes of RandAugment's table (Cubuk et
al. 2020, table 6: shear 0.3, translation 0.3) and half an image of zoom."""

SEVERAL: Final = 2
"""Strong changes together from which little of an image is left (CASES.md, C2, has three)."""

PIXEL_SCALE: Final = 1 / 16
"""Multiplying by less than this only makes sense for pixels of 0-255."""

CONFIDENCE: Final = 0.3
"""Strong augmentation slows learning down more often than it stops it."""

CONFIDENCE_RANGE: Final = 0.6
"""A wrong value_range is a fact; how much it destroys depends on the factor."""


class DestructiveAugmentation(Rule):
    """Random changes that take away what the labels are about.

    What it checks:
        The factors of the augmentation layers, vertical flips, a `value_range` that does not fit the
        scale that the graph has made at that point, and augmentation that works on features, behind
        weights or a normalisation.

    Why training suffers:
        The network is shown images that nobody could label: upside down, turned by a quarter, or with a
        brightness shift made for 0-255 on pixels of 0-1, which leaves nothing but white and black. The
        training loss stays high, however long it trains.

    Bad example:
        ```python
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.RandomBrightness(0.2)(x)  # value_range=(0, 255) is the default
        ```

    Fixed example:
        ```python
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.RandomBrightness(0.2, value_range=(0, 1))(x)
        ```

    How sure we are:
        Whether a vertical flip harms depends on the images (aerial and microscope images have no up),
        so single strong settings are information. Several together, and a `value_range` of another
        scale, are warnings.

    Known limitations:
        Augmentation outside the file, in a data pipeline, does not show.

    References:
        Cubuk et al., RandAugment, 2020, https://arxiv.org/abs/1909.13719
        https://keras.io/api/layers/preprocessing_layers/image_augmentation/
    """

    id: ClassVar[str] = "destructive-augmentation"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Augmentation that destroys the image"
    optional: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    references: ClassVar[tuple[str, ...]] = (
        "https://arxiv.org/abs/1909.13719",
        "https://keras.io/api/layers/preprocessing_layers/image_augmentation/",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Read every augmentation layer's strength, value range and place."""
        graph = facts.graph
        nodes = [node for node in graph.nodes if graph.layer(node).kind in kinds.AUGMENTATIONS]
        if not nodes:
            return NotApplicable("the model has no augmentation layer")
        rows = {
            node.path: {
                "strong": _strong(graph.layer(node)),
                "range": _misfit(graph, node),
                "behind": _behind(graph, node),
            }
            for node in nodes
        }
        return Measurement(float(len(nodes)), "augmentation layers", rows)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One finding for strength, one for wrong ranges, one for the place."""
        rows = measurement.layers
        strong = {path: row["strong"] for path, row in rows.items() if row["strong"]}
        ranges = {path: row["range"] for path, row in rows.items() if row["range"]}
        behind = {path: row["behind"] for path, row in rows.items() if row["behind"]}
        findings = []
        if strong:
            findings.append(self._strength(strong))
        if ranges:
            findings.append(
                self.finding(
                    "warning",
                    title="Augmentation made for another value range",
                    layers=tuple(ranges),
                    evidence={"layers": len(ranges), "ranges": list(ranges.values())},
                    explanation=f"{listed(f'{path} {text}' for path, text in ranges.items())}: its changes are some "
                    "hundred times as large as the pixels.",
                    fix=f"Give {listed(ranges)} the value_range of the pixels at that place, or move it in front of "
                    "the scaling.",
                    confidence=CONFIDENCE_RANGE,
                )
            )
        if behind:
            findings.append(
                self.finding(
                    "info",
                    title="Augmentation of features",
                    layers=tuple(behind),
                    evidence={"layers": len(behind)},
                    explanation=f"{subject(behind, 'stands', 'stand')} behind {listed(behind.values())}: what is "
                    "changed there is features, not images.",
                    fix=f"Move {listed(behind)} right behind the input.",
                    confidence=CONFIDENCE,
                )
            )
        return findings

    def _strength(self, strong: Mapping[str, str]) -> Finding:
        several = len(strong) >= SEVERAL
        return self.finding(
            "warning" if several else "info",
            layers=tuple(strong),
            evidence={"layers": len(strong), "settings": list(strong.values())},
            explanation=f"{listed(f'{path} ({text})' for path, text in strong.items())} changes images so much that "
            "what they show may be lost"
            + (", the more so as each comes on top of the others." if several else "."),
            fix=f"Weaken {listed(strong)}, look at some augmented images, and strengthen it again once the model "
            "learns.",
            confidence=CONFIDENCE,
        )


def _strong(layer: LayerSpec) -> str:
    """The settings beyond what leaves an image recognisable, in words; empty without."""
    if layer.kind == "RandomFlip":
        mode = str(layer.config.get("mode", "horizontal_and_vertical"))
        return "flips upside down" if "vertical" in mode else ""
    found = [
        f"{name} {number(size)}"
        for name, most in MOST.get(layer.kind, ())
        if (size := _largest(layer.config.get(name))) > most
    ]
    return ", ".join(found)


def _largest(value: Any) -> float:
    """The largest magnitude in a factor, which may be a number or a range."""
    items: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
    return max((abs(float(one)) for one in items if isinstance(one, int | float)), default=0.0)


def _misfit(graph: Graph, node: Node) -> str:
    """How a layer's ``value_range`` contradicts the scaling in front of it, in words; empty where not."""
    given = graph.layer(node).config.get("value_range")
    scaled = [
        path.path
        for path in graph.reachable([node], graph.before)
        if is_scaling(graph, path)
        and (step := affine_of(graph, path)) is not None
        and bool(np.all(np.abs(step.scale) < PIXEL_SCALE))
    ]
    if not scaled or _largest(given) <= 1 / PIXEL_SCALE:
        return ""
    return f"works on pixels of 0-{number(_largest(given))} behind {listed(sorted(scaled))}"


def _behind(graph: Graph, node: Node) -> str:
    """A weighted or normalising layer in front of the node; empty without."""
    before = graph.reachable(graph.before(node), graph.before)
    found = [
        n for n in graph.nodes if n in before and (is_weighted(graph.layer(n)) or normalizes(graph.layer(n)))
    ]
    return found[-1].path if found else ""
