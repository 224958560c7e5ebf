"""Everything about one unit of input: documents, final text, signals, verdicts, band keys, token counts.

Each result is a table in the work directory under its key; what exists is not computed again, and text is loaded only if
something is missing. Nothing here looks at another unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from filters.contract import TextBatch, Tier
from filters.kernels import buffers
from pipeline.errors import PlanError
from pipeline.machine.meter import Meter
from pipeline.plan import tokenizer
from pipeline.plan.recipe import Recipe, sha256
from pipeline.read.lines import DAMAGE, NOT_TEXT
from pipeline.read.rows import UnitRows
from pipeline.read.units import Unit
from pipeline.records.inputs import NO_DAMAGE, Damage, PackedFile, UnitCard
from pipeline.stages import sampling
from pipeline.stages.unit import signals, verdicts, withhold
from pipeline.stages.unit.refs import refs
from pipeline.stages.unit.tables import Names, UnitText, names, without_text
from pipeline.store.store import Store
from pipeline.text import bands, final, masks, signatures

GROUP_BYTES = 2_000_000
"""Text and metadata of a row group of the documents table: chosen because buffers of this size are reused, and larger ones are
not."""


LONG_TEXT = 8_000_000
"""Bytes of a text after which memory is given back; chosen because that costs a few milliseconds, less than the text did."""


@dataclass(frozen=True)
class Annotated:
    """A finished unit: small, and all that crosses a task's border."""

    path: str
    first_row: int
    priority: int
    names: Names
    rows: int
    bad_rows: int
    n_bytes: int  # read, documents and quarantined rows together
    kept: int  # rows that the filters kept
    costs: tuple[tuple[str, float], ...]  # stage, CPU seconds
    damage: Damage = NO_DAMAGE
    passed: tuple[tuple[str, int], ...] = ()  # records that are no rows, by type
    replaced: tuple[tuple[str, str, int], ...] = ()  # column, kind, values for which something else stands
    files: tuple[PackedFile, ...] = ()  # of a pack: what each of its files has

    def by_file(self) -> Iterator[tuple[str, PackedFile]]:
        """Path, and what the unit has of each of its files."""
        whole = PackedFile(rows=self.rows, bad_rows=self.bad_rows, n_bytes=self.n_bytes, damage=self.damage)
        yield from zip(self.names.paths, self.files or (whole,), strict=True)


def annotate(work: Store, recipe: Recipe, unit: Unit, *, rows: Callable[[], Any], meter: Meter) -> Annotated:
    """Make what is missing of a unit. `rows()` reads it (`UnitRows`) and is called only if its documents are missing."""
    where = names(unit, recipe)
    text = UnitText(work, where)
    finished = None
    if not (work.has(where.documents) and work.has(where.bad)):
        with meter.measure("read"):
            read = _masked(rows(), recipe) if unit.file.named_by else rows()
            if not work.has(where.bad):
                work.write_table(
                    where.bad, withhold.without_excerpts(recipe.tombstones, read.bad, withhold.refs_of(where, read.bad))
                )
            documents, card = read.documents, _card(read)
            if recipe.tombstones is not None:
                finished = _finished(recipe, documents)
                if gone := withhold.taken(recipe.tombstones, where, documents, finished=finished):
                    card = card.model_copy(update={"taken": tuple(gone)})
                    documents = withhold.blanked(documents, gone)
                    finished = _finished(recipe, documents)
            write_documents(work, where.documents, documents, card=card)
            text.put("source", final.one_chunk(documents["text"]))
            del read, documents  # metadata may be larger than the texts
    if not work.has(where.final):
        with meter.measure("edit"):
            _finish(work, recipe, where, text=text, finished=finished)
    card = UnitCard.model_validate(json.loads(work.metadata(where.documents)["unit"]))
    kept = _verdicts(work, recipe, where, text=text, card=card, meter=meter)
    if where.sign is not None and recipe.plan.dedup is not None:
        _sign(work, recipe, where, text=text, kept=kept, meter=meter)
    if where.tokens is not None and not work.has(where.tokens):
        with meter.measure("tokens"):
            work.write_table(where.tokens, _count_tokens(text.batch("final"), recipe))
    _release(text)
    return Annotated(
        path=unit.file.path,
        first_row=unit.first_row,
        priority=unit.file.priority,
        names=where,
        rows=card.rows,
        bad_rows=card.bad_rows,
        n_bytes=card.n_bytes,
        kept=int(kept.sum()),
        costs=tuple(meter.seconds.items()),
        damage=card.damage,
        passed=card.passed,
        replaced=card.replaced,
        files=card.files,
    )


