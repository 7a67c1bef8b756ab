"""bypassed-preprocessing: preprocessing was built, but the weights are fed past it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed, subject
from analyzers.spec import ModelSpec, kinds
from analyzers.spec.graph import Graph, Node
from analyzers.spec.model_inputs import ModelInput, model_inputs
from analyzers.spec.roles import is_scaling, is_weighted, keeps_scale, reached, walk_on

CONFIDENCE_IN_GRAPH: Final = 0.7
"""The bypass is seen in the graph; whether it is what stops the training is for the probe to say."""

CONFIDENCE_BY_NAME: Final = 0.2
"""A hint: numbering has innocent reasons (models rebuilt in one notebook, layers cut off)."""

LONGEST_NUMBERING: Final = 2000
"""Layers of one kind beyond which numbers were not given by one session's counter."""

_MODEL_NAME: Final = re.compile(r"^(functional|model|sequential)(?:_(\d{1,3}))?$")


@dataclass(frozen=True)
class _Bypass:
    """First weights that an input reaches past preprocessing which it also enters."""

    kind: str
    source: str
    preprocessing: tuple[str, ...]
    weights: tuple[str, ...]


class BypassedPreprocessing(Rule):
    """A preprocessing layer that some way to the weights goes round.

    What it checks:
        Whether an input that enters a Rescaling, Normalization or augmentation layer also reaches
        trainable weights on a way past every such layer: where a layer takes `inputs` in place of `x`,
        where the preprocessed tensor reaches only a second output, where it is joined after the first
        convolution. For an image that nothing in the file scales, also the traces that a discarded
        preprocessing model leaves in automatic names: a model called `functional_1` with no other
        functional model inside, a missing number among numbered layers.

    Why training suffers:
        The weights get raw, unaugmented pixels although the code reads as if they were scaled. The
        first layer's signal and gradient are then some hundred times what its initialiser is made for;
        without the augmentation the model overfits sooner.

    Bad example:
        ```python
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Conv2D(32, 3, activation="relu")(inputs)  # x is thrown away
        ```

    Fixed example:
        ```python
        x = layers.Rescaling(1 / 255)(inputs)
        x = layers.Conv2D(32, 3, activation="relu")(x)
        ```

    How sure we are:
        A bypass in the graph is there for certain; that it is why the model does not learn is for the
        probe to confirm, on the model with the preprocessing reconnected. Bypassed augmentation alone
        seldom stops training and is a warning. Names are a hint and never more than information:
        Keras numbers anything that was built in the same session.

    Known limitations:
        A functional model holds only what lies between its inputs and its outputs: preprocessing whose
        result was thrown away altogether is not in the file, and only names can hint at it. Models
        that mean to give one branch raw and another scaled pixels look the same as a mistake.
        Branches into frozen layers are passed over: what their saved weights expect is not known.

    References:
        https://keras.io/guides/functional_api/
    """

    id: ClassVar[str] = "bypassed-preprocessing"
    group: ClassVar[Group] = "inputs"
    title: ClassVar[str] = "Preprocessing that the weights do not get"
    interventions: ClassVar[tuple[str, ...]] = (
        "reconnect-preprocessing", "rescale-inputs", "standardize-inputs",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset(
        {"reconnect-preprocessing", "rescale-inputs", "standardize-inputs"}
    )
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/guides/functional_api/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find ways past preprocessing in the graph, and traces in names where there is none."""
        graph = facts.graph
        inputs = [item for item in model_inputs(graph) if item.kind != "tokens"]
        if not inputs:
            return NotApplicable("token inputs need no preprocessing layers")
        bypasses = [found for item in inputs for found in _bypasses(graph, item)]
        layers = {
            path: {"bypass": found.kind, "input": found.source, "past": listed(found.preprocessing)}
            for found in bypasses
            for path in found.weights
        }
        raw_image = any(
            item.kind == "image" and any(graph.layer(n).trainable for n in reached(graph, item.node))
            for item in inputs
        )
        details = {
            "bypasses": [_row(found) for found in bypasses],
            "skipped_numbers": _discarded_models(facts.spec) if raw_image and not bypasses else [],
            "missing_names": _missing_names(facts.spec) if raw_image and not bypasses else [],
            "model_name": facts.spec.name,
        }
        return Measurement(float(len(layers)), "first layers", layers, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for bypassed scaling, a warning for augmentation, information for names."""
        found = [self._in_graph(row) for row in measurement.details["bypasses"]]
        if found or not (measurement.details["skipped_numbers"] or measurement.details["missing_names"]):
            return found
        return (self._by_name(measurement.details),)

    def _in_graph(self, row: Mapping[str, Any]) -> Finding:
        past, weights = listed(row["preprocessing"]), listed(row["weights"])
        scaling = row["kind"] == "scaling"
        consequence = (
            "raw values reach these weights although the file holds the layer that should scale them"
            if scaling
            else "these weights see only the unchanged images, so the model overfits sooner"
        )
        return self.finding(
            "error" if scaling else "warning",
            layers=(*row["preprocessing"], *row["weights"]),
            evidence=dict(row),
            explanation=f"{row['input']} goes through {past}, but it also reaches {weights} on a way past "
            f"that: {consequence}.",
            fix=f"Feed {weights} from {past} instead of from {row['input']}.",
            confidence=CONFIDENCE_IN_GRAPH,
        )

    def _by_name(self, details: Mapping[str, Any]) -> Finding:
        traces = []
        if details["skipped_numbers"]:
            traces.append(
                f"the model is called {details['model_name']}, so {subject(details['skipped_numbers'], 'was', 'were')} "
                "built before it in the same session, and not saved in the file"
            )
        if details["missing_names"]:
            traces.append(
                f"{subject(details['missing_names'], 'is', 'are')} missing among the numbered layers"
            )
        return self.finding(
            "info",
            title="Traces of a part that was built and left out",
            evidence={"model_name": details["model_name"], "skipped_models": details["skipped_numbers"],
                      "missing_layers": details["missing_names"]},
            explanation=f"Nothing in the file scales the image, and {' and '.join(traces)}. That happens when "
            "the result of a preprocessing block is thrown away because the next layer takes `inputs` "
            "in place of `x`; it also happens when a notebook builds a model twice.",
            fix="Look in the code for layers whose result is not used, and feed each step with the one before it.",
            confidence=CONFIDENCE_BY_NAME,
        )  # fmt: skip


def _row(found: _Bypass) -> dict[str, Any]:
    return {"kind": found.kind, "input": found.source, "preprocessing": list(found.preprocessing),
            "weights": list(found.weights)}  # fmt: skip


def _bypasses(graph: Graph, item: ModelInput) -> list[_Bypass]:
    """Ways of one input past scaling, and past augmentation, to trainable weights."""
    found = []
    entered = walk_on(graph, item.node)
    scaling = [node for node in entered if is_scaling(graph, node)]
    raw = [node for node in reached(graph, item.node) if graph.layer(node).trainable]
    if scaling and raw:
        found.append(_bypass("scaling", item, scaling, raw))
    augmentations, plain = _past_augmentation(graph, item.node)
    if augmentations and plain:
        found.append(_bypass("augmentation", item, augmentations, plain))
    return found


def _bypass(kind: str, item: ModelInput, layers: Sequence[Node], weights: Sequence[Node]) -> _Bypass:
    return _Bypass(
        kind,
        item.name,
        tuple(dict.fromkeys(n.path for n in layers)),
        tuple(dict.fromkeys(n.path for n in weights)),
    )


def _past_augmentation(graph: Graph, start: Node) -> tuple[list[Node], list[Node]]:
    """Augmentation layers that an input enters before weights, and trainable weights reached without."""
    augmentations: set[Node] = set()
    weights: set[Node] = set()
    seen: set[Node] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        layer = graph.layer(node)
        if layer.kind in kinds.AUGMENTATIONS:
            augmentations.add(node)
        elif is_weighted(layer):
            weights.update({node} if layer.trainable else ())
        elif keeps_scale(graph, node) or is_scaling(graph, node):
            stack.extend(graph.after(node))
    return ([n for n in graph.nodes if n in augmentations], [n for n in graph.nodes if n in weights])


def _discarded_models(spec: ModelSpec) -> list[str]:
    """Automatic names of models that were numbered before this one and are not in the file.

    Only where the layers' own numbers start where Keras starts to count: a model that was built again
    in one session counts on from the earlier one's layers too.  A nested Sequential takes a number of
    `functional` for the graph inside it, so then nothing is claimed.
    """
    match, start = _MODEL_NAME.match(spec.name), _first_number(spec)
    if match is None or start is None:
        return []
    before = [f"{match[1]}_{count}" if count else match[1] for count in range(start, int(match[2] or 0))]
    nested = [layer for layer in spec.walk() if layer.model is not None]
    hidden = match[1] == "functional" and any(layer.kind == "Sequential" for layer in nested)
    return [] if hidden or any(layer.name in before for layer in nested) else before


def _first_number(spec: ModelSpec) -> int | None:
    """0 or 1, with which the numbers of every kind of layer start; None where they start elsewhere.

    Keras 3 and tf.keras start without a number (``conv2d``), Keras before 2.4 with ``conv2d_1``.
    """
    starts = {min(taken) for taken in _numbers(spec).values()}
    return starts.pop() if starts in ({0}, {1}) else None


def _missing_names(spec: ModelSpec) -> list[str]:
    """Automatic layer names whose numbers lie between others of their kind and are not in the file."""
    missing: list[str] = []
    for prefix, taken in _numbers(spec).items():
        if max(taken) - min(taken) > LONGEST_NUMBERING:
            continue
        gaps = set(range(min(taken), max(taken))) - taken
        missing.extend(f"{prefix}_{number}" for number in sorted(gaps))
    return missing


def _numbers(spec: ModelSpec) -> dict[str, set[int]]:
    """The numbers in automatic layer names by the name that Keras makes from the class (0: none)."""
    numbers: dict[str, set[int]] = {}
    for layer in spec.walk():
        if layer.kind == "InputLayer" or layer.model is not None:
            continue
        prefix = _snake(layer.kind)
        match = re.fullmatch(rf"{re.escape(prefix)}(?:_(\d{{1,6}}))?", layer.name)
        if match:
            numbers.setdefault(prefix, set()).add(int(match[1] or 0))
    return numbers


def _snake(kind: str) -> str:
    """A class name as Keras turns it into a layer name (``keras.src.utils.naming.to_snake_case``)."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
