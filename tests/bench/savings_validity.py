"""`make bench B=savings_validity`: does the `cpu` tier read what was planted? Slow; the same command goes on from what is done.

Every check is a corpus with a known answer, trained as the tier does, draw by draw, and scored on good text that is in no arm:
- A/A: random halves of the groups against all of them, without and with duplicates: the mean logarithm within .03 of 0;
- the same documents in another order from the start on: losses within .005 bits per byte;
- swapped arms: the product of the multipliers within 5 % of 1 (both arms start on the baseline's text, so the smaller reading is
  that of a start on raw text: what the tier prints is the careful one);
- good text with labelled junk (`hq=0`) or with text in other languages at 80/20, 50/50, 20/80: multipliers in this order; what a
  junk token was worth at 80/20 and 50/50 within .1 of each other; other languages within a tenth of 1 / k, k in tokens.

Needs WINNOW_EVAL_DATA (real text that is not part of the project) and torch. Ends with 1 where a target is missed.

    python -m tests.bench.savings_validity [--folder DIR] [--only CORPUS] [--draws N] [--print] [--write]

`--write` puts what is done into docs/results/validity.md.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from scipy.special import stdtrit

from pipeline.savings import likeness, order
from pipeline.savings.analysis import curves
from pipeline.savings.analysis.curves import Points
from pipeline.savings.arms import Experiment
from pipeline.savings.corpora import sizes_of
from pipeline.savings.heldout import DOCUMENT_BYTES
from pipeline.savings.tiers import tokens, training
from pipeline.savings.tiers.shapes import CPU
from pipeline.text import markdown, numbers
from tests.bench.throughput import DEFAULT_DATA

PIECE = 4000
"""Characters of a document at most: books would be single groups of a draw."""
MIXED_BYTES = 5_000_000
TARGETS = 200
"""Documents that losses are taken on. All arms of a draw have the same ones, so few do."""
FOREIGN = ("oi_wiki_zh", "react_dev_ja", "react_dev_ru")
MOST_DRAWS = 12

Texts = Sequence[str]


@dataclass(frozen=True)
class Corpus:
    """Documents, the group of each, and the documents of the arms that are compared with all of them, by check. `again`: a check
    whose arm has all documents, in another order. `backwards`: the arm is the baseline. `half`: which half of the groups A/A has;
    the halves take turns from draw to draw, as one alone is a little better or worse than all in every draw."""

    texts: Texts
    groups: np.ndarray
    judged: dict[str, np.ndarray]
    again: str | None = None
    backwards: bool = False
    half: int = 0


@dataclass(frozen=True)
class Drawn:
    """`log`: of the multiplier; `gap`: bits per byte at the end, judged minus baseline; `kept`: in tokens."""

    log: float
    gap: float
    kept: float
    cpu_s: float


class Parts:
    """Good text, junk, text in other languages, and the target, of groups of their own."""

    def __init__(self, data: Path) -> None:
        rows = list(_rows(data / "quality/quality.jsonl.gz"))
        groups = sorted({str(row["group"]) for row in rows})
        np.random.default_rng(5).shuffle(groups)
        held = set(groups[: len(groups) // 8])
        own = [row for row in rows if row["group"] not in held]
        self.good = _pieces([row["text"] for row in own if row["hq"]], PIECE, seed=0)
        self.junk = _pieces([row["text"] for row in own if not row["hq"]], PIECE, seed=0)
        self.target = _pieces([row["text"] for row in rows if row["hq"] and row["group"] in held], DOCUMENT_BYTES, seed=1)[
            :TARGETS
        ]
        self._data = data

    def foreign(self) -> Texts:
        texts: list[str] = []
        for name in FOREIGN:
            own = [row["text"] for row in _rows(self._data / f"throughput/{name}.jsonl.gz")]
            texts += _upto(_pieces(own, PIECE, seed=0), MIXED_BYTES / 3)
        return _pieces(texts, PIECE, seed=2)

    def mixed(self, bad: Texts, good_share: float, name: str) -> Corpus:
        good = _upto(self.good, good_share * MIXED_BYTES)
        texts = [*good, *_upto(bad, (1 - good_share) * MIXED_BYTES)]
        return Corpus(texts, np.arange(len(texts)), {name: np.arange(len(good))})

    def even(self, half: int) -> Corpus:
        """Half good, half junk: what is good, a random half, and all in another order."""
        made = self.mixed(self.junk, 0.5, "junk 50/50")
        own = np.flatnonzero((np.random.default_rng(3).random(len(made.texts)) < 0.5) != bool(half))
        return replace(made, judged=made.judged | {"A/A": own, "order": made.groups}, again="order", half=half)

    def copies(self, half: int) -> Corpus:
        """Half good, half junk, a tenth of it 1 to 20 times more: a random half of the groups."""
        made = self.mixed(self.junk, 0.5, "")
        rng, numbers = np.random.default_rng(3), np.arange(len(made.texts))
        times = np.where(rng.random(len(numbers)) < 0.1, np.minimum(rng.zipf(1.7, len(numbers)), 20), 0)
        groups = np.repeat(numbers, 1 + times)
        own = (rng.random(len(numbers)) < 0.5) != bool(half)
        return Corpus([made.texts[at] for at in groups], groups, {"A/A copies": np.flatnonzero(own[groups])}, half=half)

    def swapped(self, half: int) -> Corpus:
        return replace(self.mixed(self.junk, 0.5, "swapped"), backwards=True)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _pieces(texts: Texts, size: int, *, seed: int) -> list[str]:
    cut = [text[at : at + size] for text in texts for at in range(0, len(text), size)]
    np.random.default_rng(seed).shuffle(cut)
    return cut


def _upto(texts: Texts, n_bytes: float) -> Texts:
    return texts[: int(np.searchsorted(np.cumsum(sizes_of(texts)), n_bytes)) + 1]


def corpora(parts: Parts) -> dict[str, tuple[Callable[[int], Corpus], int]]:
    """Each corpus, and how many draws of it are asked for."""
    made: dict[str, tuple[Callable[[int], Corpus], int]] = {"even": (parts.even, 12)}
    for share in (50, 80, 20):
        name = f"foreign {share}/{100 - share}"
        made[name] = (partial(lambda share, name, half: parts.mixed(parts.foreign(), share / 100, name), share, name), 3)
        if share != 50:
            name = f"junk {share}/{100 - share}"
            made[name] = (partial(lambda share, name, half: parts.mixed(parts.junk, share / 100, name), share, name), 6)
    return made | {"copies": (parts.copies, 12), "swapped": (parts.swapped, 12)}


def _encoded(corpus: Corpus, target: Texts, folder: Path) -> tokens.TokenFiles:
    keys = np.arange(len(corpus.texts), dtype=np.uint64)
    piece = order.pieces(corpus.groups, sizes_of(corpus.texts), limit=training.needed_bytes("cpu"))
    groups = np.unique(np.stack([corpus.groups, piece]), axis=1, return_inverse=True)[1].ravel()
    arms = []
    for name, chosen in {"all": np.arange(len(corpus.texts)), **corpus.judged}.items():
        texts = tuple(corpus.texts[at] for at in chosen)
        own = keys[chosen] + np.uint64(len(keys) if name == corpus.again else 0)
        n_bytes = int(sizes_of(texts).sum())
        arms.append(SimpleNamespace(name=name, texts=texts, keys=own, groups=groups[chosen], n_bytes=n_bytes))
    sizes = [(arm.groups, sizes_of(arm.texts)) for arm in arms]
    like = likeness.of_groups([(arm.groups, arm.texts) for arm in arms], target, groups=int(groups.max()) + 1)
    made = order.made(sizes, groups=int(groups.max()) + 1, draws=MOST_DRAWS, seed=0, likeness=like)
    experiment = SimpleNamespace(arms=tuple(arms), sets=(SimpleNamespace(texts=tuple(target)),), order=made)
    return tokens.encode(cast(Experiment, experiment), folder, vocabulary=CPU.vocabulary)


def drawn(corpus: Callable[[int], Corpus], target: Texts, folder: Path, *, draw: int) -> dict[str, Drawn]:
    """Each check of the corpus in a draw."""
    from pipeline.savings.tiers.neural import train

    done = folder / f"draw-{draw}.json"
    if not done.is_file():
        made = corpus(draw % 2)
        files = _encoded(made, target, folder / f"half-{made.half}")
        arms = tuple(files.arms.values())[:: -1 if made.backwards else 1]
        job = train.Job(str(folder / f"draw-{draw}"), arms, files.turned[draw], files.sets, CPU, draw, "cpu")
        train.train_job(job)
        with np.load(f"{job.folder}/result.npz") as found:
            bits = found["bits"].sum(axis=2) / sizes_of(target).sum()
            tokens_, cpu_s = found["tokens"].astype(np.float64), float(found["cpu_s"])
        own = {}
        for number, name in enumerate(made.judged, start=1):
            log, gap = _compared(tokens_, bits[[0, number]])
            own[name] = vars(Drawn(log, gap, files.tokens[name] / files.tokens["all"], cpu_s))
        done.write_text(json.dumps(own))
    return {name: Drawn(**one) for name, one in json.loads(done.read_text()).items()}


def _compared(compute: np.ndarray, bits: np.ndarray) -> tuple[float, float]:
    """Logarithm of the multiplier, and the gap at the end."""
    scored = [~np.isnan(row) for row in bits]
    points = [Points(compute[at], row[at]) for at, row in zip(scored, bits, strict=True)]
    return math.log(curves.multiplier(*points).multiplier), float(bits[1, -1] - bits[0, -1])


@dataclass(frozen=True)
class Found:
    """Of a check's draws: mean and standard error of the logarithms, as multipliers."""

    draws: list[Drawn]

    @property
    def logs(self) -> np.ndarray:
        return np.array([one.log for one in self.draws])

    @property
    def multiplier(self) -> float:
        return float(np.exp(self.logs.mean()))

    @property
    def worth(self) -> float:
        kept = self.draws[0].kept
        return (1 / self.multiplier - kept) / (1 - kept)

    def __str__(self) -> str:
        sd = self.logs.std(ddof=1) if len(self.logs) > 1 else math.nan
        kept = self.draws[0].kept
        about = [f"log {self.logs.mean():+.3f}", f"sd {sd:.3f}", f"n {len(self.logs)}"]
        if kept < 0.999:
            about += [f"1/k {1 / kept:.3f}", f"w {self.worth:.2f}"]
        about.append("gaps " + " ".join(f"{one.gap:+.4f}" for one in self.draws))
        about.append(f"{sum(one.cpu_s for one in self.draws) / len(self.draws):.0f} CPU-s a draw, all arms")
        return f"{self.multiplier:.3f} ({', '.join(about)})"


