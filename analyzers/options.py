"""What the sender may say about the model beside the file itself."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, model_validator

TaskName = Literal["auto", "classification", "regression", "reconstruction"]
InputRange = Literal["auto", "0-255", "0-1", "-1-1", "standardized"]


PROOF_GRACE: Final = 0.25
"""Share of the budget by which the proof of a cure may pass it: a cure without a proof is worth little."""


def _split(value: object) -> object:
    """``"LOW,HIGH"``, as a form or a command line gives a range, in two parts."""
    return tuple(value.split(",")) if isinstance(value, str) else value


TargetRange = Annotated[tuple[FiniteFloat, FiniteFloat], BeforeValidator(_split)]
"""Lowest and highest target, also as the text ``LOW,HIGH``."""


class Options(BaseModel):
    """Options of one diagnosis; the same names on the API, the command line and the page.

    Attributes:
        input_range: the scale of the data that the model is fed in real life.
        task: what the model is trained for, where its loss and last layer do not say.
        target_range: lowest and highest target of a model that predicts numbers.
        loss: a Keras loss name that replaces the file's.
        optimizer: a Keras optimizer name that replaces the file's.
        learning_rate: a rate that replaces the file's.
        batch_size: the batch size of the real training.
        probe: ``off`` reads and judges the file without training it.
        budget_s: seconds of training that the plan may use; the proof of a cure may take a quarter more.
        ignore: rule ids whose findings are listed as ignored and not counted.
        seed: seed of every random draw; the same file, options and seed give the same report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_range: InputRange = "auto"
    task: TaskName = "auto"
    target_range: TargetRange | None = None
    loss: str | None = Field(default=None, max_length=100)
    optimizer: str | None = Field(default=None, max_length=100)
    learning_rate: float | None = Field(default=None, gt=0, le=1000, allow_inf_nan=False)
    batch_size: int | None = Field(default=None, ge=1, le=65536)
    probe: Literal["auto", "off"] = "auto"
    budget_s: float = Field(default=120.0, ge=5, le=600, allow_inf_nan=False)
    ignore: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0, lt=2**31)

    @property
    def longest_s(self) -> float:
        """Seconds that training takes at most, the proof of a cure included."""
        return (1 + PROOF_GRACE) * self.budget_s

    @model_validator(mode="after")
    def _has_a_range(self) -> Options:
        if self.target_range is not None and self.target_range[0] >= self.target_range[1]:
            raise ValueError("target_range is LOW,HIGH with LOW under HIGH")
        return self
