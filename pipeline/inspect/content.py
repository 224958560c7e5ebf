"""What went into an output, counted for a public summary of training content: each figure by a query that anybody can run.

Queries are SQL over two tables, `data` and `ledger`: the live shards of these folders. They are what is executed here, so that a
figure and its query cannot part. Source of the fields: the template for the public summary of training content under Article
53(1)(d) of Regulation (EU) 2024/1689, C(2025) 8311 of 5 December 2025.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.inspect.output import Output
from pipeline.output import manifest
from pipeline.records.summary_json import SCHEMA_VERSION, Counts, Figure, Summary

TEMPLATE = "Regulation (EU) 2024/1689, Article 53(1)(d); template C(2025) 8311"
SHOWN = 1_000
"""Rows of a table in summary.json: the number of domains that the template asks small providers for at most."""
AUTHORITY = "SPLIT_PART(SPLIT_PART(SPLIT_PART(SPLIT_PART(url, '://', 2), '/', 1), '?', 1), '#', 1)"
HOST = f"LOWER(SPLIT_PART(SPLIT_PART({AUTHORITY}, '@', -1), ':', 1))"
"""Without user and password, which are nobody's business, and port."""
DAY = "date LIKE '____-__-__%' AND date >= '1990' AND date < '2100'"
FIGURES = {
    "documents": "SELECT COUNT(*) FROM data",
    "bytes": "SELECT SUM(n_bytes) FROM data",
    "tokens": "SELECT SUM(token_count) FROM data",
    "rows read": "SELECT COUNT(*) FROM ledger",
    "rows dropped": "SELECT COUNT(*) FROM ledger WHERE verdict = 'dropped'",
    "rows taken down": "SELECT COUNT(*) FROM ledger WHERE reason = 'taken_down'",
    "rows left out for an opt-out": "SELECT COUNT(*) FROM ledger WHERE reason LIKE 'robots.%'",
    "documents with an address": "SELECT COUNT(*) FROM data WHERE url LIKE '%://_%'",
    "documents with a date": f"SELECT COUNT(*) FROM data WHERE {DAY}",
    "first date": f"SELECT MIN(SUBSTR(date, 1, 10)) FROM data WHERE {DAY}",
    "last date": f"SELECT MAX(SUBSTR(date, 1, 10)) FROM data WHERE {DAY}",
}
TABLES = {
    "languages": "SELECT language, COUNT(*) AS documents, SUM(n_bytes) AS bytes FROM data GROUP BY language"
    " ORDER BY bytes DESC, language",
    "sources": "SELECT source, COUNT(*) AS documents, SUM(n_bytes) AS bytes FROM data GROUP BY source"
    " ORDER BY bytes DESC, source",
    "years": f"SELECT SUBSTR(date, 1, 4) AS year, COUNT(*) AS documents, SUM(n_bytes) AS bytes FROM data WHERE {DAY}"
    " GROUP BY year ORDER BY year",
    "reasons": "SELECT reason, COUNT(*) AS rows FROM ledger WHERE verdict = 'dropped' GROUP BY reason ORDER BY rows DESC, reason",
    "domains": f"SELECT host, COUNT(*) AS documents, SUM(n_bytes) AS bytes FROM (SELECT {HOST} AS host, n_bytes FROM data"
    ") AS hosts WHERE host <> '' GROUP BY host ORDER BY bytes DESC, host",
}
_PROVIDER = ("name and contact of the provider", "its authorised representative in the Union")
_MODEL = (
    "names and versions of the models trained on it",
    "date on which they are placed on the market",
    "models they derive from",
)
_CRAWLER = (
    "names of the crawlers, and who runs them",
    "when they collected, and how they behave (robots.txt, captchas, paywalls)",
    "kinds of sites and of content",
)
BLANKS: dict[str, tuple[str, ...]] = {
    "1.1 Provider": _PROVIDER,
    "1.2 Model": _MODEL,
    "1.3 Size and modalities": ("latest month in which data was acquired", "further training data that is not in this output"),
    "2.1 Publicly available datasets": ("which of these sources are such datasets, their names, versions and links",),
    "2.2 Private datasets of third parties": ("which of the sources of 2.1 are licensed, and which are other private datasets",),
    "2.3 Crawled and scraped data": _CRAWLER,
    "2.4 User data": ("whether any of the sources of 2.1 is user data, and of which services",),
    "2.5 Synthetic data": ("whether any of the sources of 2.1 was made by a model, and by which",),
    "2.6 Other data": ("any other source",),
    "3.1 Rights reserved from text and data mining": (
        "whether the provider signed the Code of Practice, and its copyright policy",
        "opt-outs that were honoured before this output was made",
    ),
    "3.2 Illegal content": ("measures besides those named here",),
}
"""What no program can know, by section."""