def verdicts(found: dict[str, Found]) -> list[tuple[str, bool]]:
    """What can be said of the checks that are there."""
    said = [(f"{name}: mean within .03", abs(found[name].logs.mean()) <= 0.03) for name in ("A/A", "A/A copies") if name in found]
    if "order" in found:
        said.append(("two orders: within .005 bits per byte", all(abs(one.gap) <= 0.005 for one in found["order"].draws)))
    if "swapped" in found and "junk 50/50" in found:
        product = found["swapped"].multiplier * found["junk 50/50"].multiplier
        said.append((f"swapped arms: product {product:.3f} within 5 % of 1", abs(product - 1) <= 0.05))
    for kind in ("junk", "foreign"):
        names = [f"{kind} {share}/{100 - share}" for share in (80, 50, 20)]
        if all(name in found for name in names):
            read = [found[name].multiplier for name in names]
            said.append((f"{kind}: in the order of the shares", read == sorted(read)))
    if "junk 80/20" in found and "junk 50/50" in found:
        apart = abs(found["junk 80/20"].worth - found["junk 50/50"].worth)
        said.append((f"worth of junk at 80/20 and 50/50: {apart:.2f} apart, at most .1", apart <= 0.1))
    for name, own in found.items():
        if name.startswith("foreign"):
            off = own.multiplier * own.draws[0].kept - 1
            said.append((f"{name}: {off:+.1%} of 1 / k, at most a tenth", abs(off) <= 0.1))
    return said


