"""Plain Python that `filters.kernels.models.shape` equals, for texts of fewer different tokens than its table forgets."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import pairwise

from filters.kernels.models.shape_counts import COUNTS, KINDS
from filters.kernels.unicode.char_classes import _SCRIPT_RANGES, BULLETS, TERMINALS, UNSPACED

_ENDS = {
    chr(point)
    for span in TERMINALS.split()
    for point in range(int(span.partition("-")[0], 16), int(span.partition("-")[2] or span, 16) + 1)
}
_CLOSERS = set("\"'”’»)]}）】」』*_")


def unspaced(char: str) -> bool:
    return any(first <= ord(char) <= last for name in UNSPACED for first, last in _SCRIPT_RANGES[name])


def inside(char: str) -> bool:
    """Whether the character belongs to a word."""
    return char.isalpha() or char.isdigit() or unicodedata.category(char)[0] == "M"


def folded(char: str) -> str:
    """Small letters of ASCII, Latin-1, Greek, Cyrillic."""
    point = ord(char)
    if 0x41 <= point <= 0x5A or (0xC0 <= point <= 0xDE and point != 0xD7) or 0x391 <= point <= 0x3A9 or 0x410 <= point <= 0x42F:
        return chr(point + 32)
    return char


def tokens(line: str) -> list[tuple[str, str]]:
    """`(kind, text)` of a line's words (w), characters of unspaced scripts (c) and signs (s), white space left out."""
    found: list[tuple[str, str]] = []
    word = ""
    for char in line:
        script = unspaced(char)
        if inside(char) and not script:
            word += char
            continue
        if char in "'’" and not char.isspace():
            found += [("s", char)]
            continue
        if word:
            found.append(("w", word))
            word = ""
        if not char.isspace():
            found.append(("c" if script and inside(char) else "s", char))
    return [*found, ("w", word)] if word else found


def identity(kind: str, text: str) -> str:
    """What makes two tokens one: letters are folded, all digits are one."""
    if kind == "c":
        return f"c{text}"
    return "".join("0" if char.isdigit() else folded(char) for char in text)


def counts(text: str) -> dict[str, int]:
    """COUNTS of one text read in one span."""
    found = Counter(dict.fromkeys(COUNTS, 0))
    for char in text:
        if char.isspace():
            continue
        found["chars"] += 1
        script = inside(char) and unspaced(char)
        if script:
            found["letters"] += 1
            found["unspaced"] += 1
        elif char.isdigit():
            found["digits"] += 1
        elif inside(char):
            found["letters"] += 1
            found["capitals"] += char.isupper()
            found["beyond_latin"] += ord(char) >= 0x250
        else:
            found["signs"] += 1
            for name, signs in KINDS.items():
                found[name] += char in signs
    return dict(found)


def words(text: str) -> dict[str, int]:
    """The counts of words and tokens."""
    found = Counter(
        dict.fromkeys(("words", "numbers", "word_chars", "long_words", "short_words", "single_letters", "capitalised"), 0)
    )
    listed = []
    for line in text.split("\n"):
        for kind, token in tokens(line):
            if kind == "s":
                continue
            listed.append(identity(kind, token))
            if kind == "w":
                letters = [char for char in token if not char.isdigit()]
                found["words" if letters else "numbers"] += 1
                if letters:
                    found["word_chars"] += len(token)
                    found["long_words"] += len(token) >= 13
                    found["short_words"] += len(token) <= 3
                    found["single_letters"] += len(token) == 1
                    found["capitalised"] += letters[0].isupper()
    pairs = list(pairwise(listed))
    found["tokens"], found["seen_tokens"] = len(listed), len(listed) - len(set(listed))
    found["pairs"], found["seen_pairs"] = len(pairs), len(pairs) - len(set(pairs))
    return dict(found)


def ends_sentence(line: str) -> bool:
    """Whether the last character that is no closing quote or bracket ends a sentence."""
    bare = [char for char in line if not char.isspace()]
    while bare and bare[-1] in _CLOSERS and not inside(bare[-1]):
        bare.pop()
    return bool(bare) and bare[-1] in _ENDS


def units(line: str) -> int:
    kinds = Counter(kind for kind, _ in tokens(line))
    return kinds["w"] + (kinds["c"] + 1) // 2


def lines(text: str) -> dict[str, int]:
    """The counts of lines that need no memory of other lines."""
    found = Counter(dict.fromkeys(("lines", "blank_lines", "lines_5", "lines_11", "lines_29", "ended_lines", "bullet_starts"), 0))
    for line in text.split("\n"):
        bare = line.strip()
        if not [char for char in line if not char.isspace()]:
            found["blank_lines"] += 1
            continue
        found["lines"] += 1
        found["lines_5"] += units(line) <= 5
        found["lines_11"] += units(line) <= 11
        found["lines_29"] += units(line) <= 29
        found["ended_lines"] += ends_sentence(line)
        found["bullet_starts"] += bare[0] in BULLETS and not inside(bare[0])
        found["unlettered"] += not any(inside(char) and (unspaced(char) or not char.isdigit()) for char in line)
    return dict(found)
