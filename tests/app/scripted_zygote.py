"""Children of both kinds that do what the "model file" says: for tests of everything around them."""

from __future__ import annotations

import json
import mmap
import os
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from analyzers.errors import InputError
from analyzers.progress import Stage
from app.worker.messages import ProgressMessage, ReadMessage, ReportMessage, Sender
from app.worker.zygote import serve
from tests.reports import factory

MAGIC = b"\x89HDF\r\n\x1a\n"
_GO = "go"


def script(**steps: Any) -> bytes:
    """A file whose reading and probe children act as told: ok, fill (a repaired model of 14 MB), hang,
    held (the probe child, when it has said all, until it is released), hang_while_new (while the file is not dated 1970), spin (natively, with the GIL), crash, kill, greedy
    (for memory), hog (for memory that the kernel does not count), unusable, fault."""
    return MAGIC + json.dumps(steps).encode()


def release(data: Path) -> None:
    """Let every child that is held in a service with this data folder send its report."""
    for folder in (data / "scratch").glob("*/*/spec"):
        (folder / _GO).touch()


def _act(deed: str, marker: str, sender: Sender) -> None:
    if deed == "hang":
        sender.send(ProgressMessage(stage="probing", fraction=0.5, message=marker, step=1))
        time.sleep(600)
    elif deed == "spin":
        re.match(r"(a+)+$", "a" * 60 + "b")
    elif deed == "greedy":
        bytearray(2**40)
    elif deed == "hog":
        mmap.mmap(-1, 11 * 2**27, flags=mmap.MAP_SHARED | mmap.MAP_POPULATE)
        time.sleep(600)
    elif deed == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif deed == "unusable":
        raise InputError("no-layers", "seen by a test")
    elif deed == "fault":
        raise RuntimeError("a mistake of ours")


def read(arguments: Mapping[str, Any], sender: Sender) -> None:
    steps = json.loads(Path(arguments["model"]).read_bytes()[len(MAGIC) :])
    _act(steps.get("reading", "ok"), "reading", sender)
    if steps.get("probe") == "hang_while_new":
        steps["probe"] = "hang" if Path(arguments["model"]).stat().st_mtime > 0 else "ok"
    Path(arguments["directory"], "script").write_text(json.dumps(steps))
    sender.send(ReadMessage())


def _progress(sender: Sender) -> None:
    """Go through every stage: the first event of each is stored, however late it is heard."""
    stages = get_args(Stage)
    for number, stage in enumerate(stages):
        fraction = number / len(stages)
        sender.send(ProgressMessage(stage=stage, fraction=fraction, message="step", step=number, loss=1.0))


def _report(identity: str, sender: Sender) -> None:
    sender.send(ReportMessage(report=factory.report().model_copy(update={"id": identity})))


def read_and_judge(arguments: Mapping[str, Any], sender: Sender) -> None:
    steps = json.loads(Path(arguments["model"]).read_bytes()[len(MAGIC) :])
    _act(steps.get("reading", "ok"), "judging", sender)
    _progress(sender)
    _report(arguments["id"], sender)


def examine(arguments: Mapping[str, Any], sender: Sender) -> None:
    steps = json.loads(Path(arguments["directory"], "script").read_text())
    _act(steps.get("probe", "ok"), "probe", sender)
    content = bytes(14_000_000) if steps.get("probe") == "fill" else b"repaired"
    Path(arguments["repaired"]).write_bytes(content)
    _progress(sender)
    while steps.get("probe") == "held" and not Path(arguments["directory"], _GO).exists():
        time.sleep(0.05)
    _report(arguments["id"], sender)


if __name__ == "__main__":
    serve({"read": read, "read_and_judge": read_and_judge, "examine": examine})
