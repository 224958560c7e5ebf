"""Whether a text holds an item of an evaluation set: how much of the item, of which set, and where.

Runs of words are compared (`filters/kernels/items/passages.py` says how): what is quoted, also with a word in ten changed or
with options in another order, is found; what is said in other words, or in another language, is not (arXiv 2602.12413). A
passage that a question is about, such as a page of an encyclopedia, is no item.

Invariant: the signals depend on the text and on the files of the sets; each text is looked at by itself.
"""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.evaluations import index
from filters.evaluations.index import Index, Sets
from filters.kernels.items import scan
from filters.kernels.items.passages import LEAST


class Params(Sets):
    reads: Literal["source", "final"] = Field(
        "final", description="text that is looked at: final (after edits), or source (evidence then names what the edit cuts)"
    )


class Thresholds(Settings):
    max_coverage: float = Field(
        0.5, ge=LEAST, le=1, description="share of an evaluation item, by the rarity of its words, that a text may not hold"
    )


SIGNALS = pa.schema(
    [
        pa.field("contamination", pa.float32(), nullable=False),
        pa.field("contamination_set", pa.string()),
        pa.field("contamination_item", pa.string()),
        pa.field("contamination_start", pa.int64()),
        pa.field("contamination_end", pa.int64()),
    ]
)


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: Index) -> pa.RecordBatch:
    """Of the item that the text covers best: coverage (0: less than LEAST of any), set, item, and the characters of the text at
    which the passage begins and ends."""
    offsets, data = batch.buffers
    found = scan.find(offsets, data, loaded.items, loaded.seeds)
    named: list[tuple[str | None, str | None, int | None, int | None]] = [(None, None, None, None)] * len(batch)
    for row in found.coverage.nonzero()[0].tolist():
        text = data[offsets[row] : offsets[row] + found.last[row]].tobytes()
        begin = len(text[: found.first[row]].decode())
        named[row] = (*loaded.named(int(found.item[row])), begin, begin + len(text[found.first[row] :].decode()))
    columns = zip(*named, strict=True) if named else ((), (), (), ())
    told = [pa.array(column, field.type) for column, field in zip(columns, list(SIGNALS)[1:], strict=True)]
    return pa.RecordBatch.from_arrays([pa.array(found.coverage), *told], schema=SIGNALS)


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    limit = thresholds.max_coverage
    return [Rule(reason="evaluation_item", signal="contamination", fails=">", limit=limit, keys=("max_coverage",))]


FILTER = Filter(
    name="decontaminate",
    version=2,
    tier=Tier.CHEAP,
    reads="final",
    params=Params,
    signals=SIGNALS,
    evidence=tuple(SIGNALS.names),
    thresholds=Thresholds,
    files=index.files,
    load=index.load,
    annotate=annotate,
    rules=rules,
)
