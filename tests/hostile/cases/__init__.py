"""Every class of bad file, one module a class; all made by code, with payloads that would leave a mark."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import Case
from tests.hostile.cases import broken, code, confusion, crashes, memory, odd, outside, time

CASES: Final[dict[str, Case]] = {
    f"{module.__name__.rpartition('.')[2]}: {case.name}": case
    for module in (code, outside, memory, time, crashes, confusion, broken, odd)
    for case in module.CASES
}
"""Class and name -> file."""
