"""The probe zygote: its children build and train what the reading child wrote; they see no upload.

It imports TensorFlow and Keras once, runs no operation and touches no device, so a fork of it starts
at once and clean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzers import engine
from analyzers.diagnosis import pipeline  # noqa: F401 - TensorFlow and Keras, which no fork must import again
from analyzers.options import Options
from app.worker.messages import ReportMessage, Sender
from app.worker.relay import relay
from app.worker.zygote import serve


def examine(arguments: Mapping[str, Any], sender: Sender) -> None:
    """Diagnose a specification folder; write the repaired model where it was asked for."""
    report = engine.examine(
        Path(arguments["directory"]),
        Options.model_validate(arguments["options"]),
        report_id=arguments["id"],
        progress=relay(sender),
        repaired=Path(arguments["repaired"]),
        memory_bytes=arguments["memory_bytes"],
    )
    sender.send(ReportMessage(report=report))


if __name__ == "__main__":
    serve({"examine": examine})
