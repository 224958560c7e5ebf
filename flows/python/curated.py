"""What `curate` gives back: the output's tables as lazy frames, and what the run says of itself.

Invariants: the tables are those that the output held when the run had ended, of all its generations; what is shown in a notebook
is escaped, whatever paths, sources and reasons hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

import polars as pl
from markupsafe import Markup

from flows import running
from flows.python.pages import paragraphs, table_of
from pipeline.errors import InputError
from pipeline.inspect import why
from pipeline.inspect.output import Output, open_output_of
from pipeline.records.metrics_json import Check, Metrics
from pipeline.report import table
from pipeline.run.options import Result
from pipeline.schema import OUTPUTS
from pipeline.text import numbers
from pipeline.text.visible import visible

MOST_REASONS = 8
"""Reasons that a notebook shows: chosen so that it stays on a screen; `metrics` has all."""


@dataclass(frozen=True, repr=False)
class Curated:
    """An output after a run. `generation`: what the run published, None where nothing was new. `notes`: for the user.

    Its tables are read when they are collected, columns and rows that are not asked for are not.
    """

    output: str
    generation: int | None
    metrics: Metrics
    notes: tuple[str, ...]
    _result: Result = field(compare=False)
    _held: Output = field(compare=False)

    @cached_property
    def kept(self) -> pl.LazyFrame:
        """data/: the kept documents."""
        return self._table("data")

    @cached_property
    def dropped(self) -> pl.LazyFrame:
        """rejected/: the dropped documents, with reason and evidence; empty where the plan writes none (`output.rejected`)."""
        return self._table("rejected")

    @cached_property
    def ledger(self) -> pl.LazyFrame:
        """ledger/: the fate of every row that was read, without text."""
        return self._table("ledger")

    @cached_property
    def quarantine(self) -> pl.LazyFrame:
        """quarantine/: rows that could not be read, and why."""
        return self._table("quarantine")

    @cached_property
    def signals(self) -> pl.LazyFrame:
        """signals/: a line for each line of the ledger. Raises InputError where the plan writes none."""
        found = self._held.scan("signals")
        if found is None:
            raise InputError(f"{self.output}: its plan writes no signals/; run with overrides={{'output.signals': True}}")
        return found

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the plan's checks found in the newest generation."""
        return self.metrics.checks

    @property
    def report(self) -> str:
        """Where report.html lies."""
        return self._held.store.path("report.html")

    @cached_property
    def summary(self) -> str:
        """What the command prints at the end of such a run."""
        return table.text(running.said(self._result))

    def why(self, document: str) -> str:
        """What decided the fate of the document with this id or source_ref, as `flows.inspect why` says it."""
        found = [why.explanation(one, every=False) for one in why.find_rows(self._held, document)]
        return "\n".join(table.text(said) for said in found)

    def _table(self, folder: str) -> pl.LazyFrame:
        found = self._held.scan(folder)
        return pl.DataFrame(OUTPUTS[folder].empty_table()).lazy() if found is None else found

    def _headline(self) -> str:
        totals = self.metrics.all_generations
        kept = f"{numbers.count(totals.kept)} of {numbers.counted(totals.read, 'document')} kept"
        bad = f", {numbers.count(totals.quarantined)} not readable" if totals.quarantined else ""
        failed = sum(check.failed for check in self.checks)
        checks = f", {numbers.counted(failed, 'check')} failed" if failed else ""
        made = "nothing new" if self.generation is None else f"generation {self.generation}"
        return f"{made}: {kept}{bad}{checks}"

    def __repr__(self) -> str:
        return f"<Curated {visible(self.output, limit=200)}: {self._headline()}>"

    def _repr_html_(self) -> str:
        """The same for a notebook, with the reasons that dropped most, what checks found, and notes."""
        lines = sorted((line for line in self.metrics.reasons if line.first), key=lambda line: (-line.first, line.reason))
        rows = [(line.reason, numbers.count(line.first)) for line in lines[:MOST_REASONS]]
        rows += [(f"{numbers.counted(len(lines) - MOST_REASONS, 'more reason')}", "")] if len(lines) > MOST_REASONS else []
        said = [f"check failed: {check.check}, {check.detail}" for check in self.checks if check.failed]
        said += [*self.notes, f"report: {self.report}"]
        made = Markup("<p><b>{}</b> · {}</p>").format(visible(PurePosixPath(self.output).name), self._headline())
        return str(made + table_of(("dropped, by the first reason", ">documents"), rows) + paragraphs(said))


def of(result: Result, *, work: str | None) -> Curated:
    """What a run gives back. `work`: its work directory, where it is not in the output."""
    held = open_output_of(result.out, work=work, trust=True)  # its plan is the caller's
    return Curated(result.out, result.generation, result.metrics, result.notes, result, held)
