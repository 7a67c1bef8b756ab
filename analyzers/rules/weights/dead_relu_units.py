"""dead-relu-units: units behind a ReLU that are zero for every input and never get a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Fact, Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.dependence import constant_everywhere
from analyzers.rules.relu_units import RECORD_STEPS, DeadUnits, dead_units, recorded, whole_layers
from analyzers.rules.words import listed

WARNING_SHARE: Final = 0.25
"""Healthy real models show up to 20 % of a layer's units without any gradient (53 files, FORMATS.md)."""

ERROR_SHARE: Final = 0.5
"""Six of those 53 files have more, all five with a whole layer dead are truly broken."""


class DeadReluUnits(Rule):
    """Units behind a ReLU that are zero for every input.

    What it checks:
        The share of dead units of each Dense or convolution layer that ends in a ReLU, directly or
        through BatchNormalization. A unit counts as dead on either of two proofs. By the record: the
        optimizer's memory of its gradient is exactly zero after a hundred steps or
        more, so in the real run it never had a gradient. By the weights: what it is fed is never
        negative (another ReLU, a sigmoid), and all of its weights and its bias are zero or below.

    Why training suffers:
        A ReLU passes no gradient where its input is negative. A unit that is negative for every
        sample gets no gradient at all, so no step can ever bring it back: it is lost, and a layer with
        none left cuts off everything in front of it. Large steps and large inputs kill units.

    Bad example:
        ```python
        model.compile(keras.optimizers.Adam(0.1), "categorical_crossentropy")   # one step kills the units
        ```

    Fixed example:
        ```python
        x = layers.Conv2D(64, 3)(x)
        x = layers.LeakyReLU(0.1)(x)
        model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
        ```

    How sure we are:
        Both proofs are sound for the units that they name. The share is a suspicion: healthy models
        show up to 20 % and learn, so it is told from 25 %, and as an error from 50 % of a layer. It is
        certain only where a layer that lies on every way from the input to the output is dead as a
        whole. Sparse activations are not dead units and are not counted.

    Known limitations:
        The record is kept by Adam, RMSprop and their kin, Lion, and SGD with momentum; plain SGD and
        Adagrad keep none that proves this. RMSprop and momentum forget: there the record says that
        there was no gradient for some hundred steps. Below about 1e-19 a squared
        gradient underflows to zero. The weights alone prove little: in a survey of real files they
        found 3 layers where the record found 45.

    References:
        Lu et al., Dying ReLU and Initialization, 2019, https://arxiv.org/abs/1903.06733
    """

    id: ClassVar[str] = "dead-relu-units"
    group: ClassVar[Group] = "weights"
    title: ClassVar[str] = "Dead ReLU units"
    requires: ClassVar[frozenset[Fact]] = frozenset({"weights"})
    interventions: ClassVar[tuple[str, ...]] = (
        "reinitialize-dead-layers", "leaky-relu", "lower-learning-rate", "standardize-inputs",
        "rescale-inputs", "add-batch-normalization",
    )  # fmt: skip
    specific: ClassVar[frozenset[str]] = frozenset({"reinitialize-dead-layers", "leaky-relu"})
    references: ClassVar[tuple[str, ...]] = ("https://arxiv.org/abs/1903.06733",)

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Share of dead units of each ReLU layer."""
        graph = facts.graph
        known = dead_units(graph)
        if not known:
            return NotApplicable(
                "no ReLU layer's units can be judged: there is none, or neither its weights nor an optimizer "
                f"state of {RECORD_STEPS} steps or more are in the file; one saved while training with Adam "
                "would settle it"
            )
        layers = {item.layer.path: _row(item) for item in known}
        constant = constant_everywhere(graph, whole_layers(graph, known))
        memory = recorded(graph)
        return Measurement(
            max(item.share for item in known),
            "share of units",
            layers,
            {
                "no_way_around": bool(constant) and all(node in constant for node in graph.outputs),
                "cut_off": [item.layer.path for item in known if item.cut_off],
                "steps": None if memory is None else memory.steps,
            },
        )

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Tell layers from a quarter of dead units on."""
        dead = {path: row for path, row in measurement.layers.items() if row["share"] >= WARNING_SHARE}
        if not dead:
            return ()
        worst = max(dead, key=lambda path: float(dead[path]["share"]))
        certain = bool(measurement.details["no_way_around"])
        steps = measurement.details["steps"]
        return (
            self.finding(
                "error" if dead[worst]["share"] >= ERROR_SHARE else "warning",
                layers=tuple(dead),
                evidence={"share_by_layer": {path: row["share"] for path, row in dead.items()},
                          "worst_layer": worst, "by_weights": sum(row["by_weights"] for row in dead.values()),
                          "by_record": sum(row["by_record"] for row in dead.values()), "steps": steps,
                          "cut_off": measurement.details["cut_off"]},
                explanation=_explanation(dead, worst, steps, certain),
                fix=f"Initialise {listed(dead)} anew and train at a lower rate on standardised input; LeakyReLU or "
                "ELU in place of ReLU keeps a gradient on the negative side.",
                certain=certain,
                confidence=0.95 if certain else 0.6,
            ),
        )  # fmt: skip


def _row(item: DeadUnits) -> dict[str, Any]:
    proofs = {"by_weights": item.by_weights, "by_record": item.by_record}
    counts = {name: 0 if proof is None else int(proof.sum()) for name, proof in proofs.items()}
    return {"share": item.share, "units": int(item.dead.size), "dead": int(item.dead.sum()), **counts}


def _explanation(dead: dict[str, Any], worst: str, steps: int | None, certain: bool) -> str:
    row = dead[worst]
    text = f"{row['dead']} of the {row['units']} units of {worst} are dead"
    if len(dead) > 1:
        text += f", and a quarter or more in {len(dead) - 1} further layers"
    if row["by_record"]:
        run = "the recorded run" if steps is None else f"{steps} steps"
        text += f": the optimizer's memory of their gradient is exactly zero after {run}"
    else:
        text += ": they are fed nothing negative and all of their weights and biases are zero or below"
    text += ". A ReLU that is zero for every input passes no gradient, so no step can revive them."
    if certain:
        text += " No way leads round it, so the output is the same for every input."
    return text