@dataclass(frozen=True)
class Tables:
    """The tables that queries are about."""

    data: pl.LazyFrame
    ledger: pl.LazyFrame

    def ask(self, query: str) -> pl.DataFrame:
        found = pl.SQLContext(data=self.data, ledger=self.ledger).execute(query)
        return found.collect(engine="streaming")


def figures(tables: Tables) -> Iterator[Figure]:
    for name, query in FIGURES.items():
        yield Figure(name=name, value=tables.ask(query).item(), query=query)


def counted(tables: Tables) -> Iterator[tuple[Counts, pl.DataFrame]]:
    """Each table as summary.json has it, and all of it."""
    for name, query in TABLES.items():
        found = tables.ask(query)
        rows = tuple(found.head(SHOWN).iter_rows())
        yield Counts(name=name, query=query, columns=tuple(found.columns), rows=rows, more=found.height - len(rows)), found


def summary(output: Output) -> tuple[Summary, pl.DataFrame]:
    """The summary, and the tenth of all domains that is largest."""
    data, ledger = output.scan("data"), output.scan("ledger")
    assert data is not None and ledger is not None
    tables = Tables(data, ledger)
    made = list(counted(tables))
    newest = manifest.load_all(output.store)[-1]
    domains = next(whole for counts, whole in made if counts.name == "domains")
    return Summary(
        schema_version=SCHEMA_VERSION,
        output=newest.output,
        manifest=newest.generation,
        recipe_hash=newest.recipe_hash,
        template=TEMPLATE,
        figures=tuple(figures(tables)),
        tables=tuple(counts for counts, _ in made),
        measures=tuple(measures(output)),
        blanks=BLANKS,
    ), domains.head(top(domains.height))


def top(domains: int) -> int:
    """How many of so many domains the template asks for: a tenth, rounded up."""
    return -(-domains // 10)


def band(tokens: float) -> str:
    """The template's size band of text."""
    if tokens < 1e9:
        return "less than 1 billion tokens"
    return "1 billion to 10 trillion tokens" if tokens <= 1e13 else "more than 10 trillion tokens"


_MEASURES = {
    "toxicity": "documents above a score for toxicity are dropped",
    "adult": "documents above a score for sexual advertising are dropped",
    "robots": "documents of sites that reserve their rights by robots.txt or a list are dropped",
}


def measures(output: Output) -> Iterator[str]:
    """What the plan does about illegal and personal content, in words."""
    plan = output.newest.plan
    filters, edits = (part if isinstance(part, dict) else {} for part in map(plan.get, ("filters", "edits")))
    for name, said in _MEASURES.items():
        on = filters.get(name)
        if isinstance(on, dict):
            yield said if on.get("action", "drop") == "drop" else said.replace("dropped", "marked")
    if isinstance(edits.get("pii"), dict):
        masked = [name for name in ("email", "ip", "iban", "card", "phone") if edits["pii"].get(name)]
        yield f"masked in texts: {', '.join(masked)}"


def by_name(made: Summary) -> dict[str, Figure]:
    return {one.name: one for one in made.figures}


def table_of(made: Summary, name: str) -> Counts:
    return next(one for one in made.tables if one.name == name)
