"""Numbers with a checksum: IBANs and payment cards.

**IBAN** (ISO 13616): a country's code, two check digits and letters and digits, in capitals, together or in groups of four with
one space or hyphen between; as long as the SWIFT IBAN Registry says for the country, remainder 1 by ISO 7064 MOD 97-10.

**Payment card** (ISO/IEC 7812-1): the issuer's prefix, a length that it issues, and the Luhn check digit; digits together, or
with one space or hyphen between groups as printed on cards. One number in ten with such a prefix and length passes by chance.

Time is linear: patterns without a choice, applied to texts that a search by Rust's regex engine lets through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import polars as pl

Span = tuple[int, int]

IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FK FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""SWIFT, IBAN Registry (ISO 13616), release 97 and Honduras and Yemen of the releases after it: characters by country."""

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
    last = 0
    for found in _IBAN_START.finditer(text):
        start = found.start()
        length = IBAN_LENGTHS.get(found[0][:2])
        if length is None or start < last:
            continue
        end, value = _iban_text(text, start, length)
        if value and mod97(value) == 1:
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


def mod97(iban: str) -> int:
    """ISO 7064 MOD 97-10 of an IBAN: 1 where it is right."""
    return int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (2 * int(digit) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def is_card(digits: str) -> bool:
    """Whether a known issuer gives out numbers of this prefix and length, and the check digit is right."""
    for low, high, lengths in ISSUERS:
        if len(digits) in lengths and low <= int(digits[: len(str(low))]) <= high:
            return luhn(digits)
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
