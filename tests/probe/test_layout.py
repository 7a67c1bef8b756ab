"""What a model is asked, from its graph: place by place or as a whole, and how its inputs answer together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import pytest
from keras import layers, ops

from analyzers.probe.feeds import feeds_of
from analyzers.probe.heads import trained_heads
from analyzers.probe.layout import make_layout, resized
from analyzers.probe.samples.codes import Joint
from analyzers.probe.task import Layout
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph
from tests.probe.graphs import chain
from tests.support import spec_of

Build = Callable[[], keras.Model]


def _layout(spec: ModelSpec) -> Layout:
    return make_layout(spec, feeds_of(Graph(spec)), trained_heads(spec))


def _image() -> keras.KerasTensor:
    return keras.Input((16, 16, 3))


def unet() -> keras.Model:
    inputs = _image()
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    low = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.MaxPooling2D()(down))
    up = layers.Concatenate()([layers.UpSampling2D()(low), down])
    return keras.Model(inputs, layers.Conv2D(5, 1, activation="softmax")(up))


def per_step() -> keras.Model:
    inputs = keras.Input((20, 3))
    return keras.Model(inputs, layers.Dense(4)(layers.GRU(8, return_sequences=True)(inputs)))


def both_ways() -> keras.Model:
    inputs = keras.Input((20,), dtype="int32")
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(layers.Embedding(30, 4)(inputs))
    return keras.Model(inputs, layers.TimeDistributed(layers.Dense(6, activation="softmax"))(x))


def convolved_series() -> keras.Model:
    inputs = keras.Input((20, 3))
    return keras.Model(inputs, layers.Conv1D(4, 3, padding="same")(inputs))


def upsampled() -> keras.Model:
    inputs = _image()
    return keras.Model(inputs, layers.Conv2DTranspose(3, 3, strides=2, padding="same")(inputs))


def code_repeated() -> keras.Model:
    inputs = keras.Input((20, 3))
    x = layers.RepeatVector(20)(layers.LSTM(8)(inputs))
    return keras.Model(
        inputs, layers.TimeDistributed(layers.Dense(2))(layers.LSTM(8, return_sequences=True)(x))
    )


def through_a_code() -> keras.Model:
    inputs = _image()
    x = layers.Dense(64)(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Conv2D(3, 3, padding="same")(layers.Reshape((8, 8, 1))(x)))


def classified() -> keras.Model:
    inputs = _image()
    return keras.Model(inputs, layers.Dense(7)(layers.GlobalAveragePooling2D()(inputs)))


def last_step() -> keras.Model:
    inputs = keras.Input((20, 3))
    return keras.Model(inputs, layers.Dense(2)(layers.LSTM(8)(inputs)))


@pytest.mark.parametrize(
    ("build", "positions", "local"),
    [
        (unet, (16, 16), True),
        (per_step, (20,), True),
        (both_ways, (20,), True),
        (convolved_series, (20,), True),
        (upsampled, (32, 32), True),
        (code_repeated, (20,), False),
        (through_a_code, (8, 8), False),
        (classified, (), False),
        (last_step, (), False),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_answers_are_local_where_places_are_kept_apart_on_the_way(
    build: Build, positions: tuple[int, ...], local: bool, tmp_path: Path
) -> None:
    layout = _layout(spec_of(build(), tmp_path))
    (question,) = layout.questions
    assert (question.positions, question.local, layout.local) == (positions, local, local)
    assert layout.joint == "single"
    assert layout.places(layout.feeds[0]) == local


def _twins(
    shared: bool, units: int = 1, shapes: tuple[tuple[int, ...], ...] = ((16, 16, 1),) * 2
) -> keras.Model:
    def tower() -> keras.Model:
        return keras.Sequential(
            [keras.Input(shapes[0]), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
        )

    inputs = [keras.Input(shape) for shape in shapes]
    first = tower()
    second = first if shared else tower()
    apart = ops.absolute(first(inputs[0]) - second(inputs[1]))
    return keras.Model(inputs, layers.Dense(units, activation="sigmoid")(apart))


def siamese() -> keras.Model:
    return _twins(shared=True)


def two_towers() -> keras.Model:
    return _twins(shared=False)


def siamese_of_many_answers() -> keras.Model:
    return _twins(shared=True, units=4)


def image_and_table() -> keras.Model:
    image, table = _image(), keras.Input((5,))
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(image), table])
    return keras.Model([image, table], layers.Dense(3, activation="softmax")(joined))


def recommender() -> keras.Model:
    inputs = [keras.Input((1,), dtype="int32") for _ in range(2)]
    vectors = [
        layers.Flatten()(layers.Embedding(size, 4)(one)) for size, one in zip((30, 50), inputs, strict=True)
    ]
    return keras.Model(inputs, layers.Activation("sigmoid")(layers.Dot(1)(vectors)))


def teacher_forced() -> keras.Model:
    source, target = keras.Input((12, 4)), keras.Input((10, 3))
    _, *state = layers.LSTM(6, return_state=True)(source)
    x = layers.LSTM(6, return_sequences=True)(target, initial_state=state)
    return keras.Model([source, target], layers.Dense(4, activation="softmax")(x))


@pytest.mark.parametrize(
    ("build", "joint"),
    [
        (siamese, "pair"),
        (two_towers, "sum"),
        (siamese_of_many_answers, "sum"),
        (image_and_table, "sum"),
        (recommender, "sum"),
        (teacher_forced, "sum"),
        (classified, "single"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_how_several_inputs_answer_together(build: Build, joint: Joint, tmp_path: Path) -> None:
    assert _layout(spec_of(build(), tmp_path)).joint == joint


def test_an_image_that_is_given_back_is_asked_for_itself(tmp_path: Path) -> None:
    inputs = _image()
    outputs = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(
        layers.Conv2D(4, 3, padding="same")(inputs)
    )
    (question,) = _layout(spec_of(keras.Model(inputs, outputs), tmp_path)).questions
    assert (question.goal, question.link, question.positions) == ("input", "unit", (16, 16))


def test_inputs_of_other_sizes_are_asked_for_answers_of_other_sizes(tmp_path: Path) -> None:
    spec = spec_of(unet(), tmp_path)
    (feed,) = feeds_of(Graph(spec))
    small = type(feed)(feed.name, feed.kind, (8, 12, 3))
    changed = resized(spec, [small])
    (question,) = make_layout(changed, [small], trained_heads(changed)).questions
    assert (question.positions, question.local) == ((8, 12), True)


def test_a_table_has_no_places() -> None:
    layout = _layout(
        chain([("grow", "Dense", {"units": 12}), ("map", "Reshape", {"target_shape": [4, 3]})], (None, 6))
    )
    (question,) = layout.questions
    assert (question.positions, question.units, question.local) == ((4,), 3, False)
