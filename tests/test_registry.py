from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from analyzers.registry import RULES

ROOT = Path(__file__).parents[1]


def test_ids_are_keys_and_unique() -> None:
    assert all(rule_id == rule.id for rule_id, rule in RULES.items())
    assert len({type(rule) for rule in RULES.values()}) == len(RULES)


def test_every_rule_module_is_in_the_table() -> None:
    """One module a rule: whatever lies in a group's folder runs."""
    folders = (path for path in (ROOT / "analyzers" / "rules").iterdir() if path.is_dir())
    modules = {
        path.stem.replace("_", "-")
        for folder in folders
        for path in folder.glob("*.py")
        if path.name != "__init__.py"
    }
    assert modules == set(RULES)


def test_the_table_needs_neither_keras_nor_tensorflow() -> None:
    program = "import sys, analyzers.registry; print({'keras', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_rule_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/generate_docs.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
