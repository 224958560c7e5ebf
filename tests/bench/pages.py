"""Pages with gold text, and how well an extraction meets it: by 4-grams of words, averaged over pages.

That is how article-extraction-benchmark counts. Needs WINNOW_EVAL_DATA (real pages that are not part of the project).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.read.child import content, html, layout, markup
from pipeline.read.child.kinds import COMMENTS, kind_of

DATA = Path(os.environ.get("WINNOW_EVAL_DATA", "")) / "warc"
Grams = Counter[tuple[str, ...]]
_WORDS = re.compile(r"\w+").findall


@dataclass(frozen=True)
class GoldPage:
    url: str
    html: str
    gold: str

    @property
    def held_out(self) -> bool:
        """The rules were made on the others."""
        return bool(hashlib.sha256(self.url.encode()).digest()[0] & 1)

    @cached_property
    def comments(self) -> frozenset[tuple[str, ...]]:
        """4-grams that only comments on the page have: some gold texts have them, most do not."""
        page = markup.read_page(self.html)
        comments = bytearray(kind_of(*of).suspect == COMMENTS for of in zip(page.names, page.marks, strict=True))
        within = [i for i in range(1, len(comments)) if comments[i]]
        texts = (layout.lay_out(page, i, bytearray(len(comments))) for i in within if not comments[page.parents[i]])
        others = grams(layout.lay_out(page, 0, comments))
        return frozenset(gram for text in texts for gram in grams(text) if gram not in others)


def gold_pages() -> list[GoldPage]:
    """Pages whose gold text is not empty."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with gzip.open(DATA / "webpages.gold.jsonl.gz", "rt", encoding="utf-8") as handle:
        gold = {row["url"]: row["text"] for row in map(json.loads, handle)}
    with open(DATA / "webpages.warc.gz", "rb") as archive:
        found = ArchiveIterator(archive, record_types=WarcRecordType.response, parse_http=True)
        pages = [(record.headers["WARC-Target-URI"], record.reader.read()) for record in found]
    return [GoldPage(url, html.decode(page), gold[url]) for url, page in pages if gold.get(url, "").strip()]


def grams(text: str) -> Grams:
    words = _WORDS(text)
    return Counter(tuple(words[i : i + 4]) for i in range(max(1, len(words) - 3))) if words else Counter()


def precision_and_recall(text: str, gold: str, without: frozenset[tuple[str, ...]] = frozenset()) -> tuple[float, float]:
    """Shares of the text's and of the gold text's 4-grams that both have, leaving some out."""
    found, wanted = (Counter({g: n for g, n in grams(t).items() if g not in without}) for t in (text, gold))
    both = (found & wanted).total()
    return both / found.total() if found else float(not wanted), both / wanted.total() if wanted else 1.0


def f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def winnow(page: str) -> str:
    """Main text of a decoded page."""
    read = markup.read_page(page)
    found = content.main_text(read)
    return layout.lay_out(read, found.core, found.dropped)


def everything(page: str) -> str:
    """All text of a decoded page."""
    read = markup.read_page(page)
    return layout.lay_out(read, 0, bytearray(len(read.names)))
