"""Small healthy models learn the task that the probe makes for them, and so does the control."""

from __future__ import annotations

import pytest

from analyzers.options import Options
from tests.probe.models import patient_session
from tests.zoo.weightless import of_kind

QUICK = ("logistic-regression", "table-regression")


@pytest.mark.parametrize("name", QUICK)
def test_a_healthy_model_learns(name: str) -> None:
    session = patient_session(of_kind(name), Options(input_range="standardized"), budget_s=30)

    found = session.evidence()

    assert found.control.verdict == "learnt"
    assert found.decision.verdict == "learnt", (found.decision.normalized_loss, found.task)
    assert found.decision.end.information_gain > 0
