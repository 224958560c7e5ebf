"""Values of Arrow columns as JSON has them: what Parquet and Hugging Face datasets hold beside the text.

Invariants: integers, strings, lists and structs are themselves; a decimal is the text of its digits, a date, time, timestamp or
duration its ISO 8601 text with every digit (also of years that Python has no date for), binary its base64, a map a list of pairs.
What has no value in JSON (NaN, bytes that are not UTF-8) is text, or null where nothing can be said of it, and is told to `note`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from math import isfinite
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from pipeline.text.exact_json import MOST_LEVELS, NOT_FINITE, TOO_DEEP, TWICE, UNREADABLE, Replacement, settled

Note = Callable[[str], None]
_PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Unit → how many are a second."""
_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def values(column: pa.Array, note: Note) -> list[Any]:
    """The value of each row."""
    if levels(column.type) > MOST_LEVELS - 1:
        for _ in range(len(column) - column.null_count):
            note(TOO_DEEP)
        return [None] * len(column)
    return _values(column, note)


def levels(type_: pa.DataType) -> int:
    """Levels of nesting of a type."""
    deepest, left = 0, [(type_, 0)]
    while left:
        item, level = left.pop()
        deepest = max(deepest, level)
        left += [(item.field(i).type, level + 1) for i in range(item.num_fields)]
    return deepest


def _values(column: pa.Array, note: Note) -> list[Any]:
    type_ = column.type
    if isinstance(type_, pa.BaseExtensionType):
        return _uuids(column) if _is_uuid(type_) else _values(column.storage, note)
    if pt.is_dictionary(type_):
        return _values(column.dictionary_decode(), note)
    if pt.is_run_end_encoded(type_):
        return _values(pc.run_end_decode(column), note)
    if pt.is_map(type_) or _is_list(type_):
        return _lists(column, note)
    if pt.is_struct(type_):
        return _structs(column, note)
    for test, convert in _LEAVES:
        if test(type_):
            return convert(column, note)
    return _one_by_one(column, note)


def _is_uuid(type_: pa.DataType) -> bool:
    return getattr(type_, "extension_name", "") == "arrow.uuid"


def _uuids(column: pa.Array) -> list[Any]:
    return [None if value is None else str(value) for value in column.to_pylist()]


def _is_list(type_: pa.DataType) -> bool:
    tests = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view)
    return any(test(type_) for test in tests)


def _lists(column: pa.Array, note: Note) -> list[Any]:
    if pt.is_map(column.type):
        item = pa.struct([pa.field("key", column.type.key_type), pa.field("value", column.type.item_type)])
        column = column.cast(pa.list_(item))
        items = [list(pair.values()) for pair in _values(column.flatten(), note)]
    else:
        items = _values(column.flatten(), note)
    made, at = [], 0
    for size in column.value_lengths().to_pylist():
        made.append(None if size is None else items[at : at + size])
        at += size or 0
    return made


def _structs(column: pa.Array, note: Note) -> list[Any]:
    """An object each; a list of pairs where two fields have one name."""
    names = [column.type.field(i).name for i in range(column.type.num_fields)]
    fields = [_values(field, note) for field in column.flatten()]
    double = len(set(names)) < len(names)
    made: list[Any] = []
    for i, valid in enumerate(column.is_valid().to_pylist()):
        pairs = [(name, field[i]) for name, field in zip(names, fields, strict=True)]
        if valid and double:
            note(TWICE)
        made.append(None if not valid else [list(pair) for pair in pairs] if double else dict(pairs))
    return made


def _plain(column: pa.Array, note: Note) -> list[Any]:
    found: list[Any] = column.to_pylist()
    return found


def _strings(column: pa.Array, note: Note) -> list[Any]:
    try:
        return _plain(column, note)
    except UnicodeDecodeError:  # pyarrow does not look at what a file says is UTF-8
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else text(value, note) for value in raw]


def text(value: bytes, note: Note) -> str:
    r"""A string of bytes; what is not UTF-8 is written `\xff`."""
    found: str = settled(value.decode("utf-8", "surrogateescape"), note)
    return found


def _binaries(column: pa.Array, note: Note) -> list[Any]:
    return [None if value is None else Replacement(b64encode(value).decode("ascii")) for value in column.to_pylist()]


def _floats(column: pa.Array, note: Note) -> list[Any]:
    found = column.to_pylist()
    for i, value in enumerate(found):
        if value is not None and not isfinite(value):
            note(NOT_FINITE)
            found[i] = Replacement("NaN" if value != value else "Infinity" if value > 0 else "-Infinity")
    return found


def _decimals(column: pa.Array, note: Note) -> list[Any]:
    return [None if value is None else str(value) for value in column.to_pylist()]


def _whole(column: pa.Array) -> list[int | None]:
    """The integers that dates and times are stored as."""
    width = pa.int32() if pt.is_date32(column.type) or pt.is_time32(column.type) else pa.int64()
    found: list[int | None] = column.view(width).to_pylist()
    return found


