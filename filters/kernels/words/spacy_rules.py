"""spaCy's rules for cutting English, as tables that kernels read: kinds of characters, exceptions, units.

Invariant: a flag says of every code point what the patterns say that it stands for in spaCy 3.8 (MIT licence),
`lang/punctuation.py` and `lang/en/punctuation.py`. Their character classes, and the exceptions of
`lang/tokenizer_exceptions.py` and `lang/en/tokenizer_exceptions.py`, are those of filters/data/spacy_english.json, which
tests/bench/peers/spacy_rules.py writes.
BLANK and LETTER are this Python's `str.isspace` and `str.isalpha`; SIGN is datatrove's set of punctuation.
"""

from __future__ import annotations

import json
from importlib import resources
from itertools import accumulate

import numpy as np

from filters import data as figures
from filters.kernels.compiled import Array, Bool, Int, inlined_kernel, inner_kernel
from filters.kernels.kept import kept
from filters.kernels.unicode import char_classes
from filters.kernels.words.signs import signs

DOT, INNER = 1 << 1, 1 << 2
"""A full stop; a full stop or a character that may be an infix."""
BLANK, DIGIT, LETTER, SIGN = 1, 1 << 3, 1 << 4, 1 << 5
"""White space; 0-9; `isalpha`; what datatrove counts as punctuation."""
PREFIX, SUFFIX, ICON = 1 << 6, 1 << 7, 1 << 8
"""A prefix, a suffix, an infix whatever stands beside it (… and symbols)."""
ALPHA, LOWER, UPPER, QUOTE, CURRENCY = 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13
"""spaCy's classes, caseless letters being both LOWER and UPPER."""
STOPPED = 1 << 14
"""A full stop after it is a suffix: `[0-9{al}{e}{p}(?:{q})]`, in which the brackets, | and ?: count as themselves."""
ODD = 1 << 15
"""Some rule asks for it, beyond what stands beside it: text without it and without digits is one token."""

_INNER = "+-*^.,–—~:<>=/"
_SLOTS = 1 << 13
_SEEN = 1 << 16  # bits that drop what is no exception by its first and last byte and its length


def _rules() -> dict[str, str | list[str]]:
    rules: dict[str, str | list[str]] = json.loads(resources.files(figures).joinpath("spacy_english.json").read_text("utf-8"))
    return rules


RULES = _rules()
AFFIXED_EXCEPTIONS = frozenset(RULES["affixed_exceptions"])
EXCEPTIONS = (*RULES["exceptions"], *RULES["affixed_exceptions"])
UNITS = tuple(RULES["units"])


def members(name: str) -> np.ndarray:
    """bool[0x110000]: the code points of one of the classes of the file."""
    found = np.zeros(0x110000, np.bool_)
    spans = RULES[name]
    assert isinstance(spans, str)
    for span in spans.split():
        first, _, rest = span.partition("-")
        last, _, step = rest.partition("/")
        found[int(first, 16) : int(last or first, 16) + 1 : int(step or 1)] = True
    return found


