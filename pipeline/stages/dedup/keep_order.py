r"""What the values of a `dedup.keep` column sort by: numbers as numbers, dates as dates, everything else as text.

A value is a **number** where its text is one, whether JSON wrote it as a number or CSV, a decimal or a string as digits; a
**date** where it is ISO 8601 (a day, or a time with or without an offset; without one it is UTC), or the form of HTTP and mail
(`Mon, 01 Jan 2024 00:00:00 GMT`, also `1 Jan 2024`). Numbers stand before dates, dates before other texts (by UTF-8 bytes, a
boolean among them); no value, and the empty string, with which CSV says that, come last, whichever the direction. Numbers compare
exactly, however many digits they have.

Invariant (laws 2 and 4): a value's place depends on that value alone, not on other rows, nor on how rows are cut into units.
"""

from __future__ import annotations

from decimal import MAX_PREC, Context, Decimal
from math import isinf

import polars as pl

KINDS = ("number", "moment", "text")
"""Columns that are sorted by, one after the other; a value is in one of the first two or in none of them. `text`: what is left to
compare: digits that float64 lacks, fractions of a second, other texts."""
MOST_DIGITS = 400
"""Characters beyond which a text is no number: no integer below 1e400 is longer."""
_SURE_DIGITS = 15
_NUMBER = r"^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?\s*$"
_CLOCK = r"(?:[Tt ,]\s*(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
_ZONE = r"\s*(?:[Zz]|UTC|GMT|(?P<sign>[+-])(?P<zone_hour>\d\d):?(?P<zone_minute>\d\d))?\s*$"
_ISO = rf"^\s*(?P<year>[+-]?\d{{4,9}})[-/](?P<month>\d\d)(?:[-/](?P<day>\d\d))?{_CLOCK}{_ZONE}"
_MAIL = rf"^\s*(?:[A-Za-z]{{3}},\s*)?(?P<day>\d\d?)[ -](?P<month>[A-Za-z]{{3}})[a-z]*\.?[ -](?P<year>\d{{4}}){_CLOCK}{_ZONE}"
_MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EXACT = Context(prec=MAX_PREC, Emax=999_999_999_999, Emin=-999_999_999_999)
_AS_NEAR, _BELOW, _ABOVE = "5", "4", "6"


def ordered(text: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """`(number Float64, moment Int64, text String)` to sort by, one after the other."""
    text = pl.select(pl.when(text != "").then(text)).to_series()
    column = pl.col("text")
    is_number = column.str.contains(_NUMBER) & (column.str.len_bytes() <= MOST_DIGITS)
    frame = pl.DataFrame({"text": text}).select("text", is_number=is_number.fill_null(False))
    frame = frame.with_columns(
        number=pl.when("is_number").then(column.str.strip_chars().str.strip_chars_start("+")).cast(pl.Float64, strict=False)
    )
    moment, fraction = _moments(text)
    frame = frame.with_columns(
        moment=pl.when(~pl.col("is_number")).then(moment),
        rest=pl.when("is_number").then(pl.lit(_AS_NEAR)).when(moment.is_not_null()).then(fraction).otherwise(column),
    )
    long = (frame["is_number"] & ((frame["text"].str.len_bytes() > _SURE_DIGITS) | frame["text"].str.contains("[eE]"))).arg_true()
    rest = frame["rest"]
    if len(long):
        rest = rest.scatter(long, [_beyond(value) for value in text.gather(long)])
    return frame["number"], frame["moment"], rest


def _beyond(text: str) -> str:
    """Sorts numbers of one float64 by what each has more or less than its shortest digits."""
    exact, near = Decimal(text.strip()), float(text)
    rest = exact if isinf(near) or not near else _EXACT.subtract(exact, Decimal(repr(near)))
    if not rest:
        return _AS_NEAR
    digits = "".join(map(str, rest.as_tuple().digits)).rstrip("0")
    coded = f"{rest.adjusted() + 5_000_000_000:010d}{digits}"
    if rest > 0:
        return _ABOVE + coded
    return _BELOW + "".join(str(9 - int(digit)) for digit in coded) + "~"  # the longer of two stands first


def _moments(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Seconds since 1970 (Int64) of dates, null of what is none, and the digits of their fractions."""
    iso = _parts(text, _ISO)
    mail = _parts(text, _MAIL)
    month = mail["month"].str.to_lowercase().replace_strict(_MONTHS, default=None, return_dtype=pl.Int64)
    mail = mail.with_columns(month=month.cast(pl.String))
    parts = iso.select(pl.coalesce(name, mail[name]).alias(name) for name in iso.columns)
    whole = parts.with_columns(pl.exclude("sign", "fraction").cast(pl.Int64, strict=False))
    day = pl.when(pl.col("month").is_not_null()).then(pl.col("day").fill_null(1))
    year, month_ = pl.col("year"), pl.col("month")
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    last = month_.replace_strict(dict(enumerate(_DAYS, 1)), default=0, return_dtype=pl.Int64) + ((month_ == 2) & leap)
    zero = {name: pl.col(name).fill_null(0) for name in ("hour", "minute", "second", "zone_hour", "zone_minute")}
    valid = (day >= 1) & (day <= last) & (zero["hour"] <= 24) & (zero["minute"] <= 59) & (zero["second"] <= 60)
    # Days of the civil calendar, years that begin in March (Hinnant, days_from_civil).
    shifted = year - (month_ <= 2).cast(pl.Int64)
    of_era = shifted - (shifted // 400) * 400
    of_year = (153 * ((month_ + 9) % 12) + 2) // 5 + day - 1
    days = (shifted // 400) * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
    ahead = (zero["zone_hour"] * 60 + zero["zone_minute"]) * 60 * pl.when(pl.col("sign") == "-").then(-1).otherwise(1)
    seconds = days * 86_400 + zero["hour"] * 3_600 + zero["minute"] * 60 + zero["second"] - ahead
    made = whole.select(moment=pl.when(valid).then(seconds), fraction=pl.col("fraction").fill_null("").str.strip_chars_end("0"))
    return made["moment"], made["fraction"]


def _parts(text: pl.Series, pattern: str) -> pl.DataFrame:
    """The pattern's groups, null where it does not match."""
    names = ["year", "month", "day", "hour", "minute", "second", "fraction", "sign", "zone_hour", "zone_minute"]
    return text.str.extract_groups(pattern).struct.unnest().select(names)
