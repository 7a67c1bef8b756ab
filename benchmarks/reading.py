"""Files of every Keras against what their own framework computes: read, rebuilt, equal.

``python -m benchmarks.reading [real|small|applications ...] [--only PATTERN] [--write]``; without a group, all three.
Real files are those beside the project (``../shared/models``); the others are written here, by tf_keras in
its two forms and by Keras 3 in both, the applications at their native size.  Outputs on seeded inputs count
as equal up to 1e-3 of how much they vary.  Results go to ``benchmarks/results/reading.json``, where those of
other files stay from earlier runs; ``--write`` puts the table of all of them into ``benchmarks/READING.md``.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import keras

from analyzers.building import Unbuildable
from analyzers.errors import InputError
from benchmarks.running import RESULTS, machine
from tests.reading.generated.applications import APPLICATIONS, application, has
from tests.reading.generated.comparing import difference, outputs, rebuilt, samples
from tests.reading.generated.small import ONLY, SMALL
from tests.support import SHARED_MODELS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # importing tf_keras, not ours
    import tf_keras
    from tf_keras.src.saving.serialization_lib import SafeModeScope

EQUAL: Final = 1e-3
TABLE: Final = Path(__file__).with_name("READING.md")
FORMS: Final[dict[str, tuple[Any, str]]] = {
    "tf_keras .h5": (tf_keras, "h5"),
    "tf_keras .keras": (tf_keras, "keras"),
    "Keras 3 .h5": (keras, "h5"),
    "Keras 3 .keras": (keras, "keras"),
}
"""Form of a file -> framework and extension."""


@dataclass(frozen=True)
class Result:
    """What became of one file.

    Attributes:
        group: era of a real file, form of a generated one.
        name: of the file or model.
        read, rebuilt: how far it came.
        difference: to the framework's output, relative; None where the framework cannot load it.
        problem: what went wrong, or why there is nothing to compare with.
        seconds: for reading, building and assigning weights.
    """

    group: str
    name: str
    read: bool
    rebuilt: bool
    difference: float | None
    problem: str
    seconds: float

    @property
    def equal(self) -> bool:
        """Whether the rebuilt model computes the same."""
        return self.difference is not None and self.difference <= EQUAL


def judged(group: str, name: str, path: Path, reference: Callable[[], Any]) -> Result:
    """Read and rebuild one file, and compare with the model that ``reference`` gives."""
    started = time.perf_counter()
    try:
        spec, model = rebuilt(path)
    except InputError as error:
        return Result(group, name, False, False, None, f"{error.code}: {error.detail}", 0.0)
    except (Unbuildable, AssertionError) as error:
        return Result(group, name, True, False, None, str(error)[:200], 0.0)
    seconds = round(time.perf_counter() - started, 2)
    try:
        theirs = reference()
    except Exception as error:  # whatever a framework raises at a file that it cannot load
        text = str(error).partition("\n")[0][:100]
        return Result(group, name, True, True, None, f"no reference: {text}", seconds)
    given = samples(spec)
    worst = difference(outputs(model, given), outputs(theirs, given))
    return Result(group, name, True, True, worst, "" if worst <= EQUAL else "other outputs", seconds)


def real(only: re.Pattern[str]) -> Iterator[Result]:
    """Other people's files, by the era that their manifest gives."""
    for entry in json.loads((SHARED_MODELS / "manifest.json").read_text("utf-8")):
        path = SHARED_MODELS / entry["file"]
        if only.search(entry["file"]):
            yield judged(str(entry["era"]), entry["file"], path, partial(_loaded, path))


def _loaded(path: Path) -> Any:
    """A real file as its own framework loads it; no code in it is run."""
    try:
        with SafeModeScope(True):
            return tf_keras.models.load_model(path, compile=False)
    except Exception:  # a file of Keras 3
        return keras.models.load_model(path, compile=False, safe_mode=True)


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
        return judged(form, name, path, lambda: model)


GROUPS: Final = {"real": real, "small": small, "applications": applications}


def table(results: Sequence[Result]) -> str:
    """Counts by group, then whatever is not equal, one by one."""
    lines = [
        "| written by | files | read | rebuilt | compared | equal | worst |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = dict.fromkeys(result.group for result in results)
    for group, mine in [(one, [r for r in results if r.group == one]) for one in groups] + [("all", results)]:
        compared = [result.difference for result in mine if result.difference is not None]
        worst = f"{max(compared):.0e}" if compared else "-"
        counts = [sum(getattr(result, what) for result in mine) for what in ("read", "rebuilt", "equal")]
        lines.append(
            f"| {group} | {len(mine)} | {counts[0]} | {counts[1]} | {len(compared)} | {counts[2]} | {worst} |"
        )
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
    "Each file is read, rebuilt and given seeded inputs; its outputs are equal to those of the framework that wrote it "
    f"where they differ by at most {EQUAL:g} of how much they vary. An era is that of somebody else's file. A file is "
    "not compared where its own framework cannot load it."
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
