"""The schemas of every table that Winnow writes: the contract that training jobs and scripts rely on.

`DATA`, `REJECTED`, `LEDGER` and `QUARANTINE` are what users read (names follow FineWeb's where it has one); none holds a
time, host, run id or random value. `DOCUMENT`, `FINAL` and `BAD_ROW` are work tables, one file a unit.
In memory text is `large_string`; on disk `string`, so that shards concatenate with other corpora.
"""

import pyarrow as pa

VERSION = 1
"""Version of all schemas below; the manifest records it."""


def _field(name: str, type_: pa.DataType, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable)


DOCUMENT = pa.schema(
    [
        _field("row", pa.int64()),  # 1-based, blank lines counted; source_ref = <path of the unit's file>#<row>
        _field("id", pa.string()),
        _field("source", pa.string()),
        _field("url", pa.string(), nullable=True),
        _field("date", pa.string(), nullable=True),
        _field("text", pa.large_string()),  # source text: after normalise, before edits; may be empty
        _field("n_bytes_read", pa.int64()),  # UTF-8 bytes of the text as decoded, before normalise
        _field("metadata", pa.large_string()),  # JSON object of the input's other columns, keys sorted
    ]
)

BAD_ROW = pa.schema(
    [
        _field("row", pa.int64()),
        _field("id", pa.string()),
        _field("source", pa.string()),
        _field("cause", pa.string()),
        _field("detail", pa.string()),
        _field("n_bytes_read", pa.int64()),  # bytes of the raw record
        _field("excerpt", pa.binary(), nullable=True),  # at most 512 bytes
        _field("lost_rows", pa.int64()),  # rows that it stands for, itself among them
        _field("lost_share", pa.float64()),  # besides rows, the share of the file's bytes that it stands for, as far as is known
        _field("cut", pa.bool_()),  # the file ends before it should, and nobody knows how much is missing
    ]
)

FINAL = pa.schema(
    [
        _field("final_text", pa.large_string(), nullable=True),  # null where no edit changed the text
        _field("edits", pa.list_(pa.string())),  # names of the edits that changed it, in the order applied
        _field("text_hash", pa.binary(16)),  # BLAKE2b-128 of the final text, ends stripped, \s+ folded to one space
        _field("n_bytes", pa.int64()),  # UTF-8 bytes of the final text
        _field("final_url", pa.large_string(), nullable=True),  # masked; null where no mask changed it
        _field("final_date", pa.large_string(), nullable=True),
        _field("final_metadata", pa.large_string(), nullable=True),
    ]
)

_DATA_FIELDS = [
    _field("id", pa.string()),
    _field("text", pa.string()),
    _field("url", pa.string(), nullable=True),
    _field("date", pa.string(), nullable=True),
    _field("source", pa.string()),
    _field("source_ref", pa.string()),
    _field("language", pa.string(), nullable=True),
    _field("language_script", pa.string(), nullable=True),
    _field("language_score", pa.float32(), nullable=True),
    _field("quality_score", pa.float32(), nullable=True),
    _field("toxicity_score", pa.float32(), nullable=True),
    _field("n_bytes", pa.int64()),
    _field("token_count", pa.int64(), nullable=True),
    _field("minhash_cluster_size", pa.int32()),
    _field("metadata", pa.string()),
]

DATA = pa.schema(_DATA_FIELDS)
SOURCE_COUNT = pa.field("source_count", pa.int32(), nullable=False)
"""Behind the columns of data/ where the plan asks for it (`dedup.source_count`)."""
SCORES = ("language", "language_script", "language_score", "quality_score", "toxicity_score")
"""Columns of data/ that filters give; null where no filter of the plan does."""

REJECTED = pa.schema(
    [
        *_DATA_FIELDS,
        _field("stage", pa.string()),
        _field("reason", pa.string()),
        _field("failed", pa.list_(pa.string())),
        _field("duplicate_of", pa.string(), nullable=True),
        _field("duplicate_ref", pa.string(), nullable=True),
        _field("similarity", pa.float64(), nullable=True),
    ]
)

LEDGER = pa.schema(
    [
        _field("generation", pa.int32()),
        _field("id", pa.string()),
        _field("source", pa.string()),
        _field("source_ref", pa.string()),
        _field("verdict", pa.string()),  # kept | dropped | quarantined
        _field("stage", pa.string(), nullable=True),
        _field("reason", pa.string(), nullable=True),
        _field("failed", pa.list_(pa.string())),
        _field("duplicate_of", pa.string(), nullable=True),
        _field("duplicate_ref", pa.string(), nullable=True),
        _field("duplicate_generation", pa.int32(), nullable=True),
        _field("similarity", pa.float64(), nullable=True),
        _field("edits", pa.list_(pa.string())),
        _field("n_bytes_read", pa.int64()),
        _field("n_bytes", pa.int64(), nullable=True),
        _field("token_count", pa.int64(), nullable=True),
    ]
)

QUARANTINE = pa.schema(
    [
        _field("generation", pa.int32()),
        _field("id", pa.string()),
        _field("source", pa.string()),
        _field("source_ref", pa.string()),
        _field("cause", pa.string()),
        _field("detail", pa.string()),
        _field("n_bytes_read", pa.int64()),
        _field("excerpt", pa.binary(), nullable=True),
    ]
)

SIGNALS_KEY = pa.schema([LEDGER.field(name) for name in ("generation", "id", "source", "source_ref")])
"""First columns of signals/, whose others are those of the plan's filters. Its rows are the ledger's, shard by shard."""

OUTPUTS = {"data": DATA, "rejected": REJECTED, "ledger": LEDGER, "quarantine": QUARANTINE}
"""Folder in the output → schema of its shards."""

EXCERPT_BYTES = 512
"""Most that quarantine/ keeps of a raw record (they may hold anything, so: little)."""


FATES = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),  # of the document in its unit
        pa.field("reason", pa.string()),  # exact_duplicate | duplicate_url | near_duplicate | null where dedup kept it
        pa.field("duplicate_of", pa.string()),
        pa.field("duplicate_ref", pa.string()),
        pa.field("duplicate_generation", pa.int32()),
        pa.field("similarity", pa.float64()),
        pa.field("cluster_size", pa.int32(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),  # in the dedup index; -1 where dedup dropped it
        pa.field("source_count", pa.int32()),  # null where the plan does not ask for it, or dedup dropped it
    ]
)
"""What dedup decided of a unit: one line for each document that the filters kept."""
