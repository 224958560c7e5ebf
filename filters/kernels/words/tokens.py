"""Words with punctuation apart, as two rule sets count them: spaCy's tokens (datatrove), and Unicode's word boundaries (DCLM).

Kind DATATROVE is `spacy_cuts`: spaCy's published rules for English, on every language; that module says where it differs.

Kind DCLM is a dialect of UAX #29, Unicode 16. Invariant: tokens of a row equal `split` of
tests/filters/kernels/words/test_tokens.py, plain Python over `classes()`. A token is a run of letters, digits and connectors (_),
with a . ' or : or , inside it where UAX #29 keeps one (WB6, WB7, WB11, WB12), with the marks and format characters that follow
it; a sequence of emoji or a pair of regional indicators; or one other character. White space is none. Tokens whose first
character `isalnum()` count.

How it differs from `uniseg`, which DCLM calls: the classes come from Python's categories and scripts instead of
WordBreakProperty.txt, so that letter-like symbols (Ⓐ) are single characters; Hebrew quotes are not joined; a mark after white
space is a token of its own, and one after a sign inside a word ends it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inlined_kernel, inner_kernel, kernel
from filters.kernels.kept import kept
from filters.kernels.lines.pieces import chars as chars_of
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, classes, lowest, ones
from filters.kernels.unicode.char_classes import flags_at
from filters.kernels.words import spacy_rules
from filters.kernels.words.spaces import hash_bytes
from filters.kernels.words.spacy_cuts import LONGEST_PIECE, next_piece, plain
from filters.kernels.words.word_lists import WordLists, check_ids, find_form
from filters.kernels.words.words import SPARE

DATATROVE, DCLM = 1, 2
"""Kinds of tokens."""

OTHER, BLANK, LETTER, NUMERIC, KATAKANA, EXTEND, JOINER, MID_LETTER, MID_NUMBER, MID_BOTH, REGIONAL, EMOJI, ZWJ = range(13)
CLASS = 0x0F
ALNUM = 1 << 4
"""`str.isalnum`."""

_MIDS = {
    MID_LETTER: ":\xb7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a",
    MID_NUMBER: ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b",
    MID_BOTH: "'.\u2018\u2019\u2024\ufe52\uff07\uff0e",
}
_EMOJI = ((0x2190, 0x21FF), (0x2300, 0x23FF), (0x2600, 0x27BF), (0x2B00, 0x2BFF), (0x1F000, 0x1FAFF))
_KATAKANA = ((0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))


@kept
def tables() -> tuple[np.ndarray, np.ndarray]:
    """`(blocks uint16[4352], cells uint16[:])`: class and ALNUM of code point c are `cells[blocks[c >> 8] * 256 + (c & 255)]`."""
    flags = np.zeros(0x110000, np.uint16)  # as char_classes, so that kernels over both compile once
    for assigned in char_classes.ASSIGNED:
        flags[assigned.start : assigned.stop] = _cells(assigned)
    return char_classes.two_stages(flags)


def _cells(points: range) -> np.ndarray:
    """Class and ALNUM, uint8 per code point; a later line overrules an earlier one."""
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
    return kinds | ALNUM * np.fromiter(map(str.isalnum, text), np.bool_).astype(np.uint8)


def _within(points: range, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """bool per code point: whether it is in one of the spans (first, last)."""
    numbers = np.arange(points.start, points.stop)
    found = np.zeros(len(points), np.bool_)
    for first, last in spans:
        found |= (numbers >= first) & (numbers <= last)
    return found


@inner_kernel
def _joins(before: Int, kind: Int) -> Bool:
    """Whether UAX #29 puts no boundary between two classes side by side (WB5, WB8 to WB10, WB13)."""
    if before in (LETTER, NUMERIC):
        return kind in (LETTER, NUMERIC, JOINER)
    if before == KATAKANA:
        return kind in (KATAKANA, JOINER)
    return before == JOINER and kind in (JOINER, LETTER, NUMERIC, KATAKANA)


