"""How often each rule fires on healthy models, and how often it finds its own planted fault.

    python -m benchmarks.rules [--models ../shared/models] [--write]

Healthy are Keras's own networks at their native size and `tests.zoo.kinds`, read without weights; the
real files of ``--models`` are counted apart, since some of them are sick.  A finding counts with the
severity that a report shows without a probe.  A fault is planted in every model that has a place for it
(`benchmarks.planting`), then two faults at once in some of them; a rule's rank is its place in the report.

Models fall into two halves by a hash of their names.  What is missed and what fires is printed for the
half that rules may be tuned on, and the tables are about the other.  ``--write`` keeps them in
``benchmarks/RULES.md``, and everything in ``benchmarks/results/rules.json``.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from analyzers.diagnosis.checking import facts_of, run_rules
from analyzers.diagnosis.weighing import weigh
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.registry import RULES
from analyzers.rule import Facts, Finding, Measurement
from analyzers.spec import ModelSpec
from analyzers.spec.graph import Graph
from benchmarks.planting import PLANTS
from benchmarks.running import RESULTS
from benchmarks.shares import counted
from tests.support import SHARED_MODELS, stored_spec
from tests.zoo.kinds import KINDS
from tests.zoo.weightless import APPLICATIONS, application, of_kind

TABLE: Final = Path(__file__).with_name("RULES.md")
GROUPS: Final = ("inputs", "outputs", "architecture", "training")
STATIC: Final = frozenset(rule.id for rule in RULES.values() if rule.group in GROUPS)
LOUD: Final = frozenset({"error", "warning"})

PLANTED_IN: Final = (
    "VGG16", "ResNet50", "ResNet50V2", "DenseNet121", "MobileNet", "MobileNetV2", "InceptionV3", "Xception",
    "EfficientNetB0", "EfficientNetV2B0", "ConvNeXtTiny",
)  # fmt: skip
"""One application a family; faults are planted in these and in every kind."""

PAIRS: Final = 6
"""Pairs of faults that are planted in each of these models."""

AMONG: Final = 3
AMONG_TWO: Final = 4
"""Places within which a fault, and both of two faults, are to be found."""


@dataclass(frozen=True)
class Model:
    """One model of the benchmark; ``tuning`` where it belongs to the half that rules may be tuned on."""

    name: str
    spec: ModelSpec

    @property
    def tuning(self) -> bool:
        """By the parity of the name's hash, so that a new model moves no other."""
        return hashlib.sha256(self.name.encode()).digest()[0] % 2 == 0


@dataclass(frozen=True)
class Healthy:
    """What the rules say of a healthy model.

    Attributes:
        name: the model's.
        tuning: its half.
        told: rule -> the worst severity shown.
        values: rule -> the value that it measured, for rules that have a planted fault.
    """

    name: str
    tuning: bool
    told: Mapping[str, str]
    values: Mapping[str, float]


@dataclass(frozen=True)
class Planted:
    """What the rules say of a model with planted faults.

    Attributes:
        name: the model's.
        tuning: its half.
        faults: the rules whose faults were planted.
        places: the place of each in the report; None where it is missing.
        before: rules in front of the last of them.
        value: what the rule of a single fault measured.
    """

    name: str
    tuning: bool
    faults: tuple[str, ...]
    places: tuple[int | None, ...]
    before: tuple[str, ...]
    value: float | None = None

    def within(self, places: int) -> bool:
        """Whether every fault is among the first so many findings."""
        return all(place is not None and place <= places for place in self.places)


def shown(spec: ModelSpec, graph: Graph) -> tuple[Finding, ...]:
    """The static findings as a report without a probe shows them, most important first."""
    return weigh(run_rules(spec, Options(), only=STATIC, graph=graph).findings, None, None)


def measured(rule: str, spec: ModelSpec, graph: Graph) -> float | None:
    """What a rule measures; None where it is not applicable."""
    one, there = RULES[rule], facts_of(spec, None)
    if not one.requires <= there:
        return None
    found = one.measure(Facts(spec, graph, Options(), there & (one.requires | one.optional)))
    return float(found.value) if isinstance(found, Measurement) else None


def models() -> Iterator[Model]:
    """Every healthy model."""
    yield from (Model(name, application(name)) for name in APPLICATIONS)
    yield from (Model(name, of_kind(name)) for name in KINDS)


def real(files: Path, directory: Path) -> Iterator[Model]:
    """The real files that hold a model."""
    for path in sorted(files.glob("*.*")):
        try:
            yield Model(path.name, stored_spec(path, directory))
        except InputError:
            continue


