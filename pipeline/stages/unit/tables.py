"""The tables of one unit of input in the work directory, and its texts.

Invariant: a table's name ends in the key of everything it depends on, and of nothing else (`pipeline.store.keys.key`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.contract import TextBatch, Tier
from filters.kernels.buffers import views
from pipeline.plan.recipe import DECIDE_VERSION, Recipe
from pipeline.read.units import Unit, unit_key_parts
from pipeline.store.keys import key
from pipeline.store.store import Store
from pipeline.text import bands, final, normalise, signatures, turns
from pipeline.text.conversations import LAYOUTS


@dataclass(frozen=True)
class Names:
    """Where a unit's tables lie in the work directory. Each name ends in the key of what it depends on."""

    paths: tuple[str, ...]  # of the file that the unit is part of, or of all files of a pack: the beginning of source_ref
    documents: str
    bad: str
    final: str
    signals: tuple[str, ...]  # one per active filter
    verdicts: str
    sign: str | None
    tokens: str | None
    layout: str = ""  # of its conversations; empty where its rows are texts


def names(unit: Unit, recipe: Recipe) -> Names:
    """The names of a unit's tables under this recipe."""
    masked = recipe.masks if unit.file.named_by else ()  # the sources that rows name
    documents = key("documents", unit_key_parts(unit), normalise.VERSION, masked)
    final_key = key("final", documents, final.VERSION, recipe.edits)
    signal_keys: dict[str, str] = {}
    signals = []
    for item in recipe.filters:
        view = documents if item.reads == "source" else final_key
        needed = [signal_keys.get(column, "off") for column in item.filter.needs]
        made = key("signals", view, needed, item.identity)
        signal_keys |= dict.fromkeys(item.filter.signals.names, made)
        signals.append(f"facts/{item.filter.name}/{made}.parquet")
    judged = [[item.filter.name, item.action, item.thresholds.model_dump(mode="json")] for item in recipe.filters]
    models = any(item.filter.tier is Tier.MODEL for item in recipe.filters)
    audit = [recipe.plan.audit_fraction, recipe.plan.seed if recipe.plan.audit_fraction else None] if models else None
    tombstones = () if recipe.tombstones is None else (recipe.tombstones.hash,)
    dedup = recipe.plan.dedup
    sign = tokens = None
    if dedup is not None:
        shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
        sign = (
            f"facts/minhash/{key('minhash', final_key, signatures.VERSION, dedup.ngram, dedup.permutations, shape, dedup.hash)}"
        )
    if recipe.tokenizer is not None:
        tokens = f"facts/tokens/{key('tokens', final_key, recipe.tokenizer)}.parquet"
    return Names(
        paths=tuple(member.file.path for member in unit.members) or (unit.file.path,),
        documents=f"documents/{documents}.parquet",
        bad=f"documents/{documents}.bad.parquet",
        final=f"facts/final/{final_key}.parquet",
        signals=tuple(signals),
        verdicts=f"judgements/filters/{key('verdicts', DECIDE_VERSION, signals, judged, final_key, audit, *tombstones)}.parquet",
        sign=f"{sign}.parquet" if sign else None,
        tokens=tokens,
        layout=unit.file.turns if unit.file.turns in LAYOUTS else "",
    )


def tables_of(where: Names) -> tuple[str, ...]:
    """All tables of a unit."""
    others = (where.sign, where.tokens)
    return (where.documents, where.bad, where.final, where.verdicts, *where.signals, *(name for name in others if name))


def without_text(work: Store, where: Names) -> tuple[np.ndarray, np.ndarray]:
    """`(blank, emptied)`, bool[n]: the unit's documents that had no text but white space when read, and those whose text edits
    took away."""
    finished = work.read_table(where.final, ["text_hash", "edits"])
    blank = pc.equal(finished["text_hash"], pa.scalar(final.EMPTY, pa.binary(16))).to_numpy().astype(bool)
    emptied = np.zeros(len(blank), bool)
    edited = np.flatnonzero(blank & (pc.list_value_length(finished["edits"]).to_numpy() > 0))
    if len(edited):
        source = final.one_chunk(work.take(where.documents, ["text"], edited)["text"])
        emptied[edited] = pc.not_equal(final.text_hashes(source), pa.scalar(final.EMPTY, pa.binary(16)))
    return blank & ~emptied, emptied


def texts_at(work: Store, where: Names, positions: np.ndarray) -> pa.LargeStringArray:
    """Final texts of the documents at these positions (int64, ascending) of a unit."""
    return turns.bare(marked_at(work, where, positions))


def marked_at(work: Store, where: Names, positions: np.ndarray) -> pa.LargeStringArray:
    """The same as dedup has them: those of conversations with the marks of their turns."""
    finished = work.take(where.final, final.columns("text"), positions)
    return final.one_chunk(texts_of(work, where, positions, finished=finished))


def texts_of(work: Store, where: Names, positions: np.ndarray, *, finished: pa.Table) -> pa.ChunkedArray | pa.Array:
    """Final texts, with marks, of the documents at these positions. `finished`: the same rows of `FINAL`, with `columns("text")`.
    Of a document that an edit changed the source text is not read."""
    return final.completed(finished, lambda unedited: work.take(where.documents, ["text"], positions[unedited])["text"])


class UnitText:
    """The texts of a unit, read from the work directory on first use. `marked`: as dedup has them, with the marks of turns;
    filters and tokenizers see the bare ones."""

    def __init__(self, work: Store, where: Names) -> None:
        self._work, self._where = work, where
        self._views: dict[str, TextBatch] = {}
        self._marked: dict[str, pa.LargeStringArray] = {}

    def batch(self, view: str) -> TextBatch:
        """`source` or `final` text of all rows."""
        if view not in self._views:
            self._views[view] = self._load(view)
        return self._views[view]

    def marked(self, view: str) -> pa.LargeStringArray:
        """The same with marks."""
        if view not in self._marked:
            if view == "source":
                self._marked[view] = final.one_chunk(self._work.read_table(self._where.documents, ["text"])["text"])
            else:
                finished = self._work.read_table(self._where.final, final.columns("text"))
                edited = final.edited(finished).any()
                self._marked[view] = final.texts(self.marked("source"), finished) if edited else self.marked("source")
        return self._marked[view]

    def _load(self, view: str) -> TextBatch:
        text = self.marked(view)
        if view == "source":
            return TextBatch(turns.bare(text), urls=self._urls)
        source = self.batch("source")
        return source if text is self.marked("source") else TextBatch(turns.bare(text), source)

    def _urls(self) -> pa.Array:
        return final.one_chunk(self._work.read_table(self._where.documents, ["url"])["url"])

    def longest(self) -> int:
        """Bytes of the longest text that was looked at."""
        return max((int(np.diff(views(text)[0]).max(initial=0)) for text in self._marked.values()), default=0)

    def clear(self) -> None:
        self._views.clear()
        self._marked.clear()

    def put(self, view: str, text: pa.Array) -> None:
        self._marked[view] = text
        self._views.pop(view, None)

    def same(self, view: str, other: str) -> None:
        self._marked[view] = self.marked(other)
