"""exports.json: what an export holds, of which generations, and how it was mixed.

Written last: an export without it is not finished. It holds no time, host or path of this machine.
"""

from __future__ import annotations

from pipeline.records.base import Number, Record

SCHEMA_VERSION = 1


class ExportedOutput(Record):
    """The output as it was read. `manifest`: number of its newest manifest, be it a take-down's; `live`: the generations."""

    id: str
    manifest: int
    live: tuple[int, ...]
    recipe_hash: str


class ExportedTokenizer(Record):
    """`sha256`: of tokenizer.json; `vocabulary`: ids are below it; `dtype`: of a token in the files, as numpy names it."""

    name: str
    sha256: str
    vocabulary: int
    eos: str
    eos_id: int
    dtype: str


class MixRecipe(Record):
    """A mix as it was asked for, numbers as they were written: weights by group, most epochs by group, and of other groups."""

    by: str
    weights: dict[str, str]
    epochs: dict[str, str]
    other_epochs: str
    budget: int | None


class ExportRecipe(Record):
    """What decides the bytes besides the documents and the tokenizer. `shuffle`: version of the order; `pieces`: in which the
    corpus was shuffled; `validation`: share of the documents."""

    format: str
    seed: int
    shards: int
    sequence: int | None
    validation: str
    shuffle: int
    pieces: int
    mix: MixRecipe


class Contribution(Record):
    """What a group gave to the training split. `documents` and `size`: what there is of it; `target`: what the mix asks for;
    `written`: what whole documents made of that; `epochs`: how often its text was read; `share`: of all that was written."""

    group: str
    weight: int
    documents: int
    size: int
    most: int
    target: int
    written: int
    written_documents: int
    epochs: Number
    share: Number


class ExportedShard(Record):
    """A shard. `path`: what a trainer reads; `documents_path`: its table of documents; `size`: tokens, of JSON Lines bytes."""

    split: str
    path: str
    documents_path: str
    documents: int
    size: int


class ExportedFile(Record):
    """A file of the export."""

    path: str
    bytes: int
    sha256: str


class Exports(Record):
    """The file. `unit`: what sizes count; `left_out`: documents of groups that have no weight; `ended`: end-of-document tokens
    within texts, which the vocabulary merged to."""

    schema_version: int
    output: ExportedOutput
    recipe: ExportRecipe
    tokenizer: ExportedTokenizer | None
    unit: str
    groups: tuple[Contribution, ...]
    left_out: int
    ended: int
    shards: tuple[ExportedShard, ...]
    files: tuple[ExportedFile, ...]
    versions: dict[str, str]