def judged(model: Model, rules: Iterable[str] = ()) -> Healthy:
    """What fires on a model as it is; every warning and error is printed but those of the held-out half."""
    graph = Graph(model.spec)
    told: dict[str, str] = {}
    for finding in shown(model.spec, graph):
        told.setdefault(finding.rule, finding.severity)
        if finding.severity in LOUD and model.tuning:
            print(
                f"  {model.name}: {finding.rule} ({finding.severity}): {finding.explanation[:160]}",
                flush=True,
            )
    values = {rule: value for rule in rules if (value := measured(rule, model.spec, graph)) is not None}
    return Healthy(model.name, model.tuning, told, values)


def planted(model: Model, faults: Sequence[str]) -> Planted | None:
    """Plant faults one after another, and look for their rules; None where one has no place."""
    spec: ModelSpec | None = model.spec
    for fault in faults:
        spec = PLANTS[fault](spec) if spec is not None else None
    if spec is None:
        return None
    graph = Graph(spec)
    ids = list(dict.fromkeys(finding.rule for finding in shown(spec, graph)))
    places = tuple(ids.index(fault) + 1 if fault in ids else None for fault in faults)
    last = max((place or len(ids) + 1 for place in places), default=1)
    before = tuple(one for one in ids[: last - 1] if one not in faults)
    value = measured(faults[0], spec, graph) if len(faults) == 1 else None
    return Planted(model.name, model.tuning, tuple(faults), places, before, value)


