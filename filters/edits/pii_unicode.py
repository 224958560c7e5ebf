"""E-mail and IPv4 addresses with other letters than ASCII's: internationalised ones, and those in full-width characters.

**Full width**: ＠ and full-width letters, digits, points and hyphens (U+FF01-FF5E) stand for ASCII's; what is an address then
is one here (`filters/edits/pii.py`).

**Internationalised** (RFC 6531, RFC 5890): `jürgen@bücher.de`, `почта@пример.рф`. The local part is letters of one script, that
of the letter nearest to the @, with digits and `_ + - % ' .`: text without spaces may stand before it (the Chinese before
anna@b.cn). Where that script writes no spaces itself, the domain must have such letters too, and at most NAME characters are
taken. The domain ends in a top-level domain: IANA's, in Unicode or ASCII, the longest that the last label begins with where other
letters follow.

Only texts with signs of such an address are looked at (`filters/kernels/pii/pii_other.py`); each @ costs as much as its longest
address.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

import numpy as np
import pyarrow as pa

from filters.data.domains import top_level_domains, unicode_domains
from filters.kernels import buffers
from filters.kernels.pii import pii

Span = tuple[int, int, int]
"""Start, end (characters), kind."""
LOCAL, LABEL = 64, 63
"""RFC 5321, section 4.5.3.1.1; RFC 1035, section 2.3.4."""
NAME = 16
"""Characters of a local part in a script without spaces: chosen because names and words are shorter, and prose is not masked."""
_NARROW = {
    code: code - 0xFEE0
    for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF20, 0xFF0E, 0xFF0D, 0xFF3F, 0xFF0B)
}
_NO_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


def spans(text: str, *, wanted: tuple[bool, bool, bool]) -> list[Span]:
    """The addresses in a text, those in ASCII too, in order; none overlaps another."""
    narrow = text.translate(_NARROW)
    offsets, data = buffers.views(pa.array([narrow], pa.large_string()))
    found = pii.spans(offsets, data, wanted=wanted)
    raw = narrow.encode()
    taken = list(_internationalised(narrow)) if wanted[pii.EMAIL] else []
    place = at = 0
    for start, end, kind in zip(
        (found.starts - offsets[0]).tolist(), (found.ends - offsets[0]).tolist(), found.kinds, strict=True
    ):
        first = place + len(raw[at:start].decode())
        place, at = first + len(raw[start:end].decode()), end
        taken.append((first, place, int(kind)))
    made: list[Span] = []
    # An address in ASCII may be a part of one that is not: the longer one begins first, or there.
    for span in sorted(taken, key=lambda span: (span[0], -span[1])):
        if not made or span[0] >= made[-1][1]:
            made.append(span)
    return made


def _internationalised(text: str) -> Iterator[Span]:
    floor = 0
    for found in re.finditer("@", text):
        at = found.start()
        stop = _domain(text, at + 1)
        if stop is None:
            continue
        start = _local(text, at, floor=floor, foreign=not text[at:stop].isascii())
        if start is not None and not text[start:stop].isascii():
            yield start, stop, pii.EMAIL
            floor = stop


def _local(text: str, at: int, *, floor: int, foreign: bool) -> int | None:
    """Where the local part begins that ends before `at`; None where there is none. `foreign`: the domain is not in ASCII."""
    script = ""
    start = at
    while start > floor and at - start <= LOCAL:
        char = text[start - 1]
        if not char.isascii() or char.isalpha():
            kind = _script(char)
            if kind is None or kind != (script or kind):
                break
            script = kind
            if script in _NO_SPACES and (not foreign or at - start == NAME):
                break
        elif not (char.isdigit() or char in "_+%'.-") or (char == "." and (start == at or text[start] == ".")):
            break
        start -= 1
    while start < at and not text[start].isalnum():
        start += 1
    well = start < at <= start + LOCAL and text[at - 1] not in "'%"
    return start if well else None


@lru_cache(1 << 16)
def _script(char: str) -> str | None:
    """What the name of a letter begins with; "" of a mark or digit, which belong to any; None of what is no part of a word."""
    category = unicodedata.category(char)
    if category[0] in "MN":
        return ""
    return unicodedata.name(char, "").partition(" ")[0] if category[0] == "L" else None


def _domain(text: str, place: int) -> int | None:
    """Where the longest domain name that begins at `place` ends."""
    stop = None
    first = True
    while place < len(text):
        end = place
        while end < len(text) and end - place <= LABEL and (text[end] == "-" or _script(text[end]) is not None):
            end += 1
        label = text[place:end]
        if not label or label[0] == "-" or len(label) > LABEL:
            break
        if not first and (size := _top(label)):
            stop = place + size
        if label[-1] == "-" or not (text[end : end + 1] == "." or (text[end : end + 1] in "。｡" and not label.isascii())):
            break
        place, first = end + 1, False
    return stop


@cache
def _known() -> frozenset[str]:
    return unicode_domains() | top_level_domains()


def _top(label: str) -> int:
    """Characters of the top-level domain that a label is, or begins with where letters of another kind follow; 0: none."""
    known = _known()
    if label.lower() in known:
        return len(label)
    if label.isascii():
        return 0
    plain = re.match("[A-Za-z0-9-]+", label)
    if plain:
        return len(plain[0]) if plain[0].lower() in known else 0
    return next((size for size in range(len(label) - 1, 1, -1) if label[:size].lower() in known), 0)


def masked(texts: Iterable[str], *, wanted: tuple[bool, bool, bool], masks: tuple[str, str, str]) -> tuple[list[str], np.ndarray]:
    """The texts with these masks, and uint8[n] with bit k set where kind k changed one."""
    made, bits = [], []
    for text in texts:
        parts, last, changed = [], 0, 0
        for start, end, kind in spans(text, wanted=wanted):
            parts += [text[last:start], masks[kind]]
            changed |= (text[start:end] != masks[kind]) << kind
            last = end
        made.append("".join((*parts, text[last:])))
        bits.append(changed)
    return made, np.array(bits, np.uint8)
