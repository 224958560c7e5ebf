"""Which rows a request takes down: those that it names, those of the same or nearly the same content, and copies of them.

Texts come from data/ and rejected/; source texts (before edits), and texts that rejected/ does not keep, from the work directory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import polars as pl
import pyarrow as pa

from pipeline.output import layouts, tombstones
from pipeline.output.manifest import Manifest
from pipeline.output.tombstones import Parameters, Text, Tombstones
from pipeline.plan.recipe import Recipe
from pipeline.records.rows import LedgerRow, ledger_rows
from pipeline.stages.shards import conversation_columns
from pipeline.stages.unit import generations
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import refs
from pipeline.stages.unit.withhold import REASON, STAGE, excerpt_text, refs_of
from pipeline.store.store import Store
from pipeline.text import final, normalise, turns
from pipeline.text.conversations import LAYOUTS

Row = tuple[int, str]
"""Generation and source_ref: the name of a row."""


@dataclass(frozen=True)
class TakedownRequest:
    """The documents to take down; near duplicates of them go too."""

    keys: tuple[str, ...] = ()
    domain: str | None = None
    like: str | None = None


@dataclass(frozen=True)
class Gone:
    """A row that goes: its line of the ledger, and what is known of its content.

    `role`: asked | survivor (of one that was asked for and whose own text is nowhere any more) | copy.
    """

    line: LedgerRow
    role: str
    text: str | None = None  # as data/ or rejected/ has it
    source_text: str | None = None

    @property
    def row(self) -> Row:
        return self.line["generation"], self.line["source_ref"]


@dataclass(frozen=True)
class Found:
    """`rows`: what goes; `already`: rows asked for that were taken down before; `like`: texts that were given; `unknown`:
    keys that no row has."""

    rows: dict[Row, Gone]
    already: int
    like: tuple[str, ...]
    without_text: tuple[Row, ...] = field(default=())
    unknown: tuple[str, ...] = ()

    def contents(self) -> list[Text]:
        """What tombstones are made of: near for what was asked for, the very content only for copies: chains end there."""
        made = [Text(text, near=True) for text in self.like]
        for gone in self.rows.values():
            if gone.line["verdict"] == "quarantined":
                made.append(Text(gone.text or "", near=False, place=gone.line["source_ref"]))
                continue
            held = {text for text in (gone.text, gone.source_text) if text is not None}
            for text in sorted(held | set(map(turns.without_marks, held))):
                made.append(Text(text, near=gone.role != "copy" and not self.like))
        return made


@dataclass(frozen=True)
class Place:
    """An opened output to look in."""

    out: Store
    work: Store | None
    live: tuple[Manifest, ...]
    recipe: Recipe
    tombstones: Tombstones  # only a key is needed of it
    parameters: Parameters

    @property
    def layouts(self) -> tuple[str, ...]:
        """Of the conversations that the output holds."""
        return layouts.of_output(self.live)

    @property
    def columns(self) -> list[str]:
        """Theirs in its shards."""
        return [name for layout in self.layouts for name in LAYOUTS[layout].columns]


def find_documents(place: Place, asked: TakedownRequest) -> Found:
    """What the request takes down."""
    lines, already, unknown = _named(place, asked)
    like: tuple[str, ...] = ()
    if asked.like is not None:
        source = normalise.normalise(pa.array([asked.like], pa.large_string()))
        finished = final.finish(source, place.recipe.steps)
        like = tuple(dict.fromkeys([final.texts(source, finished)[0].as_py(), source[0].as_py()]))
    rows = {(line["generation"], line["source_ref"]): Gone(line, "asked") for line in lines}
    rows = _with_texts(place, _with_excerpts(place, rows))
    already += sum(gone.text is None for gone in rows.values() if gone.line["verdict"] == "quarantined")
    rows = {name: gone for name, gone in rows.items() if gone.text is not None or gone.line["verdict"] != "quarantined"}
    rows |= {name: Gone(line, "survivor") for name, line in _survivors(place, rows).items() if name not in rows}
    rows = _with_texts(place, rows)
    if like or rows:
        wanted = Found(rows, 0, like).contents()
        known = tombstones.of_tables(place.tombstones.key, [place.tombstones.table(wanted, place.parameters)])
        more = [row for row in _alike(place, known) if row not in rows]
        rows |= {name: Gone(line, "asked" if like else "copy") for name, line in _lines(place, more).items()}
    copies = _lines(place, rows, ("duplicate_generation", "duplicate_ref"))
    rows |= {name: Gone(line, "copy") for name, line in copies.items() if name not in rows}
    rows = _with_texts(place, rows)
    textless = tuple(name for name, gone in rows.items() if gone.text is None and gone.line["verdict"] != "quarantined")
    return Found(rows, already, like, textless, unknown)


def _ledger(place: Place) -> pl.LazyFrame:
    return place.out.scan([r.path for m in place.live for r in m.files if r.path.startswith("ledger/")])


def _named(place: Place, asked: TakedownRequest) -> tuple[list[LedgerRow], int, tuple[str, ...]]:
    """Lines of the ledger of the rows that keys or domain name, how many of them were taken down before, and keys of no row."""
    if asked.keys:
        keys = pl.Series(asked.keys, dtype=pl.String).implode()
        named = pl.col("source_ref").is_in(keys) | pl.col("id").is_in(keys)
        lines = ledger_rows(_ledger(place).filter(named).collect())
        there = [line for line in lines if line["stage"] != STAGE]
        names = {name for line in lines for name in (line["id"], line["source_ref"])}
        return there, len(lines) - len(there), tuple(key for key in dict.fromkeys(asked.keys) if key not in names)
    if asked.domain is not None:
        return list(_lines(place, sorted(_of_domain(place, asked.domain))).values()), 0, ()
    return [], 0, ()


def _lines(place: Place, rows: Collection[Row], names: tuple[str, str] = ("generation", "source_ref")) -> dict[Row, LedgerRow]:
    """Lines of the ledger that name one of `rows` in these columns, and were not taken down."""
    if not rows:
        return {}
    frame = pl.DataFrame(list(rows), schema={names[0]: pl.Int32, names[1]: pl.String}, orient="row")
    found = _ledger(place).join(frame.lazy(), on=names, how="semi")
    lines = ledger_rows(found.filter(pl.col("reason").ne_missing(REASON)).collect())
    return {(line["generation"], line["source_ref"]): line for line in lines}


def _survivors(place: Place, rows: dict[Row, Gone]) -> dict[Row, LedgerRow]:
    """Documents that hold what `rows` without a text held, or nearly that."""
    named = [
        (gone.line["duplicate_generation"], gone.line["duplicate_ref"])
        for gone in rows.values()
        if gone.text is None and gone.line["reason"] in ("exact_duplicate", "near_duplicate")
    ]
    return _lines(place, [(generation, ref) for generation, ref in named if generation is not None and ref is not None])


def in_domain(url: str | None, domain: str) -> bool:
    """Whether a URL's host is the domain or below it. A URL without a scheme is read as a browser's address line."""
    if not url:
        return False
    try:
        host = urlsplit(url if "://" in url else f"//{url.lstrip('/')}").hostname
    except ValueError:
        return False
    name = host_of(domain)
    host = (host or "").rstrip(".")
    return host == name or host.endswith(f".{name}")


def host_of(domain: str) -> str:
    """A domain as hosts are written in URLs."""
    name = domain.strip().lower().strip(".")
    try:
        return name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        return name


def _of_domain(place: Place, domain: str) -> Iterator[Row]:
    for generation, batch in texts(place, ["source_ref", "url"]):
        for ref, url in zip(batch["source_ref"].to_pylist(), batch["url"].to_pylist(), strict=True):
            if in_domain(url, domain):
                yield generation, ref
    for generation, unit, work in units(place):
        table = work.read_table(unit.names.documents, ["row", "url"])
        for ref, url in zip(refs_of(unit.names, table), table["url"].to_pylist(), strict=True):
            if in_domain(url, domain):
                yield generation, ref


def texts(place: Place, columns: list[str]) -> Iterator[tuple[int, pa.Table]]:
    """Columns of data/ and rejected/, a row group at a time, each with its generation."""
    for made in place.live:
        for record in made.files:
            if record.path.startswith(("data/", "rejected/")):
                for table in place.out.batches(record.path, columns):
                    yield made.generation, table


def units(place: Place) -> Iterator[tuple[int, Annotated, Store]]:
    """Units of the live generations whose documents the work directory has, and that."""
    if place.work is None:
        return
    for made in place.live:
        for unit in generations.load_generation(place.work, made) or ():
            if place.work.has(unit.names.documents):
                yield made.generation, unit, place.work


def _alike(place: Place, known: Tombstones) -> Iterator[Row]:
    """Rows whose content, or nearly that, `known` has."""
    for generation, batch in texts(place, ["source_ref", "text", *place.columns]):
        refs = batch["source_ref"].to_pylist()
        for text in _forms(conversation_columns.marked(place.layouts, batch)):
            for at in known.taken(text, final.text_hashes(text), refs).nonzero()[0].tolist():
                yield generation, refs[at]
    if place.recipe.plan.output.rejected == "full":
        return
    for generation, unit, work in units(place):
        table = work.read_table(unit.names.documents, ["row", "text"])
        views = [final.one_chunk(table["text"])]
        if work.has(unit.names.final):
            views.append(final.texts(views[0], work.read_table(unit.names.final, final.columns("text"))))
        refs = refs_of(unit.names, table)
        for text in (form for view in views for form in _forms(view)):
            for at in known.taken(text, final.text_hashes(text), refs).nonzero()[0].tolist():
                yield generation, refs[at]


def _forms(text: pa.LargeStringArray) -> Iterator[pa.LargeStringArray]:
    """The texts with the marks of turns, and where there are some, without."""
    yield text
    if (bare := turns.bare(text)) is not text:
        yield bare


def _held(place: Place, rows: Collection[Row], folders: tuple[str, ...], *, column: str) -> Iterator[tuple[Row, Any]]:
    """A column of those of `rows` that shards of these folders hold."""
    refs = pl.Series(sorted({ref for _, ref in rows}), dtype=pl.String).implode()
    generations_ = {generation for generation, _ in rows}
    for made in (made for made in place.live if made.generation in generations_):
        for record in (record for record in made.files if record.path.startswith(folders)):
            found = place.out.scan([record.path]).filter(pl.col("source_ref").is_in(refs)).select("source_ref", column)
            named = (((made.generation, ref), value) for ref, value in found.collect().iter_rows())
            yield from ((name, value) for name, value in named if name in rows)


def _texts_held(place: Place, rows: Collection[Row]) -> Iterator[tuple[Row, str]]:
    """Of an output of conversations the texts of those of `rows` that shards hold, with marks."""
    for generation, batch in texts(place, ["source_ref", "text", *place.columns]):
        own = [(generation, ref) in rows for ref in batch["source_ref"].to_pylist()]
        if any(own):
            chosen = batch.filter(pa.array(own))
            marked = conversation_columns.marked(place.layouts, chosen).to_pylist()
            yield from (((generation, ref), text) for ref, text in zip(chosen["source_ref"].to_pylist(), marked, strict=True))


def _with_excerpts(place: Place, rows: dict[Row, Gone]) -> dict[Row, Gone]:
    """Quarantined rows with the excerpt that quarantine/ has of them."""
    wanted = {name for name, gone in rows.items() if gone.line["verdict"] == "quarantined"}
    found = _held(place, wanted, ("quarantine/",), column="excerpt")
    return rows | {name: replace(rows[name], text=excerpt_text(value)) for name, value in found if value is not None}


def _with_texts(place: Place, rows: dict[Row, Gone]) -> dict[Row, Gone]:
    """The rows with what is known of their texts."""
    wanted = {name for name, gone in rows.items() if gone.text is None and gone.line["verdict"] != "quarantined"}
    if not wanted:
        return rows
    found = _texts_held(place, wanted) if place.layouts else _held(place, wanted, ("data/", "rejected/"), column="text")
    made = rows | {name: replace(rows[name], text=text) for name, text in found}
    for generation, unit, work in units(place):
        paths = set(unit.names.paths)
        here = {ref for g, ref in wanted if g == generation and ref.rpartition("#")[0] in paths}
        if not here:
            continue
        rows_ = work.read_frame(unit.names.documents, ["row"])["row"]
        named = refs(unit.names, rows_)
        positions = named.is_in(sorted(here)).arg_true().to_numpy()
        if not len(positions):
            continue
        source = work.take(unit.names.documents, ["text"], positions)["text"]
        ended = source
        if work.has(unit.names.final):
            ended = final.texts(source, work.take(unit.names.final, final.columns("text"), positions))
        for ref, before, after in zip(named.gather(positions), source.to_pylist(), ended.to_pylist(), strict=True):
            name = (generation, ref)
            made[name] = replace(made[name], source_text=before, text=after if made[name].text is None else made[name].text)
    return made
