"""Write the skeleton of a new rule: its module, its test and its line in the registry.

python scripts/new_rule.py narrow-waist architecture
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import get_args

from analyzers.registry import HEADINGS
from analyzers.rule import Group

ROOT = Path(__file__).parents[1]

MODULE = '''"""{id}: say in one line what is wrong with such a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from analyzers.rule import Facts, Finding, Group, Measurement, NotApplicable, Rule
from analyzers.rules.words import listed

LIMIT: Final = 1
"""What it means, and the paper, documentation or measurement that it comes from."""

CONFIDENCE: Final = 0.3


class {name}(Rule):
    """Say in one line what is wrong with such a model.

{sections}
    """

    id: ClassVar[str] = "{id}"
    group: ClassVar[Group] = "{group}"
    title: ClassVar[str] = "The failing state as a noun"

    def measure(self, facts: Facts) -> Measurement | NotApplicable:
        """Say what is measured."""
        layers: dict[str, dict[str, Any]] = {{
            layer.path: {{"kind": layer.kind}} for layer in facts.graph.flat.layers if layer.kind == "{name}"
        }}
        return Measurement(float(len(layers)), "layers", layers)

    def judge(self, measurement: Measurement) -> Sequence[Finding]:
        """Say from where on it is what."""
        names = tuple(measurement.layers)
        if len(names) < LIMIT:
            return ()
        return (
            self.finding(
                "info",
                layers=names,
                evidence={{"layers": len(names)}},
                explanation=f"Say why {{listed(names)}} keeps the model from training.",
                fix=f"Say what to do about {{listed(names)}}.",
                confidence=CONFIDENCE,
            ),
        )
'''

TEST = """from __future__ import annotations

from pathlib import Path

import keras
from keras import layers

from analyzers.rules.{group}.{module} import {name}
from tests.rules.apply import findings
from tests.support import spec_of

RULE = {name}()


def test_a_model_with_the_fault(tmp_path: Path) -> None:
    sick = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="d")])
    (finding,) = findings(RULE, spec_of(sick, tmp_path))
    assert (finding.severity, finding.layers, finding.certain) == ("info", ("d",), False)


def test_a_model_without(tmp_path: Path) -> None:
    assert findings(RULE, spec_of(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), tmp_path)) == []
"""

SECTION = "    {heading}:\n        {body}\n"
EXAMPLE = "```python\n        x = layers.Dense(8)(x)\n        ```"


def class_name(rule: str) -> str:
    """The class of a rule id: ``narrow-waist`` -> ``NarrowWaist``."""
    return "".join(part.capitalize() for part in rule.split("-"))


def module(rule: str, group: str) -> str:
    """The text of a rule's module."""
    sections = "\n".join(
        SECTION.format(
            heading=heading, body=EXAMPLE if "example" in heading else "Say it in a few sentences."
        )
        for heading in HEADINGS
    )
    return MODULE.format(id=rule, group=group, name=class_name(rule), sections=sections.rstrip())


def registered(registry: str, rule: str, group: str) -> str:
    """The registry's text with the rule imported, and listed behind the last one of its group."""
    name, path = class_name(rule), f"analyzers.rules.{group}.{rule.replace('-', '_')}"
    imports = re.findall(
        rf"^from analyzers\.rules\.{group}\.\w+ import (?:\(\n\s+)?(\w+)", registry, re.MULTILINE
    )
    last = max(imports, key=lambda one: registry.index(f"    {one}(),"))
    registry = registry.replace(f"    {last}(),\n", f"    {last}(),\n    {name}(),\n", 1)
    anchor = "from analyzers.rules."
    return registry.replace(anchor, f"from {path} import {name}\n{anchor}", 1)


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rule", help="kebab-case id, a noun that names the failing state")
    parser.add_argument("group", choices=get_args(Group))
    given = parser.parse_args()
    if not re.fullmatch(r"[a-z]+(-[a-z]+)*", given.rule):
        parser.error("an id is made of lower-case words with hyphens between")
    name = given.rule.replace("-", "_")
    target = ROOT / "analyzers" / "rules" / given.group / f"{name}.py"
    test = ROOT / "tests" / "rules" / given.group / f"test_{name}.py"
    if target.exists() or test.exists():
        parser.error(f"{given.rule} is there already")
    target.write_text(module(given.rule, given.group), "utf-8")
    test.write_text(TEST.format(group=given.group, module=name, name=class_name(given.rule)), "utf-8")
    registry = ROOT / "analyzers" / "registry.py"
    registry.write_text(registered(registry.read_text("utf-8"), given.rule, given.group), "utf-8")
    print(f"{target}\n{test}\nNow write them, then: make format docs")  # noqa: T201


if __name__ == "__main__":
    main()