HEAD = ("planted", ">draws", ">multiplier read", "95 % interval", ">sd of a draw", ">1 / k", ">w", ">CPU a draw")
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results" / "validity.md"


def page(found: dict[str, Found], said: Sequence[tuple[str, bool]]) -> str:
    """docs/results/validity.md."""
    lines = ["# Does the measurement read what was planted?", "", __doc__.split("\n\n")[1].partition("\n")[2], ""]
    lines += ["k: share of the baseline's tokens that the arm keeps; w: what a token that it lacks was worth in kept ones.", ""]
    lines += markdown.table(HEAD, [_line(name, own) for name, own in found.items()])
    lines += ["", *(f"- {'met' if met else '**missed**'}: {words}" for words, met in said), ""]
    return "\n".join([*lines, "Made by `make bench B=savings_validity` (`python -m tests.bench.savings_validity --write`).", ""])


def _line(name: str, own: Found) -> tuple[str, ...]:
    n, kept = len(own.draws), own.draws[0].kept
    sd = float(own.logs.std(ddof=1)) if n > 1 else math.nan
    half = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n) if n > 1 else math.nan
    interval = f"{own.multiplier * math.exp(-half):.3f} to {own.multiplier * math.exp(half):.3f}"
    share = (numbers.NONE, numbers.NONE) if kept > 0.999 or own.multiplier < 1 / 1.1 else (f"{1 / kept:.2f}", f"{own.worth:.2f}")
    cpu_s = sum(one.cpu_s for one in own.draws) / n
    return name, str(n), f"{own.multiplier:.3f}", interval, f"{sd:.3f}", *share, f"{cpu_s:.0f} s"


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    asked.add_argument("--folder", type=Path, default=Path("build/savings_validity"), help="what is done is kept here")
    asked.add_argument("--only", action="append", help="a corpus by name; may be repeated")
    asked.add_argument("--draws", type=int, default=MOST_DRAWS, help="at most so many of each corpus")
    asked.add_argument("--print", action="store_true", help="print what is done and train nothing")
    asked.add_argument("--write", action="store_true", help="write docs/results/validity.md")
    given = asked.parse_args()
    data = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA))
    if not data.is_dir():
        print("WINNOW_EVAL_DATA is unset: this measurement needs the evaluation data")
        return 0
    parts = Parts(data)
    found: dict[str, Found] = {}
    for number in range(given.draws):
        for corpus, (make, draws) in corpora(parts).items():
            folder = given.folder / corpus.replace("/", "-").replace(" ", "-")
            ready = (folder / f"draw-{number}.json").is_file()
            if number >= draws or (given.only and corpus not in given.only) or (given.print and not ready):
                continue
            begun = time.monotonic()
            for name, one in drawn(make, parts.target, folder, draw=number).items():
                found[name] = Found([*(found[name].draws if name in found else ()), one])
                if not ready:
                    print(f"{name}, draw {number}: {math.exp(one.log):.3f}, {time.monotonic() - begun:.0f} s", flush=True)
    for name, own in found.items():
        print(f"{name}: {own}")
    said = verdicts(found)
    for words, met in said:
        print(f"{'met' if met else 'MISSED'}: {words}")
    if given.write:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(page(found, said), "utf-8")
    return 0 if all(met for _, met in said) else 1


if __name__ == "__main__":
    raise SystemExit(main())
