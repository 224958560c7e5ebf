"""Words with punctuation apart, in two dialects of Unicode's word boundaries (UAX #29, Unicode 16), as the rule sets count them.

Invariant: tokens of a row equal `tokens` of tests/filters/test_tokens.py, plain Python over `classes()`. A token is a run of
letters, digits and connectors (_), with a . ' or : or , inside it where UAX #29 keeps one (WB6, WB7, WB11, WB12), with the marks
and format characters that follow it; a sequence of emoji or a pair of regional indicators; or one other character. White space
is none.

How it differs from `uniseg` (kind DCLM): the classes come from Python's categories and scripts instead of WordBreakProperty.txt,
so that letter-like symbols (Ⓐ) are single characters; Hebrew quotes are not joined; a mark after white space is a token of its
own, and one after a sign inside a word ends it. DCLM keeps only tokens whose first character `isalnum()`, and so does this kind.

How it differs from spaCy's blank English (kind DATATROVE): full stops in a row are one token, and what follows "://" belongs to
its token up to the next white space, trailing punctuation apart, both as there. But every other sign is a token of its own
(spaCy keeps "-5", "--", "a@b.com" and "C++" whole), "don't", "it's" and "10km" are one token each (two there), there are no
exceptions ("e.g." is "e.g" and "." here), and no language has a tokeniser of its own: Chinese, Japanese and Thai are cut into
characters, where datatrove uses jieba, SudachiPy and pythainlp.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from filters.kernels import char_classes
from filters.kernels.ascii_words import BYTES, classes, lowest
from filters.kernels.char_classes import decode
from filters.kernels.compiled import kernel
from filters.kernels.spaces import hash_bytes
from filters.kernels.word_lists import WordLists, check_ids, find
from filters.kernels.words import SPARE

DATATROVE, DCLM = 1, 2
"""Kinds of tokens."""

OTHER, BLANK, LETTER, NUMERIC, KATAKANA, EXTEND, JOINER, MID_LETTER, MID_NUMBER, MID_BOTH, REGIONAL, EMOJI, ZWJ = range(13)
CLASS = 0x0F
ALNUM, ALPHA, SIGN = 1 << 4, 1 << 5, 1 << 6
"""`str.isalnum`, `str.isalpha`, and SIGNS: what datatrove counts as punctuation."""

SIGNS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
"""datatrove 0.10.1, `utils/text.py`, PUNCTUATION without its control characters; TERMINALS and controls come on top."""

_CONTROLS = [*range(9), 11, 12, *range(13, 32), *range(127, 160)]
_MIDS = {
    MID_LETTER: ":\xb7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a",
    MID_NUMBER: ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b",
    MID_BOTH: "'.\u2018\u2019\u2024\ufe52\uff07\uff0e",
}
_EMOJI = ((0x2190, 0x21FF), (0x2300, 0x23FF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF))
_KATAKANA = ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))


@cache
def tables() -> tuple[np.ndarray, np.ndarray]:
    """`(blocks uint16[4352], cells uint16[:])`: the class and flags of code point c are `cells[blocks[c >> 8] * 256 + (c &
    255)]`."""
    flags = np.zeros(0x110000, np.uint16)  # as char_classes, so that kernels over both compile once
    for assigned in (range(0x40000), range(0xE0000, 0xF0000)):
        flags[assigned.start : assigned.stop] = _cells(assigned)
    for point in (*_CONTROLS, *map(ord, SIGNS)):
        flags[point] |= SIGN
    blocks, cells = char_classes.tables()
    points = np.arange(0x110000)
    terminal = cells[blocks[points >> 8].astype(np.int64) * 256 + (points & 255)] & char_classes.TERMINAL
    flags[terminal != 0] |= SIGN
    return char_classes.two_stages(flags)


def _cells(points: range) -> np.ndarray:
    """Class and letter flags, uint8 per code point; a later line overrules an earlier one."""
    text = np.arange(points.start, points.stop, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    category = np.array(list(map(unicodedata.category, text)))
    major = category.astype("U1")
    kinds = np.full(len(text), OTHER, np.uint8)
    kinds[(major == "L") | (category == "Nl")] = LETTER
    kinds[_within(points, char_classes.unspaced_ranges())] = OTHER
    kinds[(category == "Nd") & ~_within(points, ((0xFF10, 0xFF19),))] = NUMERIC
    kinds[_within(points, _KATAKANA)] = KATAKANA
    kinds[(category == "So") & _within(points, _EMOJI)] = EMOJI
    kinds[_within(points, ((0x1F1E6, 0x1F1FF),))] = REGIONAL
    for kind, members in _MIDS.items():
        kinds[_within(points, [(ord(char), ord(char)) for char in members])] = kind
    kinds[category == "Pc"] = JOINER
    kinds[((major == "M") | (category == "Cf")) & ~_within(points, ((0x200B, 0x200B),))] = EXTEND
    kinds[_within(points, ((0x200D, 0x200D),))] = ZWJ
    kinds[np.fromiter(map(str.isspace, text), np.bool_)] = BLANK
    alnum, alpha = (np.fromiter(map(method, text), np.bool_) for method in (str.isalnum, str.isalpha))
    return kinds | ALNUM * alnum.astype(np.uint8) | ALPHA * alpha.astype(np.uint8)


def _within(points: range, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """bool per code point: whether it is in one of the spans (first, last)."""
    numbers = np.arange(points.start, points.stop)
    found = np.zeros(len(points), np.bool_)
    for first, last in spans:
        found |= (numbers >= first) & (numbers <= last)
    return found


@kernel
def _flags(data, p, end, blocks, cells):
    """`(flags, bytes)` of the character at p < end."""
    byte = data[np.uintp(p)]
    if byte < 0x80:
        return np.int64(cells[np.uintp(byte)]), 1
    point, size = decode(data, p, end)
    return np.int64(cells[np.uintp((np.int64(blocks[np.uintp(point >> 8)]) << 8) | (point & 255))]), size


@kernel
def _joins(before, kind):
    """Whether UAX #29 puts no boundary between two classes side by side (WB5, WB8 to WB10, WB13)."""
    if before in (LETTER, NUMERIC):
        return kind in (LETTER, NUMERIC, JOINER)
    if before == KATAKANA:
        return kind in (KATAKANA, JOINER)
    return before == JOINER and kind in (JOINER, LETTER, NUMERIC, KATAKANA)


