from __future__ import annotations

import math

import pytest

from app.reports import clean
from tests.reports import factory


@pytest.mark.parametrize("text", factory.HOSTILE)
def test_a_name_keeps_nothing_that_acts(text: str) -> None:
    shown = clean.name(text)
    assert shown.isprintable()
    assert len(shown) <= 6 * clean.NAME_LIMIT


def test_what_acts_is_escaped_visibly() -> None:
    assert clean.name("a\x1b[31mb\u202ec\x00") == "a\\x1b[31mb\\u202ec\\x00"


def test_other_scripts_stay_as_they_are() -> None:
    assert clean.name("свёртка_1 畳み込み ß é") == "свёртка_1 畳み込み ß é"


def test_prose_becomes_one_line() -> None:
    assert clean.prose("one\n\n  two\tthree") == "one two three"


def test_code_keeps_its_lines() -> None:
    assert clean.code("a = 1\r\n\tb\x07") == "a = 1\n\tb\\x07"


def test_numbers_that_are_not_finite_become_null() -> None:
    value = {"a": [1.0, math.inf, (math.nan, 2)], 3: object}
    assert clean.plain_json(value) == {"a": [1.0, None, [None, 2]], "3": str(object)}
