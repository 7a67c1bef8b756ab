from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.inputs.destructive_augmentation import DestructiveAugmentation
from tests.rules.apply import findings, reason
from tests.support import spec_of

RULE = DestructiveAugmentation()


def model(*front: keras.layers.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((32, 32, 3)), *front, layers.Conv2D(4, 3), layers.Flatten()])


def test_one_strong_change_is_information(tmp_path: Path) -> None:
    (finding,) = findings(RULE, spec_of(model(layers.RandomRotation(0.3, name="turn")), tmp_path))
    assert (finding.severity, finding.layers) == ("info", ("turn",))


def test_several_are_a_warning(tmp_path: Path) -> None:
    strong = (layers.RandomFlip("vertical"), layers.RandomContrast(0.8), layers.RandomZoom((-0.7, 0.1)))
    (finding,) = findings(RULE, spec_of(model(*strong), tmp_path))
    assert (finding.severity, finding.evidence["layers"]) == ("warning", 3)


def test_a_range_of_another_scale(tmp_path: Path) -> None:
    wrong = model(layers.Rescaling(1 / 255, name="scale"), layers.RandomBrightness(0.2, name="light"))
    (finding,) = findings(RULE, spec_of(wrong, tmp_path))
    assert (finding.severity, finding.layers) == ("warning", ("light",))
    assert "behind scale" in finding.explanation


def test_augmentation_of_features(tmp_path: Path) -> None:
    inputs = keras.Input((32, 32, 3))
    x = layers.RandomFlip("horizontal", name="flip")(layers.BatchNormalization(name="norm")(inputs))
    (finding,) = findings(RULE, spec_of(keras.Model(inputs, layers.Conv2D(2, 3)(x)), tmp_path))
    assert (finding.severity, finding.title) == ("info", "Augmentation of features")


def test_moderate_changes(tmp_path: Path) -> None:
    moderate = model(
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.Rescaling(1 / 255),
        layers.RandomBrightness(0.2, value_range=(0, 1)),
    )
    assert findings(RULE, spec_of(moderate, tmp_path)) == []


def test_without_augmentation(tmp_path: Path) -> None:
    assert "no augmentation" in reason(RULE, spec_of(model(), tmp_path))
