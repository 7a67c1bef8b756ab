"""Attention is given a warm-up before it is called stuck; nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable

import keras
import pytest
from keras import layers

from analyzers.diagnosis.verdict import WARM_UP, judge
from analyzers.options import Options
from analyzers.probe.evidence import ProbeEvidence, Run
from analyzers.probe.runner import Setting
from analyzers.probe.session import WARMED, ProbeSession
from analyzers.progress import silent
from analyzers.report import RunVerdict
from tests.probe.models import GIGABYTE
from tests.rules.probe.factory import learnt, run
from tests.zoo.weightless import weightless


def attentive() -> keras.Model:
    inputs = keras.Input((12, 4))
    x = layers.MultiHeadAttention(2, 2)(inputs, inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def convolutional() -> keras.Model:
    inputs = keras.Input((12, 4))
    x = layers.Conv1D(4, 3, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


class Scripted(ProbeSession):
    """A session whose control learns, and whose runs end as they are told."""

    plain: RunVerdict = "stuck"
    warmed: RunVerdict = "learnt"

    def _control(self) -> Run:
        return learnt()

    def _run(self, setting: Setting) -> Run:
        made = run(
            self.warmed if setting.warmed else self.plain,
            label=setting.label,
            scale=setting.scale,
            learning_rate=setting.learning_rate,
            warmed=setting.warmed,
        )
        self._runs.append(made)
        return made


def _evidence(
    model: Callable[[], keras.Model], plain: RunVerdict = "stuck", warmed: RunVerdict = "learnt"
) -> ProbeEvidence:
    session = Scripted(
        weightless(model, optimizer="adam", loss="categorical_crossentropy"),
        Options(input_range="standardized"),
        budget_s=20,
        memory_bytes=GIGABYTE,
        progress=silent,
    )
    session.plain, session.warmed = plain, warmed
    return session.evidence()


@pytest.mark.parametrize("plain", ["stuck", "unstable", "diverged"])
@pytest.mark.parametrize("warmed", ["learnt", "slow"])
def test_attention_that_learns_only_with_a_warm_up_is_no_failure(
    plain: RunVerdict, warmed: RunVerdict
) -> None:
    found = _evidence(attentive, plain, warmed)

    assert [(one.label, one.warmed) for one in found.runs[1:]] == [(WARMED, True)]
    assert found.decision is found.runs[0]
    assert found.warmed is found.runs[1]
    assert found.outcome == "slow"
    judged = judge([], found)
    assert judged.verdict == "conditional"
    assert judged.conditions == (WARM_UP,)


def test_attention_that_a_warm_up_does_not_help_is_tried_at_higher_rates_and_called_stuck() -> None:
    found = _evidence(attentive, warmed="stuck")
    assert [one.warmed for one in found.runs] == [False, True, False]
    assert found.runs[2].learning_rate == pytest.approx(10 * found.runs[0].learning_rate)
    assert found.warmed is None
    assert judge([], found).verdict == "stuck"


def test_attention_that_learns_is_not_asked_again() -> None:
    assert not any(one.warmed for one in _evidence(attentive, plain="learnt").runs)


def test_networks_without_attention_get_no_warm_up() -> None:
    found = _evidence(convolutional)
    assert not any(one.warmed for one in found.runs)
    assert judge([], found).verdict == "stuck"
