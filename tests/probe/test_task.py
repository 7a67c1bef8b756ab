"""The synthetic task: balanced, seeded, of known statistics, in the form that the model takes."""

from __future__ import annotations

import numpy as np
import pytest

from analyzers.probe.evidence import InputScale
from analyzers.probe.feeds import Feed
from analyzers.probe.samples.fields import Field
from analyzers.probe.samples.scaling import RAW_MEAN, RAW_STD, on_scale
from analyzers.probe.task import Task, in_words
from analyzers.spec import Array
from tests.probe.layouts import LAYOUTS
from tests.probe.models import image_task

FEED = Feed("image", "image", (8, 8, 3))
SHAPES = ((8, 8, 1), (16, 16, 3), (13, 17, 2), (32, 24, 4), (33, 9, 3))


@pytest.mark.parametrize("shape", SHAPES)
def test_images_are_standardised(shape: tuple[int, int, int]) -> None:
    (images,), (labels,) = image_task(shape, 5).batch(200, "standardized", 0)

    assert images.shape == (200, *shape)
    assert images.dtype == np.float32
    assert labels.shape == (200,)
    assert float(images.mean()) == pytest.approx(0.0, abs=0.05)
    assert float(images.std()) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("size", "classes"), [(16, 4), (16, 5), (32, 2), (7, 3)])
def test_labels_are_balanced(size: int, classes: int) -> None:
    (labels,) = image_task((8, 8, 3), classes).answers(size, "standardized", 0)

    counts = np.bincount(labels, minlength=classes)
    assert counts.sum() == size
    assert counts.max() - counts.min() <= 1


def test_the_same_key_gives_the_same_batch_and_another_key_or_seed_another() -> None:
    def images(seed: int, *key: int) -> bytes:
        return image_task((8, 8, 3), 4, seed).batch(8, "standardized", *key)[0][0].tobytes()

    assert images(1, 5) == images(1, 5)
    assert len({images(1, 5), images(1, 6), images(2, 5), images(1, 5, 1)}) == 4


def test_samples_of_one_class_are_alike_and_of_two_classes_differ() -> None:
    """Averages over many samples find each class's own template, and no other's."""
    task = image_task((16, 16, 3), 4)
    halves = [task.batch(400, "standardized", key) for key in (0, 1)]
    means = [np.stack([x[y == k].mean(axis=0).ravel() for k in range(4)]) for (x,), (y,) in halves]
    likeness = np.corrcoef(means[0], means[1])[:4, 4:]

    assert (likeness.argmax(axis=1) == np.arange(4)).all()
    assert likeness.diagonal().min() > 2 * abs(likeness - np.diag(likeness.diagonal())).max()


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_classes_have_colours_of_their_own(classes: int, channels: int) -> None:
    colours = Field(Feed("image", "image", (8, 8, channels)), classes, 0, local=False, seed=(0,)).colours

    distances = [np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[:i]]
    assert colours.shape == (classes, channels)
    assert min(distances) > 0.2
    assert colours.std(axis=0) == pytest.approx(np.ones(channels), abs=1e-6)


@pytest.mark.parametrize(
    ("scale", "low", "high", "mean"),
    [("raw", 0, 255, RAW_MEAN), ("0-1", 0, 1, RAW_MEAN / 255), ("-1-1", -1, 1, RAW_MEAN / 127.5 - 1)],
)
def test_scales_are_those_of_pixels(scale: InputScale, low: float, high: float, mean: float) -> None:
    (images,), _ = image_task((16, 16, 3), 4).batch(64, scale, 0)

    assert images.dtype == np.float32
    assert low <= images.min() < images.max() <= high
    assert images.mean() == pytest.approx(mean, abs=0.02 * (high - low))
    assert images.std() == pytest.approx(RAW_STD * (high - low) / 255, rel=0.1)