def _dates(column: pa.Array, note: Note) -> list[Any]:
    if pt.is_date64(column.type):
        return [None if v is None else date(v // 86_400_000) if v % 86_400_000 == 0 else timestamp(v, "ms", None)
                for v in _whole(column)]  # fmt: skip
    return [None if value is None else date(value) for value in _whole(column)]


def _times(column: pa.Array, note: Note) -> list[Any]:
    return [None if value is None else _time(value, column.type.unit) for value in _whole(column)]


def _timestamps(column: pa.Array, note: Note) -> list[Any]:
    unit, zone = column.type.unit, column.type.tz
    return [None if value is None else timestamp(value, unit, zone) for value in _whole(column)]


def _durations(column: pa.Array, note: Note) -> list[Any]:
    return [None if value is None else duration(value, column.type.unit) for value in _whole(column)]


def _intervals(column: pa.Array, note: Note) -> list[Any]:
    return [None if value is None else f"P{value[0]}M{value[1]}DT{_seconds(value[2], 'ns')}S" for value in column.to_pylist()]


def _one_by_one(column: pa.Array, note: Note) -> list[Any]:
    """Unions, and types that are newer than this: what Python makes of each, else its text, else null."""
    made: list[Any] = []
    for scalar in column:
        try:
            value = scalar.as_py()
            made.append(value if isinstance(value, str | int | float | bool | None) else str(value))
        except MemoryError:  # an ArrowException too, and no fault of the value
            raise
        except (ValueError, OverflowError, TypeError, NotImplementedError, pa.ArrowException):
            note(UNREADABLE)
            made.append(None)
    return made


_LEAVES: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, Note], list[Any]]]] = [
    (lambda t: pt.is_integer(t) or pt.is_boolean(t) or pt.is_null(t), _plain),
    (lambda t: pt.is_string(t) or pt.is_large_string(t) or pt.is_string_view(t), _strings),
    (pt.is_floating, _floats),
    (pt.is_decimal, _decimals),
    (pt.is_date, _dates),
    (pt.is_timestamp, _timestamps),
    (pt.is_time, _times),
    (pt.is_duration, _durations),
    (lambda t: pt.is_binary(t) or pt.is_large_binary(t) or pt.is_binary_view(t) or pt.is_fixed_size_binary(t), _binaries),
    (lambda t: str(t) == "month_day_nano_interval", _intervals),
]


def date(days: int) -> str:
    """ISO 8601 of a day since 1970, also outside of the years 1 to 9999 (with a sign), in the proleptic Gregorian calendar.

    Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    sign = "" if 0 <= year <= 9_999 else "+" if year > 0 else "-"
    return f"{sign}{abs(year):04d}-{month:02d}-{of_year - (153 * shifted + 2) // 5 + 1:02d}"


def timestamp(value: int, unit: str, zone: str | None) -> str:
    """ISO 8601 of a time since 1970; with a zone the local time there and its offset."""
    seconds, rest = divmod(value, _PARTS[unit])
    offset = 0 if zone is None else _offset(seconds, zone)
    days, of_day = divmod(seconds + offset, _DAY)
    return f"{date(days)}T{_time(of_day * _PARTS[unit] + rest, unit)}{'' if zone is None else _shown(offset)}"


def _time(value: int, unit: str) -> str:
    seconds, rest = divmod(value, _PARTS[unit])
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}{_fraction(rest, unit)}"


def _fraction(rest: int, unit: str) -> str:
    """As Python's isoformat writes it, with nine digits where six do not suffice."""
    nanoseconds = rest * (1_000_000_000 // _PARTS[unit])
    if not nanoseconds:
        return ""
    return f".{nanoseconds:09d}" if nanoseconds % 1_000 else f".{nanoseconds // 1_000:06d}"


def duration(value: int, unit: str) -> str:
    """ISO 8601, as pandas writes it: `P1DT0H0M2S`."""
    seconds = abs(value) // _PARTS[unit]
    days, of_day = divmod(seconds, _DAY)
    rest = _fraction(abs(value) % _PARTS[unit], unit)
    return f"{'-' if value < 0 else ''}P{days}DT{of_day // 3600}H{of_day // 60 % 60}M{of_day % 60}{rest}S"


def _seconds(value: int, unit: str) -> str:
    whole, rest = divmod(abs(value), _PARTS[unit])
    return f"{'-' if value < 0 else ''}{whole}{_fraction(rest, unit)}"


def _offset(seconds: int, zone: str) -> int:
    """Seconds that a zone's clock is ahead of UTC; 0 where nobody knows the zone, or Python not the year."""
    found = _zone(zone)
    if found is None:
        return 0
    try:
        ahead = (_EPOCH + timedelta(seconds=seconds)).astimezone(found).utcoffset()
    except (OverflowError, ValueError):
        return 0
    return 0 if ahead is None else int(ahead.total_seconds())


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo | None:
    try:
        found: tzinfo = pa.lib.string_to_tzinfo(name)
    except (ValueError, KeyError, OSError, pa.ArrowException):
        return None
    return found


def _shown(offset: int) -> str:
    minutes, seconds = divmod(abs(offset), 60)
    return f"{'-' if offset < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}{f':{seconds:02d}' if seconds else ''}"
