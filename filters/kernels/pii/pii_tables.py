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

SHORT_WORDS = (
    *("v", "ver", "vers", "rev", "sec", "oid", "nr", "no", "nos", "art", "par", "fig", "ec", "e.c", "cl", "ch", "rule", "rules"),
    *("item", "items", "brenda"),
)
"""A quad after one of these words is a version, a section, an object identifier or an enzyme (EC 3.4.21.4)."""
VERSION_WORDS = (
    *("version", "versions", "release", "section", "sections", "chapter", "build", "firmware", "revision", "article", "annex"),
    *("appendix", "paragraph", "clause", "figure", "table", "abschnitt", "nummer", "nummern", "anlage", "anhang", "artikel"),
    *("chapters", "clauses", "articles", "figures", "tables", "oids", "ec number", "ec numbers", "ec nos", "commission number"),
    *("enzyme", "enzymes", "patchlevel"),
    *("kapitel", "ziffer", "версия", "версии", "версию", "раздел", "пункт", "バージョン", "版本", "버전", "§"),
)
"""The same, at a word's end too (AssemblyVersion=4.1.2.3)."""
CHANGES = ("updat", "upgrad", "downgrad", "bump", "patch")
"""The same, where one of the three words before the quad begins so."""


FILES = ("tar", "tgz", "zip", "gz", "xz", "jar", "exe", "deb", "rpm", "whl", "gem", "msi", "dmg", "apk", "dll", "nupkg", "pkg")
"""Endings of files: what stands before the dot is a version."""


def _pack() -> tuple[np.ndarray, np.ndarray, int, int, int]:
    texts = [word.encode() for word in (*SHORT_WORDS, *VERSION_WORDS, *CHANGES, *FILES)]
    starts = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    firsts = np.cumsum([len(SHORT_WORDS), len(VERSION_WORDS), len(CHANGES)])
    return starts, np.frombuffer(b"".join(texts), np.uint8), int(firsts[0]), int(firsts[1]), int(firsts[2])


WORDS = _pack()
"""`(starts int64[n + 1], bytes, number of the first that is no SHORT_WORD, of the first of CHANGES, of the first of FILES)`."""

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
