"""Fuzzing that is led by coverage: it keeps what found new lines, finds a fault, and finds none in the reader."""

from __future__ import annotations

import contextlib
from pathlib import Path

from analyzers.errors import InputError
from analyzers.reading import open_model
from benchmarks.guided import Coverage, Guided
from tests.hostile.files import COMPILED, archive, hdf5

ROUNDS = 80
STARTS = [archive(), hdf5(training={"loss": "mse", "optimizer_config": COMPILED["optimizer"]})]


def _open(path: Path) -> None:
    with open_model(path):
        pass


def _damage(guided: Guided, path: Path, rounds: int = ROUNDS) -> list[Exception]:
    """What came out beside declared errors."""
    found: list[Exception] = []
    for number in range(rounds):
        try:
            guided.round(path, number)
        except InputError:
            continue
        except Exception as error:
            found.append(error)
    return found


def test_only_lines_that_did_not_run_before_are_new(tmp_path: Path) -> None:
    path, coverage = tmp_path / "model", Coverage()
    path.write_bytes(STARTS[0])
    assert coverage.new(lambda: _open(path)) > 100
    assert coverage.new(lambda: _open(path)) == 0
    path.write_bytes(STARTS[1])
    assert coverage.new(lambda: _open(path)) > 0


def test_damaged_files_are_read_or_refused_and_those_with_news_are_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    guided = Guided(STARTS, kept, _open, "test")
    assert _damage(guided, tmp_path / "model") == []
    assert guided.found > 5

    successor = Guided(STARTS, kept, _open, "test")  # as after a crash
    with contextlib.suppress(InputError):
        successor.round(tmp_path / "model", 0)
    assert guided.coverage.seen <= successor.coverage.seen


def test_a_fault_is_found(tmp_path: Path) -> None:
    def fragile(path: Path) -> None:
        if b'"units": 0' in path.read_bytes() or b'"units": -' in path.read_bytes():
            raise ZeroDivisionError
        _open(path)

    guided = Guided(STARTS[:1], tmp_path, fragile, "test")
    found = _damage(guided, tmp_path / "model", 400)
    assert {type(error) for error in found} == {ZeroDivisionError}
