"""Files of every Keras against what their own framework computes: read, rebuilt, equal.

``python -m benchmarks.reading [real|small|applications ...] [--only PATTERN] [--write]``; without a group, all three.
Real files are those beside the project (``../shared/models``); the others are written here, by tf_keras in
its two forms and by Keras 3 in both, the applications at their native size.  Outputs on seeded inputs count
as equal up to 1e-3 of how much they vary.  Real files are diagnosed too, with a few seconds of training.  Results go to ``benchmarks/results/reading.json``, where those of
other files stay from earlier runs; ``--write`` puts the table of all of them into ``benchmarks/READING.md``.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras

from analyzers import diagnose
from analyzers.building import Unbuildable
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.reading import open_model
from analyzers.spec import ModelSpec
from benchmarks.running import RESULTS, machine
from tests.reading.generated.applications import APPLICATIONS, application, has
from tests.reading.generated.comparing import difference, outputs, rebuilt, samples
from tests.reading.generated.small import ONLY, SMALL
from tests.reading.references import reference
from tests.support import SHARED_MODELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras

EQUAL: Final = 1e-3
TABLE: Final = Path(__file__).with_name("READING.md")
FORMS: Final[dict[str, tuple[Any, str]]] = {
    "tf_keras .h5": (tf_keras, "h5"),
    "tf_keras .keras": (tf_keras, "keras"),
    "Keras 3 .h5": (keras, "h5"),
    "Keras 3 .keras": (keras, "keras"),
}
"""Form of a file -> framework and extension."""


BUDGET_S: Final = 20.0
"""Seconds of training for a verdict on a real file."""


@dataclass(frozen=True)
class Result:
    """What became of one file.

    Attributes:
        group: era of a real file, form of a generated one.
        name: of the file or model.
        read: whether it gave a spec.
        plain: whether it holds a graph whose every layer is one of Keras: it needs no code of its author.
        rebuilt: whether it gave a model with the file's weights.
        difference: to what another program computes, relative; None where none can.
        source: that program; empty for the model that wrote the file, still in memory.
        verdict: of the diagnosis; empty where the file was not diagnosed.
        probed: whether that rests on training.
        problem: what went wrong, or why there is nothing to compare with.
        seconds: for reading, building and assigning weights.
    """

    group: str
    name: str
    read: bool = False
    plain: bool = False
    rebuilt: bool = False
    difference: float | None = None
    source: str = ""
    verdict: str = ""
    probed: bool = False
    problem: str = ""
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether the rebuilt model computes the same."""
        return self.difference is not None and self.difference <= EQUAL


def judged(
    group: str, name: str, path: Path, reference: Callable[[], tuple[Any, str]], *, probing: bool = False
) -> Result:
    """Read and rebuild one file, and compare with the model that ``reference`` gives.

    Args:
        group: where the file is from.
        name: what it goes by.
        path: the file.
        reference: a model that computes what the file's should, and where it is from; None, and why, for none.
        probing: whether to diagnose the file too.
    """
    try:
        with open_model(path) as spec:
            missing = _missing(spec)
    except InputError as error:
        return Result(group, name, problem=f"{error.code}: {error.advice.partition('. ')[0]}")
    if missing:
        return Result(group, name, read=True, problem=missing)
    started = time.perf_counter()
    try:
        spec, model = rebuilt(path)
    except (Unbuildable, AssertionError) as error:
        return Result(group, name, read=True, plain=True, problem=f"not rebuilt: {str(error)[:200]}")
    found = Result(
        group, name, read=True, plain=True, rebuilt=True, seconds=round(time.perf_counter() - started, 2)
    )
    theirs, source = reference()
    if theirs is None:
        found = replace(found, problem=f"nothing to compare with: {source}")
    else:
        given = samples(spec)
        worst = difference(outputs(model, given), outputs(theirs, given))
        found = replace(
            found, difference=worst, source=source, problem="" if worst <= EQUAL else "other outputs"
        )
    return _probed(found, path) if probing else found


def _missing(spec: ModelSpec) -> str:
    """Why a file cannot be rebuilt whatever a program knows of Keras; empty where nothing is missing."""
    if not spec.has_graph:
        return spec.layers[0].problem or ""
    kinds = dict.fromkeys(layer.kind for layer in spec.walk() if not layer.known)
    return f"needs its author's code: {', '.join(kinds)}" if kinds else ""


def _probed(found: Result, path: Path) -> Result:
    """The result with a verdict on the file, after a few seconds of training."""
    report = diagnose(path, Options(budget_s=BUDGET_S))
    probed = report.probe is not None and report.verdict != "inconclusive"
    unprobed = "" if probed else f"not probed: {report.summary}"
    told = "; ".join(part for part in (found.problem, unprobed) if part)
    return replace(found, verdict=report.verdict, probed=probed, problem=told)


ERAS: Final = {"keras1": "Keras 1", "keras2": "Keras 2", "tfkeras2": "tf.keras 2", "keras3": "Keras 3"}


