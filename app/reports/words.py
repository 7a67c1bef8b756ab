"""The words and numbers that every format shares: what a verdict means, how a figure is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from analyzers.report import Fix, OutcomeName, Report, RunVerdict, Severity, Status, Verdict
from analyzers.rules.runs import SCALES
from app.reports import clean

ADDRESS: Final = re.compile(r"(https://[\w.~/%?=:+-]*[\w/])")
"""An address in a reference; splitting by it gives text and addresses in turn."""

Tone = Literal["good", "warn", "bad", "neutral"]
"""How a word is coloured where there is colour; the word itself always says the same."""


@dataclass(frozen=True)
class Word:
    """A label with its tone, and a sentence for those who meet it for the first time."""

    label: str
    tone: Tone
    meaning: str = ""


VERDICTS: Final[Mapping[Verdict, Word]] = {
    "converges": Word("Converges", "good", "The model learned the probe's task with the settings in its file."),
    "conditional": Word("Converges on a condition", "warn", "The model learned only under the conditions listed."),
    "slow": Word("Slow", "warn", "The model learns, but far slower than it could."),
    "unstable": Word("Unstable", "warn", "Whether the model learns depends on chance, or it falls back after learning."),
    "stuck": Word("Stuck", "bad", "The loss stays at the level of a constant guess."),
    "diverges": Word("Diverges", "bad", "The loss grows or stops being a number."),
    "cannot_train": Word("Cannot train", "bad", "Something in the file makes training impossible, whatever the data."),
    "inconclusive": Word("Inconclusive", "neutral", "There is not enough evidence for a verdict."),
}  # fmt: skip

RUN_VERDICTS: Final[Mapping[RunVerdict, Word]] = {
    "learnt": Word("learned", "good"),
    "slow": Word("slow", "warn"),
    "stuck": Word("stuck", "bad"),
    "diverged": Word("diverged", "bad"),
    "unstable": Word("unstable", "warn"),
}

STATUSES: Final[Mapping[Status, Word]] = {
    "confirmed": Word("Confirmed", "bad", "The probe showed this cause: its own cure helped, and the figure moved."),
    "suspected": Word("Suspected", "warn", "The file gives reason for it; the probe did not settle it."),
    "refuted": Word("Refuted", "good", "The file gave reason for it; the probe showed that it does no harm here."),
}  # fmt: skip

SEVERITIES: Final[Mapping[Severity, Word]] = {
    "error": Word("error", "bad"),
    "warning": Word("warning", "warn"),
    "info": Word("note", "neutral"),
}

OUTCOMES: Final[Mapping[OutcomeName, Word]] = {
    "fail": Word("failed", "bad"),
    "warn": Word("warning", "warn"),
    "info": Word("note", "neutral"),
    "pass": Word("passed", "good"),
    "not_applicable": Word("not applicable", "neutral"),
    "skipped": Word("skipped", "warn"),
    "error": Word("check failed to run", "warn"),
}

ACCURACY: Final = Word("Accuracy", "neutral", "share of fresh samples whose class was right")
EXPLAINED: Final = Word(
    "Variance explained",
    "neutral",
    "share of the variance of fresh targets that the predictions account for; 0 % is a constant guess or worse",
)


def score(report: Report) -> Word:
    """What the figure that the report calls ``accuracy`` counts: of numbers, no share can be right.

    Reports from before the field ``classes`` are of classifiers.
    """
    probe = report.probe
    numbers = probe is not None and "classes" in probe.model_fields_set and probe.classes is None
    return EXPLAINED if numbers else ACCURACY


UNFINISHED: Final[frozenset[OutcomeName]] = frozenset({"error", "skipped"})


def incomplete(report: Report) -> str:
    """What an incomplete report lacks."""
    if any(check.outcome in UNFINISHED for check in report.checks):
        return "some checks failed to run or were skipped."
    return "the time ran out before all was tried. A larger budget_s would settle more."


UNPROVED: Final = "It was not tried on other seeds: the time ran out."
"""Of a fix that helped once."""


def proof(fix: Fix) -> str:
    """On how many unseen seeds a fix held."""
    seeds = len(fix.proof.seeds)
    if not seeds:
        return UNPROVED
    return (
        f"On {plural(seeds, 'seed')} that the search never used, the original failed "
        f"{plural(fix.proof.original_failed, 'time')} and the fixed model learned {plural(fix.proof.cured, 'time')}."
    )


TOKENS: Final = "tokens"
"""How the report tells an input of token ids, which have no scale."""


def scale(report: Report, run_scale: str) -> str:
    """The input of a run, as the engine words it."""
    if report.model.inputs and all(tensor.kind == TOKENS for tensor in report.model.inputs):
        return "token ids"
    return next((told for name, told in SCALES.items() if name == run_scale), clean.name(run_scale))


def number(value: float | None) -> str:
    """A measured figure to three significant digits; ``-`` where it is missing or was not finite."""
    if value is None:
        return "-"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}"
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def exact(value: float | None) -> str:
    """A setting as it was set, for rates and thresholds."""
    return "-" if value is None else f"{value:.7g}"


def percent(value: float | None) -> str:
    """A share, in percent."""
    return "-" if value is None else f"{100 * value:.0f} %"


def seconds(value: float) -> str:
    """A duration."""
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"


def size(count: int) -> str:
    """A number of bytes in decimal units."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def shape(dimensions: list[int | None]) -> str:
    """A tensor's shape without its batch axis; an open dimension is ``?``."""
    return " \u00d7 ".join("?" if size is None else str(size) for size in dimensions) or "scalar"


def confidence(report: Report) -> str:
    """How sure the verdict is, as a sentence; nothing where there is none to be sure of."""
    return "" if report.verdict == "inconclusive" else f"Confidence {percent(report.confidence)}."


def plural(count: int, noun: str) -> str:
    """``3 layers``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
