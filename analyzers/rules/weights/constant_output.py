"""constant-output: the saved weights leave no way by which the input could change the output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import constant_everywhere
from analyzers.rules.relu_units import dead_units, whole_layers
from analyzers.rules.slots import KERNEL_ROLES
from analyzers.rules.words import listed, subject
from analyzers.spec import ModelSpec, TensorInfo, kinds
from analyzers.spec.graph import Graph, Node

STEPS_BEFORE_ZEROS_COUNT: Final = 100
"""A kernel or a gamma that is zero at the start is a sound initialiser (residual gamma, zero heads): its
own gradient moves it within three steps (PROBE.md), so that only zeros after many steps are told."""

NEGLIGIBLE: Final = 1e-12
"""Sum of the absolute weights into a unit below which no activation of a usable size (up to a million)
changes its output by more than a millionth."""


class ConstantOutput(Rule):
    """The saved model gives the same output for every input.

    What it checks:
        Whether the saved weights let the input reach the output at all. A layer's output is constant
        when every one of its ReLU units is dead (see dead-relu-units for the two proofs), or, a hundred
        steps or more into training, when its kernel or its normalisation's gamma is zero throughout.
        Whatever depends on nothing but constants is constant, and so the question is carried on to the
        model's outputs, through branches and skip connections.

    Why training suffers:
        With an output that ignores the input the best that training can reach is the constant that fits
        the labels on average: the loss stays at ln K for K balanced classes. Behind dead ReLU units no
        gradient is left either, so the state is final.

    Bad example:
        ```python
        model.fit(images, labels)   # loss 1.609 = ln 5 in every epoch
        model.predict(images)       # the same row for every image
        ```

    Fixed example:
        ```python
        images = (images - images.mean()) / images.std()
        model = build_model(activation="leaky_relu")   # new weights: the old ones cannot be revived
        model.fit(images, labels)
        ```

    How sure we are:
        Certain: it follows from the saved numbers. Where the proof is the optimizer's record it holds
        for all of the data of the real run.

    Known limitations:
        Only what can be proved without running the model: weights that are merely small, biases that
        are merely large, and ReLU layers fed by something that may be negative are left to the probe
        (constant-output-collapse). A single-unit softmax is told by its own rule.

    References:
        Lu et al., Dying ReLU and Initialization, 2019, https://arxiv.org/abs/1903.06733
    """

    id: ClassVar[str] = "constant-output"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "An output that does not depend on the input"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = (
        "reinitialize-dead-layers", "leaky-relu", "lower-learning-rate", "standardize-inputs",
        "rescale-inputs", "add-batch-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1903.06733",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Find the layers whose output is constant by themselves, and carry that on to the outputs."""
        spec, graph = facts.spec, facts.graph
        if not any(info.role in KERNEL_ROLES for info in spec.weights.tensors):
            return NotApplicable("the file holds no kernels; one saved with its weights would settle it")
        dead = whole_layers(graph, dead_units(graph))
        sources = dict.fromkeys(graph.in_order(dead), "dead units") | _zeroed(graph)
        constant = constant_everywhere(graph, frozenset(sources))
        outputs = [node.path for node in graph.outputs if node in constant]
        reasons = {node.path: {"because": why} for node, why in sources.items()}
        return Measurement(
            float(len(outputs)), "constant outputs", reasons if outputs else {},
            {"constant_outputs": outputs, "outputs": len(graph.outputs)},
        )  # fmt: skip

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """One constant output is an error."""
        outputs = measurement.details["constant_outputs"]
        if not outputs:
            return ()
        because = {path: row["because"] for path, row in measurement.layers.items()}
        return (
            self.finding(
                "error",
                layers=tuple(because),
                evidence={"constant_outputs": outputs, "of": measurement.details["outputs"],
                          "because": because},
                explanation=f"{subject(outputs, 'is', 'are')} the same for every input: {_reasons(because)}, and no way "
                "leads round. Training can then reach no more than the best constant prediction.",
                fix=f"Initialise {listed(because)} anew; against its coming back, standardise the input, lower the "
                "learning rate, and use LeakyReLU or ELU in place of ReLU.",
                certain=True,
                confidence=0.97,
            ),
        )  # fmt: skip


def _reasons(because: Mapping[str, Any]) -> str:
    parts = [
        f"{listed([path for path, why in because.items() if why == reason])} ({reason})"
        for reason in dict.fromkeys(because.values())
    ]
    return " and ".join(parts) + " gives one constant"


def _zeroed(graph: Graph) -> dict[Node, str]:
    """Nodes whose kernel or gamma is zero, where enough steps were taken for that to mean something."""
    spec = graph.flat
    taken = None if spec.training is None else spec.training.steps_taken
    if taken is None or taken < STEPS_BEFORE_ZEROS_COUNT:
        return {}
    found: dict[Node, str] = {}
    for node in graph.nodes:
        kind, own = graph.layer(node).kind, graph.tensors.get(node.path, {})
        role = "gamma" if kind in kinds.NORMALIZATIONS else "kernel"
        countable = kind == "Dense" or kind in kinds.CONVOLUTIONS or kind in kinds.NORMALIZATIONS
        if countable and role in own and _negligible(spec, own[role]):
            found[node] = f"{role} zero"
    return found


def _negligible(spec: ModelSpec, tensor: TensorInfo) -> bool:
    """Whether the absolute weights into every unit sum to next to nothing."""
    values = spec.weights.load(tensor)
    rows = values.reshape(-1, values.shape[-1])
    if not rows.size or np.abs(rows[0]).max() > NEGLIGIBLE:
        return False
    return bool(np.abs(rows).sum(axis=0).max() <= NEGLIGIBLE)
