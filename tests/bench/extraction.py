"""`python -m tests.bench.extraction`: main text of pages, beside Resiliparse, trafilatura and magic-html.

First table: real pages with gold text (`tests.bench.pages`), the half on which the rules were made and the held-out half:
precision, recall and F1 of 4-grams; F1 without what only comments have, since some of the gold texts have them; milliseconds of
CPU a page. Second table: news pages that no rule was made on (`tests.bench.news_pages`). Third table: generated pages
(`tests.read.child.generated`): characters of the article that are lost, and shares of the lines of code with their
indentation, of the rows of tables and of the items of lists that are a line of the text.
The row "best lines" is a bound: of each page those lines of which most 4-grams are in the gold text. Status 1: F1 below
`LEAST_F1` on the held-out half, without comments, or on news pages; less than `LEAST_RATIO` times as fast as trafilatura; or a
character lost.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.bench import pages
from tests.bench.news_pages import news_pages
from tests.bench.peers.environments import MAGIC_HTML, TRAFILATURA, Peer, installed
from tests.read.child.generated import Written, write

LEAST_F1 = 0.91
LEAST_RATIO = 2.5
GENERATED = 300
Texts = tuple[float, list[str]]
"""CPU seconds, and the text of each page."""


def resiliparse(page: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(page, preserve_formatting=True, main_content=True, list_bullets=False, alt_texts=False)


def here(extract: Callable[[str], str], sources: Sequence[str]) -> Texts:
    extract(sources[0])
    start = time.process_time()
    found = [extract(source) for source in sources]
    return time.process_time() - start, found


def engines(sources: Sequence[str], peers: Sequence[Peer]) -> dict[str, Texts]:
    """What each engine makes of the pages."""
    made = {"winnow": here(pages.winnow, sources), "resiliparse": here(resiliparse, sources)}
    with tempfile.TemporaryDirectory() as folder:
        given, texts = Path(folder, "pages"), Path(folder, "texts")
        given.write_text("\n".join(map(json.dumps, sources)), encoding="utf-8")
        for peer in peers:
            subprocess.run(peer.command(peer.name, given, texts), check=True)
            used, *found = map(json.loads, texts.read_text(encoding="utf-8").splitlines())
            made[peer.name] = used, found
    return made


def quality(gold: Sequence[pages.GoldPage], texts: Iterable[str], *, comments: bool = True) -> tuple[float, float, float]:
    """Precision, recall and F1, averaged over pages."""
    without = [frozenset() if comments else page.comments for page in gold]
    scores = [pages.precision_and_recall(t, p.gold, w) for t, p, w in zip(texts, gold, without, strict=True)]
    precision, recall = (sum(values) / len(scores) for values in zip(*scores, strict=True))
    return precision, recall, pages.f1(precision, recall)


def lost(written: Sequence[Written], texts: Sequence[str]) -> float:
    """Share of the articles' characters that the texts lack."""
    wanted = [Counter("".join("".join(page.lines).split())) for page in written]
    missing = sum((of - Counter(text)).total() for of, text in zip(wanted, texts, strict=True))
    return missing / sum(of.total() for of in wanted)


def kept(written: Sequence[Written], texts: Sequence[str], kind: str) -> float:
    """Share of the lines of blocks of that kind that are lines of the text; its signs for items and cells are no difference."""
    found = total = 0
    for page, text in zip(written, texts, strict=True):
        lines = set(text.split("\n")) if kind == "code" else {_bare(line) for line in text.split("\n")}
        for line in (line for of, lines_of in page.blocks if of == kind for line in lines_of):
            total += 1
            found += (line if kind == "code" else _bare(line)) in lines
    return found / total


def _bare(line: str) -> str:
    return "".join(line.strip().removeprefix("- ").replace("|", "").split())


def best_lines(page: pages.GoldPage) -> str:
    gold = pages.grams(page.gold)
    lines = pages.everything(page.html).split("\n")
    return "\n".join(line for line in lines if 2 * sum(gram in gold for gram in pages.grams(line)) > len(pages.grams(line)))


def print_quality(gold: Sequence[pages.GoldPage], made: dict[str, Texts]) -> float:
    """The table of real pages. Returns our F1 on the held-out half, without comments."""
    halves = [[i for i, page in enumerate(gold) if page.held_out is held] for held in (False, True)]
    print(f"{len(halves[0])} pages the rules were made on{'':10}| {len(halves[1])} held-out pages")
    print(f"{'precision recall F1    no comments | ' * 2}ms a page | engine")
    ours = 0.0
    for name, (used, texts) in made.items():
        cells = []
        for half in halves:
            some, of = [gold[i] for i in half], [texts[i] for i in half]
            without = quality(some, of, comments=False)[2]
            cells.append("{:9.3f} {:6.3f} {:.3f}".format(*quality(some, of)) + f" {without:12.3f}")
            ours = without if name == "winnow" else ours
        print(f"{' | '.join(cells)} | {1000 * used / len(texts):9.2f} | {name}", flush=True)
    return ours


def print_news(gold: Sequence[pages.GoldPage], made: dict[str, Texts]) -> float:
    """The table of news pages. Returns our F1."""
    print(f"\n{len(gold)} news pages\nprecision recall F1    ms a page | engine")
    scores = {name: quality(gold, texts) for name, (_, texts) in made.items()}
    for name, (used, texts) in made.items():
        print("{:9.3f} {:6.3f} {:.3f}".format(*scores[name]) + f" {1000 * used / len(texts):10.2f} | {name}")
    return scores["winnow"][2]


def print_layout(written: Sequence[Written], made: dict[str, Texts]) -> float:
    """The table of generated pages. Returns the share of characters that we lose."""
    print(f"\n{len(written)} generated pages\ncharacters lost | lines of code | rows | items | engine")
    for name, (_, texts) in made.items():
        shares = [kept(written, texts, kind) for kind in ("code", "table", "list")]
        print(f"{lost(written, texts):15.3%} | {shares[0]:13.1%} | {shares[1]:4.0%} | {shares[2]:5.0%} | {name}")
    return lost(written, made["winnow"][1])


def main() -> int:
    gold, written = pages.gold_pages(), [write(random.Random(seed)) for seed in range(GENERATED)]
    peers = [peer for peer in (TRAFILATURA, MAGIC_HTML) if installed(peer)]
    made = engines([page.html for page in gold], peers)
    ours = print_quality(gold, made | {"best lines": (0.0, [best_lines(page) for page in gold])})
    news = news_pages()
    if news:
        made_of_news = engines([page.html for page in news], peers)
        made_of_news["best lines"] = (0.0, [best_lines(page) for page in news])
        ours = min(ours, print_news(news, made_of_news))
    missing = print_layout(written, engines([page.page for page in written], peers))
    ratio = made["trafilatura"][0] / made["winnow"][0] if "trafilatura" in made else LEAST_RATIO
    print(f"\n{ratio:.1f} times as fast as trafilatura" if "trafilatura" in made else "")
    return int(ours < LEAST_F1 or ratio < LEAST_RATIO or missing > 0)


if __name__ == "__main__":
    sys.exit(main())