def _masked(read: UnitRows, recipe: Recipe) -> UnitRows:
    """The rows with masks applied to the names of their sources: few names, and many tables that hold them."""
    documents, bad = (masks.masked_names(table, "source", recipe.steps) for table in (read.documents, read.bad))
    return replace(read, documents=documents, bad=bad)


def write_documents(work: Store, name: str, documents: pa.Table, *, card: UnitCard) -> None:
    """Write the documents table of a unit, with its card, under this name."""
    work.write_table(name, documents, metadata={"unit": card.encoded()}, groups=_groups(documents, "text", "metadata"))


def _groups(table: pa.Table, *columns: str) -> list[int]:
    """Rows of its row groups, so that these columns have GROUP_BYTES in each, or one row has more."""
    sizes = sum(pc.fill_null(pc.binary_length(table[name]), 0).to_numpy() for name in columns)
    ends = np.append(0, np.cumsum(sizes, dtype=np.int64))
    return [stop - first for first, stop in buffers.slices(ends, GROUP_BYTES)]


def _finished(recipe: Recipe, documents: pa.Table) -> pa.Table:
    beside = documents.select(list(final.BESIDE)) if recipe.steps else None
    return final.finish(final.one_chunk(documents["text"]), recipe.steps, beside)


def _finish(work: Store, recipe: Recipe, where: Names, *, text: UnitText, finished: pa.Table | None) -> None:
    """The final texts, unless they are made already. Other edits may show that a row was taken down: then its text goes first."""
    texts: pa.LargeStringArray | None = None
    if finished is not None:
        pass
    elif recipe.tombstones is None:
        beside = work.read_table(where.documents, list(final.BESIDE)) if recipe.steps else None
        finished, texts = final.applied(text.marked("source"), recipe.steps, beside)
    else:
        documents = work.read_table(where.documents)
        card = UnitCard.model_validate(json.loads(work.metadata(where.documents)["unit"]))
        finished = _finished(recipe, documents)
        more = withhold.taken(recipe.tombstones, where, documents, finished=finished)
        if more:
            card = card.model_copy(update={"taken": tuple(sorted({*card.taken, *more}))})
            documents = withhold.blanked(documents, more)
            write_documents(work, where.documents, documents, card=card)
            finished = _finished(recipe, documents)
            text.put("source", final.one_chunk(documents["text"]))
    work.write_table(where.final, finished, groups=_groups(finished, *final.columns("text", "metadata")))
    if final.edited(finished).any():
        text.put("final", final.texts(text.marked("source"), finished) if texts is None else texts)
    else:
        text.same("final", "source")


def _release(text: UnitText) -> None:
    """Give back what a long document left in Arrow's pool: several times its size, and the next one is long in coming."""
    if text.longest() > LONG_TEXT:
        text.clear()
        pa.default_memory_pool().release_unused()


def _card(read: UnitRows) -> UnitCard:
    n_bytes = (pc.sum(read.documents["n_bytes_read"]).as_py() or 0) + (pc.sum(read.bad["n_bytes_read"]).as_py() or 0)
    return UnitCard(
        rows=read.documents.num_rows,
        bad_rows=read.bad.num_rows,
        n_bytes=n_bytes,
        damage=NO_DAMAGE if read.files else _damage(read.bad),
        passed=read.passed,
        replaced=read.replaced,
        files=tuple(_files(read)),
    )


def _files(read: UnitRows) -> Iterator[PackedFile]:
    """What each file of a pack has, with its damage."""
    start = 0
    for file in read.files:
        yield file.model_copy(update={"damage": _damage(read.bad.slice(start, file.bad_rows))})
        start += file.bad_rows


def _damage(bad: pa.Table) -> Damage:
    if not bad.num_rows:
        return NO_DAMAGE
    rows = (pl.col("lost_rows") - 1).sum()
    share, cut = pl.col("lost_share").sum().clip(0, 1), pl.col("cut")
    found = pl.DataFrame(pl.from_arrow(bad.select(["cause", "lost_rows", "lost_share", "cut"])))
    behind, within = found.filter(cut), found.filter(~cut)
    return Damage(
        sound=found["cause"].str.starts_with(NOT_TEXT).sum(),
        listed=found["cause"].is_in(DAMAGE).sum(),
        rows=within.select(rows).item(),
        share=within.select(share).item(),
        cut=len(behind) > 0,
        cut_rows=behind.select(rows).item(),
        cut_share=behind.select(share).item(),
    )