def pairs(model: Model, single: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of faults from different groups that a model has a place for, in a fixed random order.

    Faults of one group are left out: the second often replaces what the first one changed.
    """
    wanted = [
        pair for pair in itertools.combinations(single, 2) if RULES[pair[0]].group != RULES[pair[1]].group
    ]
    yield from sorted(wanted, key=lambda pair: hashlib.sha256(f"{model.name} {pair}".encode()).digest())


def with_two(model: Model, single: Sequence[str]) -> list[Planted]:
    """The first `PAIRS` pairs that can be planted."""
    made = (planted(model, pair) for pair in pairs(model, single))
    return list(itertools.islice((one for one in made if one is not None), PAIRS))


def best_cut(healthy: Sequence[float], sick: Sequence[float]) -> tuple[float, bool] | None:
    """The cut that errs least between two groups of values, and whether the sick lie above; None without both."""
    if not healthy or not sick:
        return None
    above = float(np.median(sick)) >= float(np.median(healthy))
    every = sorted({*healthy, *sick})
    cuts = [every[0] - 1, *((a + b) / 2 for a, b in itertools.pairwise(every)), every[-1] + 1]

    def errors(cut: float) -> float:
        wrong = np.mean([(one > cut) == above for one in healthy])
        return float(wrong + np.mean([(one > cut) != above for one in sick]))

    return min(cuts, key=errors), above


def threshold_row(rule: str, healthy: Sequence[Healthy], sick: Sequence[Planted]) -> str:
    """A rule beside the cut through its measured value that the tuning half suggests, on the held-out half."""
    mine = [one for one in sick if one.faults == (rule,)]
    tuned = best_cut(
        [one.values[rule] for one in healthy if one.tuning and rule in one.values],
        [one.value for one in mine if one.tuning and one.value is not None],
    )
    held = [one for one in healthy if not one.tuning], [one for one in mine if not one.tuning]
    own = sum(rule not in one.told for one in held[0]) + sum(one.places[0] is not None for one in held[1])
    total = len(held[0]) + len(held[1])
    if tuned is None:
        return f"| {rule} | - | - | {counted(own, total)} |"
    cut, above = tuned
    right = sum(rule not in one.values or (one.values[rule] > cut) != above for one in held[0])
    right += sum(one.value is not None and (one.value > cut) == above for one in held[1])
    side = "over" if above else "under"
    return f"| {rule} | {side} {cut:.3g} | {counted(right, total)} | {counted(own, total)} |"


def rule_row(rule: str, healthy: Sequence[Healthy], files: Sequence[Healthy], sick: Sequence[Planted]) -> str:
    """One line of the table: alarms on healthy models and real files, and the planted fault."""
    mine = [one for one in sick if one.faults == (rule,)]
    cells = (
        rule,
        counted(sum(one.told.get(rule) in LOUD for one in healthy), len(healthy)),
        counted(sum(rule in one.told for one in healthy), len(healthy)),
        str(sum(one.told.get(rule) in LOUD for one in files)),
        counted(sum(one.places[0] is not None for one in mine), len(mine)),
        counted(sum(one.within(1) for one in mine), len(mine)),
        counted(sum(one.within(AMONG) for one in mine), len(mine)),
    )
    return "| " + " | ".join(cells) + " |"


def total_rows(healthy: Sequence[Healthy], sick: Sequence[Planted]) -> list[str]:
    """The whole in a few lines, each half by itself."""
    lines = ["| | held out | tuning |", "| --- | --- | --- |"]
    halves = [
        ([one for one in healthy if one.tuning is half], [one for one in sick if one.tuning is half])
        for half in (False, True)
    ]

    def row(name: str, cells: Iterable[str]) -> None:
        lines.append(f"| {name} | " + " | ".join(cells) + " |")

    for severity in ("error", "warning"):
        row(
            f"healthy models with any {severity}",
            (counted(sum(severity in one.told.values() for one in well), len(well)) for well, _ in halves),
        )
    singles = [[one for one in ill if len(one.faults) == 1] for _, ill in halves]
    doubles = [[one for one in ill if len(one.faults) > 1] for _, ill in halves]
    row(
        "planted fault found",
        (counted(sum(one.places[0] is not None for one in ill), len(ill)) for ill in singles),
    )
    row("planted fault first", (counted(sum(one.within(1) for one in ill), len(ill)) for ill in singles))
    row(
        f"planted fault among the first {AMONG}",
        (counted(sum(one.within(AMONG) for one in ill), len(ill)) for ill in singles),
    )
    row(
        f"both of two planted faults among the first {AMONG_TWO}",
        (counted(sum(one.within(AMONG_TWO) for one in ill), len(ill)) for ill in doubles),
    )
    return lines


def document(healthy: Sequence[Healthy], files: Sequence[Healthy], sick: Sequence[Planted]) -> str:
    """Everything that is published, as Markdown."""
    held = [one for one in healthy if not one.tuning]
    held_sick = [one for one in sick if not one.tuning]
    rules = [rule for rule in RULES if rule in STATIC]
    return "\n".join(
        [
            "# The rules, counted",
            "",
            "`make bench-rules` wrote this page: static rules on the graph and the settings alone, with the severities of a "
            "report without a probe.",
            "",
            f"{len(healthy)} healthy models ({len(APPLICATIONS)} of them `keras.applications`), {len(files)} real files, "
            f"{len(sick)} models with planted faults. The halves are told apart by a hash of the model's name; a planted model "
            "belongs to the half of the model that it was made from. Rules were looked at on the tuning half only, "
            "and but for the first table everything is about the other. Intervals are Wilson's at 95 %.",
            "",
            *total_rows(healthy, sick),
            "",
            "## By rule, on the held-out half",
            "",
            "| rule | warning or error on healthy | told on healthy | warning or error on real files | planted, found | first | "
            f"among the first {AMONG} |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *(rule_row(rule, held, files, held_sick) for rule in rules),
            "",
            "## Thresholds",
            "",
            "For each rule, the cut through its measured value that errs least on the tuning half, how often that cut is right "
            "on the held-out half (healthy models and the rule's own planted ones), and how often the rule itself is. Most rules "
            "judge by more than that one value; where a cut alone does better, the rule's threshold is in the wrong place.",
            "",
            "| rule | cut from the tuning half | cut right on the held-out half | rule right on the held-out half |",
            "| --- | --- | --- | --- |",
            *(threshold_row(rule, healthy, sick) for rule in PLANTS),
            "",
        ]
    )  # fmt: skip


def print_missed(sick: Iterable[Planted]) -> None:
    """What was not found where it should be, of the half that rules may be tuned on."""
    for one in sick:
        if one.tuning and not one.within(AMONG if len(one.faults) == 1 else AMONG_TWO):
            print(f"  {one.name}: {one.faults} at {one.places}, behind {', '.join(one.before)}", flush=True)


def main() -> None:
    """Count, print, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=SHARED_MODELS, help="a folder of real model files")
    parser.add_argument("--write", action="store_true", help="keep the tables and the numbers")
    given = parser.parse_args()
    print("Warnings and errors on healthy models:", flush=True)
    healthy, sick = [], []
    for model in models():
        healthy.append(judged(model, PLANTS))
        if model.name in PLANTED_IN or model.name in KINDS:
            single = [one for rule in PLANTS if (one := planted(model, (rule,))) is not None]
            sick += [*single, *with_two(model, [one.faults[0] for one in single])]
    print("Warnings and errors on real files:", flush=True)
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        files = [judged(model) for model in real(given.models, Path(folder))]
    print("Planted faults that were not found where they should be:")
    print_missed(sick)
    text = document(healthy, files, sick)
    print(f"\n{text}")
    if given.write:
        RESULTS.mkdir(exist_ok=True)
        kept = {
            name: [asdict(one) for one in rows]
            for name, rows in (("healthy", healthy), ("files", files), ("planted", sick))
        }
        (RESULTS / "rules.json").write_text(json.dumps(kept))
        TABLE.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
