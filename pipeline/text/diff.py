"""Two texts side by side: which words a document and its surviving duplicate share, and which only one of them has.

Words are compared by `difflib.SequenceMatcher` (Ratcliff and Obershelp), after what both begin and end with was taken off. Its
time grows with the square of what is left, and texts are hostile, so at most `MOST_WORDS` words of each are compared; the number
of the others is given.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

MOST_WORDS = 3_000
"""Words that are compared of each text, behind their common beginning; chosen because the worst text found takes under a second
with so many."""
MOST_CHARACTERS = 200_000
"""Characters that are read of each text; a word may be as long as the text."""
AROUND = 40
"""Words shown of a long run that both share, at each of its ends."""
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_ALONE}]\s*|[^\s{_ALONE}]+\s*|\s+")
"""A word and the white space behind it; a character of a script that writes none between words is one, as in dedup."""


@dataclass(frozen=True)
class Run:
    """Text that both have (`left == right`), or what stands in its place on each side."""

    same: bool
    left: str
    right: str


@dataclass(frozen=True)
class Diff:
    runs: tuple[Run, ...]
    shared: int  # words
    only_left: int
    only_right: int
    cut: bool  # something behind the last run was not compared


def side_by_side(left: str, right: str) -> Diff:
    """What the two share, run by run, in order."""
    one, other = (_WORD.findall(text[:MOST_CHARACTERS]) for text in (left, right))
    cut = len(left) > MOST_CHARACTERS or len(right) > MOST_CHARACTERS
    before = _common(one, other)
    after = 0 if cut else _common(one[before:][::-1], other[before:][::-1])
    ends = len(one) - after, len(other) - after
    middle = one[before : ends[0]], other[before : ends[1]]
    if max(map(len, middle)) > MOST_WORDS:
        cut, after = True, 0
        middle = middle[0][:MOST_WORDS], middle[1][:MOST_WORDS]
    runs = [_shared(one[:before])] if before else []
    counts = [before + after, 0, 0]
    matcher = difflib.SequenceMatcher(None, [word.strip() for word in middle[0]], [word.strip() for word in middle[1]])
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            runs.append(_shared(middle[0][a:b]))
            counts[0] += b - a
        else:
            runs.append(Run(False, "".join(middle[0][a:b]), "".join(middle[1][c:d])))
            counts[1] += b - a
            counts[2] += d - c
    if after:
        runs.append(_shared(one[-after:]))
    return Diff(tuple(runs), counts[0], counts[1], counts[2], cut)


def _common(one: list[str], other: list[str]) -> int:
    """How many words both begin with; white space behind a word does not count."""
    n = 0
    for a, b in zip(one, other, strict=False):
        if a.strip() != b.strip():
            break
        n += 1
    return n


def _shared(words: list[str]) -> Run:
    out = max(0, len(words) - 2 * AROUND)
    text = "".join(words) if not out else "".join(words[:AROUND]).rstrip() + " … " + "".join(words[-AROUND:])
    return Run(True, text, text)
