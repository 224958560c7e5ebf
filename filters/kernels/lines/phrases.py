"""Which of a few fixed phrases a piece of text holds, whatever their case: one table look-up a byte (Aho and Corasick 1975).

Invariant: bit k is set if and only if `phrases[k] in text.lower()`, for lower-case ASCII phrases in which no capital dotted I
could stand (U+0130 lowers to an i and a mark, which no phrase holds). Linear in the text, whatever the text is.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.unicode.ascii_words import BYTES, between, lowest

WIDTH = 32
"""Classes of bytes: each different letter of the phrases, and 0 for all others."""
KELVIN = 0x212A
"""The one character beyond ASCII that lowers to an ASCII letter (k)."""
_ANY, _KELVIN_LEAD = (0, 255), (0xE2, 0xE2)
_LAST = np.uint64(1 << 63)


class Phrases(NamedTuple):
    """`steps[state * WIDTH + classes[byte]]` is the next state; `hits[state]` has a bit for each phrase that ends there."""

    classes: np.ndarray  # uint8[256]
    steps: np.ndarray  # uint16
    hits: np.ndarray  # int64
    begins: np.ndarray  # int64[:, 2, 2]: what the phrases begin with: two letters, each in lower and in upper case, or _ANY byte


def compile_phrases(phrases: tuple[str, ...]) -> Phrases:
    """Tables for up to 63 phrases. Raises ValueError for a phrase that is empty, not ASCII or not in lower case."""
    letters = sorted(set("".join(phrases)))
    if len(letters) >= WIDTH or len(phrases) > 63:
        raise ValueError(f"{len(letters)} letters, {len(phrases)} phrases: more than these tables hold")
    classes = np.zeros(256, np.uint8)
    for number, letter in enumerate(letters, start=1):
        classes[[ord(letter), ord(letter.upper())]] = number
    nodes: list[dict[int, int]] = [{}]
    hits = [0]
    for k, phrase in enumerate(phrases):
        if not phrase or not phrase.isascii() or phrase != phrase.lower():
            raise ValueError(f"{phrase!r}: expected lower-case ASCII")
        state = 0
        for letter in phrase:
            step = int(classes[ord(letter)])
            if step not in nodes[state]:
                nodes.append({})
                hits.append(0)
                nodes[state][step] = len(nodes) - 1
            state = nodes[state][step]
        hits[state] |= 1 << k
    return Phrases(classes, _complete(nodes, hits), np.array(hits, np.int64), _begins(phrases))


def _begins(phrases: tuple[str, ...]) -> np.ndarray:
    found = set()
    for phrase in phrases:
        first, second = (_cases(phrase[0]), _cases(phrase[1]) if len(phrase) > 1 else _ANY)
        if phrase[0] == "k":
            found.add((_KELVIN_LEAD, _ANY))
        found.add((first, _ANY if phrase[1:2] == "k" else second))
    return np.array(sorted(found), np.int64)


def _cases(letter: str) -> tuple[int, int]:
    return ord(letter), ord(letter.upper())


def _complete(nodes: list[dict[int, int]], hits: list[int]) -> np.ndarray:
    """Every step of every state; `hits` gains what ends in the suffixes of a state."""
    steps = np.zeros((len(nodes), WIDTH), np.uint16)
    fallback = [0] * len(nodes)
    queue: deque[int] = deque()
    for step, state in nodes[0].items():
        steps[0, step] = state
        queue.append(state)
    while queue:
        state = queue.popleft()
        hits[state] |= hits[fallback[state]]
        steps[state] = steps[fallback[state]]
        for step, after in nodes[state].items():
            fallback[after] = int(steps[fallback[state], step])
            steps[state, step] = after
            queue.append(after)
    return steps.ravel()


@inner_kernel
def find_phrases(data: Array, p: Int, end: Int, wanted: Phrases) -> Int:
    """Bits of the phrases in `data[p:end]`."""
    state = found = np.int64(0)
    while p < end:
        state, p = advance(data, p, end, state, wanted)
        found |= wanted.hits[np.uintp(state)]
    return found


@inner_kernel
def advance(data: Array, p: Int, end: Int, state: Int, wanted: Phrases) -> tuple[Int, Int]:
    """`(state, next)` after the byte at p, or after the Kelvin sign there, which reads as a k."""
    byte = data[np.uintp(p)]
    if byte == 0xE2 and p + 3 <= end and data[np.uintp(p + 1)] == 0x84 and data[np.uintp(p + 2)] == 0xAA:
        return np.int64(wanted.steps[np.uintp(state * WIDTH + np.int64(wanted.classes[0x6B]))]), p + 3
    return np.int64(wanted.steps[np.uintp(state * WIDTH + np.int64(wanted.classes[np.uintp(byte)]))]), p + 1


@inner_kernel
def after_wide(point: Int, state: Int, wanted: Phrases) -> Int:
    """The state after a character beyond ASCII."""
    if point == KELVIN:
        return np.int64(wanted.steps[np.uintp(state * WIDTH + np.int64(wanted.classes[0x6B]))])
    return np.int64(0)


def found(offsets: np.ndarray, data: np.ndarray, phrases: Phrases) -> np.ndarray:
    """int64[n]: bit k of item i says whether text i holds phrase k."""
    made = np.zeros(len(offsets) - 1, np.int64)
    _found(offsets, data, phrases, made)
    return made


@kernel
def _found(offsets: Array, data: Array, wanted: Phrases, made: Array) -> None:
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        state = np.int64(0)
        while p < end:
            if state == 0:
                p = _to_begin(data, p, end, wanted.begins)
                if p == end:
                    break
            state, p = advance(data, p, end, state, wanted)
            made[i] |= wanted.hits[np.uintp(state)]


@inner_kernel
def _to_begin(data: Array, p: Int, end: Int, begins: Array) -> Int:
    """The first place from p on where a phrase may begin: none begins before it."""
    while p + BYTES <= end:
        at = np.uintp(p)
        may = np.uint64(0)
        for k in range(begins.shape[0]):
            low, high = begins[k, 1, 0], begins[k, 1, 1]
            second = between(data, at, low, high)
            if high < 255:
                second = between(data, at, low, low) | between(data, at, high, high)
            first = between(data, at, begins[k, 0, 0], begins[k, 0, 0]) | between(data, at, begins[k, 0, 1], begins[k, 0, 1])
            may |= first & ((second >> np.uint64(1)) | _LAST)
        if may:
            return p + np.int64(lowest(may))
        p += BYTES
    return p
