"""The reading zygote: its children open uploads.  Neither TensorFlow nor Keras, no accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzers import engine
from analyzers.diagnosis import static  # noqa: F401 - what no fork must import again
from analyzers.options import Options
from app.worker.messages import ReadMessage, ReportMessage, Sender
from app.worker.relay import relay
from app.worker.zygote import serve


def read(arguments: Mapping[str, Any], sender: Sender) -> None:
    """Read an upload into a specification folder for the probe child."""
    engine.read(
        Path(arguments["model"]), Path(arguments["directory"]), copy_weights=True, progress=relay(sender)
    )
    sender.send(ReadMessage())


def read_and_judge(arguments: Mapping[str, Any], sender: Sender) -> None:
    """Read an upload and judge it by the static rules, copying no weights."""
    report = engine.read_and_judge(
        Path(arguments["model"]),
        Options.model_validate(arguments["options"]),
        report_id=arguments["id"],
        progress=relay(sender),
    )
    sender.send(ReportMessage(report=report))


if __name__ == "__main__":
    serve({"read": read, "read_and_judge": read_and_judge})
