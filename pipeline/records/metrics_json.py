"""metrics.json as a whole, and the part of it that a manifest holds: counts, then checks, costs, the compute ledger and files."""

from __future__ import annotations

from pydantic import Field

from pipeline.records.base import FileRecord, Number, Record, Totals
from pipeline.records.counts import Counts
from pipeline.records.ledger import Ledger


class Check(Record):
    """One check: what it allowed, what was found, and in what."""

    check: str
    limit: Number
    value: Number
    failed: bool
    detail: str


class BeforeAndNow(Record):
    """A count of the last generation and of this one."""

    before: int
    now: int


class Change(Record):
    """A share in the last generation and in this one, and the difference."""

    before: Number
    now: Number
    change: Number


class ReasonChange(Change):
    """Share of the rows read that a reason dropped."""

    reason: str


class SourceChange(Change):
    """Kept share of a source; `read` and `read_before` are 0 where it gave nothing."""

    source: str
    read_before: int
    read: int


class LanguageChange(Change):
    """Share of the rows read that are of a language."""

    language: str


class Drift(Record):
    """Share of documents that would have to move to another bin of a signal's histogram."""

    filter: str
    signal: str
    drift: Number


class Changes(Record):
    """What changed since an earlier generation. Lists are ordered by the size of the change, largest first."""

    since: int
    documents: BeforeAndNow
    kept_share: Change
    reasons: tuple[ReasonChange, ...]
    sources: tuple[SourceChange, ...]
    languages: tuple[LanguageChange, ...]
    signals: tuple[Drift, ...]


class StageCost(Record):
    """CPU seconds of one stage."""

    stage: str
    cpu_s: Number


class StoreTraffic(Record):
    """Requests and bytes that crossed the border of a store."""

    remote: bool
    requests: int
    bytes_read: int
    bytes_written: int


class Cost(Record):
    """What the run cost. `cpu_s`: of all its processes; `stages` sum to it. `exact`: the stages' CPU seconds are, because one
    worker ran; `lost_cpu_s`: of attempts before it. `mb_per_cpu_s` leaves compiling out. `compile_wall_s`: of `wall_s`, the
    wait for kernels once inputs were found. `ended`: when, in UTC (ISO 8601); empty where an earlier release did not say."""

    wall_s: Number
    compile_wall_s: Number = 0.0
    cpu_s: Number
    lost_cpu_s: Number
    exact: bool
    workers: int
    peak_memory_bytes: int
    work_bytes: int
    stores: dict[str, StoreTraffic] = Field(default_factory=dict)
    stages: tuple[StageCost, ...]
    mb_per_cpu_s: Number
    output_bytes: int
    ended: str = ""


class DamagedFile(Record):
    """An input file of which more is lost than single rows. `rows`: that were read; `lost_rows`: as far as is known or can be
    reckoned from the share of its bytes; `cut`: it ends before it should; `cause` and `detail`: of the first damage."""

    path: str
    source: str
    rows: int
    lost_rows: int
    lost_share: Number
    cut: bool
    cause: str
    detail: str


class RunMetrics(Counts):
    """What a manifest records of its run: the counts, and what came of them. `passed`: records of archives that are no rows, by
    type."""

    changes: Changes | None
    checks: tuple[Check, ...]
    cost: Cost
    compute: Ledger
    files: tuple[FileRecord, ...]
    damaged: tuple[DamagedFile, ...] = ()
    passed: tuple[tuple[str, int], ...] = ()


class Metrics(RunMetrics):
    """metrics.json: the newest generation's metrics, and the totals of all live ones."""

    all_generations: Totals
