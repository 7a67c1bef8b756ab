"""gradient-path-cut: layers that never receive a gradient, whatever the seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from analyzers.report import RunVerdict
from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.runs import FAILED, control_failed
from analyzers.rules.words import listed
from analyzers.spec.graph import Graph
from analyzers.spec.roles import uses


class GradientPathCut(Rule):
    """Layers that never receive a gradient, whatever the seed.

    What it checks:
        The gradient norm of each trainable layer, over all of its tensors, at every step of every run
        of the model as it is. It is told when it is exactly zero throughout, for layers from which
        every output can be reached.

    Why training suffers:
        Such a layer stays what it was initialised to. The way from the loss back to it is cut: by an
        operation without a gradient (rounding, argmax, a comparison), by a multiplication with zero,
        by units that are dead from the start, or by weights that are all zero.

    Bad example:
        ```python
        x = keras.ops.round(layers.Dense(64, activation="relu")(x))
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    Fixed example:
        ```python
        x = layers.Dense(64, activation="relu")(x)
        outputs = layers.Dense(10, activation="softmax")(x)
        ```

    How sure we are:
        The gradients were measured, and none was there on any seed. It is an error where the model
        did not learn, and information where it learnt without those layers.

    Known limitations:
        Told by layer, not by tensor. A layer that leads to some of the outputs only is passed over: the
        probe may not have trained those.

    References:
        https://keras.io/guides/writing_a_custom_training_loop_in_tensorflow/
    """

    id: ClassVar[str] = "gradient-path-cut"
    group: ClassVar[Group] = "probe"
    title: ClassVar[str] = "A way back that no gradient takes"
    requires: ClassVar[frozenset[Fact]] = frozenset({"probe"})
    interventions: ClassVar[tuple[str, ...]] = ("he-initialization", "leaky-relu", "reinitialize-dead-layers")
    references: ClassVar[tuple[str, ...]] = (
        "https://keras.io/guides/writing_a_custom_training_loop_in_tensorflow/",
    )

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """The largest gradient norm that each trainable layer had at any step of any run."""
        evidence = facts.probe
        if (abstained := control_failed(evidence)) is not None:
            return abstained
        wanted = _leading_to_all(facts.graph)
        layers: dict[str, dict[str, Any]] = {}
        for run in evidence.runs:
            for path, series in run.gradient_norms.items():
                if path in wanted and series:
                    got = any(value != 0 for value in series)
                    layers[path] = {"gradient": got or layers.get(path, {}).get("gradient", False)}
        if not layers:
            return NotApplicable("no trainable layer that leads to every output has a measured gradient")
        without = [path for path, row in layers.items() if not row["gradient"]]
        seeds = len({run.seed for run in evidence.runs})
        details = {"verdict": evidence.outcome, "runs": len(evidence.runs), "seeds": seeds}
        return Measurement(float(len(without)), "layers", layers, details)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """An error where the model did not learn; information where it learnt all the same."""
        cut = [path for path, row in measurement.layers.items() if not row["gradient"]]
        if not cut:
            return ()
        details = measurement.details
        verdict: RunVerdict = details["verdict"]
        return (
            self.finding(
                "error" if verdict in FAILED else "info",
                layers=cut,
                evidence={"layers_without_gradient": len(cut), "layers_measured": len(measurement.layers),
                          "runs": details["runs"], "seeds": details["seeds"]},
                explanation=f"{listed(cut)} had a gradient of exactly zero at every step of all {details['runs']} runs: "
                + ("they stay as they were initialised, and the model did not learn."
                   if verdict in FAILED else "they stay as they were initialised; the model learns without them."),
                fix=f"Look at what lies between {listed(cut[-1:])} and the output: take out operations without a gradient "
                "(rounding, argmax, comparisons) and factors of zero, and initialise what is all zero.",
                certain=True,
                confidence=0.9,
            ),
        )  # fmt: skip


def _leading_to_all(graph: Graph) -> frozenset[str]:
    """Paths of the trainable layers from which every output of the model can be reached."""
    behind = [graph.reachable([output], graph.before) for output in graph.outputs]
    return frozenset(
        layer.path
        for layer in graph.flat.layers
        if layer.trainable and all(any(node in one for node in uses(graph, layer)) for one in behind)
    )
