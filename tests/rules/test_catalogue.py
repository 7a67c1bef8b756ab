"""What every rule must have: tests with a sick and a healthy model, documentation, known cures."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from pathlib import Path

import pytest

from analyzers.interventions.registry import INTERVENTIONS
from analyzers.registry import HEADINGS, RULES, documentation
from analyzers.rule import Rule

every_rule = pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))


def parsed_tests(rule: Rule) -> ast.Module:
    module = rule.id.replace("-", "_")
    path = Path(__file__).parent / rule.group / f"test_{module}.py"
    assert path.is_file(), f"{rule.id} has no tests: {path} is missing"
    return ast.parse(path.read_text("utf-8"))


def is_call_of(name: str, node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def passes(node: ast.AST) -> bool:
    """``findings(...) == []``, or ``"..." in reason(...)`` where a healthy model is passed over."""
    if not isinstance(node, ast.Compare):
        return False
    right = node.comparators[0]
    none_found = is_call_of("findings", node.left) and isinstance(right, ast.List) and not right.elts
    return none_found or (isinstance(node.ops[0], ast.In) and is_call_of("reason", right))


def fails(node: ast.AST) -> bool:
    """``(finding,) = findings(...)``."""
    return (
        isinstance(node, ast.Assign)
        and is_call_of("findings", node.value)
        and isinstance(node.targets[0], ast.Tuple)
    )


@every_rule
def test_a_sick_and_a_healthy_model_are_tested(rule: Rule) -> None:
    nodes = list(ast.walk(parsed_tests(rule)))
    assert any(map(fails, nodes)), f"no test of {rule.id} unpacks a finding: (finding,) = findings(...)"
    assert any(map(passes, nodes)), (
        f"no test of {rule.id} states a pass: findings(...) == [] or in reason(...)"
    )


@every_rule
def test_the_documentation_is_whole(rule: Rule) -> None:
    summary, sections = documentation(rule)
    assert re.fullmatch(r"[A-Z].*\.", summary)
    assert tuple(sections) == HEADINGS
    assert all(sections.values())
    assert "```" in sections["Bad example"]
    assert "```" in sections["Fixed example"]


@every_rule
def test_names_agree(rule: Rule) -> None:
    name = rule.id.replace("-", "_")
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
    assert type(rule).__module__ == f"analyzers.rules.{rule.group}.{name}"
    assert type(rule).__name__ == "".join(part.capitalize() for part in rule.id.split("-"))
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")


@every_rule
def test_cures_are_known(rule: Rule) -> None:
    assert set(rule.interventions) <= set(INTERVENTIONS)
    assert rule.specific <= set(rule.interventions)
    assert len(set(rule.interventions)) == len(rule.interventions)


def is_constant(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0].isupper()
    )


def is_confidence(node: ast.stmt) -> bool:
    """Weights of a suspicion, which are calibrated as a whole, not measured one by one."""
    return is_constant(node) and ast.unparse(node).startswith("CONFIDENCE")


@every_rule
def test_named_constants_tell_their_source(rule: Rule) -> None:
    """A docstring follows every public constant of a rule's module, or every group of them."""
    module = inspect.getmodule(type(rule))
    assert module is not None
    body = ast.parse(inspect.getsource(module)).body
    for node, following in itertools.pairwise(body):
        if is_constant(node) and not is_confidence(node) and not is_constant(following):
            assert isinstance(following, ast.Expr), f"{rule.id}: line {node.lineno} has no source"