@kernel
def next_token(data, p, end, blocks, cells, dialect):
    """`(stop, chars, seen, every, first)`: the token at p, which is no white space: where it ends, its code points, the flags
    that any and that all of its characters have, and those of its first one."""
    first, size = _flags(data, p, end, blocks, cells)
    before, seen, every, chars = first & CLASS, first, first, np.int64(1)
    p += size
    zwj = pair = False
    if dialect == DATATROVE and data[np.uintp(p - 1)] == 0x2E:
        while p < end and data[np.uintp(p)] == 0x2E:
            p += 1
            chars += 1
        return p, chars, seen, every, first
    while p < end:
        flags, size = _flags(data, p, end, blocks, cells)
        kind = flags & CLASS
        if kind in (EXTEND, ZWJ):
            zwj = kind == ZWJ
        elif _joins(before, kind) or (zwj and kind == EMOJI) or (before == REGIONAL and kind == REGIONAL and not pair):
            pair = kind == REGIONAL
            before, zwj = kind, False
        elif dialect == DATATROVE and before == LETTER and _link(data, p, end):
            stop, more = _link_end(data, p, end, blocks, cells)
            return stop, chars + more, seen, every & ~SIGN, first
        elif (before == LETTER and kind in (MID_LETTER, MID_BOTH)) or (before == NUMERIC and kind in (MID_NUMBER, MID_BOTH)):
            if (
                (dialect == DATATROVE and data[np.uintp(p)] == 0x3A)
                or p + size >= end
                or _flags(data, p + size, end, blocks, cells)[0] & CLASS != before
            ):
                break
            zwj = False
        else:
            break
        seen |= flags
        every &= flags
        chars += 1
        p += size
    return p, chars, seen, every, first


@kernel
def _link(data, p, end):
    """Whether "://" stands at p, and something after it."""
    return p + 3 < end and data[np.uintp(p)] == 0x3A and data[np.uintp(p + 1)] == 0x2F and data[np.uintp(p + 2)] == 0x2F


@kernel
def _link_end(data, p, end, blocks, cells):
    """`(stop, chars)`: where the link that goes on at p ends, before white space and before SIGNS other than / at its end."""
    stop, chars, kept = p, np.int64(0), np.int64(0)
    while p < end:
        flags, size = _flags(data, p, end, blocks, cells)
        if flags & CLASS == BLANK:
            break
        chars += 1
        if not flags & SIGN or data[np.uintp(p)] == 0x2F:
            stop, kept = p + size, chars
        p += size
    return stop, kept


