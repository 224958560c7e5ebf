"""The dedup words of texts, as 64-bit hashes.

Invariant: row i gives one hash for each item of `tests.text.definition.words(text)`, in order:
`re.findall(r"\\w+", text.lower())`, where each character of `unicode_words.OWN_WORDS` that `\\w` matches is a word of its own.
The hash depends on the word's lower-case UTF-8 bytes alone (_ stands as 0x7F, which no word has): blocks of eight, xor and
multiply, MurmurHash3's 64-bit finaliser. Words of up to eight bytes never collide, because each step is a bijection.

ASCII is walked 64 bytes at a time (`_ascii_words`); words with other characters, long ones and each text's last 72 bytes
character by character (`word_at`). Both give the same hashes.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel
from filters.kernels.unicode.ascii_words import BYTES, classes, eight, lowest
from filters.kernels.unicode.char_classes import decode
from filters.kernels.unicode.unicode_words import CASED, IGNORABLE, OWN, SHIFT, SIGMA, SPLIT, WORD, cell_of

SEED = np.uint64(0x9E3779B97F4A7C15)
MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
"""Odd, with well mixed bits (a constant of Evensen's rrmxmx and of XXH3)."""
SPARE = BYTES // 2
"""Most words that begin and end within 64 bytes."""
_FMIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_FMIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_NONE = np.uint64(0)
_BYTE = np.uint64(8)
_WORD_BITS = np.uint64(64)
_LETTERS = np.uint64(0x4040404040404040)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@inner_kernel
def next_words(
    data: Array, start: Int, p: Int, end: Int, blocks: Array, cells: Array, ascii_: Array, hashes: Array
) -> tuple[Int, Int]:
    """`(n, next)`: writes to `hashes` the words at or after p of the text at start to end.

    Stops where the text ends, or where fewer than SPARE places are left: `hashes` needs that many more than words are wanted.
    """
    n = np.int64(0)
    while p < end and n + SPARE <= hashes.size:
        n, p = _ascii_words(data, p, end, hashes, n)
        if p == end or n + SPARE > hashes.size:
            break
        byte = data[np.uintp(p)]
        if byte < 0x80:
            if ascii_[np.uintp(byte)] == 0:
                p += 1
                continue
        else:
            point, size = decode(data, p, end)
            cell = cell_of(point, blocks, cells)
            if cell & OWN or not cell & WORD:
                # Lower case changes no character that is a word of its own: a test holds the table to that.
                hashes[np.uintp(n)] = finalise(mix(SEED, _utf8(point)[0]))
                n += np.int64((cell & OWN) != 0)
                p += size
                continue
        hashes[np.uintp(n)], p = word_at(data, start, p, end, blocks, cells, ascii_)
        n += 1
    return n, p


@inner_kernel
def _ascii_words(data: Array, p: Int, end: Int, hashes: Array, n: Int) -> tuple[Int, Int]:
    """`(n, next)`: appends words of ASCII from hashes[n] on; stops at one that is not, at a long one, or near the text's end."""
    while p + BYTES + 8 <= end and n + SPARE <= hashes.size and data[np.uintp(p)] < 0x80:
        word, other = classes(data, np.uintp(p))
        # What stands before the first byte beyond ASCII; that byte itself reads as the end of a word.
        valid = lowest(other)
        open_ = valid
        while word:
            first = lowest(word)
            last = first + lowest(~(word >> first))
            if last >= valid:
                open_ = min(first, valid)
                break
            hashes[np.uintp(n)] = _ascii_word(data, np.uintp(p) + first, last - first)
            n += 1
            word &= _ALL << last
        p += np.int64(open_)
        if open_ != valid and (open_ == 0 or valid != _WORD_BITS):
            break
    return n, p


@inner_kernel
def _ascii_word(data: Array, p: Int, size: Int) -> Int:
    """Hash of the word of `size` ASCII bytes at p."""
    value = SEED
    while size > _BYTE:
        value = mix(value, _lower(eight(data, p)))
        p += _BYTE
        size -= _BYTE
    bits = _WORD_BITS - (size << np.uint64(3))
    return finalise(mix(value, _lower((eight(data, p) << bits) >> bits)))


@inner_kernel
def _lower(text: Int) -> Int:
    """ASCII letters in lower case, _ as 0x7F, digits and zeros as they are: bit 5 goes wherever bit 6 is."""
    return text | ((text & _LETTERS) >> np.uint64(1))


@inner_kernel
def word_at(data: Array, start: Int, p: Int, end: Int, blocks: Array, cells: Array, ascii_: Array) -> tuple[Int, Int]:
    """`(hash, end)` of the word whose first character is at p."""
    value, block, filled = SEED, _NONE, _NONE
    while p < end:
        byte = data[np.uintp(p)]
        if byte < 0x80:
            lower = np.uint64(ascii_[np.uintp(byte)])
            if lower == _NONE:
                break
            block |= lower << filled
            filled += _BYTE
            p += 1
            if filled == _WORD_BITS:
                value, block, filled = mix(value, block), _NONE, _NONE
            continue
        point, size = decode(data, p, end)
        cell = cell_of(point, blocks, cells)
        if not cell & WORD or cell & OWN:
            break
        lower, bits = _utf8(_sigma(data, start, p, end, blocks, cells) if cell & SIGMA else point + (cell >> SHIFT))
        block |= lower << filled
        if filled + bits >= _WORD_BITS:
            value = mix(value, block)
            # In two shifts: a shift by all 64 bits is not defined.
            block = (lower >> _BYTE) >> (_WORD_BITS - _BYTE - filled)
            filled -= _WORD_BITS
        filled += bits
        p += size
        if cell & SPLIT:
            break
    return finalise(mix(value, block) if filled else value), p


@inner_kernel
def mix(value: Int, block: Int) -> Int:
    """The hash after eight more bytes."""
    value = (value ^ block) * MULTIPLIER
    return value ^ (value >> np.uint64(32))


@inner_kernel
def finalise(value: Int) -> Int:
    """MurmurHash3's 64-bit finaliser (Appleby 2011): each bit of the input turns each bit of the output half the time."""
    value = (value ^ (value >> np.uint64(33))) * _FMIX_1
    value = (value ^ (value >> np.uint64(33))) * _FMIX_2
    return value ^ (value >> np.uint64(33))


@inner_kernel
def _utf8(point: Int) -> tuple[Int, Int]:
    """`(bytes, bits)`: the UTF-8 bytes of a code point, the first one lowest, and how many bits they take."""
    c = np.uint64(point)
    six, mask, tail = np.uint64(6), np.uint64(0x3F), np.uint64(0x80)
    if c < np.uint64(0x80):
        return c, np.uint64(8)
    last = tail | (c & mask)
    if c < np.uint64(0x800):
        return np.uint64(0xC0) | (c >> six) | (last << np.uint64(8)), np.uint64(16)
    middle = tail | ((c >> six) & mask)
    if c < np.uint64(0x10000):
        lead = np.uint64(0xE0) | (c >> np.uint64(12))
        return lead | (middle << np.uint64(8)) | (last << np.uint64(16)), np.uint64(24)
    lead = np.uint64(0xF0) | (c >> np.uint64(18)) | ((tail | ((c >> np.uint64(12)) & mask)) << np.uint64(8))
    return lead | (middle << np.uint64(16)) | (last << np.uint64(24)), np.uint64(32)


@inner_kernel
def _sigma(data: Array, start: Int, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """What the Σ at p lowers to: ς after a cased character and not before one, ignorable ones apart (Unicode's Final_Sigma)."""
    back = p
    cell = np.int64(IGNORABLE)
    while cell & IGNORABLE:
        if back == start:
            return np.int64(0x3C3)
        back -= 1
        while back > start and (data[np.uintp(back)] & 0xC0) == 0x80:
            back -= 1
        point, _ = decode(data, back, end)
        cell = cell_of(point, blocks, cells)
    if not cell & CASED:
        return np.int64(0x3C3)
    p += 2
    while p < end:
        point, size = decode(data, p, end)
        cell = cell_of(point, blocks, cells)
        if not cell & IGNORABLE:
            return np.int64(0x3C3 if cell & CASED else 0x3C2)
        p += size
    return np.int64(0x3C2)