def _verdicts(work: Store, recipe: Recipe, where: Names, *, text: UnitText, card: UnitCard, meter: Meter) -> np.ndarray:
    """Which rows the filters keep; signals and verdicts are made where they are missing."""
    n = card.rows
    if not (work.has(where.verdicts) and all(map(work.has, where.signals))):
        columns = signals.cheap(work, recipe, where, text=text, meter=meter)
        with meter.measure("decide"):
            blank, emptied = without_text(work, where)
            empty = pl.Series("empty", blank | emptied)
            cheap = verdicts.failures(recipe, Tier.CHEAP, _frame(columns))
            failed = {Tier.CHEAP: verdicts.of_source(recipe, cheap, emptied)}
            scored = {Tier.CHEAP: pl.Series(~blank)}
        if any(item.filter.tier is Tier.MODEL for item in recipe.filters):
            scored[Tier.MODEL] = ~empty & (~verdicts.fails(failed[Tier.CHEAP], n) | _audited(work, recipe, where, n=n))
            rows = np.flatnonzero(scored[Tier.MODEL].to_numpy())
            made = signals.model(work, recipe, where, text=text, columns=columns, rows=rows, meter=meter, n=n)
            with meter.measure("decide"):
                seen = {name: column.take(pa.array(rows)) for name, column in columns.items()} | made
                failed[Tier.MODEL] = verdicts.spread(verdicts.failures(recipe, Tier.MODEL, _frame(seen)), rows, n)
        with meter.measure("decide"):
            judged = verdicts.verdicts(failed, scored, blank=blank, emptied=emptied)
            work.write_table(where.verdicts, verdicts.taken_down(judged, card.taken))
    reasons = work.read_table(where.verdicts, ["reason"])["reason"]
    return reasons.is_null().to_numpy()


def _frame(columns: dict[str, pa.Array]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.from_arrow(column) for name, column in columns.items()})


def _audited(work: Store, recipe: Recipe, where: Names, *, n: int) -> pl.Series:
    """The share `audit_fraction` of the rows, chosen by a hash of their source_ref: the model tier scores them regardless."""
    if not recipe.plan.audit_fraction:
        return pl.Series(np.zeros(n, dtype=bool))
    rows = refs(where, work.read_frame(where.documents, ["row"])["row"])
    return pl.Series(sampling.chosen(rows, share=recipe.plan.audit_fraction, seed=recipe.plan.seed, purpose="audit"))


def _sign(work: Store, recipe: Recipe, where: Names, *, text: UnitText, kept: np.ndarray, meter: Meter) -> None:
    """Band keys of the kept rows: a fact that covers a set of rows, which grows when a threshold is loosened."""
    dedup = recipe.plan.dedup
    name = where.sign or ""
    covered = np.zeros(len(kept), dtype=bool)
    stored = work.has(name)
    if stored:
        covered[work.read_table(name, ["position"])["position"].to_numpy()] = True
    missing = np.flatnonzero(kept & ~covered)
    if stored and not len(missing):
        return
    have = work.read_table(name) if stored else None
    with meter.measure("sign"):
        shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
        chosen = text.marked("final").take(pa.array(missing)) if len(missing) < len(kept) else text.marked("final")
        made = signatures.annotate(
            chosen, ngram=dedup.ngram, permutations=dedup.permutations, bands=shape[0], rows=shape[1], hash_=dedup.hash
        )
        table = pa.Table.from_batches([made]).add_column(0, "position", pa.array(missing, pa.int64()))
        if have is not None:
            table = pa.concat_tables([have, table]).sort_by("position")
        work.write_table(name, table)


def _count_tokens(batch: TextBatch, recipe: Recipe) -> pa.Table:
    made = _tokenizer(str(recipe.plan.output.tokenizer), str(recipe.tokenizer))
    counts: list[int] = []
    for start in range(0, len(batch), 256):
        encoded = made.encode_batch_fast(batch.text.slice(start, 256).to_pylist(), add_special_tokens=False)
        counts += [len(item) for item in encoded]
    return pa.table({"token_count": pa.array(counts, pa.int64())})


@lru_cache(maxsize=2)
def _tokenizer(name: str, digest: str) -> Any:
    from tokenizers import Tokenizer

    path = tokenizer.find(name)
    if sha256(path) != digest:  # a branch of the Hub moved on, or a file changed
        raise PlanError(f"output.tokenizer: {name} is another file now than when the run began; run the same command again")
    made = Tokenizer.from_file(str(path))
    made.no_truncation()
    made.no_padding()
    return made