def real(only: re.Pattern[str]) -> Iterator[Result]:
    """Other people's files, by the era that their manifest gives."""
    entries = json.loads((SHARED_MODELS / "manifest.json").read_text("utf-8"))
    eras = [*ERAS, *dict.fromkeys(str(entry["era"]) for entry in entries)]
    for entry in sorted(entries, key=lambda entry: eras.index(str(entry["era"]))):
        path = SHARED_MODELS / entry["file"]
        if entry["kind"].startswith("weights"):
            group = "weights alone, real"
        else:
            group = f"{ERAS[entry['era']]}, real" if entry["era"] in ERAS else "no model"
        if only.search(entry["file"]):
            yield judged(group, entry["file"], path, partial(reference, path), probing=True)


def small(only: re.Pattern[str]) -> Iterator[Result]:
    """The small models, in all four forms."""
    for name, build in SMALL.items():
        for form, (framework, _) in FORMS.items():
            if only.search(name) and ONLY.get(name, framework.__name__) == framework.__name__:
                yield _generated(form, name, build)


def applications(only: re.Pattern[str]) -> Iterator[Result]:
    """Every family of applications at its native size, as tf_keras's .h5 and Keras 3's .keras."""
    for name in APPLICATIONS:
        for form in ("tf_keras .h5", "Keras 3 .keras"):
            if only.search(name) and has(FORMS[form][0], name):
                yield _generated(form, name, partial(application, name=name))


def _generated(form: str, name: str, build: Callable[[Any], Any]) -> Result:
    framework, extension = FORMS[form]
    framework.backend.clear_session()
    model = build(framework)
    with tempfile.TemporaryDirectory(prefix="unstuck-bench-") as folder:
        path = Path(folder) / f"model.{extension}"
        model.save(path)
        return judged(form, name, path, lambda: (model, ""))


GROUPS: Final = {"real": real, "small": small, "applications": applications}


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{one} {count}" for one, count in counts.most_common())


def table(results: Sequence[Result]) -> str:
    """Counts by group, what was compared with whom, then whatever is not equal, one by one."""
    lines = [
        "| written by | files | read | no author's code | rebuilt | compared | equal | worst | probed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    groups = dict.fromkeys(result.group for result in results)
    for group, mine in [(one, [r for r in results if r.group == one]) for one in groups] + [("all", results)]:
        compared = [result.difference for result in mine if result.difference is not None]
        worst = f"{max(compared):.0e}" if compared else "-"
        read, plain, made, equal = (
            sum(getattr(result, what) for result in mine) for what in ("read", "plain", "rebuilt", "equal")
        )
        diagnosed = [result for result in mine if result.verdict]
        probed = f"{sum(r.probed for r in diagnosed)} of {len(diagnosed)}" if diagnosed else "-"
        cells = (group, len(mine), read, plain, made, len(compared), equal, worst, probed)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    plain = [result for result in results if result.plain]
    made, equal = sum(r.rebuilt for r in plain), sum(r.equal for r in plain)
    lines += [
        "",
        f"Of {len(plain)} files that need no code of their author, {made} were rebuilt and {equal} are equal.",
    ]
    sources = Counter(result.source for result in results if result.source)
    lines += ["", "Real files were compared with: " + _counted(sources) + "."]
    verdicts = Counter(result.verdict for result in results if result.verdict)
    lines += ["", f"Verdicts on them, with {BUDGET_S:g} s of training: " + _counted(verdicts) + "."]
    told = [f"- {r.group}, {r.name}: {r.problem}" for r in results if r.problem]
    return "\n".join([*lines, "", *told])


def keep(results: Sequence[Result]) -> list[Result]:
    """Write the results among those of earlier runs, and return all."""
    path = RESULTS / "reading.json"
    earlier = json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    merged = {(one.group, one.name): one for one in (*(Result(**item) for item in earlier), *results)}
    versions = {"machine": machine(), "keras": keras.__version__, "tf_keras": tf_keras.__version__}
    document = versions | {"results": [asdict(result) for result in merged.values()]}
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1), "utf-8")
    return list(merged.values())


_MEANING: Final = (
    "Each file is read, rebuilt and given seeded inputs; its outputs are equal where they differ from those of the "
    f"framework that wrote it by at most {EQUAL:g} of how much they vary. Real files are somebody else's; where today's "
    "frameworks cannot load one, `tests/reading/references.py` says what it is compared with. A file needs no author's "
    "code when it holds a graph whose every layer is one of Keras. Probed: a probe was run to a verdict. Its "
    f"budget, {BUDGET_S:g} s, is wall time: on a machine that is busy otherwise more files stay without one."
)


def main() -> None:
    """Run the groups that were asked for, keep the results, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", help=", ".join(GROUPS))
    parser.add_argument("--only", default="", type=re.compile, help="names that this pattern is found in")
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/READING.md")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # of the frameworks that write the files
    everything: list[Result] = []
    for group in given.groups or GROUPS:
        for result in GROUPS[group](given.only):
            everything = keep([result])
            measured = "-" if result.difference is None else f"{result.difference:.1e}"
            print(f"{result.group:18} {result.name:32} {measured:>8} {result.problem}", flush=True)
    told = (
        f"{machine()}; Keras {keras.__version__}, tf_keras {tf_keras.__version__}.\n\n{table(everything)}\n"
    )
    print(f"\n{told}")
    if given.write:
        TABLE.write_text(
            f"# Files of every Keras\n\n`make bench-reading` wrote this page. {_MEANING}\n\n{told}", "utf-8"
        )


if __name__ == "__main__":
    main()
