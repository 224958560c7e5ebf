"""What kind of character each code point is, as tables that kernels read.

Invariant: ALPHA, SPACE and BREAK say for every code point what this Python's `str.isalpha`, `str.isspace` and
`str.splitlines` say; MARK and OUTER follow `unicodedata.category`. The tables are built from these on first use
(`kept`), so text is judged by the Unicode version of the Python that runs.

Script numbers are ours: the scripts that are written without spaces between words and that web text has in bulk. Ranges
follow the blocks of Unicode 16; kana leaves out the middle dot U+30FB, which separates words.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel
from filters.kernels.kept import kept

SCRIPT = 0b111
"""Mask of the script number: 0 for scripts with spaces between words and for signs of no script."""
UNSPACED = ("han", "kana", "thai", "lao", "khmer", "myanmar", "tibetan")
"""Names of the script numbers 1 to 7."""
ALPHA = 1 << 3
SPACE = 1 << 4
BREAK = 1 << 5
MARK = 1 << 6
"""Combining marks: category Mn, Mc or Me."""
OUTER = 1 << 7
"""Punctuation and symbols: category P* or S*; what is stripped off a word's ends before it is looked up."""
BULLET = 1 << 8
SPECIAL = 1 << 9
"""Characters that the fact kernel counts one by one: # . …"""
SYLLABLE = 1 << 10
"""One code point for a consonant and its vowel, in scripts with spaces: Hangul syllables, Ethiopic, Vai."""
UPPER = 1 << 11
"""`str.isupper` of the character alone."""
DIGIT = 1 << 12
"""`str.isdigit` of the character alone."""
TERMINAL = 1 << 13
"""Ends a sentence: TERMINALS."""
DECIMAL = 1 << 14
r"""`str.isdecimal` of the character alone: what `\d` matches in a str pattern."""
ALNUM = 1 << 15
r"""`str.isalnum` of the character alone: with the underscore, what `\w` matches in a str pattern."""

_SCRIPT_RANGES = {
    "han": (
        *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),
        (0x20000, 0x3FFFF),
    ),
    "kana": ((0x3041, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F)),
    "thai": ((0x0E00, 0x0E7F),),
    "lao": ((0x0E80, 0x0EFF),),
    "khmer": ((0x1780, 0x17FF),),
    "myanmar": ((0x1000, 0x109F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F)),
    "tibetan": ((0x0F00, 0x0FFF),),
}
_SYLLABLES = ((0xAC00, 0xD7A3), (0x1200, 0x139F), (0x2D80, 0x2DDF), (0xAB00, 0xAB2F), (0xA500, 0xA63F))

BULLETS = "•‣⁃◦∙●○▪▫■□·・-+*"
"""What counts as a bullet point at the start of a line.

Rae et al. 2021 say "bullet point" and list none; published versions disagree (• -; * -; ● • * -; twelve glyphs without -).
These are: Unicode's bullets (• ‣ ⁃ ◦ ∙), the discs, circles and squares that HTML lists are rendered with (● ○ ▪ ▫ ■ □),
the middle dots of Korean, Chinese and Japanese lists (· ・), and Markdown's list markers (- + *, CommonMark 0.31, 5.2).
"""

TERMINALS = (
    "0021 002E 003F 0589 061D-061F 06D4 0700-0702 07F9 0837 0839 083D-083E 0964-0965 104A-104B 1362 1367-1368 166E 1735-1736 "
    "17D4-17D6 17D9-17DA 1803 1809 1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 "
    "2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 "
    "FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59 10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD "
    "111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3 115C9-115D7 11641-11642 1173C-1173E 11944 11946 "
    "11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 11F43-11F44 16A6E-16A6F 16AF5 16B37-16B38 16B44 16E98 1BC9F 1DA88"
)
"""Code points in hexadecimal: the TERMINAL_PUNCTUATION of datatrove 0.10.1 (`utils/text.py`), which is Unicode 15's property
Sentence_Terminal with the danda-like marks of spaCy's sentencizer."""

# Planes 4 to 13 are unassigned and 15 and 16 are for private use: nothing there is a letter, a space or a mark.
ASSIGNED = (range(0x00000, 0x40000), range(0xE0000, 0xF0000))
ALL_BLOCKS = 0x110000 >> 8


@kept
def tables() -> tuple[np.ndarray, np.ndarray]:
    """`(blocks uint16[4352], cells uint16[:])`: the flags of code point c are `cells[blocks[c >> 8] * 256 + (c & 255)]`.

    Code points 0 to 255 are `cells[0:256]`. Both arrays are read-only.
    """
    flags = np.zeros(ALL_BLOCKS << 8, np.uint16)
    for assigned in ASSIGNED:
        flags[assigned.start : assigned.stop] = _general_flags(assigned)
    for number, name in enumerate(UNSPACED, start=1):
        for first, last in _SCRIPT_RANGES[name]:
            flags[first : last + 1] |= number
    for first, last in _SYLLABLES:
        flags[first : last + 1] |= SYLLABLE
    flags[[ord(char) for char in BULLETS]] |= BULLET
    flags[[ord(char) for char in "#.…"]] |= SPECIAL
    for span in TERMINALS.split():
        begin, _, end = span.partition("-")
        flags[int(begin, 16) : int(end or begin, 16) + 1] |= TERMINAL
    return two_stages(flags)


