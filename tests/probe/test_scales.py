"""On which input scales a model is tried."""

from __future__ import annotations

from typing import Any

import pytest

from analyzers.options import InputRange, Options
from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import feeds_of
from analyzers.probe.scales import IN_WORDS, Scales, scales_of
from analyzers.spec import Json, ModelSpec
from analyzers.spec.graph import Graph
from tests.probe.graphs import Layer, chain, classifier

IMAGENET: Layer = (
    "normalize",
    "Normalization",
    {"mean": [0.485, 0.456, 0.406], "variance": [0.052441, 0.050176, 0.050625]},
)


def _rescaling(scale: float, offset: float = 0.0) -> Layer:
    return ("rescale", "Rescaling", {"scale": scale, "offset": offset})


def _scales(spec: ModelSpec, **options: Any) -> Scales:
    return scales_of(spec, Options(**options), feeds_of(Graph(spec)))


def test_a_model_that_divides_by_255_takes_raw_pixels_only() -> None:
    found = _scales(classifier(front=[_rescaling(1 / 255)]))
    assert found == Scales("raw", ("raw",), itself=True)


def test_a_model_that_scales_to_minus_one_to_one_takes_raw_pixels_only() -> None:
    found = _scales(classifier(front=[_rescaling(1 / 127.5, -1.0)]))
    assert found == Scales("raw", ("raw",), itself=True)


def test_a_model_without_scaling_is_tried_on_standardised_input_and_raw_pixels() -> None:
    assert _scales(classifier()) == Scales("standardized", ("standardized", "raw"), itself=False)


def test_constants_for_pixels_of_0_to_1_make_that_scale_natural() -> None:
    assert _scales(classifier(front=[IMAGENET])) == Scales("0-1", ("0-1", "raw"), itself=True)


@pytest.mark.parametrize(("value_range", "natural"), [(None, "raw"), ([0, 255], "raw"), ([0, 1], "0-1")])
def test_a_brightness_that_drowns_a_scale_says_that_another_is_meant(
    value_range: list[Json] | None, natural: InputScale
) -> None:
    config: dict[str, Json] = {"factor": [-0.5, 0.5]}
    brightness: Layer = (
        "light",
        "RandomBrightness",
        config | ({"value_range": value_range} if value_range else {}),
    )
    found = _scales(classifier(front=[brightness, IMAGENET]))
    assert found.natural == natural


def test_rescaling_in_front_of_such_constants_takes_raw_pixels_only() -> None:
    found = _scales(classifier(front=[_rescaling(1 / 255), IMAGENET]))
    assert found == Scales("raw", ("raw",), itself=True)


@pytest.mark.parametrize(
    ("said", "scale"),
    [("0-255", "raw"), ("0-1", "0-1"), ("-1-1", "-1-1"), ("standardized", "standardized")],
)
def test_the_senders_word_wins(said: InputRange, scale: InputScale) -> None:
    found = _scales(classifier(front=[_rescaling(1 / 255)]), input_range=said)
    assert found == Scales(scale, (scale,), itself=True)
    assert scale in IN_WORDS


OWN: Layer = ("units", "Normalization", {"mean": [5.0, 0.1], "variance": [4.0, 0.01]})
TABLE: Layer = ("head", "Dense", {"units": 3})
WORDS: Layer = ("words", "Embedding", {"input_dim": 50, "output_dim": 4})


def test_features_are_tried_standardised_and_in_units_of_their_own() -> None:
    found = _scales(chain([TABLE], (None, 2)))
    assert found == Scales("standardized", ("standardized", "unscaled"), itself=False)


def test_features_that_the_graph_scales_come_in_their_own_units() -> None:
    assert _scales(chain([OWN, TABLE], (None, 2))) == Scales("unscaled", ("unscaled",), itself=True)


def test_tokens_have_no_scale() -> None:
    found = _scales(chain([WORDS, TABLE], (None, 7)))
    assert found == Scales("standardized", ("standardized",), itself=False)


def test_the_senders_word_holds_for_features_too() -> None:
    found = _scales(chain([TABLE], (None, 2)), input_range="standardized")
    assert found == Scales("standardized", ("standardized",), itself=False)
    assert "unscaled" in IN_WORDS


@pytest.mark.parametrize(
    ("recorded", "tried"),
    [((), 2), ((0.8,), 1), ((0.3, 1.2), 1), ((90.0,), 2), ((0.003,), 2), ((0.8, 90.0), 2)],
)
def test_a_file_that_was_trained_on_a_sane_scale_is_tried_on_no_other(
    recorded: tuple[float, ...], tried: int
) -> None:
    for spec in (classifier(), chain([TABLE], (None, 6))):
        found = scales_of(spec, Options(), feeds_of(Graph(spec)), recorded)
        assert len(found.tried) == tried
        assert found.tried[0] == found.natural
