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

    def __hash__(self) -> int:
        return hash(self.model_dump_json())  # some have fields that are mappings


Bytes = Annotated[ByteSize, PlainSerializer(int, return_type=int)]
