"""Hand-made probe evidence on a small chain of Dense layers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from analyzers.options import Options
from analyzers.probe.evidence import InputScale, ProbeEvidence, Run, Snapshot
from analyzers.report import RunVerdict
from analyzers.rule import Facts, Finding, Measurement, NotApplicable, Rule
from analyzers.spec import Call, LayerSpec, ModelSpec, TensorRef
from analyzers.spec.graph import Graph

LAYERS = ("d0", "d1", "d2", "head")
CLASSES = 5
CHANCE = math.log(CLASSES)
STEPS = 40

STUCK = tuple(CHANCE + 0.004 * (-1) ** step for step in range(STEPS))
FALLING = tuple(CHANCE * 0.9**step for step in range(STEPS))


def chain(*, normalized: bool = False, skip: bool = False) -> ModelSpec:
    """Four Dense layers in a row; with BatchNormalization, or with a way round the second."""
    layers = [
        LayerSpec("input", "InputLayer", {"batch_shape": [None, 6], "dtype": "float32"}, (), path="input")
    ]
    for name in LAYERS:
        fed = TensorRef(layers[-1].name)
        layers.append(
            LayerSpec(name, "Dense", {"units": 6, "activation": "relu"}, (Call((fed,)),), path=name)
        )
        if name == "d1" and skip:
            call = Call(((TensorRef("d0"), TensorRef("d1")),))
            layers.append(LayerSpec("add", "Add", {}, (call,), path="add"))
        if name == "d0" and normalized:
            call = Call((TensorRef("d0"),))
            layers.append(LayerSpec("norm", "BatchNormalization", {}, (call,), path="norm"))
    return ModelSpec("chain", "functional", tuple(layers), (TensorRef("input"),), (TensorRef("head"),))


def snapshot(**changes: Any) -> Snapshot:
    """A model in good health; ``changes`` replace fields."""
    healthy = Snapshot(
        activation_rms=dict.fromkeys(LAYERS, 1.0),
        activation_std=dict.fromkeys(LAYERS, 0.7),
        dead_fraction=dict.fromkeys(LAYERS[:-1], 0.1),
        output_spread=0.5,
        training_loss=CHANCE,
        inference_loss=CHANCE,
        recalibrated_loss=CHANCE,
        accuracy=1 / CLASSES,
        information_gain=0.0,
        information_gain_error=0.01,
    )
    return replace(healthy, **changes)


def run(
    verdict: RunVerdict = "stuck",
    *,
    loss: Sequence[float] = STUCK,
    gradients: Mapping[str, float | Sequence[float]] | None = None,
    scale: InputScale = "standardized",
    start: Snapshot | None = None,
    end: Snapshot | None = None,
    **changes: Any,
) -> Run:
    """One run; a layer's gradient norm may be one number for all steps.  Weight norms are 1."""
    given = {**dict.fromkeys(LAYERS, 0.1), **(gradients or {})}
    series = {
        path: (float(value),) * len(loss) if isinstance(value, int | float) else tuple(value)
        for path, value in given.items()
    }
    made = Run(
        label="as it is",
        interventions=(),
        input_scale=scale,
        weights="fresh",
        seed=1,
        learning_rate=1e-3,
        loss=tuple(loss),
        judged=tuple(value / CHANCE for value in loss),
        accuracy=(1 / CLASSES,) * len(loss),
        regularization=(0.0,) * len(loss),
        gradient_norms=series,
        weight_norms=dict.fromkeys(given, 1.0),
        update_ratios={},
        start=start or snapshot(),
        end=end or snapshot(),
        verdict=verdict,
        normalized_loss=loss[-1] / CHANCE if loss else 1.0,
    )
    return replace(made, **changes)


def learnt(**changes: Any) -> Run:
    """A run that learnt the task."""
    return run("learnt", loss=FALLING, **changes)


def evidence(*runs: Run, control: Run | None = None, **changes: Any) -> ProbeEvidence:
    """Evidence of these runs; the first decides."""
    made = ProbeEvidence(
        task="5 image classes",
        classes_used=CLASSES,
        chance_loss=CHANCE,
        floor_loss=0.0,
        batch_size=16,
        control=control or learnt(),
        runs=runs,
        deciding=0,
        scales_itself=False,
    )
    return replace(made, **changes)


def measured(rule: Rule, found: ProbeEvidence, spec: ModelSpec | None = None) -> Measurement | NotApplicable:
    """What the rule measures on this evidence."""
    spec = spec or chain()
    return rule.measure(Facts(spec, Graph(spec), Options(), frozenset(rule.requires), found))


def findings(rule: Rule, found: ProbeEvidence, spec: ModelSpec | None = None) -> list[Finding]:
    """What the rule finds; fails where it is not applicable or where its numbers are not plain JSON."""
    measurement = measured(rule, found, spec)
    assert isinstance(measurement, Measurement), measurement
    layers = {path: dict(row) for path, row in measurement.layers.items()}
    json.dumps([measurement.value, layers, dict(measurement.details)], allow_nan=False)
    made = list(rule.judge(measurement))
    for finding in made:
        json.dumps(dict(finding.evidence), allow_nan=False)
        assert finding.certain
        assert finding.explanation.endswith(".")
        assert finding.fix.endswith(".")
    return made


def reason(rule: Rule, found: ProbeEvidence, spec: ModelSpec | None = None) -> str:
    """Why the rule is not applicable; fails where it is."""
    measurement = measured(rule, found, spec)
    assert isinstance(measurement, NotApplicable), measurement
    return measurement.reason
