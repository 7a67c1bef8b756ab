"""The founding cases, their variants and their cured twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.zoo.cases import (
    c1_bypassed_preprocessing,
    c2_wrong_normalization,
    c3_learning_rate,
    c4_volatile_validation,
    c5_constant_output,
)
from tests.zoo.cases.case import Case

CASES: Final[Mapping[str, Case]] = {
    case.name: case
    for module in (
        c1_bypassed_preprocessing,
        c2_wrong_normalization,
        c3_learning_rate,
        c4_volatile_validation,
        c5_constant_output,
    )
    for case in module.CASES
}
"""Name -> case."""
