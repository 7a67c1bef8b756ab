"""How often the control learns its task, and how often a linear model does.

    python -m benchmarks.control [--draws 200] [--budget-s 3600] [--kinds NAME ...] [--write]

One small task of every kind (`tests.probe.layouts`) is drawn with many seeds: data, labels and weights are
new in each.  The control must learn at least 99 % of them in the steps of the shortest run, since a probe
whose control fails says nothing.  A linear model of what the control sees tells how hard the tasks are.

Results are kept, and a second call goes on where the first stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras

from analyzers.probe.control import LEARNING_RATE
from analyzers.probe.plan import MAX_STEPS
from analyzers.probe.runner import Setting, Trial
from analyzers.probe.watch import Watch
from analyzers.progress import silent
from benchmarks.running import RESULTS, machine
from benchmarks.shares import wilson
from tests.probe.layouts import LAYOUTS, control_trial

RESULT: Final = RESULTS / "control.json"
TABLE: Final = Path(__file__).with_name("CONTROL.md")
MODELS: Final = ("control", "linear")
GOAL: Final = 0.99
"""Share of its tasks that the control must learn (PROBE.md)."""

CHUNK: Final = 20
"""Draws between two writes of the results."""

Outcomes = list[dict[str, Any]]


def trial_of(kind: str, model: str) -> Trial:
    """The control, or the linear model, on a kind of task: compiled once, drawn anew for every seed."""
    keras.backend.clear_session()
    return control_trial(LAYOUTS[kind], hidden=model == "control")


def draw(trial: Trial, seed: int) -> dict[str, Any]:
    """One task of a kind, trained on and judged as a control is in a diagnosis."""
    setting = Setting("control", "standardized", "fresh", seed, LEARNING_RATE, MAX_STEPS)
    run = trial.run(setting, Watch(silent, 3600, 10**9))
    return {"seed": seed, "verdict": run.verdict, "loss": run.normalized_loss, "steps": len(run.loss)}


def measure(kept: dict[str, Outcomes], kinds: list[str], draws: int, deadline: float) -> Iterator[None]:
    """Draw what is missing, kind by kind; yields whenever there is something to keep."""
    for kind in kinds:
        for model in MODELS:
            outcomes = kept.setdefault(f"{kind} | {model}", [])
            if len(outcomes) >= draws or time.monotonic() > deadline:
                continue
            trial = trial_of(kind, model)
            while len(outcomes) < draws and time.monotonic() < deadline:
                outcomes.append(draw(trial, len(outcomes)))
                if len(outcomes) % CHUNK == 0:
                    yield
            yield


def table(kept: dict[str, Outcomes]) -> str:
    """Per kind of task, how often each model learnt it, as Markdown."""
    lines = [
        "| task | draws | control learns | 95 % | linear model learns | the control's steps, median and longest |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_line(kind, *(kept.get(f"{kind} | {model}", []) for model in MODELS)) for kind in LAYOUTS]
    totals = [[one for kind in LAYOUTS for one in kept.get(f"{kind} | {model}", [])] for model in MODELS]
    return "\n".join([*lines, _line("all", *totals)]) + "\n"


def _line(name: str, control: Outcomes, linear: Outcomes) -> str:
    right = _learnt(control)
    low, high = wilson(right, len(control))
    steps = sorted(one["steps"] for one in control)
    said = f"{steps[len(steps) // 2]}, {steps[-1]}" if steps else "-"
    return (
        f"| {name} | {len(control)} | {_share(control)} | {low:.1%}-{high:.1%} | {_share(linear)} | {said} |"
    )


def _learnt(outcomes: Outcomes) -> int:
    return sum(one["verdict"] == "learnt" for one in outcomes)


def _share(outcomes: Outcomes) -> str:
    return f"{_learnt(outcomes) / len(outcomes):.1%}" if outcomes else "-"


def report(kept: dict[str, Outcomes]) -> str:
    """Everything that is published, as Markdown."""
    controls = [outcomes for key, outcomes in kept.items() if key.endswith("| control") and outcomes]
    failing = [
        key.partition(" |")[0]
        for key, outcomes in kept.items()
        if key.endswith("| control") and outcomes and _learnt(outcomes) < GOAL * len(outcomes)
    ]
    return "\n\n".join([
        f"{sum(map(len, controls))} tasks of {len(controls)} kinds, on {machine()}. The goal is that the control learns "
        f"{GOAL:.0%} of each kind; under it: {', '.join(failing) or 'none'}.",
        table(kept),
    ])  # fmt: skip


def main() -> None:
    """Draw what is missing within the budget, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument(
        "--budget-s", type=float, default=3600.0, help="seconds after which no draw is started"
    )
    parser.add_argument("--kinds", nargs="+", choices=[*LAYOUTS], default=[*LAYOUTS])
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/CONTROL.md")
    given = parser.parse_args()
    kept: dict[str, Outcomes] = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for _ in measure(kept, given.kinds, given.draws, time.monotonic() + given.budget_s):
        RESULT.write_text(json.dumps(kept, indent=1), "utf-8")
    text = report(kept)
    print(text)
    if given.write:
        TABLE.write_text(
            f"# The control\n\n`make bench-control` wrote this page.\n\n{text}", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
