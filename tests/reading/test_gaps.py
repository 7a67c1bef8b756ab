"""Layers of the author's own: what they make is told by those who take it, and checks go on behind them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import keras
import pytest

from analyzers import diagnose
from analyzers.options import Options
from analyzers.reading import open_model
from analyzers.spec import Shape
from analyzers.spec.graph import Graph
from tests.support import SHARED_MODELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras

pytestmark = pytest.mark.filterwarnings("ignore")  # of the frameworks that write the files


def own(framework: Any, call: Any) -> Any:
    """A layer of the author's own that computes ``call``."""

    class Own(framework.layers.Layer):  # type: ignore[misc]  # the framework is a parameter
        def call(self, x: Any) -> Any:
            return call(x)

    return Own(name="own")


def mean(x: Any) -> Any:
    return x[:, 0]


def same(x: Any) -> Any:
    return x * 2


BEHIND: dict[str, tuple[Shape, Any, Any, Shape]] = {
    "dense behind a sequence": ((7, 5), mean, lambda kl: [kl.Dense(3)], (None, 5)),
    "recurrent": ((7, 5), same, lambda kl: [kl.Dropout(0.1), kl.LSTM(4), kl.Dense(2)], (None, None, 5)),
    "convolution": (
        (9, 8, 3),
        same,
        lambda kl: [kl.Conv2D(4, 3), kl.GlobalMaxPooling2D()],
        (None, None, None, 3),
    ),
    "pooling": ((9, 4), same, lambda kl: [kl.GlobalAveragePooling1D(), kl.Dense(2)], (None, None, 4)),
    "flattened": ((6, 5, 3), same, lambda kl: [kl.Flatten(), kl.Dense(2)], (None, 6, 5, 3)),
    "normalised": (
        (6, 4),
        same,
        lambda kl: [kl.BatchNormalization(), kl.Conv1D(2, 3), kl.GlobalMaxPooling1D()],
        (None, None, 4),
    ),
}
"""What is behind the layer -> input, what the layer does, layers, the shape that they tell."""


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize(
    ("framework", "extension"), [(tf_keras, "h5"), (tf_keras, "keras"), (keras, "h5"), (keras, "keras")]
)
def test_the_layers_behind_tell_what_an_unknown_layer_makes(
    name: str, framework: Any, extension: str, tmp_path: Path
) -> None:
    given, call, behind, expected = BEHIND[name]
    layers = behind(framework.layers)
    model = framework.Sequential([framework.Input(given), own(framework, call), *layers])
    model.save(tmp_path / f"model.{extension}")
    with open_model(tmp_path / f"model.{extension}") as spec:
        (declared,) = spec.layer("own").declared
        true = tuple(model.layers[1].input_shape if framework is tf_keras else model.layers[1].input.shape)
        assert declared in (expected, true)
        graph = Graph(spec)
        assert all(graph.output_shape(node) for node in graph.nodes)


def test_what_nothing_tells_stays_open(tmp_path: Path) -> None:
    layers = tf_keras.layers
    parts = [tf_keras.Input((4, 3)), own(tf_keras, same), layers.Reshape((12,)), layers.Dense(2)]
    tf_keras.Sequential(parts).save(tmp_path / "model.h5")
    with open_model(tmp_path / "model.h5") as spec:
        told = [layer for layer in spec.layers if layer.kind == "Own"]
        assert told[0].declared in ((), ((None, 4, 3),))


def test_a_report_goes_on_behind_the_layer_and_says_what_kept_it_from_the_probe() -> None:
    """A graph network of the author's own, and two Dense layers behind it."""
    path = SHARED_MODELS / "4ad30d946a961c37.h5"
    with open_model(path) as spec:
        graph = Graph(spec)
        assert not graph.cost.unknown
        (behind,) = graph.after(next(node for node in graph.nodes if not graph.layer(node).known))
        assert graph.output_shape(behind)[1:] == graph.tensors[behind.path]["kernel"].shape[1:]
    report = diagnose(path, Options())
    assert "'GarNet' is not a layer of Keras: its code is not in the file" in report.summary
    assert report.verdict == "inconclusive"
    assert not [check for check in report.checks if check.outcome == "error"]
