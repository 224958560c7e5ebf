"""The plan's keys for scores computed elsewhere (`annotations`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.settings import PlanModel

Type = Literal["float32", "float64", "int32", "int64", "bool", "string"]


class Annotation(PlanModel):
    """One file of scores."""

    path: str = Field(min_length=1, description="Parquet file of scores computed elsewhere")
    on: tuple[Literal["source", "id", "source_ref", "url"], ...] = Field(
        ("source", "id"), min_length=1, description="columns to join on: source, id, source_ref, url"
    )
    columns: dict[str, Type] = Field(min_length=1, description="column name: type (float32, float64, int32, int64, bool, string)")
    min: dict[str, float] = Field({}, description="column name: smallest value; a document without one passes")
    max: dict[str, float] = Field({}, description="column name: largest value; a document without one passes")

    @model_validator(mode="after")
    def _limits_fit(self) -> Annotation:
        for key, limits in (("min", self.min), ("max", self.max)):
            for name in limits:
                if self.columns.get(name, "string") in ("string", "bool"):
                    raise ValueError(f"{key}: {name} is not a column of numbers of this entry")
        taken = set(self.columns) & {*self.on, "row", "text", "n_bytes", "n_bytes_read", "date", "url", "metadata", "generation"}
        if taken:
            raise ValueError(f"columns: {', '.join(sorted(taken))} is a column of the documents; rename it")
        return self
