"""Tables of the address kernels: classes of bytes, top-level domains, words before version numbers."""

from __future__ import annotations

from functools import cache

import numpy as np

DIGIT, HEX, LETTER, LOCAL = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8)
WORD = np.uint8(16)
"""A-Z a-z 0-9 _."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"


def _classes() -> np.ndarray:
    made = np.zeros(256, np.uint8)
    for byte in range(128):
        char = chr(byte)
        made[byte] = (
            DIGIT * (char in _DIGITS)
            | HEX * (char in _DIGITS + "abcdefABCDEF")
            | LETTER * (char in _LETTERS)
            | LOCAL * (char in _LETTERS + _DIGITS + "_+-%'.")
            | WORD * (char in _LETTERS + _DIGITS + "_")
        )
    return made


CLASSES = _classes()

VERSION_WORDS = (
    *("version", "versions", "release", "section", "chapter", "build", "firmware", "revision"),
    *("версия", "версии", "версию", "раздел", "バージョン", "版本", "버전", "§"),
)
"""A quad after one of these, alone or at a word's end (AssemblyVersion=4.1.2.3), is a version or a section number."""
SHORT_WORDS = ("v", "ver", "vers", "rev", "sec", "oid")
"""The same, as whole words only."""


def _pack() -> tuple[np.ndarray, np.ndarray, int]:
    texts = [word.encode() for word in (*SHORT_WORDS, *VERSION_WORDS)]
    return np.cumsum([0, *map(len, texts)], dtype=np.int64), np.frombuffer(b"".join(texts), np.uint8), len(SHORT_WORDS)


WORDS = _pack()
"""`(starts int64[n + 1], bytes, how many of the first are whole words)`."""

SEED, PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
"""FNV-1a, 64 bits."""


@cache
def hashes() -> np.ndarray:
    """FNV-1a of each top-level domain in lower case, sorted: uint64[n]."""
    from filters.data.domains import top_level_domains

    made = []
    for name in top_level_domains():
        value = int(SEED)
        for byte in name.encode():
            value = (value ^ byte) * int(PRIME) % (1 << 64)
        made.append(value)
    return np.array(sorted(made), np.uint64)