@kernel
def plain_token(data, p, end):
    """Where the token at p, which is no white space, ends if ASCII alone tells that in either dialect; else -1. It is a single
    sign, or a run of letters, digits and connectors that does not begin with a connector."""
    if p + BYTES > end or data[np.uintp(p)] >= 0x80:
        return np.int64(-1)
    word, other = classes(data, np.uintp(p))
    size = lowest(~word)
    if size == np.uint64(0):
        return np.int64(-1) if data[np.uintp(p)] == 0x2E or other & np.uint64(2) else p + 1
    if data[np.uintp(p)] == 0x5F or size > np.uint64(BYTES - 2) or (other >> size) & np.uint64(1):
        return np.int64(-1)
    stop = p + np.int64(size)
    after = data[np.uintp(stop)]
    if after == 0x27 or after == 0x2C or after == 0x2E or after == 0x3A or after == 0x3B:
        follows = data[np.uintp(stop + 1)]
        if ((word | other) >> (size + np.uint64(1))) & np.uint64(1) or (after == 0x3A and follows == 0x2F):
            return np.int64(-1)
    return stop


@kernel
def token_words(data, p, end, blocks, cells, dialect, hashes, ends):
    """As `spaces.split_words`, for the tokens of a dialect; DCLM's are those whose first character is a letter or a number."""
    n = chars = np.int64(0)
    ends[0] = 0
    while p < end and n + SPARE <= hashes.size:
        flags, size = _flags(data, p, end, blocks, cells)
        if flags & CLASS == BLANK:
            p += size
            continue
        start, first = p, flags
        stop = plain_token(data, p, end)
        length = stop - p
        if stop < 0:
            stop, length, _, _, first = next_token(data, p, end, blocks, cells, dialect)
        p = stop
        if dialect == DCLM and not first & ALNUM:
            continue
        chars += length
        hashes[np.uintp(n)] = hash_bytes(data, start, p, end)
        ends[np.uintp(n + 1)] = chars
        n += 1
    return n, p


_N, _PLAIN, _PLAIN_CHARS, _ALPHA_TOKENS, _ALNUM_TOKENS, _STOP_WORDS = range(6)


@dataclass(frozen=True)
class TokenFacts:
    """Tokens of dialect DATATROVE, but for `alnum_tokens`; one int64 item per row."""

    tokens: np.ndarray
    """Number of tokens."""
    plain: np.ndarray
    """Tokens with a character that is not one of SIGNS."""
    plain_chars: np.ndarray
    """Code points of those."""
    alpha_tokens: np.ndarray
    """Tokens with a letter."""
    alnum_tokens: np.ndarray
    """Tokens of dialect DCLM: what `uniseg` gives where the first character is a letter or a number."""
    stop_words: np.ndarray
    """Different words of the row's list among the tokens, as written; -1 where the row has no list."""


def token_facts(offsets: np.ndarray, data: np.ndarray, list_id: np.ndarray, lists: WordLists) -> TokenFacts:
    """Facts of each row; `list_id` int16[n] is its list of stop words or -1."""
    check_ids(list_id, lists)
    out = np.zeros((len(offsets) - 1, 6), np.int64)
    words = (lists.slot_starts, lists.slots, lists.form_starts, lists.form_bytes, lists.form_words, lists.longest)
    _facts(offsets, data, list_id, *tables(), *words, out)
    return TokenFacts(*np.ascontiguousarray(out.T))


@kernel
def _facts(offsets, data, list_id, blocks, cells, slot_starts, slots, form_starts, form_bytes, form_words, longest, out):
    for i in range(offsets.size - 1):
        p, end, count = offsets[i], offsets[i + 1], out[i]
        k = list_id[i]
        table = slots[slot_starts[max(k, 0)] : slot_starts[max(k, 0) + 1]]
        met = np.int64(0)
        while p < end:
            flags, size = _flags(data, p, end, blocks, cells)
            if flags & CLASS == BLANK:
                p += size
                continue
            start, first, seen, every = p, flags, flags, flags
            stop = plain_token(data, p, end)
            length = stop - p
            if stop < 0:
                stop, length, seen, every, first = next_token(data, p, end, blocks, cells, DATATROVE)
            p += 1
            while p < stop and not seen & ALPHA:
                seen |= np.int64(cells[np.uintp(data[np.uintp(p)])]) if data[np.uintp(p)] < 0x80 else np.int64(0)
                p += 1
            p = stop
            count[_N] += 1
            if not every & SIGN:
                count[_PLAIN] += 1
                count[_PLAIN_CHARS] += length
            count[_ALPHA_TOKENS] += (seen & ALPHA) != 0
            count[_ALNUM_TOKENS] += (first & ALNUM) != 0
            if k >= 0 and seen & ALPHA and p - start <= longest[k]:
                form = find(data, start, p, table, form_starts, form_bytes)
                if form >= 0:
                    met |= np.int64(1) << form_words[form]
        while met:
            met &= met - 1
            count[_STOP_WORDS] += 1
        if k < 0:
            count[_STOP_WORDS] = -1
