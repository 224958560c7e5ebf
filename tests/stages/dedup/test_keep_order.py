"""Who stands first in `dedup.keep`: Python's own numbers and dates are the oracle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.dedup.keep_order import KINDS, ordered
from tests.support import examples

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def in_order(values: list[str | None], *, descending: bool = False) -> list[str | None]:
    columns = dict(zip(KINDS, ordered(pl.Series(values, dtype=pl.String)), strict=True))
    frame = pl.DataFrame({"value": values, **columns}, schema_overrides={"value": pl.String})
    return frame.sort(KINDS, descending=descending, nulls_last=True, maintain_order=True)["value"].to_list()


def test_numbers_then_dates_then_texts_then_nothing() -> None:
    values = ["10", "9", "2", "-1", "1e3", "2024-01-01", "1 Feb 2022", "true", "abc", None, ""]
    assert in_order(values) == ["-1", "2", "9", "10", "1e3", "1 Feb 2022", "2024-01-01", "abc", "true", None, ""]
    assert in_order(values, descending=True) == ["1e3", "10", "9", "2", "-1", "2024-01-01", "1 Feb 2022", "true", "abc", None, ""]


def test_dates_compare_as_moments_in_time() -> None:
    values = [
        "-0044-03-15",
        "1999",
        "2023-12-31T23:59:58.9Z",
        "2024-01-01T00:29:59+00:30",
        "Mon, 01 Jan 2024 00:00:00 GMT",
        "2024-01-01 00:00:00.000000001",
        "2024-01-01T00:00:00.25Z",
        "2024/01/02",
        "2024-03",
        "+12024-01-01",
    ]
    assert in_order(values[::-1]) == ["1999", *(value for value in values if value != "1999")]
    assert in_order(["2024-02-30", "2024-13-01", "2024-01-01T25:00", "zebra", "2024-01-01"])[0] == "2024-01-01"


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "values",
    [
        [f"{10**18 + k}" for k in (2, 9, 10, 100)],
        [str(2**128 - k) for k in (300, 2, 1)],
        ["0.1", "0.1000000000000000055", "0.10000000000000001"],
        ["-1e500", "-1e400", "0", "1e-400", "1e400", "1e500"],
        ["1.10", "1.2", "1.9", "1.10e1"],
    ],
)
def test_numbers_compare_exactly(values: list[str], descending: bool) -> None:
    assert in_order(values, descending=descending) == (values[::-1] if descending else values)


@examples()
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False), max_size=30), st.booleans())
def test_any_numbers(numbers: list[Decimal], descending: bool) -> None:
    found = in_order([str(number) for number in numbers], descending=descending)
    assert [Decimal(str(value)) for value in found] == sorted(numbers, reverse=descending)


@examples()
@given(st.lists(st.tuples(st.datetimes(), st.integers(-1_439, 1_439)), max_size=20))
def test_any_dates(found: list[tuple[datetime, int]]) -> None:
    times = [when.replace(tzinfo=timezone(timedelta(minutes=ahead))) for when, ahead in found]
    whole = [int((when - EPOCH) // timedelta(seconds=1)) for when in times]
    assert ordered(pl.Series([when.isoformat() for when in times], dtype=pl.String))[1].to_list() == whole


def test_a_place_depends_on_no_other_value() -> None:
    values = ["10", "9.5", "2024-01-01", "x", None, "1" * 30]
    alone = [tuple(part.item() for part in ordered(pl.Series([value], dtype=pl.String))) for value in values]
    assert list(zip(*(part.to_list() for part in ordered(pl.Series(values))), strict=True)) == alone


def test_what_is_too_long_is_no_number() -> None:
    assert ordered(pl.Series(["1" * 401]))[0].to_list() == [None]


def test_digits_of_other_scripts_are_text() -> None:
    """Which is compared, where polars makes no number of them."""
    assert in_order(["٣", "٢", "10", "٢٢"]) == ["10", "٢", "٢٢", "٣"]
