"""Priority order equals a plain sort, whatever the memory and the parts."""

from __future__ import annotations

import contextlib
import dataclasses

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.machine import scratch, workers
from pipeline.plan.model import Dedup
from pipeline.stages.dedup import keep_order
from pipeline.stages.dedup.order import order
from pipeline.stages.dedup.part import Part, keep_columns
from tests.stages.dedup.fakes import part_of
from tests.support import examples

numbers = st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-3, 3).map(float))
words = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["1", "10", "9"]))
rows = st.tuples(st.integers(-1, 1), numbers, words)
KINDS = dict(zip(keep_order.KINDS, (pl.Float64, pl.Int64, pl.String), strict=True))
SCHEMA = {"priority": pl.Int64, **{f"{kind} {name}": dtype for name in "ab" for kind, dtype in KINDS.items()}}


def part(unit: list[tuple]) -> Part:
    """A part with two columns: numbers or texts, and texts alone."""
    lines = [(p, number, None, None if number is not None else word, None, None, word) for p, number, word in unit]
    frame = pl.DataFrame(lines, schema=SCHEMA, orient="row")
    return dataclasses.replace(part_of([], 1, 0, urls=False), n=len(unit), order=lambda: frame)


@examples(0.4)
@given(st.lists(st.lists(rows, max_size=12), max_size=4), st.booleans(), st.sampled_from([500, 1 << 30]))
def test_ranks_are_those_of_one_sort(tmp_path_factory, units, descending, room):
    parts = [part(unit) for unit in units]
    with scratch.open_scratch(tmp_path_factory.mktemp("order"), 0) as space, contextlib.closing(workers.Workers(2)) as pool:
        space.room = room
        made = order(parts, [("a", descending), ("b", not descending)], space, pool=pool)
        frames = [item.order() for item in parts if item.n]
        whole = pl.concat(frames).with_row_index("row") if frames else pl.DataFrame({"row": []})
        by = [*SCHEMA, "row"]
        down = [False, *[descending] * len(KINDS), *[not descending] * len(KINDS), False]
        ordered = whole.sort(by, descending=down, nulls_last=True)["row"].to_list() if frames else []
        assert made.rows.tolist() == ordered
        assert made.ranks[made.rows].tolist() == list(range(len(made)))


def test_the_keep_list_says_which_end_of_a_column_is_better() -> None:
    keep = ("quality_score desc", "n_bytes asc", "a column of spaces desc", "asc asc")
    wanted = [("quality_score", True), ("n_bytes", False), ("a column of spaces", True), ("asc", False)]
    assert keep_columns(Dedup(keep=keep)) == wanted
