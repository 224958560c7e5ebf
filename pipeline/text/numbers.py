"""Numbers as people read them: thousands separators, decimal units (1 MB = 1,000,000 bytes), a dash where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

NONE = "–"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(value: float | None) -> str:
    """`1,234,567`; a negative one with a true minus sign."""
    return NONE if value is None else f"{value:,.0f}".replace("-", "−")


def counted(value: float | None, one: str, many: str | None = None) -> str:
    """How many of what: `1 document`, `2 documents`, `0 copies` (`many` where it is not `one` with an s)."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def size(value: float | None) -> str:
    """Bytes: `4.21 GB`."""
    return NONE if value is None else _scaled(value, ("B", "kB", "MB", "GB", "TB", "PB"))


def short(value: float | None) -> str:
    """A count in three digits: `12.3 M`. `k`, `M`, `B` (10⁹), `T` (10¹²), as model sizes and corpora are named."""
    return NONE if value is None else _scaled(value, ("", "k", "M", "B", "T", "P")).rstrip()


def _scaled(value: float, units: Sequence[str]) -> str:
    sign, value = ("−", -value) if value < 0 else ("", value)
    power = 0
    while power < len(units) - 1 and float(f"{value:.3g}") >= 1000:
        value /= 1000
        power += 1
    return f"{sign}{digits(value) if power else count(value)} {units[power]}"


def digits(value: float | None) -> str:
    """Three digits that mean something: `0.0123`, `1.23`, `123`, `12,345`."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return count(value)
    places = max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}")))))
    return f"{value:.{places}f}".replace("-", "−") if places <= 6 else power_of_ten(value)


def plain(value: float | None) -> str:
    """A number as its author wrote it: `0.8`, `50`, `100,000`."""
    return NONE if value is None else f"{value:,.10g}".replace("-", "−")


def signal(value: float | None, *, figures: int = 6) -> str:
    """A signal's value or limit: whole numbers whole, others with six digits, which is what a float32 holds."""
    if value is None:
        return NONE
    whole = value == int(value) or abs(value) >= 10**figures
    return count(value) if whole else f"{value:,.{figures}g}".replace("-", "−")


def apart(value: float, limit: float, *, figures: int = 3) -> tuple[str, str]:
    """A signal's value and its limit with three digits, or as many more as show that they are not the same."""
    pairs = ((signal(value, figures=n), signal(limit, figures=n)) for n in range(figures, 18))
    return next((pair for pair in pairs if value == limit or pair[0] != pair[1]), (repr(value), repr(limit)))


def power_of_ten(value: float | None) -> str:
    """`4.20 × 10²²`."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")


def share(part: float, whole: float) -> str:
    """`63.0 %`; something is never shown as nothing, nor almost all as all."""
    if not whole:
        return NONE
    percent = 100 * part / whole
    if 0 < abs(percent) < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.1f} %".replace("-", "−")


def percent(value: float) -> str:
    """A share of one to four digits, as limits are compared: `99.02 %`."""
    return f"{100 * value:.4g} %"


def beside(value: float, limit: float) -> str:
    """`percent` of a value beside its limit: with more digits where four would show the two as one."""
    if value == limit or percent(value) != percent(limit):
        return percent(value)
    shown = next((text for n in range(5, 17) if (text := f"{100 * value:.{n}g}") != f"{100 * limit:.{n}g}"), f"{100 * value!r}")
    return f"{shown} %"


def seconds(value: float | None) -> str:
    """`<0.01 s`, `0.42 s`, `12.3 s`, `4 min 10 s`, `2 h 03 min`."""
    if value is None:
        return NONE
    if 0 < value < 0.005:
        return "<0.01 s"
    if value < 99.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60:02} min"


def money(value: float | None) -> str:
    """US dollars."""
    if value is None:
        return NONE
    sign, value = ("−", -value) if value < 0 else ("", value)
    if 0 < value < 0.01:
        return f"{sign}${value:.1g}" if value >= 1e-4 else f"{sign}<$0.0001"
    return f"{sign}${value:,.2f}" if value < 1000 else f"{sign}${value:,.0f}"
