"""One bit per item: sets of numbers from 0 to n - 1 that take n / 8 bytes."""

from __future__ import annotations

import numpy as np

from filters.kernels.buffers import frozen
from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.unicode.ascii_words import ones

_SIX = np.uint64(6)
_LOW = np.uint64(63)
_ONE = np.uint64(1)


def empty(n: int) -> np.ndarray:
    """A set of numbers below n, without members: uint64[ceil(n / 64)]."""
    return np.zeros((n >> 6) + 1, np.uint64)


def full(n: int) -> np.ndarray:
    """The set of all numbers below n."""
    bits = np.full((n >> 6) + 1, np.iinfo(np.uint64).max, np.uint64)
    bits[-1] = (1 << (n & 63)) - 1
    return bits


def add(bits: np.ndarray, numbers: np.ndarray) -> None:
    """Put `numbers` (int64) into the set. Not for two threads at once."""
    _add(bits, frozen(numbers))


def has(bits: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """bool[n]: which of `numbers` (int64) are in the set."""
    found = np.empty(len(numbers), np.bool_)
    _has(bits, frozen(numbers), found)
    return found


def count(bits: np.ndarray) -> int:
    """How many members the set has."""
    return int(np.bitwise_count(bits).sum())


def members(bits: np.ndarray, start: int, stop: int) -> np.ndarray:
    """int64: the members from `start` to `stop - 1`, ascending."""
    first = start >> 6
    words = bits[first : (stop >> 6) + 1]
    found = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little")) + (first << 6)
    return found[np.searchsorted(found, start) : np.searchsorted(found, stop)]


def nth(bits: np.ndarray, places: np.ndarray) -> np.ndarray:
    """int64: the members at these places (ascending members, counted from 0)."""
    before = np.cumsum(np.bitwise_count(bits), dtype=np.int64)
    word = np.searchsorted(before, places, side="right")
    spread = np.unpackbits(bits[word].view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    rest = places - (before[word] - spread.sum(axis=1))
    members: np.ndarray = (word << 6) + np.argmax(np.cumsum(spread, axis=1) > rest[:, None], axis=1)
    return members


def places(bits: np.ndarray) -> np.ndarray:
    """int64: how many members stand before each word of the set; what `place_of` needs."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bitwise_count(bits), dtype=np.int64)[:-1]])


def place_of(bits: np.ndarray, before: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """int64[n]: how many members are smaller than each number; -1 for numbers that are no members."""
    found = np.empty(len(numbers), np.int64)
    _place_of(bits, frozen(before), frozen(numbers), found)
    return found


@kernel
def _add(bits: Array, numbers: Array) -> None:
    for k in range(numbers.size):
        number = np.uint64(numbers[k])
        bits[np.uintp(number >> _SIX)] |= _ONE << (number & _LOW)


@kernel
def _has(bits: Array, numbers: Array, found: Array) -> None:
    for k in range(numbers.size):
        found[k] = is_in(bits, numbers[k])


@inner_kernel
def is_in(bits: Array, number: Int) -> Bool:
    """Whether one number is in the set; for other kernels."""
    at = np.uint64(number)
    return (bits[np.uintp(at >> _SIX)] >> (at & _LOW)) & _ONE == _ONE


@kernel
def _place_of(bits: Array, before: Array, numbers: Array, found: Array) -> None:
    for k in range(numbers.size):
        number = np.uint64(numbers[k])
        word = bits[np.uintp(number >> _SIX)]
        if (word >> (number & _LOW)) & _ONE == _ONE:
            found[k] = before[np.uintp(number >> _SIX)] + np.int64(ones(word & ((_ONE << (number & _LOW)) - _ONE)))
        else:
            found[k] = -1


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    bits, numbers = empty(2), np.zeros(1, np.int64)
    add(bits, numbers)
    has(bits, numbers)
    place_of(bits, places(bits), numbers)
