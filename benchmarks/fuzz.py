"""Damaged model files by the thousand, read in a bounded process: only declared errors may come out.

``python -m benchmarks.fuzz [--flips N] [--documents N] [--guided N] [--resume]`` changes single bytes, cuts
files off at every length, puts nonsense at every place of their JSON, and last of all damages all of them led by
coverage (`benchmarks.guided`).  The originals are real files
(``../shared/models``, the smallest of each kind) and the small ones of ``tests.hostile.files``.  A round
ends as: read, refused (a declared error), ``undeclared`` (a fault of ours), ``memory`` (more than the
bound), ``crash`` or ``hang`` (libhdf5; the reading child's sandbox turns them into their codes), ``rule``
(a rule raised, and the report says that it is incomplete).
Results are kept after every original in ``benchmarks/results/fuzz.json``, which ``--resume`` goes on from.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import mmap
import os
import random
import resource
import select
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from analyzers.engine import read_and_judge
from analyzers.errors import InputError
from analyzers.options import Options
from analyzers.reading import open_model
from benchmarks.guided import Guided, digest
from benchmarks.running import RESULTS, ROOT
from tests.hostile import files
from tests.hostile.nonsense import damaged

RESULT: Final = RESULTS / "fuzz.json"
HANG_S: Final = 5.0
"""Seconds of one round after which it counts as hung: the slowest honest one takes a tenth of one."""
MEMORY_BYTES: Final = 2**30
"""Private memory that reading one file may take beyond what the process has from the start."""
ORIGINALS: Final = 4
"""Real files of each kind of container."""
LARGEST: Final = 1 << 20
"""Bytes of the largest real file that is damaged: rounds have to be many."""
MASKS: Final = (0x01, 0x80, 0xFF)


@dataclass(frozen=True)
class Original:
    """A file to damage, in memory."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """Its SHA-256, short."""
        return hashlib.sha256(self.content).hexdigest()[:12]


class RuleError(Exception):
    """Rules raised; the report says so and is incomplete."""


Round = Callable[[Path, int], None]


def originals() -> Iterator[Original]:
    """The small files made by hand, and the smallest real ones."""
    yield Original("made.keras", files.archive())
    yield Original(
        "made.h5", files.hdf5(training={"loss": "mse", "optimizer_config": files.COMPILED["optimizer"]})
    )
    real = sorted((ROOT.parent / "shared" / "models").glob("*"), key=lambda path: path.stat().st_size)
    for magic in (b"\x89HDF", b"PK"):
        found = (path for path in real if path.read_bytes().startswith(magic))
        for path, _ in zip(found, range(ORIGINALS), strict=False):
            yield Original(path.name, path.read_bytes())


def of_every_era() -> list[Original]:
    """The originals, and the smallest real file of each framework and container that the manifest tells."""
    folder = ROOT.parent / "shared" / "models"
    rows = json.loads((folder / "manifest.json").read_text("utf-8"))
    smallest: dict[tuple[str, str], Path] = {}
    for row in sorted(rows, key=lambda row: int(row["size"])):
        if row["size"] <= LARGEST:
            smallest.setdefault((row["era"], row["kind"]), folder / row["file"])
    known = list(originals())
    names = {one.name for one in known}
    return known + [Original(p.name, p.read_bytes()) for p in smallest.values() if p.name not in names]


def _read(path: Path) -> None:
    with open_model(path) as spec:
        for tensor in (*spec.weights.tensors, *spec.weights.slots):
            spec.weights.load(tensor)


def flips(original: Original, rounds: int) -> tuple[int, Round]:
    """Single changed bytes: every place with every mask where they fit into ``rounds``, else a seeded choice."""
    places = len(original.content) * len(MASKS)
    chosen: Sequence[int] = range(places)
    if places > rounds:
        chosen = random.Random(original.digest).sample(chosen, rounds)  # noqa: S311 - which bytes, not a key

    def run(path: Path, number: int) -> None:
        place, mask = divmod(chosen[number], len(MASKS))
        content = bytearray(original.content)
        content[place] ^= MASKS[mask]
        path.write_bytes(content)
        _read(path)

    return len(chosen), run


def cuts(original: Original, rounds: int) -> tuple[int, Round]:
    """The file cut off: at every length where they fit into ``rounds``, else at evenly spread ones."""
    step = -(-len(original.content) // rounds)

    def run(path: Path, number: int) -> None:
        path.write_bytes(original.content[: number * step])
        _read(path)

    return -(-len(original.content) // step), run


def documents(original: Original, rounds: int) -> tuple[int, Round]:
    """The file with nonsense in its JSON, read and judged by every static rule."""

    def run(path: Path, number: int) -> None:
        path.write_bytes(damaged(original.content, random.Random(f"{original.digest} {number}")))  # noqa: S311 - as above
        _judge(path)

    return rounds, run


def _judge(path: Path) -> None:
    report = read_and_judge(path, Options(probe="off"))
    if failed := [f"{check.rule}: {check.reason}" for check in report.checks if check.outcome == "error"]:
        raise RuleError("; ".join(failed))


KINDS: Final[dict[str, Callable[[Original, int], tuple[int, Round]]]] = {
    "flips": flips,
    "cuts": cuts,
    "documents": documents,
}


class Bounded:
    """Runs rounds in a forked process that is replaced when it crashes or hangs.

    Args:
        run: one round.
        total: rounds.
    """

    def __init__(self, run: Round, total: int) -> None:
        self._run, self._total = run, total
        self.outcomes: Counter[str] = Counter()
        self.findings: list[dict[str, Any]] = []
        self._shared = mmap.mmap(-1, 8)

    def all(self) -> None:
        """Run every round."""
        start = 0
        while start < self._total:
            start = self._process(start)

    def _process(self, start: int) -> int:
        """Run rounds from ``start`` on in one process; where to go on."""
        reading, writing = os.pipe()
        self._shared[:] = struct.pack("q", start)
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._child(start, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            hung = self._listen(pid, pipe)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == 0:
            return self._total
        failed: int = struct.unpack("q", self._shared[:])[0]
        self._note("hang" if hung else "crash", failed, f"status {status}")
        return failed + 1

    def _listen(self, pid: int, pipe: Any) -> bool:
        """Count what the process says until it ends or hangs."""
        seen, since = -1, time.monotonic()
        while True:
            if select.select([pipe], [], [], 0.5)[0]:
                line = pipe.readline()
                if not line:
                    return False
                number, outcome, detail = json.loads(line)
                self.outcomes.update({outcome: 1}) if outcome in ("read", "refused") else self._note(
                    outcome, number, detail
                )
            at = struct.unpack("q", self._shared[:])[0]
            if at != seen:
                seen, since = at, time.monotonic()
            elif time.monotonic() - since > HANG_S:
                os.kill(pid, 9)
                return True

    def _note(self, outcome: str, number: int, detail: str) -> None:
        self.outcomes[outcome] += 1
        self.findings.append({"outcome": outcome, "round": number, "detail": detail})

    def _child(self, start: int, writing: int) -> None:
        bound = _data_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with tempfile.TemporaryDirectory() as folder:
            for number in range(start, self._total):
                self._shared[:] = struct.pack("q", number)
                outcome, detail = _outcome(self._run, Path(folder, "model"), number)
                os.write(writing, (json.dumps([number, outcome, detail]) + "\n").encode())
        os._exit(0)


def _outcome(run: Round, path: Path, number: int) -> tuple[str, str]:
    try:
        run(path, number)
    except InputError:
        return "refused", ""
    except MemoryError:
        return "memory", ""
    except RuleError as error:
        return "rule", str(error)
    except Exception:
        return "undeclared", traceback.format_exc()[-1500:]
    return "read", ""


def _data_bytes() -> int:
    """Private writable memory of this process."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


