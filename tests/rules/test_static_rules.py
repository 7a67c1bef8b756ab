"""The rules that need no probe, on models that are known to train and on real files."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import keras
import pytest

from analyzers.diagnosis.checking import run_rules
from analyzers.diagnosis.weighing import weigh
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.registry import RULES
from analyzers.rule import Finding
from analyzers.spec import ModelSpec
from tests.support import SHARED_MODELS, spec_of, stored_spec
from tests.zoo.kinds import KINDS
from tests.zoo.weightless import application, of_kind

STATIC: Final = frozenset(
    rule.id for rule in RULES.values() if rule.group in ("inputs", "outputs", "architecture", "training")
)

FAMILIES: Final = (
    "ResNet50", "ResNet50V2", "DenseNet121", "MobileNet", "MobileNetV2", "MobileNetV3Small", "InceptionV3",
    "InceptionResNetV2", "Xception", "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny", "NASNetMobile",
)  # fmt: skip
"""One network of every family that Keras ships, but VGG; `benchmarks.rules` has all forty."""


def findings(spec: ModelSpec) -> tuple[Finding, ...]:
    """What the rules find, before anything is weighed; none of them may have failed."""
    results = run_rules(spec, Options(), only=STATIC)
    assert not [check for check in results.checks.values() if check.outcome == "error"]
    return tuple(results.findings)


def loud(spec: ModelSpec) -> dict[str, str]:
    """What a report without a probe shows as a warning or an error."""
    shown = weigh(findings(spec), None, None)
    return {finding.rule: finding.severity for finding in shown if finding.severity != "info"}


@pytest.mark.parametrize("name", FAMILIES)
def test_stock_architectures_get_information_at_most(name: str) -> None:
    assert loud(application(name)) == {}


@pytest.mark.parametrize("name", KINDS)
def test_healthy_models_of_every_kind_get_information_at_most(name: str) -> None:
    assert loud(of_kind(name)) == {}


def test_a_stock_vgg_is_suspected_of_its_depth_and_scale_alone(tmp_path: Path) -> None:
    """VGG16 is the plain deep network: its authors could not train it from Glorot's initialiser."""
    model = keras.applications.VGG16(weights=None, input_shape=(32, 32, 3), include_top=False, pooling="avg")
    spec = spec_of(model, tmp_path)
    found = {finding.rule: finding for finding in findings(spec) if finding.severity != "info"}
    assert set(found) == {
        "missing-input-normalization", "deep-plain-network", "initializer-activation-mismatch",
    }  # fmt: skip
    assert not any(finding.certain for finding in found.values())
    assert loud(spec) == {"deep-plain-network": "warning"}


LOOKED_AT: Final = {"47ac9113b75068e7.h5": {"missing-input-normalization": "warning"}}
"""What is said of a real file, and true: the program that it comes from feeds pixels of 0-255 as they are."""


def test_real_files_are_judged_without_false_alarms(tmp_path: Path) -> None:
    """Nothing static is loud in any of them: what is wrong with the sick ones shows in their state."""
    files = sorted(path for path in SHARED_MODELS.glob("*") if path.suffix != ".json")
    assert files, f"{SHARED_MODELS} holds no model files"
    judged = 0
    for path in files:
        try:
            spec = stored_spec(path, tmp_path)
        except InputError:
            continue
        judged += 1
        assert loud(spec) == LOOKED_AT.get(path.name, {}), path.name
    assert judged > len(files) / 2
