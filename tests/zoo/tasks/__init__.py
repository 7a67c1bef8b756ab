"""Small models over every kind of task, healthy and with planted faults, and the real data that they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.zoo.tasks import images, joined, reconstruction, series, tables, text, values
from tests.zoo.tasks.task_model import TaskModel

TASK_MODELS: Final[Mapping[str, TaskModel]] = {
    model.name: model
    for module in (images, tables, values, series, text, reconstruction, joined)
    for model in module.MODELS
}
"""Name -> model."""
