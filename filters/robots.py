"""Whether a document's site reserves its rights: by a robots.txt that the user keeps, or by a list of domains.

What is looked at is the address, not the text. Nothing is fetched: snapshots are files, so that a verdict is about the day on
which they were made, and the same again tomorrow. A document without an address, or whose host has no snapshot, passes.

Source: RFC 9309 (robots.txt); Directive (EU) 2019/790, Article 4(3) (rights reserved by machine-readable means).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from filters import robots_txt, user_files
from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.models import ModelError

KEY = "filters.robots"
LONGEST_ADDRESS = 8_000
_SHOWN = 100


class ListFile(Settings):
    """A file that the plan names."""

    path: str = Field(min_length=1, description="a file on a disk, plain, gzip or zstd")


class Params(Settings):
    snapshots: tuple[ListFile, ...] = Field(
        (), description="JSONL or Parquet files with a robots.txt a row: columns host and robots_txt; of a host twice the last"
    )
    domains: tuple[ListFile, ...] = Field(
        (), description="lists of domains whose rights are reserved, one a line, subdomains among them; # begins a comment"
    )
    agents: tuple[Annotated[str, Field(pattern=robots_txt.AGENT)], ...] = Field(
        ("CCBot", "GPTBot", "Google-Extended"),
        min_length=1,
        description="crawlers by their names in robots.txt, without versions: a document is disallowed where it is to one",
    )


class Thresholds(Settings):
    disallowed: bool = Field(True, description="drop documents that a robots.txt disallows to one of the agents")
    opted_out: bool = Field(True, description="drop documents of a domain in the lists")


SIGNALS = pa.schema(
    [
        pa.field("robots_disallowed", pa.bool_()),
        pa.field("robots_opted_out", pa.bool_(), nullable=False),
        pa.field("robots_evidence", pa.string()),
    ]
)


@dataclass(frozen=True)
class Loaded:
    """`texts`: robots.txt by host; `domains`: where each domain stands, as evidence names it."""

    texts: dict[str, str]
    domains: dict[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", lru_cache(4096)(lambda host: robots_txt.parse(self.texts[host])))

    def of_host(self, host: str) -> robots_txt.Robots | None:
        return self.parsed(host) if host in self.texts else None  # type: ignore[attr-defined]

    def listed(self, host: str) -> str | None:
        """Where the host, or a domain that it is below, stands."""
        labels = host.split(".")
        names = (".".join(labels[i:]) for i in range(len(labels)))
        return next((self.domains[name] for name in names if name in self.domains), None)


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: Loaded) -> pa.RecordBatch:
    """Null in `robots_disallowed`: no address, or no snapshot of its host."""
    rows = [_judged(url, params, loaded) for url in batch.urls.to_pylist()]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    made = [pa.array(column, field.type) for column, field in zip(columns, SIGNALS, strict=True)]
    return pa.RecordBatch.from_arrays(made, schema=SIGNALS)


def _judged(url: str | None, params: Params, loaded: Loaded) -> tuple[bool | None, bool, str | None]:
    address = None if url is None else _address(url)
    if address is None:
        return None, False, None
    host, path = address
    robots, listed = loaded.of_host(host), loaded.listed(host)
    refused = [agent for agent in params.agents if robots is not None and not robots.allows(agent, path)]
    said = [f"robots.txt of {host}: {', '.join(refused)}"] if refused else []
    said += [listed] if listed else []
    return None if robots is None else bool(refused), listed is not None, "; ".join(said)[: 4 * _SHOWN] or None


def _address(url: str) -> tuple[str, str] | None:
    """Host, and path with query, as the WHATWG URL Standard reads them; None where it is no address of a web server."""
    if len(url) > LONGEST_ADDRESS:
        return None
    import ada_url  # runs without this filter do without

    try:
        found = ada_url.URL(url)
    except ValueError:
        return None
    return (found.hostname.rstrip("."), found.pathname + found.search) if found.protocol in ("http:", "https:") else None


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    return [
        Rule(reason="disallowed", signal="robots_disallowed", fails="is", limit=thresholds.disallowed, keys=("disallowed",)),
        Rule(reason="opted_out", signal="robots_opted_out", fails="is", limit=thresholds.opted_out, keys=("opted_out",)),
    ]


def files(params: Params) -> tuple[Path, ...]:
    """The files that `load` reads. Raises ModelError for one that is not there."""
    found = [Path(one.path).expanduser() for one in (*params.snapshots, *params.domains)]
    for path in found:
        if not path.is_file():
            raise ModelError(f"{KEY}: {path}: no such file; give snapshots (JSONL, Parquet) or domains (a domain a line)")
    return tuple(found)


def load(params: Params) -> Loaded:
    """Raises ModelError: which file, what was expected."""
    if not params.snapshots and not params.domains:
        raise ModelError(f"{KEY} names no file: give `snapshots` or `domains`, or switch it off")
    texts = dict(pair for one in params.snapshots for pair in _snapshots(Path(one.path).expanduser()))
    domains = {name: where for one in params.domains for name, where in _domains(Path(one.path).expanduser())}
    return Loaded(texts, domains)


def _snapshots(path: Path) -> Iterator[tuple[str, str]]:
    for number, row in enumerate(_rows(path), start=1):
        host, text = row.get("host"), row.get("robots_txt")
        name = _host(host) if isinstance(host, str) else None
        if name is None or not isinstance(text, str):
            raise ModelError(
                f"{KEY}: {path}, row {number}: expected a host and its robots.txt as texts, got"
                f" {json.dumps(row, default=str)[:_SHOWN]}; mend the row"
            )
        yield name, text[: robots_txt.MOST_BYTES]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of Parquet, or of JSON lines. Raises ModelError."""
    data = user_files.content(path, key=KEY)
    if data.startswith(b"PAR1"):
        yield from user_files.table(path, data, ("host", "robots_txt"), key=KEY)[1]
        return
    yield from user_files.objects(path, data, key=KEY)


def _domains(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(user_files.content(path, key=KEY).decode("utf-8", "replace").split("\n"), start=1):
        said = line.partition("#")[0].strip()
        if not said:
            continue
        name = _host(said.removeprefix("*.").removeprefix("."))
        if name is None:
            raise ModelError(f"{KEY}: {path}, line {number}: expected a domain, got {said[:_SHOWN]!r}; mend the line")
        yield name, f"{path.name}, line {number}"


def _host(name: str) -> str | None:
    """A host in the form of addresses; None where it is none."""
    if any(sign in name for sign in "/?#@\\ \t"):
        return None
    found = _address(f"http://{name}/")
    return found[0] if found and found[0] else None


FILTER = Filter(
    name="robots",
    version=1,
    tier=Tier.CHEAP,
    reads="source",
    params=Params,
    signals=SIGNALS,
    evidence=("robots_evidence",),
    thresholds=Thresholds,
    files=files,
    load=load,
    annotate=annotate,
    rules=rules,
)
