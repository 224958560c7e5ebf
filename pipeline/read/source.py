"""A source of the plan: where its rows lie, and which columns hold text and id."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    ByteSize,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from pipeline.settings import Bytes, PlanModel


class Source(PlanModel):
    """One input, or several that share a name and a priority."""

    paths: tuple[str, ...] = Field(
        description="files, folders, globs, URLs, lists of paths (wet.paths.gz), cc://CRAWL/wet, hf://datasets/ORG/NAME"
    )
    name: str | None = Field(None, description="name of the source; default: the last folder of the wildcard-free part")
    named_by: str | None = Field(
        None,
        alias="from",
        serialization_alias="from",
        description="column that names the source of each row; rows without a short string or an integer in it have `name`",
    )
    priority: int = Field(0, description="the smaller one comes first where duplicates compete")
    text: str = Field("text", min_length=1, description="column that holds the text")
    format: Literal[
        "auto",
        "text",
        "messages",
        "conversations",
        "preference",
        "preference_turns",
        "preference_text",
        "instruction",
        "instruction_response",
        "conversation",
        "completion",
        "completion_turns",
    ] = Field(
        "auto",
        description="what a row is: a text, or a conversation in one of these layouts (docs/conversations.md); auto: a text"
        " where rows have its column, else what their columns say",
    )
    id: str = Field("id", min_length=1, description="column that holds the id; rows without one get a hash of source_ref")
    unit_bytes: Bytes = Field(ByteSize(64_000_000), ge=1_000, description="size of the pieces that an input is split into")
    max_row_bytes: Bytes = Field(
        ByteSize(64_000_000), ge=1_000, description="rows with more text, url, date and metadata together go to quarantine"
    )
    max_bad_fraction: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of unreadable rows of the source, and of a file of 1,000 rows or more, beyond which the run stops",
    )
    on_truncated: Literal["fail", "accept"] = Field(
        "fail", description="a file that ends before it should: stop the run, or curate what there is of it"
    )

    base: str = Field(
        "https://data.commoncrawl.org/",
        min_length=1,
        description="where the lines of lists of paths, and cc://, lie: a URL or a folder, such as a mirror or s3://commoncrawl/",
    )

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=False, validate_by_alias=True)

    @model_validator(mode="after")
    def _columns_differ(self) -> Source:
        if self.named_by is not None and self.named_by in (self.text, self.id):
            raise ValueError(f"from: {self.named_by} is the column of the text or of the id; a source's name has one of its own")
        return self

    @field_validator("paths", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("paths")
    @classmethod
    def _not_empty(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(path.strip() for path in value):
            raise ValueError("an empty path: is a shell variable unset?")
        return value

    @field_validator("name", "named_by", "text", "id")
    @classmethod
    def _is_text(cls, value: str | None) -> str | None:
        if value is not None and (not value or value == "\0" or any("\ud800" <= c <= "\udfff" for c in value)):
            raise ValueError("expected text that UTF-8 can hold")
        return value
