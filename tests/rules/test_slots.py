"""The record of every optimizer, against a model whose gradient is known at every step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from analyzers.rules.slots import gradient_averages, gradient_record, gradient_sizes, rate_in_force
from analyzers.spec.graph import Graph
from tests.support import spec_of

ROW = np.array([[0.5, -2.0, 1e-3]])
OPTIMIZERS: dict[str, Any] = {
    "adam": lambda: keras.optimizers.Adam(1e-3),
    "adamw": lambda: keras.optimizers.AdamW(1e-3),
    "nadam": lambda: keras.optimizers.Nadam(1e-3),
    "adamax": lambda: keras.optimizers.Adamax(1e-3),
    "rmsprop": lambda: keras.optimizers.RMSprop(1e-3),
    "sgd": lambda: keras.optimizers.SGD(1e-3, momentum=0.9),
    "adagrad": lambda: keras.optimizers.Adagrad(1e-3),
    "adadelta": lambda: keras.optimizers.Adadelta(1e-3),
    "lion": lambda: keras.optimizers.Lion(1e-3),
}


def line(optimizer: Any, steps: int, tmp_path: Path, format: str = "keras") -> Graph:  # noqa: A002
    """A linear model whose target is out of reach has the same gradient, -x and -1, at every step."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, name="line")])
    model.compile(optimizer, loss="mean_absolute_error", jit_compile=False)
    model.fit(np.repeat(ROW, steps, 0), np.full((steps, 1), 1e9), batch_size=1, epochs=1, verbose=0)
    return Graph(spec_of(model, tmp_path, format=format))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_recorded_gradient_is_the_gradient(tmp_path: Path, name: str) -> None:
    for steps in (3, 30):
        graph = line(OPTIMIZERS[name](), steps, tmp_path)
        memory = gradient_record(graph)
        assert memory is not None
        assert memory.rms("line", "bias") == pytest.approx(1.0, rel=1e-3)
        assert memory.rms("line", "kernel") == pytest.approx(np.sqrt(np.mean(ROW**2)), rel=1e-3)
        assert memory.steps == steps
        assert memory.remembered <= steps
        assert rate_in_force(graph.flat) == pytest.approx(1e-3)
        assert (gradient_sizes(graph) is None) == (name in ("sgd", "lion"))
        assert (gradient_averages(graph) is None) == (name in ("rmsprop", "adagrad", "adadelta"))


@pytest.mark.parametrize("name", ["adam", "adagrad", "sgd"])
def test_the_ratio_of_kernel_and_bias_is_the_input(tmp_path: Path, name: str) -> None:
    memory = gradient_record(line(OPTIMIZERS[name](), 30, tmp_path, "h5"))
    assert memory is not None
    of_kernel, of_bias = (memory.unit_squares(memory.slots["line", role])[0] for role in ("kernel", "bias"))
    assert np.sqrt(of_kernel / of_bias) == pytest.approx(np.sqrt(np.mean(ROW**2)), rel=1e-3)


def test_without_a_constant_rate_only_ratios_are_known(tmp_path: Path) -> None:
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
    memory = gradient_record(line(keras.optimizers.SGD(schedule, momentum=0.9), 30, tmp_path))
    assert memory is not None
    assert memory.scale is None
    kernel, bias = memory.rms("line", "kernel"), memory.rms("line", "bias")
    assert kernel is not None
    assert bias is not None
    assert kernel / bias == pytest.approx(np.sqrt(np.mean(ROW**2)), rel=1e-3)


def test_a_sum_proves_no_zero_and_loses_small_gradients(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1, name="line")])
    model.compile("adagrad", loss="mean_absolute_error", jit_compile=False)
    model.fit(np.zeros((5, 3)), np.full((5, 1), 1e9), batch_size=1, verbose=0)
    memory = gradient_record(Graph(spec_of(model, tmp_path)))
    assert memory is not None
    assert not memory.proves_zero
    assert memory.rms("line", "kernel") is None
    assert memory.rms("line", "bias") == pytest.approx(1.0, rel=1e-3)


def test_plain_sgd_keeps_no_record(tmp_path: Path) -> None:
    assert gradient_record(line(keras.optimizers.SGD(1e-3), 3, tmp_path)) is None
