"""How a section of a plan is validated: frozen, unknown keys refused, bytes written as sizes."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    ByteSize,
    ConfigDict,
    PlainSerializer,
)

from filters.contract import Settings


class PlanModel(Settings):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


Bytes = Annotated[ByteSize, PlainSerializer(int, return_type=int)]
