"""Which activation a layer ends in, in whatever form it is written."""

from __future__ import annotations

from typing import Any

import pytest

from analyzers.spec.kinds import activation_name
from analyzers.spec.model import LayerSpec

FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("ReLU", {"negative_slope": 0.0, "max_value": None}),
    "leaky_relu": ("ReLU", {"negative_slope": 0.3, "max_value": None}),
    "relu6": ("ReLU", {"negative_slope": 0.0, "max_value": 6.0}),
    "elu": ("ELU", {"alpha": 1.0}),
    "softmax": ("Softmax", {"axis": -1}),
}


@pytest.mark.parametrize("name", FORMS)
def test_an_activation_is_the_same_as_a_layer_and_as_an_argument(name: str) -> None:
    kind, config = FORMS[name]
    given: Any = {"kind": kind, "config": config}
    assert activation_name(LayerSpec("layer", kind, config, ())) == name
    assert activation_name(LayerSpec("layer", "Dense", {"activation": given}, ())) == name


def test_operations_that_are_activations_are_known_as_such() -> None:
    assert activation_name(LayerSpec("layer", "Gelu", {"approximate": True}, ())) == "gelu"
    assert activation_name(LayerSpec("layer", "Celu", {"alpha": 1.0}, ())) == "celu"