@inner_kernel
def next_token(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> tuple[Int, Int]:
    """`(stop, chars)`: where DCLM's token at p, which is no white space, ends, and its code points."""
    first, size = flags_at(data, p, end, blocks, cells)
    before, chars = first & CLASS, np.int64(1)
    p += size
    zwj = pair = False
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        kind = flags & CLASS
        if kind in (EXTEND, ZWJ):
            zwj = kind == ZWJ
        elif _joins(before, kind) or (zwj and kind == EMOJI) or (before == REGIONAL and kind == REGIONAL and not pair):
            pair = kind == REGIONAL
            before, zwj = kind, False
        elif (before == LETTER and kind in (MID_LETTER, MID_BOTH)) or (before == NUMERIC and kind in (MID_NUMBER, MID_BOTH)):
            if p + size >= end or flags_at(data, p + size, end, blocks, cells)[0] & CLASS != before:
                break
            zwj = False
        else:
            break
        chars += 1
        p += size
    return p, chars


@inner_kernel
def plain_token(data: Array, p: Int, end: Int) -> Int:
    """Where DCLM's token at p, which is no white space, ends if ASCII alone tells that; else -1. It is a single sign, or a run of
    letters, digits and connectors that does not begin with a connector."""
    if p + BYTES > end or data[np.uintp(p)] >= 0x80:
        return np.int64(-1)
    word, other = classes(data, np.uintp(p))
    size = lowest(~word)
    if size == np.uint64(0):
        return np.int64(-1) if other & np.uint64(2) else p + 1
    if data[np.uintp(p)] == 0x5F or size > np.uint64(BYTES - 2) or (other >> size) & np.uint64(1):
        return np.int64(-1)
    stop = p + np.int64(size)
    after = data[np.uintp(stop)]
    joins = after in (0x27, 0x2C, 0x2E, 0x3A, 0x3B) and ((word | other) >> (size + np.uint64(1))) & np.uint64(1)
    return np.int64(-1) if joins else stop


@inner_kernel
def token_words(
    data: Array, p: Int, end: Int, blocks: Array, cells: Array, dialect: Int, hashes: Array, ends: Array
) -> tuple[Int, Int]:
    """As `spaces.split_words`, for the tokens of a dialect, whose tables blocks and cells are."""
    if dialect == DATATROVE:
        return _spacy_words(data, p, end, blocks, cells, hashes, ends)
    n = chars = np.int64(0)
    ends[0] = 0
    while p < end and n + SPARE <= hashes.size:
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & CLASS == BLANK:
            p += size
            continue
        start, first = p, flags
        stop = plain_token(data, p, end)
        length = stop - p
        if stop < 0:
            stop, length = next_token(data, p, end, blocks, cells)
        p = stop
        if not first & ALNUM:
            continue
        chars += length
        hashes[np.uintp(n)] = hash_bytes(data, start, p, end)
        ends[np.uintp(n + 1)] = chars
        n += 1
    return n, p


@inner_kernel
def _spacy_words(data: Array, p: Int, end: Int, blocks: Array, cells: Array, hashes: Array, ends: Array) -> tuple[Int, Int]:
    """`token_words` of DATATROVE. What is left of hashes holds the ends of a piece's tokens until their hashes come."""
    n = chars = np.int64(0)
    ends[0] = 0
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & spacy_rules.BLANK:
            p += size
            continue
        if n + 2 > hashes.size:
            break
        length, more = plain(data, p, end, cells)
        if length:
            for _ in range(1 + more):
                chars += length
                hashes[np.uintp(n)] = hash_bytes(data, p, p + length, end)
                ends[np.uintp(n + 1)] = chars
                n += 1
                p += length
                length = np.int64(1)
            continue
        found, _, size = next_piece(data, p, end, blocks, cells, hashes[n:])
        if found < 0:
            break
        narrow = size == np.int64(hashes[np.uintp(n + found - 1)]) - p  # a byte a character
        for _ in range(found):
            last = np.int64(hashes[np.uintp(n)])
            chars += last - p if narrow else chars_of(data, p, last)
            hashes[np.uintp(n)] = hash_bytes(data, p, last, end)
            ends[np.uintp(n + 1)] = chars
            n += 1
            p = last
    return n, p


_N, _PLAIN, _PLAIN_CHARS, _ALPHA_TOKENS, _STOP_WORDS = range(5)


@dataclass(frozen=True)
class TokenFacts:
    """Tokens of kind DATATROVE; one int64 item per row."""

    tokens: np.ndarray
    """Number of tokens."""
    plain: np.ndarray
    """Tokens with a character that is not one of `signs.signs()`."""
    plain_chars: np.ndarray
    """Code points of those."""
    alpha_tokens: np.ndarray
    """Tokens with a letter."""
    stop_words: np.ndarray
    """Different words of the row's list among the tokens, as written; -1 where the row has no list."""


def token_facts(offsets: np.ndarray, data: np.ndarray, list_id: np.ndarray, lists: WordLists) -> TokenFacts:
    """Facts of each row; `list_id` int16[n] is its list of stop words or -1."""
    check_ids(list_id, lists)
    out = np.zeros((len(offsets) - 1, 5), np.int64)
    _facts(offsets, data, list_id, *spacy_rules.tables(), lists, np.empty(LONGEST_PIECE + 2, np.uint64), out)
    return TokenFacts(*np.ascontiguousarray(out.T))


@inlined_kernel
def _sorts(data: Array, p: Int, end: Int, narrow: bool, blocks: Array, cells: Array) -> tuple[Int, Int, Int]:
    """`(seen, every, chars)` of the token `data[p:end]`: LETTER if any of its characters is one, SIGN if all are, code points.
    `narrow` says that each is one byte."""
    seen, size = flags_at(data, p, end, blocks, cells)
    every, chars = seen & spacy_rules.SIGN, np.int64(1)
    if narrow and seen & spacy_rules.LETTER:
        return seen, np.int64(0), end - p
    p += size
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        seen |= flags
        every &= flags
        chars += 1
        p += size
    return seen, every, chars


@kernel
def _facts(
    offsets: Array, data: Array, list_id: Array, blocks: Array, cells: Array, lists: WordLists, cuts: Array, out: Array
) -> None:
    slot_starts, form_starts, form_bytes = lists.slot_starts, lists.form_starts, lists.form_bytes
    for i in range(offsets.size - 1):
        p, end, count = offsets[i], offsets[i + 1], out[i]
        k = list_id[i]
        table = lists.slots[slot_starts[max(k, 0)] : slot_starts[max(k, 0) + 1]]
        met: Int = np.int64(0)
        while p < end:
            flags, size = flags_at(data, p, end, blocks, cells)
            if flags & spacy_rules.BLANK:
                p += size
                continue
            length, more = plain(data, p, end, cells)
            if length:
                cuts[0], cuts[1] = np.uint64(p + length), np.uint64(p + length + more)
                found, seen, chars = 1 + more, flags, length + more
            else:
                found, seen, chars = next_piece(data, p, end, blocks, cells, cuts)
            narrow = chars == np.int64(cuts[np.uintp(found - 1)]) - p  # a byte a character
            for j in range(found):
                last = np.int64(cuts[np.uintp(j)])
                every = np.int64(0)
                if found > 1 or seen & spacy_rules.SIGN:
                    seen, every, chars = _sorts(data, p, last, narrow, blocks, cells)
                count[_N] += 1
                if not every:
                    count[_PLAIN] += 1
                    count[_PLAIN_CHARS] += chars
                letters = seen & spacy_rules.LETTER != 0
                count[_ALPHA_TOKENS] += letters
                if k >= 0 and letters and last - p <= lists.longest[k]:
                    form = find_form(data, p, last, table, form_starts, form_bytes)
                    if form >= 0:
                        met |= np.int64(1) << lists.form_words[form]
                p = last
        count[_STOP_WORDS] = np.int64(ones(np.uint64(met))) if k >= 0 else np.int64(-1)
