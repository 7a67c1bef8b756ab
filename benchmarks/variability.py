"""Where the probe's numbers vary, and how much: ``python -m benchmarks.variability [--only c1,digits] [--seeds 10] [--write]``.

The run that decides is made from several seeds (weights, data and dropout are drawn anew), twice from the same
seed, and from the same seed on one thread.  Results are kept and a second call goes on where the first stopped;
``--write`` puts the tables into ``docs/variability.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from analyzers.engine import read
from analyzers.options import Options
from analyzers.probe.judgement import LEARNT
from analyzers.probe.runner import Setting
from analyzers.probe.session import ProbeSession
from analyzers.progress import silent
from benchmarks.running import RESULTS, machine, state
from tests.zoo.files import model_file

FOLDER: Final = RESULTS / "variability"
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "variability.md"
MARK: Final = "<!-- measured: `python -m benchmarks.variability --write` rewrites what follows -->"
MODELS: Final = (
    "c1", "c2", "c3", "c5", "c5-cured", "table-regression", "self-normalizing", "digits", "unet", "siamese",
    "sentiment", "tagger", "text-transformer", "series-forecast", "squeeze-excitation",
)  # fmt: skip
BUDGET_S: Final = 120.0
MEMORY_BYTES: Final = 8 << 30


def runs(name: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The deciding run of a zoo model from each seed, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        spec = read(model_file(name), Path(folder))
        session = ProbeSession(
            spec, Options(), budget_s=10 * BUDGET_S, memory_bytes=MEMORY_BYTES, progress=silent
        )
        scale, run = session.scales.natural, session.original()
        steps = session.plan.steps
        made = [
            run(Setting("as it is", scale, session.weights, seed, session.rate, steps, patient=True))
            for seed in seeds
        ]
    return [
        {"seed": one.seed, "verdict": one.verdict, "loss": one.normalized_loss, "steps": len(one.loss),
         "series": [float(value).hex() for value in one.loss]}
        for one in made
    ]  # fmt: skip


def apart(name: str, seeds: Sequence[int], threads: int | None = None) -> list[dict[str, Any]]:
    """The same in a process of its own, on so many threads."""
    bound = {} if threads is None else {"TF_NUM_INTRAOP_THREADS": str(threads)}
    command = [sys.executable, "-m", "benchmarks.variability", "--of", name, "--seeds-of", *map(str, seeds)]
    done = subprocess.run(command, env=os.environ | bound, capture_output=True, text=True, check=True)  # noqa: S603
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str, seeds: int) -> dict[str, Any]:
    """Several seeds, the first once more, and the first on one thread."""
    kept = FOLDER / f"{name}.json"
    if kept.exists():
        result: dict[str, Any] = json.loads(kept.read_text("utf-8"))
        if result["state"] == state(kept) and len(result["seeds"]) >= seeds:
            return result
    result = {
        "state": state(kept),
        "seeds": apart(name, range(seeds)),
        "again": apart(name, [0])[0],
        "one thread": apart(name, [0], threads=1)[0],
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(result), "utf-8")
    return result


def line(name: str, result: dict[str, Any]) -> str:
    """One model as a row."""
    found = result["seeds"]
    verdicts = ", ".join(
        f"{verdict} {count}" for verdict, count in Counter(one["verdict"] for one in found).items()
    )
    losses, steps = sorted(one["loss"] for one in found), sorted(one["steps"] for one in found)
    middle = len(found) // 2
    first = found[0]
    same = "yes" if result["again"]["series"] == first["series"] else "no"
    thread = result["one thread"]
    gap = abs(thread["loss"] - first["loss"])
    return (
        f"| {name} | {verdicts} | {losses[0]:.2f}, {losses[middle]:.2f}, {losses[-1]:.2f} | {steps[0]}, {steps[middle]}, "
        f"{steps[-1]} | {same} | {gap:.1g}{'' if thread['verdict'] == first['verdict'] else ' (another verdict)'} |"
    )


def table(results: dict[str, dict[str, Any]]) -> str:
    """Every model, as Markdown."""
    seeds = max(len(result["seeds"]) for result in results.values())
    lines = [
        f"Measured on {machine()}, {seeds} seeds a model. Losses are normalised (1 is chance, under {LEARNT} is learnt).",
        "",
        "| model | verdicts of the seeds | loss: lowest, median, highest | steps: likewise | same seed, bitwise equal | "
        "one thread instead of all: loss differs by |",
        "|---|---|---|---|---|---|",
        *(line(name, result) for name, result in results.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(MODELS), help="names, separated by commas")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--write", action="store_true", help="write the table to docs/variability.md")
    parser.add_argument("--of", help="one model in this process, as JSON")
    parser.add_argument("--seeds-of", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    if given.of:
        print(json.dumps(runs(given.of, given.seeds_of)))
        return
    results = {}
    for name in given.only.split(","):
        results[name] = measure(name, given.seeds)
        print(line(name, results[name]), flush=True)
    if given.write:
        words = PAGE.read_text("utf-8").partition(MARK)[0]
        PAGE.write_text(f"{words}{MARK}\n\n{table(results)}", "utf-8")


if __name__ == "__main__":
    main()
