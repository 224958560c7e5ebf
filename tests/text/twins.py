"""Plain-Python twins of the dedup kernels, and the texts that try them."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import strategies as st

from filters.kernels.dedup import minhash
from filters.kernels.words import words

MASK = (1 << 64) - 1

TRICKY = [
    *"aZ_9 .-\n\0\t",
    *"ΣσςΆ'’:·\u0345\u02b0ªα",  # sigma, what its rule looks past, cased marks and modifiers
    *"İıIſK\u0307ÅẞßŉǰᏣꭰ𐐀𐐨",  # lower case of one, two, three and four bytes, from other lengths
    *"中文ไทยລາວខ្មမြカタｶﾞひー々〇㐀𠀀🎉",
    *"\u0301\u093e\u05b0\u0e31\u200d\ufe0f\u180e\u00ad",
    *"नमस्तेעבריתعربي٣½²Ⅷⓐ",
]
MARKS = "\x01\x02\x03\x04"
"""Of turns: `normalise` takes them out of every text."""
texts = st.text(
    st.one_of(st.sampled_from(TRICKY), st.characters(exclude_categories=["Cs"], exclude_characters=MARKS)), max_size=60
)

_PIECES = [
    *TRICKY,
    " ",
    " ",
    ". ",
    "\n\n",
    "  " * 40,
    "_",
    "The",
    "Word_",
    "x" * 7,
    "Y" * 8,
    "z9" * 8,
    "Long" * 17,
    "naïve",
    "ΟΔΟΣ",
]
long_texts = st.lists(st.sampled_from(_PIECES), max_size=120).map("".join)
"""Long enough for the kernel's steps of 64 bytes, with every kind of end of a step."""


def column(items: list[str]) -> pa.LargeStringArray:
    return pa.array(items, pa.large_string())


def finalise(value: int) -> int:
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value ^= value >> 33
        value = (value * multiplier) & MASK
    return value ^ (value >> 33)


def word_hash(word: str) -> int:
    data = word.replace("_", "\x7f").encode()
    value = int(words.SEED)
    for at in range(0, len(data), 8):
        value = ((value ^ int.from_bytes(data[at : at + 8], "little")) * int(words.MULTIPLIER)) & MASK
        value ^= value >> 32
    return finalise(value)


def shingle_hash(shingle: tuple[str, ...]) -> int:
    base = int(minhash.BASE)
    return finalise(sum(word_hash(word) * base ** (len(shingle) - 1 - k) for k, word in enumerate(shingle)) & MASK)
