"""How many words of a list a text has, where each text may have a list of its own.

Invariant: a word is looked up as exact bytes; hashes only find the place to compare. See `distinct_members` for the plain
Python that the kernel equals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_kernel, inner_kernel, kernel
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, between, highest, lowest, ones
from filters.kernels.unicode.char_classes import OUTER, SPACE, flags_at
from filters.kernels.words.spaces import white

MAX_WORDS = 63
"""Words in one list: each is a bit of an int64."""
_MANY = 62
_BITS, _ALL = np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)


class WordLists(NamedTuple):
    """Lists compiled by `compile_lists`: one open-addressed hash table per list, the written forms end to end."""

    slot_starts: np.ndarray
    """int64[lists + 1]: list k has `slots[slot_starts[k]:slot_starts[k + 1]]`, a power of two of them, most of them empty."""
    slots: np.ndarray
    """int32: number of a form, or -1."""
    form_starts: np.ndarray
    """int64[forms + 1]: form f is `form_bytes[form_starts[f]:form_starts[f + 1]]`."""
    form_bytes: np.ndarray
    """uint8, UTF-8."""
    form_words: np.ndarray
    """int64[forms]: which word of its list a form writes."""
    n_words: np.ndarray
    """int64[lists]"""
    longest: np.ndarray
    """int64[lists]: bytes of the longest form; no longer word needs to be looked up."""
    sizes: np.ndarray
    """int64[lists, 256]: bit n of `sizes[k, b]` says that list k has a form of n bytes (62: or more) that begins with b."""


def forms(word: str) -> set[str]:
    """The ways in which a lower-case word is written: the, The, THE. A language without case has one."""
    return {word, word.capitalize(), word.upper()}


def as_written(word: str) -> set[str]:
    return {word}


def any_case(word: str) -> set[str]:
    """What lowers to the word, letter by letter: the, thE, tHe, … (2 to the power of its letters, so for short words)."""
    return {"".join(chars) for chars in product(*({char, char.upper()} for char in word))}


def compile_lists(lists: Sequence[Sequence[str]], *, written: Callable[[str], set[str]] = forms) -> WordLists:
    """Tables of the given lists of distinct lower-case words, each up to MAX_WORDS long, in the forms that `written` gives.

    Raises ValueError otherwise.
    """
    slots: list[np.ndarray] = []
    spelt: list[bytes] = []
    words: list[int] = []
    longest: list[int] = []
    sizes = np.zeros((len(lists), 256), np.int64)
    for number, members in enumerate(lists):
        if len(set(members)) != len(members) or len(members) > MAX_WORDS or any(word != word.lower() for word in members):
            raise ValueError(f"a word list takes up to {MAX_WORDS} distinct lower-case words, got {members}")
        own = [(form.encode(), k) for k, word in enumerate(members) for form in sorted(written(word))]
        slots.append(_slots([form for form, _ in own], first=len(spelt)))
        spelt += [form for form, _ in own]
        words += [k for _, k in own]
        longest.append(max((len(form) for form, _ in own), default=0))
        for form, _ in own:
            sizes[number, form[0]] |= 1 << min(len(form), _MANY)
    return WordLists(
        slot_starts=np.cumsum([0, *map(len, slots)]),
        slots=np.concatenate([*slots, np.zeros(0, np.int32)]),
        form_starts=np.cumsum([0, *map(len, spelt)]),
        form_bytes=np.frombuffer(b"".join(spelt), np.uint8),
        form_words=np.array(words, np.int64),
        n_words=np.array([len(members) for members in lists], np.int64),
        longest=np.array(longest, np.int64),
        sizes=sizes,
    )


def _slots(written: list[bytes], *, first: int) -> np.ndarray:
    """Hash table of forms numbered from `first`, linear probing, at most a quarter full: each probe ends at a -1."""
    slots = np.full(1 << max(2, (4 * len(written) - 1).bit_length()), -1, np.int32)
    for number, form in enumerate(written, start=first):
        place = int(_hash(np.frombuffer(form, np.uint8), 0, len(form))) & (len(slots) - 1)
        while slots[place] >= 0:
            place = (place + 1) & (len(slots) - 1)
        slots[place] = number
    return slots


def distinct_members(offsets: np.ndarray, data: np.ndarray, list_id: np.ndarray, lists: WordLists) -> np.ndarray:
    """int32[n]: how many words of list `list_id[i]` (int16[n]) text i has, each counted once; -1 where `list_id[i]` is -1.

    Equals, with `outer` = every character of category P* or S*:
    `len({m for m in members for w in text.split() if w.strip(outer) in forms(m)})`.
    So "(The" and "THE" are "the", "tHe" and "the-end" are not, and a list's word must not begin or end with an outer
    character itself. Raises ValueError if there is no list `list_id[i]`.
    """
    return _counted(_distinct, offsets, data, (list_id, lists))


def occurrences(offsets: np.ndarray, data: np.ndarray, list_id: np.ndarray, lists: WordLists) -> np.ndarray:
    """int32[n]: how many words of text i are one of list `list_id[i]`, each time that one occurs; -1 where `list_id[i]` is -1.

    Equals `sum(w in written for w in text.split())`, `written` being the forms of the list's words. Raises as `distinct_members`.
    """
    return _counted(_occurrences, offsets, data, (list_id, lists))


def _counted(
    kernel: Callable[..., None], offsets: np.ndarray, data: np.ndarray, chosen: tuple[np.ndarray, WordLists]
) -> np.ndarray:
    list_id, lists = chosen
    check_ids(list_id, lists)
    found = np.full(len(offsets) - 1, -1, np.int32)
    kernel(offsets, data, list_id, *char_classes.tables(), lists, found)
    return found


def check_ids(list_id: np.ndarray, lists: WordLists) -> None:
    """Raise ValueError unless each id is the number of a list or -1."""
    if list_id.size and (list_id.max() >= len(lists.n_words) or list_id.min() < -1):
        raise ValueError(f"list ids must be -1 to {len(lists.n_words) - 1}, got {list_id.min()} to {list_id.max()}")


@inner_kernel
def _may_be(data: Array, first: Int, last: Int, sizes: Array) -> Int:
    """Whether a form is as long as `data[first:last]`, one byte or more, and begins as it does."""
    return (sizes[np.uintp(data[np.uintp(first)])] >> min(last - first, _MANY)) & 1


@kernel
def _distinct(offsets: Array, data: Array, list_id: Array, blocks: Array, cells: Array, lists: WordLists, found: Array) -> None:
    _members(offsets, data, list_id, blocks, cells, lists, True, found)


@kernel
def _occurrences(
    offsets: Array, data: Array, list_id: Array, blocks: Array, cells: Array, lists: WordLists, found: Array
) -> None:
    _members(offsets, data, list_id, blocks, cells, lists, False, found)


@inlined_kernel
def _members(
    offsets: Array, data: Array, list_id: Array, blocks: Array, cells: Array, lists: WordLists, distinct: bool, found: Array
) -> None:
    """Fills `found` for the rows that have a list: with words of the list, each once and without what is OUTER at a word's ends;
    or with all their occurrences. The former ends a row early, once every word of its list was seen."""
    outer = np.int64(OUTER if distinct else 0)
    for i in range(offsets.size - 1):
        k = list_id[i]
        if k < 0:
            continue
        table = lists.slots[lists.slot_starts[k] : lists.slot_starts[k + 1]]
        p, end = offsets[i], offsets[i + 1]
        every = (np.int64(1) << lists.n_words[k]) - 1 if distinct else np.int64(-1)
        n: Int = np.int64(0)
        seen: Int = np.int64(0)
        while p < end and seen != every:
            if p + BYTES <= end:
                n, seen, p = _short_members(data, p, end, outer, every, lists, lists.sizes[k], table, n, seen)
                if p == end or seen == every:
                    break
            first, last, p = _next_word(data, p, end, outer, blocks, cells)
            if first < last and _may_be(data, first, last, lists.sizes[k]):
                form = find_form(data, first, last, table, lists.form_starts, lists.form_bytes)
                n += form >= 0
                seen |= np.int64(1) << lists.form_words[form] if form >= 0 else np.int64(0)
        found[i] = ones(np.uint64(seen)) if distinct else n


@inlined_kernel
def _short_members(
    data: Array, p: Int, end: Int, outer: Int, every: Int, lists: WordLists, sizes: Array, table: Array, n: Int, seen: Int
) -> tuple[Int, Int, Int]:
    """`(n, seen, next)`: adds words of the list among whole words that end within 64 bytes of a block's start, up to one
    that may hold a wide space or, where there are outer characters, one beyond ASCII."""
    while p + BYTES <= end and seen != every:
        at = np.uintp(p)
        space, _, stops = white(data, at)
        ends = np.uint64(0)
        if outer:
            stops = between(data, at, 0x80, 0xFF)
            ends = between(data, at, 0x21, 0x2F) | between(data, at, 0x3A, 0x40) | between(data, at, 0x5B, 0x60)
            ends |= between(data, at, 0x7B, 0x7E)
        valid = lowest(stops)
        word = ~space
        next_ = valid
        while word:
            first = lowest(word)
            last = first + lowest(space >> first)
            if first >= valid or last >= valid:
                next_ = min(first, valid)
                break
            inner = word & ~ends & ~(_ALL << last) if last < _BITS else word & ~ends
            if inner:
                a, b = p + np.int64(lowest(inner)), p + np.int64(highest(inner))
                if _may_be(data, a, b, sizes):
                    form = find_form(data, a, b, table, lists.form_starts, lists.form_bytes)
                    n += form >= 0
                    seen |= np.int64(1) << lists.form_words[form] if form >= 0 else np.int64(0)
            word &= _ALL << last
        p += np.int64(next_)
        if next_ == 0 or (next_ != valid and valid != _BITS):
            break
    return n, seen, p


@inner_kernel
def _next_word(data: Array, p: Int, end: Int, outer: Int, blocks: Array, cells: Array) -> tuple[Int, Int, Int]:
    """`(first, last, next)`: the next word at or after p without its outer characters (empty if it has no others)."""
    first = last = p
    begun = inside = False
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & SPACE:
            if begun:
                break
        else:
            begun = True
            if not flags & outer:
                if not inside:
                    first = p
                    inside = True
                last = p + size
        p += size
    return first, last if inside else first, p


@inner_kernel
def find_form(data: Array, first: Int, last: Int, table: Array, form_starts: Array, form_bytes: Array) -> Int:
    """Number of the form that equals `data[first:last]`, or -1."""
    place = _hash(data, first, last) & (table.size - 1)
    while table[place] >= 0:
        start, stop = form_starts[table[place]], form_starts[table[place] + 1]
        if stop - start == last - first:
            k = 0
            while k < last - first and data[first + k] == form_bytes[start + k]:
                k += 1
            if k == last - first:
                return np.int64(table[place])
        place = (place + 1) & (table.size - 1)
    return np.int64(-1)


@kernel
def _hash(data: Array, first: Int, last: Int) -> Int:
    """32-bit FNV-1a of `data[first:last]` (Fowler, Noll, Vo; RFC 9923)."""
    value = np.int64(0x811C9DC5)
    for p in range(first, last):
        value = ((value ^ np.int64(data[p])) * 0x01000193) & 0xFFFFFFFF
    return value
