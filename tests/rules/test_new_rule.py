"""The scaffold makes what the catalogue's tests ask for."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from analyzers.registry import HEADINGS, RULES, documentation
from scripts.new_rule import TEST, class_name, module, registered

REGISTRY = Path(__file__).parents[2] / "analyzers" / "registry.py"


@pytest.mark.parametrize("group", sorted({rule.group for rule in RULES.values()}))
def test_a_skeleton_is_a_whole_rule(group: str) -> None:
    names: dict[str, Any] = {}
    exec(module("narrow-waist", group), names)  # noqa: S102 - our own text
    rule = names["NarrowWaist"]()
    assert (rule.id, rule.group) == ("narrow-waist", group)
    assert tuple(documentation(rule)[1]) == HEADINGS
    ast.parse(TEST.format(group=group, module="narrow_waist", name=class_name("narrow-waist")))


@pytest.mark.parametrize("group", sorted({rule.group for rule in RULES.values()}))
def test_the_registry_gets_one_line_behind_its_group(group: str) -> None:
    text = registered(REGISTRY.read_text("utf-8"), "narrow-waist", group)
    ast.parse(text)
    lines = [line.strip() for line in text.splitlines()]
    place = lines.index("NarrowWaist(),")
    last = [rule for rule in RULES.values() if rule.group == group][-1]
    assert lines[place - 1] == f"{type(last).__name__}(),"
    assert f"from analyzers.rules.{group}.narrow_waist import NarrowWaist" in lines