def test_scales_show_the_same_images() -> None:
    (standardized,), _ = image_task((8, 8, 3), 4).batch(8, "standardized", 0)
    raw = on_scale(standardized, "raw", FEED)

    assert on_scale(standardized, "0-1", FEED) == pytest.approx(raw / 255, abs=1e-6)
    assert on_scale(standardized, "-1-1", FEED) == pytest.approx(raw / 127.5 - 1, abs=1e-6)
    np.testing.assert_array_equal(on_scale(standardized, "standardized", FEED), standardized)


def _bytes(arrays: tuple[Array, ...]) -> list[bytes]:
    return [one.tobytes() for one in arrays]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_kind_of_batch_has_the_shapes_and_types_that_the_model_takes(name: str) -> None:
    layout = LAYOUTS[name]
    inputs, answers = Task(layout, 0).batch(6, "standardized", 0)

    for feed, fed in zip(layout.feeds, inputs, strict=True):
        assert fed.shape == (6, *feed.shape)
        assert fed.dtype == np.dtype(feed.dtype)
        assert np.isfinite(fed).all()
    for question, answer in zip(layout.questions, answers, strict=True):
        places = (6, *question.positions)
        if question.classes:
            assert answer.shape == places
            assert answer.dtype == np.dtype(np.int64)
            assert 0 <= answer.min() <= answer.max() < question.classes
        else:
            assert answer.shape == (*places, question.units)
            assert answer.dtype == np.dtype(np.float32)
            assert np.isfinite(answer).all()


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_kind_of_batch_follows_from_its_key_and_its_answers_can_be_had_alone(name: str) -> None:
    def batch(seed: int, key: int) -> list[bytes]:
        inputs, answers = Task(LAYOUTS[name], seed).batch(6, "standardized", key)
        alone = Task(LAYOUTS[name], seed).answers(6, "standardized", key)
        assert _bytes(alone) == _bytes(answers)
        return _bytes(inputs)

    first = batch(1, 5)
    assert batch(1, 5) == first
    for other in (batch(1, 6), batch(2, 5)):
        assert all(one != another for one, another in zip(first, other, strict=True))


@pytest.mark.parametrize("name", [name for name in LAYOUTS if "given back" not in name])
def test_answers_are_of_the_questions_range(name: str) -> None:
    """Classes are balanced, numbers have mean 0 and variance 1."""
    layout = LAYOUTS[name]
    for question, answer in zip(
        layout.questions, Task(layout, 0).answers(1200, "standardized", 0), strict=True
    ):
        if question.classes:
            shares = np.bincount(answer.ravel()) / answer.size
            assert shares == pytest.approx(np.full(question.classes, 1 / question.classes), abs=0.02)
        else:
            assert answer.mean() == pytest.approx(0.0, abs=0.15)
            assert 0.4 < answer.var() < 1.3


def test_an_image_that_is_given_back_is_the_image_without_its_noise() -> None:
    (fed,), (clean,) = Task(LAYOUTS["image given back"], 0).batch(64, "0-1", 0)
    assert 0 <= clean.min() < clean.max() <= 1
    assert np.corrcoef(fed.ravel(), clean.ravel())[0, 1] > 0.4
    assert clean.std() < fed.std()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("image classes", "tell 5 classes of synthetic images apart (16x16x3, 32 a step, every sample new)"),
        ("table numbers", "find the number that synthetic rows show (9 features, 32 a step, every sample new)"),
        ("text classes", "tell 2 classes of synthetic token sequences apart (40 tokens, 32 a step, every sample new)"),
        ("pairs of images", "tell whether two synthetic images are of the same of 3 classes (16x16x3 and 16x16x3, 32 a step, every sample new)"),
        ("image given back", "give synthetic images back without their noise (16x16x3, 32 a step, every sample new)"),
    ],
)  # fmt: skip
def test_the_task_is_told_in_words(name: str, words: str) -> None:
    assert in_words(LAYOUTS[name], 32) == words