def main() -> int:
    """Damage, read, keep and print; 1 where an undeclared error, too much memory or a fault of a rule came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=30_000, help="changed bytes, and cuts, of one original")
    parser.add_argument("--documents", type=int, default=5_000, help="damaged JSON documents of one original")
    parser.add_argument(
        "--guided", type=int, default=20_000, help="rounds led by coverage, over all originals"
    )
    parser.add_argument("--resume", action="store_true", help="keep what the last run finished")
    chosen = parser.parse_args()
    kept: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if chosen.resume and RESULT.exists() else {}
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    for original in originals():
        for kind, make in KINDS.items():
            total, run = make(original, chosen.documents if kind == "documents" else chosen.flips)
            _all_rounds(f"{kind} {original.name} {original.digest} {total}", run, total, kept)
    contents = [one.content for one in of_every_era()]
    with tempfile.TemporaryDirectory() as folder:
        name = f"guided {digest(contents)} {chosen.guided}"
        guided = Guided(contents, Path(folder), _judge, name)
        _all_rounds(name, guided.round, chosen.guided, kept, found=lambda: guided.found)
    total_outcomes: Counter[str] = Counter()
    for one in kept.values():
        total_outcomes.update(one["outcomes"])
    print(f"{sum(one['rounds'] for one in kept.values())} rounds: {dict(total_outcomes)}")
    return int(total_outcomes["undeclared"] + total_outcomes["memory"] + total_outcomes["rule"] > 0)


def _all_rounds(
    key: str, run: Round, total: int, kept: dict[str, Any], found: Callable[[], int] | None = None
) -> None:
    """Run them unless that was done, keep and print what came out."""
    if key not in kept:
        started, bounded = time.monotonic(), Bounded(run, total)
        bounded.all()
        kept[key] = {
            "rounds": total,
            "seconds": round(time.monotonic() - started, 1),
            "outcomes": dict(bounded.outcomes),
            "findings": bounded.findings[:100],
        } | ({"files_with_new_lines": found()} if found is not None else {})
        RESULT.write_text(json.dumps(kept, indent=1), "utf-8")
    print(f"{key}: {kept[key]['outcomes']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
