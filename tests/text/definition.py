"""What a near duplicate is, in plain Python: words, shingles, similarity.

This is the definition; the kernels of `filters/kernels/words/words.py` and `minhash.py` are held to it by tests, and nothing in a
run calls it.
"""

from __future__ import annotations

import re

_OWN = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
"""Scripts without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han. Each of their characters is a word of its own."""
_WORD = re.compile(rf"(?=\w)[{_OWN}]|[^\W{_OWN}]+")


def words(text: str) -> list[str]:
    """`re.findall(r"\\w+", text.lower())`, each character of an unspaced script apart."""
    return _WORD.findall(text.lower())


def shingles(text: str, ngram: int) -> set[tuple[str, ...]]:
    """All runs of `ngram` consecutive words; none where there are fewer words."""
    found = words(text)
    return {tuple(found[i : i + ngram]) for i in range(len(found) - ngram + 1)}


def jaccard(a: str, b: str, ngram: int = 5) -> float:
    """`|A & B| / |A | B|` of the two sets of shingles; 0 where both are empty."""
    first, second = shingles(a, ngram), shingles(b, ngram)
    return len(first & second) / (len(first | second) or 1)


def containment(later: str, earlier: str, ngram: int = 5) -> float:
    """`|A & B| / |A|`: which share of the later text's shingles the earlier text holds; 0 where it has none."""
    first, second = shingles(later, ngram), shingles(earlier, ngram)
    return len(first & second) / (len(first) or 1)
