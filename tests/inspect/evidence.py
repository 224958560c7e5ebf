"""What `why` shows of an output, held to its ledger: for tests over many plans."""

from __future__ import annotations

import operator
from pathlib import Path

import polars as pl

from pipeline.inspect.margins import RuleMargin
from pipeline.inspect.output import open_output_of
from pipeline.inspect.values import run_values
from pipeline.inspect.why import in_order
from pipeline.records.rows import ledger_rows

COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def check(out: Path, *, every: int = 1) -> int:
    """Asserts that of dropped documents (each `every`-th, and the first of each reason) the rules shown as failing are the
    ledger's, in its order, and that each of their values fails its limit. The documents that were looked at."""
    output = open_output_of(str(out))
    ledger = output.scan("ledger")
    assert ledger is not None
    dropped = ledger.filter(pl.col("verdict") == "dropped").collect()
    first = pl.col("reason").is_first_distinct()
    rows = ledger_rows(dropped.filter(first | (pl.int_range(pl.len()) % every == 0)))
    for row in rows:
        found = run_values(output, row, None)
        assert found is not None and found.origin in ("work", "signals"), row
        failing = [rule for rule in in_order(found.measured) if rule.fails and rule.action == "drop"]
        assert [rule.name for rule in failing] == row["failed"], row
        if row["stage"] in ("filter", "model"):
            assert failing[0].name == row["reason"], row
        for rule in failing:
            assert fails(rule), (row, rule)
    return len(rows)


def fails(rule: RuleMargin) -> bool:
    """Whether the value fails the limit, as both are shown: compared here, not by the rule."""
    if rule.limit is not None:
        assert isinstance(rule.value, int | float) and rule.passes is not None
        return bool(COMPARED[rule.rule.fails](rule.value, rule.limit))
    if rule.rule.fails == "is":
        return rule.value is rule.rule.limit
    return rule.value not in {value for rows in rule.rule.limit for value in rows.values}
