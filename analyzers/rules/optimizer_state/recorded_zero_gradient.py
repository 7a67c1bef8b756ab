"""recorded-zero-gradient: trainable layers that never received a gradient in the real run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import separates
from analyzers.rules.relu_units import RECORD_STEPS
from analyzers.rules.slots import GradientMemory, gradient_record, no_memory, rate_in_force, too_few_steps
from analyzers.rules.words import listed
from analyzers.spec.graph import Graph, Node


class RecordedZeroGradient(Rule):
    """Trainable layers that never received a gradient in the real run.

    What it checks:
        Layers whose record in the optimizer is exactly zero throughout after a hundred steps or more, though they are
        trainable and lead to an output with a loss.

    Why training suffers:
        A layer without a gradient stays at its random start. Everything behind it has to live with
        what it hands on; where no layer has a gradient, nothing is learnt at all. Typical reasons are a
        softmax over one unit, an operation without a derivative (argmax, rounding), a ReLU layer that
        is dead from the first step.

    Bad example:
        ```python
        outputs = layers.Dense(1, activation="softmax")(x)   # the constant 1
        model.compile("adam", "binary_crossentropy")
        ```

    Fixed example:
        ```python
        outputs = layers.Dense(1, activation="sigmoid")(x)
        model.compile("adam", "binary_crossentropy")
        ```

    How sure we are:
        Certain where no way leads from the input to the output round these layers: the average is zero
        only if every gradient was. A warning where the layers lie on a branch.

    Known limitations:
        Needs Adam, RMSprop or their kin, Lion, or SGD with momentum; Adagrad's sum starts above zero and
        loses small gradients. RMSprop and momentum forget: there it says that no gradient came for some
        hundred steps. Gradients below about 1e-19 have squares that underflow to zero. Newer versions of
        Keras leave rounding noise of 1e-8, or the logits' own gradient, behind a softmax over one unit:
        that head has a rule of its own. A layer without slots may have been unfrozen after the training, so a missing slot proves nothing.

    References:
        Kingma and Ba, Adam, 2015, https://arxiv.org/abs/1412.6980
    """

    id: ClassVar[str] = "recorded-zero-gradient"
    group: ClassVar[Group] = "optimizer_state"
    title: ClassVar[str] = "Layers that never received a gradient"
    requires: ClassVar[frozenset[Fact]] = frozenset({"training", "weights", "optimizer_state"})
    interventions: ClassVar[tuple[str, ...]] = ("reinitialize-dead-layers", "leaky-relu")
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1412.6980",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Look which trainable layers on the way to a loss never had a gradient."""
        spec = facts.spec
        memory = gradient_record(facts.graph)
        if memory is None or not memory.proves_zero:
            return no_memory(spec)
        if (early := too_few_steps(spec, RECORD_STEPS)) is not None:
            return early
        graph = facts.graph
        judged = [node for node in _towards_a_loss(graph, facts) if _owns_slots(graph, node, memory)]
        if not judged:
            return NotApplicable("no trainable layer on the way to a loss has a slot")
        layers: dict[str, dict[str, Any]] = {}
        for node in judged:
            if node.path not in layers:
                layers[node.path] = {"had_gradient": memory.had_gradient(node.path)}
        zero = frozenset(path for path, row in layers.items() if not row["had_gradient"])
        return Measurement(
            len(zero) / len(layers),
            "share of layers",
            layers,
            {
                "no_way_around": bool(zero) and separates(graph, zero),
                "steps": memory.steps,
                "remembered_steps": memory.remembered,
                "rate_in_force": rate_in_force(spec),
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Certain where nothing leads round the layers, else a warning."""
        zero = tuple(path for path, row in measurement.layers.items() if not row["had_gradient"])
        if not zero:
            return ()
        cuts, steps = bool(measurement.details["no_way_around"]), measurement.details["steps"]
        run = "the recorded run" if steps is None else f"{steps} steps"
        return (
            self.finding(
                "error" if cuts else "warning",
                layers=zero,
                evidence={"layers_without_gradient": len(zero), "of": len(measurement.layers),
                          **measurement.details},
                explanation=f"In {run} {listed(zero)} never received a gradient: the optimizer's memory of it is exactly "
                f"zero. {'Everything behind lives on what these untrained layers hand on.' if cuts else 'Other branches of the model were trained.'}",
                fix="Find what stops the gradient behind these layers: a softmax over one unit, an operation without "
                "a derivative, a ReLU layer that is dead from the start.",
                certain=cuts,
                confidence=0.95 if cuts else 0.5,
            ),
        )  # fmt: skip


def _towards_a_loss(graph: Graph, facts: Facts) -> tuple[Node, ...]:
    """Nodes from which an output with a loss can be reached."""
    losses, weights = facts.training.losses, facts.training.loss_weights
    ends = [
        node
        for index, node in enumerate(graph.outputs)
        if (index >= len(losses) or losses[index] is not None)
        and (weights is None or index >= len(weights) or weights[index] != 0)
    ]
    counted = graph.reachable(ends, graph.before)
    return tuple(node for node in graph.nodes if node in counted)


def _owns_slots(graph: Graph, node: Node, memory: GradientMemory) -> bool:
    return graph.layer(node).trainable and node.path in memory.by_layer
