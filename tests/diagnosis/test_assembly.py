"""Plain values into the report: rounded, finite, complete."""

from __future__ import annotations

import json
import math

import pytest

from analyzers.diagnosis.assembly import finding_report, plain, probe_report, rounded, run_report, signals
from tests.diagnosis.factory import attempt, finding, proof, search
from tests.rules.probe.factory import LAYERS, evidence, learnt, run, snapshot


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.23456789, 1.2346), (0.000123456, 0.00012346), (123456.0, 123460.0), (math.nan, None), (-math.inf, None),
     (None, None), (0.0, 0.0)],
)  # fmt: skip
def test_numbers_are_rounded_to_five_digits_and_finite(value: float | None, expected: float | None) -> None:
    assert rounded(value) == expected


def test_plain_values_hold_no_number_that_json_cannot() -> None:
    given = {"a": math.nan, "b": [1, math.inf, ("x", 2.5)], 3: {"c": True}}
    assert plain(given) == {"a": None, "b": [1, None, ["x", 2.5]], "3": {"c": True}}


def test_a_run_that_blew_up_is_still_json() -> None:
    blown = run(
        "diverged",
        loss=(1.6, math.nan),
        gradients={"d0": (1.0, math.inf)},
        end=snapshot(training_loss=math.nan, accuracy=math.nan),
    )
    made = run_report(blown)
    json.dumps(made.model_dump(), allow_nan=False)
    assert made.loss == [1.6, None]
    assert made.gradient_norms["d0"] == [1.0, None]
    assert (made.final_loss, made.final_accuracy) == (None, None)


def test_every_run_is_reported_in_the_order_it_was_made() -> None:
    cure = attempt("lower-learning-rate", made=learnt(label="with lower-learning-rate"))
    found = evidence(run(), run(label="raw", scale="raw"), control=learnt(label="control model"))

    labels = [one.label for one in probe_report(found, search(cure, fix=cure, proved=proof())).runs]

    assert labels[:3] == ["as it is", "raw", "with lower-learning-rate"]
    assert len(labels) == 3 + 6 + 1
    assert labels[-1] == "control model"
    assert [one.label for one in probe_report(found, None).runs] == ["as it is", "raw", "control model"]


def test_signals_are_of_the_deciding_runs_first_step_and_dead_units_of_its_end() -> None:
    ratios = dict.fromkeys(LAYERS, (0.5, 0.1))
    made = run(update_ratios=ratios, gradients={"d0": (0.25, 9.0)}, loss=(1.6, 1.6),
               end=snapshot(dead_fraction={"d1": 0.75}))  # fmt: skip
    found = {one.layer: one for one in signals(evidence(made))}

    assert list(found) == list(LAYERS)
    assert (found["d0"].gradient_norm, found["d0"].update_ratio) == (0.25, 0.5)
    assert (found["d0"].dead_fraction, found["d1"].dead_fraction) == (None, 0.75)


def test_a_finding_keeps_its_words_and_its_evidence_becomes_plain() -> None:
    given = finding("learning-rate-too-high", evidence={"rate": 0.3, "worst": math.inf}, confidence=0.71239)
    made = finding_report(given)
    assert made.evidence == {"rate": 0.3, "worst": None}
    assert (made.confidence, made.title, made.fix) == (0.712, given.title, "Mend it.")
