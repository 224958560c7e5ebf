"""Sorting hashes that carry a number: what grouping by a hash needs.

Invariant: `sort_pairs` gives the order of `np.lexsort((values, keys))`. Keys are hashes, which fill their range evenly: they go
into small buckets by their upper bits, each of which is sorted alone. Where keys repeat or are hostile a bucket is long; it is
then sorted by heap, which no input makes quadratic.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.buffers import frozen
from filters.kernels.compiled import Array, Int, inner_kernel, kernel

_INSERTION = 24  # chosen: buckets hold about four keys
_BITS = 20  # of buckets at most: their starts take 8 MB


def sort_pairs(keys: np.ndarray, values: np.ndarray, *, shared_bits: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`(keys uint64[n], values int64[n])` in order of (key, value). `shared_bits`: upper bits that all keys have in common."""
    sorted_keys, sorted_values = np.empty(len(keys), np.uint64), np.empty(len(keys), np.int64)
    bits = min(_BITS, max(1, (len(keys) // 4).bit_length()))
    starts = np.zeros((1 << bits) + 1, np.int64)
    _sort_pairs(frozen(keys), frozen(values), np.uint64(shared_bits), np.uint64(64 - bits), starts, sorted_keys, sorted_values)
    return sorted_keys, sorted_values


@kernel
def _sort_pairs(
    keys: Array, values: Array, skip: Int, shift: Int, starts: Array, sorted_keys: Array, sorted_values: Array
) -> None:
    one = np.uint64(1)
    for k in range(keys.size):
        starts[np.uintp(((keys[k] << skip) >> shift) + one)] += 1
    for k in range(1, starts.size):
        starts[k] += starts[k - 1]
    for k in range(keys.size):
        place = np.uintp((keys[k] << skip) >> shift)
        at = np.uintp(starts[place])
        sorted_keys[at], sorted_values[at] = keys[k], values[k]
        starts[place] += 1
    first = np.int64(0)
    for bucket in range(starts.size - 1):
        last = starts[bucket]
        if last - first > 1:
            _sort(sorted_keys[first:last], sorted_values[first:last])
        first = last


@inner_kernel
def _sort(keys: Array, values: Array) -> None:
    if keys.size > _INSERTION:
        _heap_sort(keys, values)
        return
    for k in range(1, keys.size):
        key, value, at = keys[k], values[k], k
        while at > 0 and (keys[at - 1] > key or (keys[at - 1] == key and values[at - 1] > value)):
            keys[at], values[at] = keys[at - 1], values[at - 1]
            at -= 1
        keys[at], values[at] = key, value


@inner_kernel
def _heap_sort(keys: Array, values: Array) -> None:
    for root in range(keys.size // 2 - 1, -1, -1):
        _sift(keys, values, root, keys.size)
    for last in range(keys.size - 1, 0, -1):
        keys[0], keys[last] = keys[last], keys[0]
        values[0], values[last] = values[last], values[0]
        _sift(keys, values, 0, last)


@inner_kernel
def _sift(keys: Array, values: Array, root: Int, size: Int) -> None:
    key, value = keys[root], values[root]
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and (
            keys[child + 1] > keys[child] or (keys[child + 1] == keys[child] and values[child + 1] > values[child])
        ):
            child += 1
        if keys[child] < key or (keys[child] == key and values[child] <= value):
            break
        keys[root], values[root] = keys[child], values[child]
        root = child
    keys[root], values[root] = key, value


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    sort_pairs(np.zeros(2, np.uint64), np.zeros(2, np.int64))
