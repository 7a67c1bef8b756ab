"""Small networks that the probe runs in seconds, and the way from one to a trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
from keras import layers

from analyzers.building import build, make_optimizer
from analyzers.options import Options
from analyzers.probe.compiled import CompiledModel, configure
from analyzers.probe.feeds import Feed, feeds_of
from analyzers.probe.plan import make_plan
from analyzers.probe.runner import Setting, Trial, make_trial
from analyzers.probe.session import ProbeSession
from analyzers.probe.targets import make_targets
from analyzers.probe.task import Layout, Question, Task
from analyzers.probe.watch import Watch
from analyzers.progress import ProgressCallback, silent
from analyzers.spec import ModelSpec, ObjectSpec
from analyzers.spec.flatten import flatten
from analyzers.spec.graph import Graph
from tests.support import spec_of

CLASSES = 4
GIGABYTE = 1 << 30


def compiled(
    model: keras.Model, optimizer: Any = None, loss: str = "categorical_crossentropy"
) -> keras.Model:
    """The model, compiled; Adam at 3e-3 where nothing is said."""
    model.compile(optimizer=optimizer or keras.optimizers.Adam(3e-3), loss=loss)
    return model


def normalized(optimizer: Any = None, size: int = 12) -> keras.Model:
    """Two convolutions with BatchNormalization: trains easily."""
    inputs = keras.Input((size, size, 3), name="image")
    x = inputs
    for number in (1, 2):
        x = layers.Conv2D(8, 3, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="head")(x)
    return compiled(keras.Model(inputs, outputs, name="normalized"), optimizer)


def plain(optimizer: Any = None, size: int = 12) -> keras.Model:
    """Two plain convolutions: its health is up to the optimizer."""
    inputs = keras.Input((size, size, 3), name="image")
    x = layers.Conv2D(8, 3, activation="relu", name="conv1")(inputs)
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="conv2")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="head")(x)
    return compiled(keras.Model(inputs, outputs, name="plain"), optimizer)


def branching(optimizer: Any = None) -> keras.Model:
    """A layer used twice, a branch, a normalisation used twice, a regulariser."""
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2", name="stem")(inputs)
    shared = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    norm = layers.BatchNormalization(momentum=0.9, name="norm")
    once = norm(shared(x))
    twice = norm(shared(once))
    x = layers.Add(name="join")([once, twice])
    x = layers.Flatten(name="flatten")(x)
    outputs = layers.Dense(CLASSES, activation="softmax", name="head")(x)
    return compiled(keras.Model(inputs, outputs, name="branching"), optimizer)


def compiled_model(spec: ModelSpec, optimizer: ObjectSpec, rate: float) -> CompiledModel:
    """The spec, built and ready to step."""
    configure(0)
    targets = make_targets(spec, feeds_of(Graph(spec)), Options(), "standardized")
    return CompiledModel(build(flatten(spec), seed=5), targets, make_optimizer(optimizer, rate))


def trial_of(spec: ModelSpec, fresh: frozenset[str] = frozenset()) -> Trial:
    """The spec as a trial with room enough."""
    configure(0)
    plan = make_plan(spec, 60, GIGABYTE, 100)
    return make_trial(spec, plan, make_targets(spec, plan.feeds, Options(), "standardized"), fresh)


def image_task(shape: tuple[int, int, int], classes: int, seed: int = 0) -> Task:
    """Tell classes of images apart."""
    return Task(Layout((Feed("image", "image", shape),), (Question("classes", classes, classes),)), seed)


def watch(seconds: float = 600) -> Watch:
    """A watch that does not end a test's runs."""
    return Watch(silent, seconds, 100_000)


def setting(**changes: Any) -> Setting:
    """A short run of fresh weights on standardised input."""
    given: dict[str, Any] = {
        "label": "as it is", "scale": "standardized", "weights": "fresh", "seed": 1, "learning_rate": 3e-3,
        "steps": 40,
    }  # fmt: skip
    return Setting(**{**given, **changes})


def specs(models: Sequence[Callable[[], keras.Model]], folder: Path) -> dict[str, ModelSpec]:
    """The specs of several models by the name of their function."""
    return {make.__name__: spec_of(make(), folder) for make in models}


def patient_session(
    spec: ModelSpec, options: Options, *, budget_s: float, progress: ProgressCallback = silent
) -> ProbeSession:
    """A session that plans for the budget, and that no clock ends: tests run on busy machines too."""
    session = ProbeSession(spec, options, budget_s=budget_s, memory_bytes=GIGABYTE, progress=progress)
    session.watch = Watch(progress, 1e6, session.plan.total_steps, session.plan.proof_steps)
    return session
