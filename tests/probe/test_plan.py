"""The plan: sizes from counted operations alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from analyzers.errors import InputError
from analyzers.probe import plan as planning
from analyzers.probe.feeds import OPEN
from analyzers.probe.plan import LADDER, LEAST_VALUES, Plan, cores, gflops, make_plan
from tests.probe.graphs import Layer, chain, classifier

ROOM = 8 << 30


def _conv(name: str, filters: int, strides: int = 1) -> Layer:
    config = {"filters": filters, "kernel_size": 3, "padding": "same", "strides": strides}
    return name, "Conv2D", config


HEAD: tuple[Layer, ...] = (("pool", "GlobalAveragePooling2D", {}), ("head", "Dense", {"units": 10}))


def _dear(size: int | None = 224) -> Any:
    layers = [*(_conv(f"conv{i}", 128, 2 if i < 3 else 1) for i in range(6)), *HEAD]
    return chain(layers, (None, size, size, 3))


def _plan(spec: Any, budget: float = 60, memory: int = ROOM, speed: float = 100, **more: Any) -> Plan:
    return make_plan(spec, budget, memory, speed, **more)


def _shape(plan: Plan) -> Any:
    """Size of the one input."""
    (feed,) = plan.feeds
    return feed.shape


def test_a_small_model_keeps_its_own_size() -> None:
    found = _plan(classifier(shape=(None, 16, 16, 3)))
    assert _shape(found) == (16, 16, 3)
    assert found.input_shapes == {"image": (None, 16, 16, 3)}
    assert found.reductions == ()
    assert found.total_steps >= planning.EXPECTED_STEPS


def test_less_budget_goes_down_the_ladder_and_says_so() -> None:
    plans = [_plan(_dear(), budget=10.0**power) for power in range(6, -6, -1)]
    sides = [_shape(plan)[0] for plan in plans]

    assert sides == sorted(sides, reverse=True)
    assert len(set(sides)) > 2
    assert _shape(plans[0]) == (224, 224, 3)
    assert plans[0].reductions == ()
    for plan in plans:
        side = _shape(plan)[0]
        assert (side, plan.batch) in LADDER
        words = f"The probe trained on images of {side}x{side} instead of 224x224."
        assert plan.reductions == ((words,) if side < 224 else ())
    assert plans[-1].total_steps == planning.LEAST_STEPS


def test_the_aspect_ratio_is_kept() -> None:
    spec = chain([_conv("conv", 64, 2), *HEAD], (None, 400, 200, 3))
    height, width, _ = _shape(_plan(spec, budget=2))
    assert height < 400
    assert height == pytest.approx(2 * width, abs=1)


def test_an_open_size_is_set_and_said() -> None:
    found = _plan(classifier(shape=(None, None, None, 3)))
    assert _shape(found) == (OPEN["image"], OPEN["image"], 3)
    assert re.search("instead of an open size", found.reductions[0])


def test_open_channels_are_three() -> None:
    spec = chain([("pool", "GlobalAveragePooling2D", {}), ("head", "Softmax", {})], (None, 16, 16, None))
    assert _shape(_plan(spec)) == (16, 16, 3)


def test_a_fixed_batch_dimension_is_free_in_the_plan() -> None:
    assert _plan(classifier(shape=(32, 16, 16, 3))).input_shapes["image"][0] is None


@pytest.mark.parametrize(("said", "batch"), [(4, 4), (64, 64), (1000, 64)])
def test_the_senders_batch_size_is_used_up_to_a_bound(said: int, batch: int) -> None:
    plan = _plan(classifier(), batch=said)
    assert plan.batch == batch
    told = [] if said == batch else [f"The probe trained in batches of {batch} instead of {said}."]
    assert [one for one in plan.reductions if "batches" in one] == told


def test_every_normalised_map_keeps_enough_values_for_its_statistics() -> None:
    layers = [*(_conv(f"conv{i}", 8, 2) for i in range(5)), ("norm", "BatchNormalization", {}), *HEAD]
    found = _plan(chain(layers, (None, 224, 224, 3)), budget=1e-6)
    assert found.batch * (_shape(found)[0] // 32) ** 2 >= LEAST_VALUES


def test_a_model_over_the_memory_is_refused() -> None:
    huge = chain([("flat", "Flatten", {}), ("head", "Dense", {"units": 100_000})], (None, 64, 64, 3))
    with pytest.raises(InputError) as refused:
        _plan(huge, memory=1 << 20)
    assert refused.value.code == "model-too-large"


def test_less_memory_makes_the_image_smaller() -> None:
    roomy = _plan(_dear(), budget=1e6)
    tight = _plan(_dear(), budget=1e6, memory=roomy.memory_bytes)
    assert _shape(tight)[0] < _shape(roomy)[0]
    assert tight.memory_bytes <= planning.MEMORY_SHARE * roomy.memory_bytes


def test_the_same_request_makes_the_same_plan() -> None:
    assert _plan(_dear()) == _plan(_dear())


def test_a_model_without_weights_or_arithmetic_has_a_plan() -> None:
    spec = chain([("pool", "GlobalAveragePooling2D", {})], (None, 16, 16, 3))
    assert _shape(_plan(spec)) == (16, 16, 3)


def test_speed_is_counted_from_the_machine_not_measured() -> None:
    assert gflops("gpu", 1) > gflops("cpu", cores()) > 0
    assert gflops("cpu", 4) == 4 * gflops("cpu", 1)


def _series(length: int | None, kind: str = "Conv1D") -> Any:
    body: Layer = (
        ("body", "LSTM", {"units": 64}) if kind == "LSTM" else
        ("body", "Conv1D", {"filters": 64, "kernel_size": 9, "padding": "same"})
    )  # fmt: skip
    ends: tuple[Layer, ...] = (("pool", "GlobalAveragePooling1D", {}),) if kind == "Conv1D" else ()
    return chain([body, *ends, ("head", "Dense", {"units": 4})], (None, length, 2))


def test_a_table_keeps_its_width_and_gets_longer_runs() -> None:
    found = _plan(chain([("head", "Dense", {"units": 1})], (None, 9)))
    assert (_shape(found), found.batch, found.reductions) == ((9,), planning.BATCH, ())
    assert found.steps == planning.CHEAP * planning.MAX_STEPS
    assert found.stretch == planning.CHEAP
    assert found.total_steps >= planning.EXPECTED_STEPS * planning.CHEAP


def test_images_get_runs_of_one_length() -> None:
    found = _plan(classifier(), budget=1e6)
    assert (found.steps, found.stretch) == (planning.MAX_STEPS, 1)


def test_a_long_series_is_shortened_where_it_is_too_dear() -> None:
    cheap, dear = (_plan(_series(2000, "LSTM"), budget=budget) for budget in (1e6, 60))
    assert _shape(cheap) == (2000, 2)
    assert _shape(dear)[0] in planning.LENGTHS
    assert dear.reductions == (f"The probe trained on series of {_shape(dear)[0]} instead of 2000.",)
    assert dear.steps < cheap.steps


def test_an_open_length_is_set_and_said() -> None:
    found = _plan(_series(None))
    assert _shape(found) == (OPEN["field"], 2)
    assert found.reductions == (f"The probe trained on series of {OPEN['field']} instead of an open size.",)


def test_the_proof_is_kept_in_proportion_to_the_runs() -> None:
    short, long = (_plan(_series(64), budget=budget) for budget in (1e-6, 1e6))
    assert (short.steps, long.steps) == (planning.MAX_STEPS, planning.CHEAP * planning.MAX_STEPS)
    assert long.proof_steps == planning.CHEAP * short.proof_steps
