"""Progress of the engine as messages to the supervisor."""

from __future__ import annotations

import math

from analyzers.progress import Progress, ProgressCallback
from app.worker.messages import ProgressMessage, Sender


def relay(sender: Sender) -> ProgressCallback:
    """A callback that sends what it is called with."""

    def send(progress: Progress) -> None:
        loss = progress.loss
        sender.send(
            ProgressMessage(
                stage=progress.stage,
                fraction=min(1.0, max(0.0, progress.fraction)),
                message=progress.message[:500],
                step=progress.step,
                loss=loss if loss is not None and math.isfinite(loss) else None,
            )
        )

    return send