@kept
def tables() -> tuple[np.ndarray, np.ndarray]:
    """`(blocks uint16[4352], cells uint16[:])`: the flags of code point c are `cells[blocks[c >> 8] * 256 + (c & 255)]`."""
    flags = np.zeros(0x110000, np.uint16)
    for assigned in char_classes.ASSIGNED:
        text = list(np.arange(assigned.start, assigned.stop, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass"))
        own = flags[assigned.start : assigned.stop]
        own[np.fromiter(map(str.isspace, text), np.bool_)] |= BLANK
        own[np.fromiter(map(str.isalpha, text), np.bool_)] |= LETTER
    flags[signs()] |= SIGN
    alpha, lower, upper, icons = (members(name) for name in ("alpha", "lower", "upper", "icons"))
    for flag, found in ((ALPHA, alpha), (LOWER | STOPPED, lower), (UPPER, upper), (ICON | PREFIX | SUFFIX, icons)):
        flags[found] |= flag
    punctuation, quotes = _single("punctuation"), _single("quotes")
    for flag, chars in (
        (DIGIT | STOPPED, "0123456789"),
        (PREFIX | SUFFIX | STOPPED, punctuation + quotes),
        (STOPPED, "%²-+|(?:)"),
        (ICON, "…"),
        (PREFIX | SUFFIX, "—–"),
        (PREFIX, "§%="),
        (PREFIX | CURRENCY, _single("currency")),
        (QUOTE, quotes),
        (DOT, "."),
        (INNER, _INNER),
        (ODD, "@"),
    ):
        flags[[ord(char) for char in chars]] |= flag
    flags[(flags & ICON) != 0] |= INNER
    flags[(flags & (PREFIX | SUFFIX | INNER | CURRENCY)) != 0] |= ODD
    return char_classes.two_stages(flags)


def _single(name: str) -> str:
    """The one-character items of a list of the file."""
    return "".join(item for item in RULES[name] if len(item) == 1)


def _hash(form: bytes) -> int:
    """64-bit FNV-1a (Fowler, Noll, Vo; RFC 9923), never 0: an empty slot."""
    value = 0xCBF29CE484222325
    for byte in form:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value or 1


def _seen(form: bytes) -> int:
    return (form[0] & 63) | (form[-1] & 63) << 6 | (len(form) & 15) << 12


def _compiled(forms: dict[bytes, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(keys uint64[_SLOTS], values uint64[_SLOTS], seen uint64[_SEEN / 64])`, linear probing."""
    keys, values, seen = [0] * _SLOTS, [0] * _SLOTS, [0] * (_SEEN // 64)
    for form, value in forms.items():
        key, bit = _hash(form), _seen(form)
        place = key % _SLOTS
        while keys[place] not in (0, key):
            place = (place + 1) % _SLOTS
        keys[place], values[place] = key, value
        seen[bit >> 6] |= 1 << (bit & 63)
    return np.array(keys, np.uint64), np.array(values, np.uint64), np.array(seen, np.uint64)


def _cuts(exception: str) -> int:
    """Bit k: a token ends after byte k; AFFIXED on top."""
    ends = accumulate(len(token.encode()) for token in exception.split(" "))
    return sum(1 << (end - 1) for end in ends) | _AFFIXED * (exception in AFFIXED_EXCEPTIONS)


_AFFIXED = 1 << 63
AFFIXED = np.uint64(_AFFIXED)
"""The exception holds a prefix, suffix or infix, and is put together again where it came apart."""
_FORMS = {exception.replace(" ", "").encode(): _cuts(exception) for exception in EXCEPTIONS}
LONGEST = max(map(len, _FORMS))
"""Bytes of the longest exception."""
LONGEST_UNIT = max(len(unit.encode()) for unit in UNITS)
_KEYS, _VALUES, _MAYBE = _compiled(_FORMS)
_UNIT_KEYS, _, _MAYBE_UNIT = _compiled({unit.encode(): 1 for unit in UNITS})
_MASK = np.uint64(_SLOTS - 1)
_NONE, _ONE = np.uint64(0), np.uint64(1)


@inlined_kernel
def exception(data: Array, p: Int, end: Int) -> Int:
    """uint64: where the exception that `data[p:end]` is gets cut (bit k: after byte k, and AFFIXED), 0 for none."""
    if not 0 < end - p <= LONGEST or not _possible(data, p, end, _MAYBE):
        return _NONE
    return _found(data, p, end, _KEYS, _VALUES)


@inner_kernel
def unit(data: Array, p: Int, end: Int) -> Bool:
    """Whether `data[p:end]` is one of UNITS."""
    if not 0 < end - p <= LONGEST_UNIT or not _possible(data, p, end, _MAYBE_UNIT):
        return False
    return _found(data, p, end, _UNIT_KEYS, _UNIT_KEYS) != _NONE


@inlined_kernel
def _possible(data: Array, p: Int, end: Int, maybe: Array) -> Bool:
    """Whether a form begins and ends with these bytes and is as long, or a few others are."""
    place = np.int64(data[np.uintp(p)] & 63) | np.int64(data[np.uintp(end - 1)] & 63) << 6 | ((end - p) & 15) << 12
    return (maybe[np.uintp(place >> 6)] >> np.uint64(place & 63)) & _ONE != _NONE


@inner_kernel
def _found(data: Array, p: Int, end: Int, keys: Array, values: Array) -> Int:
    key = np.uint64(0xCBF29CE484222325)
    for k in range(p, end):
        key = (key ^ np.uint64(data[np.uintp(k)])) * np.uint64(0x100000001B3)
    slot = key & _MASK
    while keys[np.uintp(slot)]:
        if keys[np.uintp(slot)] == key:
            return values[np.uintp(slot)]
        slot = (slot + _ONE) & _MASK
    return _NONE
