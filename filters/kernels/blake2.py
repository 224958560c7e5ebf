"""BLAKE2b with a digest of 16 bytes, of many short strings at once.

Invariant: row i of `digests` is `hashlib.blake2b(row, digest_size=16).digest()`. Source: RFC 7693, sections 2.6 to 3.3 (numbers
in the comments are its sections); no key, no salt.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import kernel

_BLOCK = 128  # bytes, 2.1
_SIZE = 16  # bytes of digest
_IV = np.array(
    [
        0x6A09E667F3BCC908,
        0xBB67AE8584CAA73B,
        0x3C6EF372FE94F82B,
        0xA54FF53A5F1D36F1,
        0x510E527FADE682D1,
        0x9B05688C2B3E6C1F,
        0x1F83D9ABFB41BD6B,
        0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # 2.6
_SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.uint8,
)  # 2.7; rounds 10 and 11 take rows 0 and 1 again
_MIX = np.array([[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15],
                 [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]], np.uint8)  # fmt: skip
"""The four words of each mixing step of a round: columns, then diagonals (3.2)."""


def digests(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """uint64[n, 2]: the 16 bytes of each row's digest, as two little-endian words. Arguments: `buffers.views`."""
    made = np.empty((len(offsets) - 1, 2), np.uint64)
    _digests(offsets, data, _IV, _SIGMA, _MIX, np.zeros(8, np.uint64), np.zeros(16, np.uint64), np.zeros(16, np.uint64), made)
    return made


@kernel
def _digests(offsets, data, iv, sigma, mix, h, v, m, made):
    for i in range(made.shape[0]):
        _digest(data, offsets[i], offsets[i + 1], iv, sigma, mix, h, v, m)
        made[i, 0], made[i, 1] = h[0], h[1]


@kernel
def _digest(data, start, end, iv, sigma, mix, h, v, m):
    """The first two words of `h` become the digest of `data[start:end]` (3.3)."""
    for k in range(8):
        h[k] = iv[k]
    h[0] ^= np.uint64(0x01010000 ^ _SIZE)
    p = start
    while end - p > _BLOCK:
        _words(data, p, p + _BLOCK, m)
        p += _BLOCK
        _compress(h, v, m, np.uint64(p - start), np.uint64(0), iv, sigma, mix)
    _words(data, p, end, m)
    _compress(h, v, m, np.uint64(end - start), ~np.uint64(0), iv, sigma, mix)


@kernel
def _words(data, p, end, m):
    """At most 16 little-endian words of `data[p:end]`, zeros behind them."""
    for k in range(16):
        word = np.uint64(0)
        first = p + 8 * k
        for j in range(min(end - first, 8)):
            word |= np.uint64(data[first + j]) << np.uint64(8 * j)
        m[k] = word


@kernel
def _compress(h, v, m, count, last, iv, sigma, mix):
    """3.2. `count`: bytes so far; `last`: all ones in the last block."""
    for k in range(8):
        v[k], v[k + 8] = h[k], iv[k]
    v[12] ^= count
    v[14] ^= last
    for turn in range(12):
        for k in range(8):
            a, b, c, d = mix[k, 0], mix[k, 1], mix[k, 2], mix[k, 3]
            row = turn % 10
            _mix(v, a, b, c, d, m[sigma[row, 2 * k]], m[sigma[row, 2 * k + 1]])
    for k in range(8):
        h[k] ^= v[k] ^ v[k + 8]


@kernel
def _mix(v, a, b, c, d, x, y):
    """3.1"""
    v[a] = v[a] + v[b] + x
    v[d] = _rotated(v[d] ^ v[a], 32)
    v[c] = v[c] + v[d]
    v[b] = _rotated(v[b] ^ v[c], 24)
    v[a] = v[a] + v[b] + y
    v[d] = _rotated(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = _rotated(v[b] ^ v[c], 63)


@kernel
def _rotated(word, bits):
    return (word >> np.uint64(bits)) | (word << np.uint64(64 - bits))


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    offsets, data = np.array([0, 1]), np.zeros(1, np.uint8)
    offsets.flags.writeable = data.flags.writeable = False
    digests(offsets, data)
