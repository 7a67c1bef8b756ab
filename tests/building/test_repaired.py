from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from analyzers.building import assign_weights, build
from analyzers.building.repaired import save
from analyzers.interventions.registry import INTERVENTIONS
from tests.interventions.models import MODELS, augmented, branching, straight
from tests.support import saved, spec_of, stored_spec

pytestmark = pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
"""Keras says so of every model that was compiled and not trained."""


def images(model: keras.Model, samples: int = 4) -> Any:
    random = np.random.default_rng(0)
    given = [random.normal(size=(samples, *tensor.shape[1:])).astype("float32") for tensor in model.inputs]
    return given[0] if len(given) == 1 else given


def flat(values: Any) -> list[Any]:
    return [np.asarray(one) for one in (values if isinstance(values, list | tuple) else [values])]


def targets(model: keras.Model, samples: int = 4) -> Any:
    """Class numbers for ``branching``'s outputs, one-hot rows for the others."""
    if len(model.outputs) == 2:
        return [np.arange(samples) % 3, np.arange(samples).reshape(-1, 1) % 2]
    return np.eye(3, dtype="float32")[np.arange(samples) % 3]


@pytest.mark.parametrize("name", MODELS)
def test_plain_keras_loads_and_trains_the_repaired_model(name: str, tmp_path: Path) -> None:
    spec = spec_of(MODELS[name](), tmp_path)
    for identifier in INTERVENTIONS:
        found = INTERVENTIONS[identifier]().apply(spec)
        spec = spec if found is None else found.spec
    path = tmp_path / "repaired.keras"
    save(spec, path, fresh=frozenset(), seed=5)
    model = keras.models.load_model(path)
    built = build(spec, seed=5)
    assign_weights(built, spec.weights)
    for ours, theirs in zip(
        flat(model(images(model), training=False)),
        flat(built.model(images(model), training=False)),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    history = model.fit(images(model), targets(model), epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_an_unchanged_model_comes_back_as_it_was(tmp_path: Path) -> None:
    original = branching()
    spec = stored_spec(saved(original, tmp_path), tmp_path)
    path = tmp_path / "out"
    save(spec, path, fresh=frozenset(), seed=0)
    again = keras.models.load_model(path.rename(tmp_path / "out.keras"))
    for ours, theirs in zip(flat(again(images(again))), flat(original(images(original))), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
    assert again.get_compile_config()["loss_weights"] == [1.0, 0.5]
    assert again.optimizer.get_config()["clipnorm"] == 1.0
    assert [entry.name for entry in tmp_path.iterdir() if "repaired" in entry.name] == []


def test_fresh_layers_are_drawn_from_the_seed_and_others_keep_their_weights(tmp_path: Path) -> None:
    original = straight()
    spec = stored_spec(saved(original, tmp_path), tmp_path)
    kernels: list[Any] = []
    for seed in (1, 1, 2):
        path = tmp_path / f"{len(kernels)}.keras"
        save(spec, path, fresh=frozenset({"fc1"}), seed=seed)
        model = keras.models.load_model(path)
        np.testing.assert_array_equal(model.get_layer("conv1").kernel, original.get_layer("conv1").kernel)
        kernels.append(np.asarray(model.get_layer("fc1").kernel))
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.allclose(kernels[0], kernels[2])
    assert not np.allclose(kernels[0], original.get_layer("fc1").kernel)


def test_a_star_draws_every_layer_anew_but_frozen_ones(tmp_path: Path) -> None:
    original = augmented()
    spec = stored_spec(saved(original, tmp_path), tmp_path)
    save(spec, tmp_path / "new.keras", fresh=frozenset({"*"}), seed=1)
    model = keras.models.load_model(tmp_path / "new.keras")
    assert not np.allclose(model.get_layer("free").kernel, original.get_layer("free").kernel)
    np.testing.assert_array_equal(model.get_layer("frozen").kernel, original.get_layer("frozen").kernel)


def test_a_schedule_is_kept(tmp_path: Path) -> None:
    original = straight()
    schedule = keras.optimizers.schedules.CosineDecay(0.1, decay_steps=100)
    original.compile(keras.optimizers.Adam(schedule), "categorical_crossentropy")
    save(stored_spec(saved(original, tmp_path), tmp_path), tmp_path / "s.keras", fresh=frozenset(), seed=0)
    model = keras.models.load_model(tmp_path / "s.keras")
    model.fit(images(model), targets(model), epochs=1, verbose=0)
    assert model.optimizer.get_config()["learning_rate"] == original.optimizer.get_config()["learning_rate"]


def test_a_stateful_layer_forgets_in_the_probe_and_stays_stateful_in_the_repaired_file(
    tmp_path: Path,
) -> None:
    kl = keras.layers
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(2, 5, 3)),
            kl.Bidirectional(kl.LSTM(2, stateful=True, return_sequences=True), name="both"),
            kl.GRU(2, stateful=True, name="one"),
        ]
    )
    spec = spec_of(model, tmp_path)
    probed = build(spec).layers
    assert not any(part.stateful for part in (probed["one"], probed["both"], probed["both"].forward_layer))
    path = tmp_path / "repaired.keras"
    save(spec, path, fresh=frozenset(), seed=5)
    loaded = keras.models.load_model(path)
    assert loaded.get_layer("one").stateful
    assert loaded.get_layer("both").backward_layer.stateful
    values = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    first, second = (np.asarray(loaded(values)) for _ in range(2))
    assert not np.allclose(first, second)
