"""disconnected-layer: inputs that nothing depends on, and outputs or branches that nothing reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import constant_everywhere
from analyzers.rules.words import listed
from analyzers.spec import TensorRef
from analyzers.spec.affine import affine_of
from analyzers.spec.graph import Graph, Node
from analyzers.spec.roles import call_of, is_scaling, is_weighted

CONFIDENCE: Final = 0.6
"""What is cut off is certain; that the rest cannot do without it is not."""


class DisconnectedLayer(Rule):
    """Parts of the model between which nothing passes.

    What it checks:
        Inputs from which no way leads to any output; outputs to which no way leads from trainable
        weights, while the model has some; outputs to which no way leads from any input; and weights
        whose every way to an output goes through something that is always zero: a factor of 0, or a
        tensor subtracted from itself.

    Why training suffers:
        Information and gradients travel along the graph. What is cut off from the input answers the
        same for every sample; weights that are cut off from every output never get a gradient.

    Bad example:
        ```python
        branch = layers.Rescaling(0.0)(layers.Dense(64)(extra))
        x = layers.Add()([x, branch])
        ```

    Fixed example:
        ```python
        branch = layers.Dense(64)(extra)
        x = layers.Add()([x, branch])
        ```

    How sure we are:
        The cut is a fact of the graph. The rest of the model may learn without what is cut off, so that
        only the probe can tell whether it matters.

    Known limitations:
        A functional file holds only what lies between inputs and outputs, so layers that were built and
        not connected are not in it. Values in layers whose code is not in the file are taken to vary.

    References:
        https://keras.io/guides/functional_api/
    """

    id: ClassVar[str] = "disconnected-layer"
    group: ClassVar[Group] = "architecture"
    title: ClassVar[str] = "Parts that nothing passes between"
    references: ClassVar[tuple[str, ...]] = ("https://keras.io/guides/functional_api/",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Follow every input, every output and every layer with weights along the graph."""
        graph = facts.graph
        zeros = {node for node in graph.nodes if _is_zero(graph, node)}
        constant = constant_everywhere(graph, zeros)
        details = {
            "inputs": _unused_inputs(graph),
            "outputs": _untrained_outputs(graph, constant),
            "cut": _cut_off(graph, constant),
            "zeros": sorted({node.path for node in zeros}),
        }
        total = len(details["inputs"]) + len(details["outputs"]) + len(details["cut"])
        return Measurement(float(total), "disconnected parts", {}, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error for each kind of cut."""
        details = measurement.details
        return tuple(self._finding(kind, details[kind], details["zeros"]) for kind in _WORDS if details[kind])

    def _finding(self, kind: str, names: Sequence[str], zeros: Sequence[str]) -> Finding:
        title, explanation, fix = _WORDS[kind]
        return self.finding(
            "error",
            title=title,
            layers=names,
            evidence={"layers": len(names), "always_zero": list(zeros)},
            explanation=explanation.format(names=listed(names), zeros=listed(zeros)),
            fix=fix.format(names=listed(names), zeros=listed(zeros)),
            confidence=CONFIDENCE,
        )


_WORDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "inputs": (
        "An input that no output depends on",
        "No way leads from {names} to any output: whatever is fed there changes nothing.",
        "Connect {names}, or leave it out of the model's inputs.",
    ),
    "outputs": (
        "An output that cannot learn",
        "{names} does not depend on both an input and trainable weights: no training changes what it answers.",
        "Connect {names} to a layer that learns, or leave it out of the model's outputs.",
    ),
    "cut": (
        "Weights behind which everything is zero",
        "All that {names} computes is multiplied away ({zeros}): these weights never get a gradient.",
        "Take out {zeros}, or the branch.",
    ),
}
"""Kind of cut -> title, explanation, fix."""


def _is_zero(graph: Graph, node: Node) -> bool:
    """Whether a node's output is zero for every input."""
    call = call_of(graph, node)
    if is_scaling(graph, node) and graph.layer(node).kind != "Normalization":
        step = affine_of(graph, node)
        return step is not None and bool(np.all(step.scale == 0))
    refs = [ref for ref in call.inputs if isinstance(ref, TensorRef)]
    return graph.layer(node).kind == "Subtract" and len(refs) == 2 and refs[0] == refs[1]


def _unused_inputs(graph: Graph) -> list[str]:
    needed = graph.reachable(graph.outputs, graph.before)
    return [node.path for node in graph.inputs if node not in needed]


def _untrained_outputs(graph: Graph, constant: frozenset[Node]) -> list[str]:
    """Outputs without an input or without trainable weights in front, where the model has such weights."""
    if not any(_learns(graph, node) for node in graph.nodes):
        return []
    found = []
    for node in graph.outputs:
        before = graph.reachable([node], graph.before)
        unknown = any(not graph.layer(one).known for one in before)
        learns = any(_learns(graph, one) for one in before)
        fed = any(one in before for one in graph.inputs)
        if not unknown and not (learns and fed and node not in constant):
            found.append(node.path)
    return found


def _cut_off(graph: Graph, constant: frozenset[Node]) -> list[str]:
    """Trainable weights whose every way to an output leads through a constant."""
    reached = graph.reachable(
        [node for node in graph.outputs if node not in constant],
        lambda node: (one for one in graph.before(node) if one not in constant),
    )
    some = [node for node in graph.nodes if _learns(graph, node)]
    return list(dict.fromkeys(node.path for node in some if node not in reached)) if constant else []


def _learns(graph: Graph, node: Node) -> bool:
    layer = graph.layer(node)
    return layer.trainable and (is_weighted(layer) or not layer.known)
