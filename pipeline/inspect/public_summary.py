"""The files of `inspect summary --to`: summary.md, summary.json, domains.parquet and croissant.json.

Invariants: what comes from the data (languages, sources, hosts, dates, reasons) is never markup; the same output gives the same
bytes; a blank that a person has to fill is marked `[to fill in: …]`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.inspect import content
from pipeline.inspect.content import band, by_name, table_of
from pipeline.inspect.croissant import croissant
from pipeline.inspect.output import Output
from pipeline.records.summary_json import Counts, Summary
from pipeline.text import numbers
from pipeline.text.markdown import code, table

SHOWN = 20
"""Rows of a table that are in the text."""
SECTIONS = {
    "1.3 Size and modalities": ("languages", "years"),
    "2.1 Publicly available datasets": ("sources",),
    "2.3 Crawled and scraped data": ("domains",),
    "3.2 Illegal content": ("reasons",),
}
"""Tables by the section that they stand in."""


@dataclass(frozen=True)
class Written:
    made: Summary
    files: tuple[str, ...]


def markdown(made: Summary, *, tokens: tuple[float, bool]) -> str:
    """`tokens`: their number, and whether a tokenizer counted them."""
    lines = [
        "# Public summary of training content",
        "",
        f"What Winnow knows of it from an output (manifest {made.manifest}, recipe {code(made.recipe_hash)}), in the order of"
        f" {made.template}. What a program cannot know is marked `[to fill in: …]`. Each figure is the answer to a query, below.",
        "",
    ]
    for section, blanks in made.blanks.items():
        lines += [f"## {section}", "", *_facts(made, section, tokens)]
        lines += [f"- `[to fill in: {blank}]`" for blank in blanks]
        lines += [line for name in SECTIONS.get(section, ()) for line in _table(table_of(made, name))]
        lines.append("")
    return "\n".join([*lines, *_queries(made)])


def _facts(made: Summary, section: str, tokens: tuple[float, bool]) -> Iterator[str]:
    known = {name: one.value for name, one in by_name(made).items()}
    if section.startswith("1.3"):
        number, is_counted = tokens
        yield "- modality: text"
        yield f"- size: {band(number)} ({numbers.short(number)} tokens, {'counted' if is_counted else 'estimated'})"
        yield f"- {numbers.count(_int(known['documents']))} documents, {numbers.size(_int(known['bytes']))}"
        yield f"- dates that documents bear: {_day(known['first date'])} to {_day(known['last date'])}"
        yield f"  ({numbers.count(_int(known['documents with a date']))} documents bear one)"
    if section.startswith("2.3"):
        hosts = table_of(made, "domains")
        total = len(hosts.rows) + hosts.more
        asked = content.top(total)
        addressed = numbers.counted(_int(known["documents with an address"]), "document")
        yield f"- {numbers.counted(total, 'domain')} in the addresses of {addressed}"
        yield f"- the tenth that is largest, {numbers.counted(asked, 'domain')}, is in `domains.parquet`"
        yield f"  (small providers: {numbers.count(min(content.SHOWN, -(-total // 20)))} of them)"
    if section.startswith("3.1"):
        yield f"- rows left out because a site reserves its rights: {numbers.count(_int(known['rows left out for an opt-out']))}"
        yield f"- rows taken down on request: {numbers.count(_int(known['rows taken down']))}"
    if section.startswith("3.2"):
        yield from (f"- {said}" for said in made.measures)


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _day(value: object) -> str:
    return code(value) if isinstance(value, str) else "none"


def _table(counts: Counts) -> Iterator[str]:
    if not counts.rows:
        return
    shown = counts.rows[:SHOWN]
    rows = [(code("null" if row[0] is None else str(row[0])), *(numbers.count(_int(n)) for n in row[1:])) for row in shown]
    yield ""
    yield from table((counts.columns[0], *(f">{name}" for name in counts.columns[1:])), rows)
    if rest := len(counts.rows) + counts.more - len(shown):
        yield ""
        yield f"and {numbers.count(rest)} more: `summary.json`"


def _queries(made: Summary) -> Iterator[str]:
    """As DuckDB runs them over an output in whose folders only live shards lie."""
    yield "## Queries"
    yield ""
    yield "SQL over two tables, as DuckDB and Polars read it; of `OUT` those shards that `manifests/` names:"
    yield ""
    yield "```sql"
    yield "CREATE VIEW data AS SELECT * FROM read_parquet('OUT/data/*.parquet');"
    yield "CREATE VIEW ledger AS SELECT * FROM read_parquet('OUT/ledger/*.parquet');"
    named = [(one.name, one.query) for one in made.figures] + [(one.name, one.query) for one in made.tables]
    yield from (f"{query}; -- {name}" for name, query in named)
    yield "```"
    yield ""


def write(output: Output, to: str, *, name: str) -> Written:
    """Write the files into a folder, in place of those that are there."""
    made, domains = content.summary(output)
    folder = Path(to)
    folder.mkdir(parents=True, exist_ok=True)
    licence = output.newest.plan.get("output", {}).get("licence")
    texts = {
        "summary.md": markdown(made, tokens=tokens(output, made)),
        "summary.json": json.dumps(made.model_dump(mode="json"), indent=1, sort_keys=True) + "\n",
        "croissant.json": croissant(output, name=name, licence=licence if isinstance(licence, str) else None),
    }
    for file, text in texts.items():
        _put(folder / file, text.encode("utf-8", "surrogatepass"))
    sink = io.BytesIO()
    domains.write_parquet(sink)
    _put(folder / "domains.parquet", sink.getvalue())
    return Written(made, tuple(sorted([*texts, "domains.parquet"])))


def _put(path: Path, data: bytes) -> None:
    """Written beside and put in its place, so that a kill leaves the old file or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    new.replace(path)


def tokens(output: Output, made: Summary) -> tuple[float, bool]:
    """The tokens of data/, and whether a tokenizer counted them; else as many bytes a token as the plan says."""
    known = by_name(made)
    if isinstance(counted := known["tokens"].value, int) and not made_without(output):
        return float(counted), True
    each = output.newest.plan.get("compute", {}).get("bytes_per_token", 4.0)
    return _int(known["bytes"].value) / float(each), False


def made_without(output: Output) -> bool:
    """Whether a generation was made without a tokenizer: then not every document's tokens were counted."""
    return any(not one.plan.get("output", {}).get("tokenizer") for one in output.live)
