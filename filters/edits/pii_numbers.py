"""Numbers with a checksum: IBANs and payment cards.

**IBAN** (ISO 13616): a country's code, two check digits and letters and digits, in capitals, together or in groups of four with
one space or hyphen between; as long as the SWIFT IBAN Registry says for the country, remainder 1 by ISO 7064 MOD 97-10.

**Payment card** (ISO/IEC 7812-1): the issuer's prefix, a length that it issues, and the Luhn check digit; digits together, or
with one space or hyphen between groups as printed on cards. One number in ten with such a prefix and length passes by chance.

The registry (release 101, 89 countries) and both checksums are python-stdnum's; the issuers are ours, for it has none. It takes
44 ms to import, which runs without these masks do without.

Time is linear: patterns without a choice, applied to texts that a search by Rust's regex engine lets through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

import polars as pl

Span = tuple[int, int]

ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (6011, 6011, (16, 17, 18, 19)),  # Discover
    (644, 659, (16, 17, 18, 19)),
    (3528, 3589, (16, 17, 18, 19)),  # JCB
    (1800, 1800, (15,)),
    (2131, 2131, (15,)),
    (300, 305, (14, 16)),  # Diners Club
    (3095, 3095, (14, 16)),
    (36, 36, (14, 16)),
    (38, 39, (14, 16)),
    (62, 62, (16, 17, 18, 19)),  # UnionPay
    (2200, 2204, (16, 17, 18, 19)),  # Mir
    (5018, 5018, tuple(range(12, 20))),  # Maestro
    (5020, 5020, tuple(range(12, 20))),
    (5038, 5038, tuple(range(12, 20))),
    (5893, 5893, tuple(range(12, 20))),
    (6304, 6304, tuple(range(12, 20))),
    (6759, 6759, tuple(range(12, 20))),
    (6761, 6763, tuple(range(12, 20))),
)
"""First and last prefix, lengths: issuers' published ranges, ISO/IEC 7812-1 numbering."""
CARD_GROUPS = ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 1), (6, 13))
"""Digits in the groups that cards are printed with."""

_IBAN_START = re.compile(r"(?<![0-9A-Za-z_])[A-Z]{2}[0-9]{2}(?=[ -]?[0-9A-Z])")
_CARD_START = re.compile(r"(?<![0-9A-Za-z_])[1-6][0-9]{3}(?=[0-9]{8}|[ -][0-9]{4}|[0-9]{2}[ -][0-9]{13})")
_CARD_SHAPES = [
    re.compile(r"[0-9]{12,19}(?![0-9A-Za-z_])"),
    *(
        re.compile("([ -])".join(f"[0-9]{{{n}}}" for n in shape).replace("([ -])", r"\1").replace(r"\1", "([ -])", 1))
        for shape in CARD_GROUPS
    ),
]
_MAY_HOLD_IBAN = r"[A-Z]{2}[0-9]{2}[ -]?[0-9A-Z]{4}"
_MAY_HOLD_CARD = r"[0-9](?:[ -]?[0-9]){11}"


def replaced(texts: pl.Series, *, mask: str, candidates: str, spans: Callable[[str], Iterator[Span]]) -> pl.Series:
    """`texts` with `mask` in the place of every span; only those that the (Rust) pattern `candidates` finds are looked at."""
    rows = texts.str.contains(candidates)
    if not rows.any():
        return texts
    made = [_masked(text, spans(text), mask) for text in texts.filter(rows)]
    places = rows.arg_true()
    # scatter writes in place.
    return texts.clone().scatter(places, pl.Series(texts.name, made, dtype=pl.String))


def _masked(text: str, spans: Iterator[Span], mask: str) -> str:
    parts, last = [], 0
    for start, end in spans:
        parts += [text[last:start], mask]
        last = end
    return "".join((*parts, text[last:])) if parts else text


def mask_ibans(texts: pl.Series, mask: str) -> pl.Series:
    return replaced(texts, mask=mask, candidates=_MAY_HOLD_IBAN, spans=ibans)


def mask_cards(texts: pl.Series, mask: str) -> pl.Series:
    return replaced(texts, mask=mask, candidates=_MAY_HOLD_CARD, spans=cards)


def ibans(text: str) -> Iterator[Span]:
    """Where IBANs stand, in order."""
    from stdnum.iso7064 import mod_97_10

    last = 0
    for found in _IBAN_START.finditer(text):
        start = found.start()
        length = iban_length(found[0][:2])
        if not length or start < last:
            continue
        end, value = _iban_text(text, start, length)
        if value and mod_97_10.is_valid(value[4:] + value[:4]):
            yield start, end
            last = end


def _iban_text(text: str, start: int, length: int) -> tuple[int, str]:
    """`(end, its characters)` of the IBAN of this length at start; the characters are "" where there is none."""
    separator = text[start + 4]
    if separator in " -":
        size = length + (length - 1) // 4
        groups = text[start : start + size].split(separator)
        value = "".join(groups)
        well = len(groups) == -(-length // 4) and all(len(group) == 4 for group in groups[:-1])
    else:
        size, well = length, True
        value = text[start : start + size]
    after = text[start + size : start + size + 1]
    plain = value.isascii() and value.isalnum() and value.upper() == value
    well = well and len(value) == length and plain and not (after.isascii() and (after.isalnum() or after == "_"))
    return start + size, value if well else ""


@cache
def iban_length(country: str) -> int:
    """Characters of the country's IBANs; 0 where it has none. stdnum writes the part behind the check digits as `8!n10!n`."""
    from stdnum import numdb

    structure: str = numdb.get("iban").info(country)[0][1].get("bban", "")
    return 4 + sum(map(int, re.findall("([0-9]+)!", structure))) if structure else 0


def is_card(digits: str) -> bool:
    """Whether a known issuer gives out numbers of this prefix and length, and the check digit is right."""
    from stdnum import luhn

    for low, high, lengths in ISSUERS:
        if len(digits) in lengths and low <= int(digits[: len(str(low))]) <= high:
            return luhn.is_valid(digits)
    return False


def cards(text: str) -> Iterator[Span]:
    """Where card numbers stand, in order. Other numbers may stand around one: an expiry date follows."""
    last = 0
    for found in _CARD_START.finditer(text):
        start = found.start()
        if start < last or _touches(text[start - 1 : start], text[max(0, start - 2) : start - 1]):
            continue
        for shape in _CARD_SHAPES:
            card = shape.match(text, start)
            if card is None or _touches(text[card.end() : card.end() + 1], text[card.end() + 1 : card.end() + 2]):
                continue
            if is_card(re.sub("[ -]", "", card[0])):
                last = card.end()
                yield start, last
                break


def _touches(near: str, far: str) -> bool:
    """Whether a number goes on, or is part of a word, beyond this character: letters and `_`, a point with a digit behind it."""
    return near.isalnum() or near == "_" or (near in ".," and near != "" and far.isdigit())
