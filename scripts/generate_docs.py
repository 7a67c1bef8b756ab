"""Write ``docs/rules/``: one page a rule and an index, from the rules' docstrings and attributes.

python scripts/generate_docs.py           # rewrite the pages
python scripts/generate_docs.py --check   # exit 1 when a page is out of date
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from analyzers.registry import RULES, documentation
from analyzers.rule import Rule

TARGET = Path(__file__).parents[1] / "docs" / "rules"

GROUPS = {
    "inputs": "What reaches the first layers",
    "outputs": "What the model gives, and its loss",
    "architecture": "How the layers are put together",
    "training": "Optimizer, learning rate, settings",
    "weights": "The saved weights",
    "optimizer_state": "What the real training run left behind",
    "probe": "What the probe measured",
}

FACTS = {
    "training": "compile settings",
    "weights": "saved weights",
    "optimizer_state": "optimizer state",
    "probe": "the probe's runs",
}


def page(rule: Rule) -> str:
    """One rule's page."""
    summary, sections = documentation(rule)
    needs = ", ".join(FACTS[fact] for fact in FACTS if fact in rule.requires) or "nothing but the graph"
    cures = ", ".join(f"`{cure}`" for cure in rule.interventions) or "none: it is a matter of the file"
    head = [
        f"# {rule.id}",
        f"**{rule.title}.** {summary}",
        f"Group: {GROUPS[rule.group].lower()} (`{rule.group}`). Needs: {needs}." + _also(rule),
    ]
    body = [part for heading, text in sections.items() for part in (f"## {heading}", text)]
    if rule.interventions:
        confirming = ", ".join(f"`{cure}`" for cure in rule.interventions if cure in rule.specific)
        text = f"Tried where this is suspected: {cures}."
        text += (
            f" Its cause is confirmed only by: {confirming}."
            if confirming
            else " It is a symptom: no cure confirms it as a cause."
        )
        body += ["## Cures", text]
    return "\n\n".join([*head, *body]) + "\n"


def _also(rule: Rule) -> str:
    used = ", ".join(FACTS[fact] for fact in FACTS if fact in rule.optional)
    return f" Also looks at: {used}." if used else ""


def index() -> str:
    """The list of all rules, by group."""
    lines = ["# Rules", "", "Written by `scripts/generate_docs.py` from the rules themselves.", ""]
    for group, rules in groupby(RULES.values(), key=lambda rule: rule.group):
        lines += [f"## {GROUPS[group]}", ""]
        lines += [f"- [{rule.id}]({rule.id}.md): {rule.title}" for rule in rules]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def pages() -> Mapping[str, str]:
    """File name -> text of everything under `TARGET`."""
    return {"index.md": index()} | {f"{rule.id}.md": page(rule) for rule in RULES.values()}


def stale() -> list[str]:
    """Names of pages that are missing, out of date, or of rules that are no more."""
    wanted = pages()
    found = {path.name: path.read_text("utf-8") for path in TARGET.glob("*.md")}
    return sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))


def main() -> int:
    """Write or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 when a page is out of date"
    )
    if parser.parse_args().check:
        for name in stale():
            print(f"docs/rules/{name} is out of date: run scripts/generate_docs.py", file=sys.stderr)  # noqa: T201
        return 1 if stale() else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name in stale():
        path = TARGET / name
        if name in wanted:
            path.write_text(wanted[name], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