def unspaced_ranges() -> list[tuple[int, int]]:
    """Code points whose letters are words of their own to UAX #29: the unspaced scripts but katakana and Tibetan."""
    ranges = [span for name, spans in _SCRIPT_RANGES.items() if name not in ("kana", "tibetan") for span in spans]
    return [*ranges, (0x3041, 0x309F), (0x1B001, 0x1B11F)]


def _general_flags(code_points: range) -> np.ndarray:
    """Flags that Python's own functions give, uint16 per code point."""
    points = np.arange(code_points.start, code_points.stop, dtype="<u4")
    text = points.tobytes().decode("utf-32-le", "surrogatepass")
    both = np.frombuffer("".join(map(unicodedata.category, text)).encode("ascii"), np.uint8)
    category, cased = both[::2], (both[::2] == ord("L")) & (both[1::2] != ord("o"))
    flags = np.zeros(len(points), np.uint16)
    # str.isalpha is defined as category L*; `\s` of a str pattern is defined as str.isspace.
    flags[category == ord("L")] |= ALPHA
    flags[category == ord("M")] |= MARK
    flags[(category == ord("P")) | (category == ord("S"))] |= OUTER
    for match in re.finditer(r"\s", text):
        flags[match.start()] |= SPACE
        if len(f"a{match[0]}a".splitlines()) == 2:
            flags[match.start()] |= BREAK
    flags[category == ord("L")] |= ALNUM
    # Asking each of 327,680 characters takes 0.2 s. No other category has one of these properties: letters without case, marks,
    # punctuation and what is unassigned (tests/filters/kernels/lines/test_lines.py walks all of Unicode).
    for number in np.flatnonzero((category == ord("N")) | (category == ord("S")) | cased).tolist():
        char = text[number]
        flags[number] |= UPPER * char.isupper() | DIGIT * char.isdigit() | DECIMAL * char.isdecimal() | ALNUM * char.isalnum()
    return flags


def two_stages(flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(blocks, cells)`: blocks of 256 code points, each distinct block stored once, the block of U+0000 first."""
    numbers: dict[bytes, int] = {}
    rows = flags.reshape(ALL_BLOCKS, 256)
    blocks = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows], np.uint16)
    cells = np.frombuffer(b"".join(numbers), flags.dtype)
    blocks.flags.writeable = False
    return blocks, cells


@inner_kernel
def decode(data: Array, p: Int, end: Int) -> tuple[Int, Int]:
    """`(code point, bytes)` of the UTF-8 character at p < end; `(U+FFFD, 1)` where the bytes make none."""
    lead = np.int64(data[np.uintp(p)])
    point = lead
    size = 1
    if lead >= 0x80:
        point = np.int64(0xFFFD)
        if 0xC2 <= lead < 0xE0 and p + 2 <= end:
            point = ((lead & 0x1F) << 6) | (np.int64(data[np.uintp(p + 1)]) & 0x3F)
            size = 2
        elif 0xE0 <= lead < 0xF0 and p + 3 <= end:
            middle = (np.int64(data[np.uintp(p + 1)]) & 0x3F) << 6
            point = ((lead & 0x0F) << 12) | middle | (np.int64(data[np.uintp(p + 2)]) & 0x3F)
            size = 3
        elif 0xF0 <= lead < 0xF5 and p + 4 <= end:
            middle = ((np.int64(data[np.uintp(p + 1)]) & 0x3F) << 12) | ((np.int64(data[np.uintp(p + 2)]) & 0x3F) << 6)
            point = ((lead & 0x07) << 18) | middle | (np.int64(data[np.uintp(p + 3)]) & 0x3F)
            size = 4
            if point > 0x10FFFF:
                point = np.int64(0xFFFD)
    return point, size


@inner_kernel
def lookup(point: Int, blocks: Array, cells: Array) -> Int:
    """Flags of a code point. Indices are unsigned here and in `decode` because numba adds a test to signed ones."""
    return np.int64(cells[np.uintp((np.int64(blocks[np.uintp(point >> 8)]) << 8) | (point & 255))])


@inner_kernel
def flags_at(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> tuple[Int, Int]:
    """`(flags, bytes)` of the character at p < end."""
    if data[np.uintp(p)] < 0x80:
        return np.int64(cells[np.uintp(data[np.uintp(p)])]), 1
    point, size = decode(data, p, end)
    return lookup(point, blocks, cells), size
