"""Whatever a process of the service writes is JSON, a line an event."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.app import server as servers
from tests.app.calls import WAIT_S, send
from tests.app.scripted_zygote import script

LOGGED = """
import logging, threading, warnings
from app.logs import configure
configure()
logging.getLogger("library").warning("%s words", "two")
warnings.warn("look out")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("library").exception("seen")
thread = threading.Thread(target=lambda: {}["thread"])
thread.start()
thread.join()
{}["main"]
"""


def events(text: str) -> list[dict[str, Any]]:
    """The lines of a log, each of which must be a JSON object that tells what and when."""
    found = [json.loads(line) for line in text.splitlines()]
    assert all({"event", "level", "timestamp"} <= event.keys() for event in found)
    return found


def test_what_libraries_log_and_what_nobody_catches_are_lines_like_our_own() -> None:
    ended = subprocess.run([sys.executable, "-c", LOGGED], capture_output=True, text=True, check=False)
    words, warning, seen, thread, last = events(ended.stderr)
    assert (words["event"], words["level"], words["logger"]) == ("two words", "warning", "library")
    assert "look out" in warning["event"]
    for event, error in ((seen, "ZeroDivisionError"), (thread, "'thread'"), (last, "'main'")):
        assert "Traceback" in event["exception"]
        assert error in event["exception"]


def test_a_server_writes_nothing_else_from_start_to_stop(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        server = servers.start(tmp_path / "data", log=log)
        try:
            with server.client() as client:
                assert send(client, script(probe="fault"), wait=WAIT_S).status_code == 500
        finally:
            server.stop()
    told = [event["event"] for event in events((tmp_path / "log").read_text())]
    assert {"fault in a child or zygote", "job ended"} <= set(told)
    assert any("running on" in event for event in told)
    assert any("shut" in event.lower() for event in told)
