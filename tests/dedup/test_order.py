"""Priority order equals a plain sort, whatever the memory, the parts, and the types of the columns."""

from __future__ import annotations

import contextlib
import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import scratch, spans
from pipeline.dedup.order import order
from tests.dedup.fakes import part_of

numbers = st.one_of(st.none(), st.floats(allow_nan=False), st.integers(-3, 3).map(float))
words = st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["1", "10", "9"]))
rows = st.tuples(st.integers(-1, 1), numbers, words)


def parts_of(units: list[list[tuple]], *, mixed: bool):
    """Parts with two columns; `mixed`: the second is numbers in every other part, unless asked for as text."""

    def frame(unit: int, as_text: frozenset[str]) -> pl.DataFrame:
        columns = list(zip(*units[unit], strict=True)) or [(), (), ()]
        made = pl.DataFrame(
            {"priority": columns[0], "keep.a": columns[1], "keep.b": columns[2]},
            schema={"priority": pl.Int64, "keep.a": pl.Float64, "keep.b": pl.String},
            orient="col",
        )
        if mixed and unit % 2 == 0:
            digits = made["keep.b"].str.extract("^([0-9]+)$")
            made = made.with_columns(digits.cast(pl.String if "keep.b" in as_text else pl.Float64).alias("keep.b"))
        return made

    blank = part_of([], 1, 0, urls=False)
    return [dataclasses.replace(blank, n=len(u), order=lambda text, i=i: frame(i, text)) for i, u in enumerate(units)]


def expected(parts, descending: bool) -> list[int]:
    frames = [part.order(frozenset(["keep.b"])) for part in parts if part.n]
    if not frames:
        return []
    ordered = pl.concat(frames).with_row_index("row")
    down = [False, descending, not descending, False]
    return ordered.sort("priority", "keep.a", "keep.b", "row", descending=down, nulls_last=True)["row"].to_list()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(rows, max_size=12), max_size=4), st.booleans(), st.sampled_from([500, 1 << 30]), st.booleans())
def test_ranks_are_those_of_one_sort(tmp_path_factory, units, descending, room, mixed):
    parts = parts_of(units, mixed=mixed and len([unit for unit in units if unit]) > 1)
    kinds = {part.order(frozenset()).schema["keep.b"] for part in parts if part.n}
    with scratch.opened(tmp_path_factory.mktemp("order"), 0) as space, contextlib.closing(spans.Workers(2)) as pool:
        space.room = room
        made = order(parts, [("a", descending), ("b", not descending)], space, pool)
        if len(kinds) <= 1 and mixed and pl.Float64 in kinds:
            return  # numbers in all parts compare as numbers: the next test
        assert made.rows.tolist() == expected(parts, descending)
        assert made.ranks[made.rows].tolist() == list(range(len(made)))


@pytest.mark.parametrize("room", [500, 1 << 30])
def test_numbers_compare_as_numbers_where_all_parts_have_numbers(tmp_path, room):
    parts = parts_of([[(0, None, "9"), (0, None, "10"), (0, None, None)]], mixed=True)
    with scratch.opened(tmp_path / "scratch", 0) as space, contextlib.closing(spans.Workers(1)) as pool:
        space.room = room
        assert order(parts, [("a", True), ("b", True)], space, pool).rows.tolist() == [1, 0, 2]
        assert np.array_equal(order(parts, [("a", True), ("b", False)], space, pool).rows, [0, 1, 2])
