"""JSON nonsense made up by hypothesis: whatever stands in a configuration, only declared errors come out."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.engine import read_and_judge
from analyzers.errors import InputError
from analyzers.options import Options
from tests.hostile.files import COMPILED, archive, hdf5
from tests.hostile.nonsense import damaged

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(("class_name", "config", "layers", "name", "inbound_nodes", "input_layers", "module")) | st.text(max_size=3),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
BOUNDED = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MADE = {
    "keras": archive(),
    "h5": hdf5(training={"loss": "mse", "optimizer_config": COMPILED["optimizer"]}),
}


def _read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        report = read_and_judge(path, Options(probe="off"))
    except InputError:
        return
    assert not [check for check in report.checks if check.outcome == "error"]


@BOUNDED
@given(value=VALUES)
def test_any_json_is_read_or_refused(tmp_path: Path, value: Any) -> None:
    _read(tmp_path / "model", archive(json.dumps(value)))


@pytest.mark.parametrize("kind", MADE)
@BOUNDED
@given(random=st.randoms(use_true_random=False))
def test_nonsense_anywhere_in_a_model_is_read_or_refused(tmp_path: Path, kind: str, random: Random) -> None:
    _read(tmp_path / "model", damaged(MADE[kind], random))
