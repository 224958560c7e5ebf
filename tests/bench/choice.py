"""Which documents plans choose, beside careful readers: every preset, and the quality models alone, over documents that were
judged.

Needs WINNOW_EVAL_DATA. Documents of the test part (`pipeline/training/judgements`), whose sites no weight or limit has seen;
cheap and model rules and `edits` as the plan says, no dedup. `kept`: share kept of what readers keep; `dropped`: share dropped
of what they drop; 95 % intervals (Wilson). AUC: of the score, over all documents that have one.

    python -m tests.bench.choice [--plan PLAN ...] [--write] [--part test]

`--write` puts the first table into docs/results/readers.md. Other rows of labels that say something else:
read_sample (readers' keep), turku_line_quality (share of lines that people called text: at least half), core_raw_accept_reject
(documents that linguists took into a register corpus), fineweb_c_danish (any educational value, by two or more of the
annotators that spoke), ftd_web_genres_en (not promotion, A12), quality (prose against menus, spam mail, scripts).
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import TextBatch, Tier, judge
from pipeline.plan import recipe
from pipeline.plan.load import load_plan
from pipeline.plan.recipe import Recipe
from pipeline.records import interval
from pipeline.stages.unit.signals import run_filter
from pipeline.text import final, markdown, normalise
from pipeline.training import judged, metrics

DEFAULT_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
OFF, READERS = "{}", "{model: readers, min_score: 0, keep: balanced}"
PLANS = (
    *(("default@2", key, (f"filters.quality.keep={key}",)) for key in ("lenient", "balanced", "strict")),
    *((name, "", ()) for name in ("default@1", "fineweb@1", "gopher@1", "c4@1", "dclm@1", "dolma@1")),
    ("none@1", "quality: readers alone, balanced", (f"filters.language={OFF}", f"filters.quality={READERS}")),
    ("none@1", "quality of default@1 alone", (f"filters.language={OFF}", f"filters.quality={OFF}")),
)  # fmt: skip
"""Preset, what it is called here, and what is set."""
MIN_GROUP = 30
PAGE = Path(__file__).resolve().parents[2] / "docs" / "results" / "readers.md"
BEGIN, END = "<!-- choice: begin -->", "<!-- choice: end -->"
BATCH = 8_000_000


@dataclass(frozen=True)
class Labelled:
    """Documents of one set of labels: what each is (`good`), and the groups that have figures of their own."""

    name: str
    texts: Sequence[str]
    good: np.ndarray
    groups: dict[str, np.ndarray]


@dataclass(frozen=True)
class Chosen:
    """What a plan made of documents."""

    kept: np.ndarray
    score: np.ndarray
    language: np.ndarray


def choose(plan: Recipe, texts: Sequence[str]) -> Chosen:
    """Apply the edits and every filter of a plan, as a run does, to all texts."""
    parts = [_choose(plan, texts[a:b]) for a, b in _slices(texts)]
    return Chosen(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("kept", "score", "language")))


def _slices(texts: Sequence[str]) -> list[tuple[int, int]]:
    ends = np.cumsum([len(text) for text in texts]) // BATCH
    cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), len(texts)]
    return [(a, b) for a, b in pairwise(cuts) if b > a]


def _choose(plan: Recipe, texts: Sequence[str]) -> Chosen:
    source = normalise.normalise(pa.array(texts, pa.large_string()))
    before = TextBatch(source)
    after = TextBatch(final.texts(source, final.finish(source, plan.steps)), before)
    columns: dict[str, pa.Array] = {}
    dropped = np.zeros(len(texts), bool)
    for tier in (Tier.CHEAP, Tier.MODEL):
        for item in plan.filters:
            if item.filter.tier is not tier:
                continue
            made = run_filter(item, plan.known, before if item.reads == "source" else after, columns=columns)
            columns |= dict(zip(made.schema.names, made.columns, strict=True))
            names = [*item.filter.signals.names, *(name for name in item.filter.needs if name in columns)]
            if item.action == "drop":
                frame = pl.DataFrame({name: pl.from_arrow(columns[name]) for name in names})
                failed = judge(item.filter, item.rules, frame)
                for column in failed:
                    dropped |= column.to_numpy()
    n = len(texts)
    score = columns.get("quality_score", pa.nulls(n, pa.float32())).to_numpy(zero_copy_only=False).astype(float)
    language = columns.get("language", pa.array(["und"] * n)).to_numpy(zero_copy_only=False)
    return Chosen(~dropped, score, language)


def readers(data: Path, part: str) -> Labelled:
    """The documents of a part, by language and problem."""
    documents = [d for d in judged.load(data)[0] if d.part == part and d.keep is not None]
    good = np.array([bool(d.keep) for d in documents])
    plan = recipe.resolve(load_plan("none@1", assignments=["filters.language={}"]).plan)
    language = choose(plan, [d.text for d in documents]).language
    groups = {"all": np.ones(len(good), bool)}
    for code, n in Counter(language.tolist()).most_common():
        if n >= MIN_GROUP:
            groups[code] = language == code
    few = [code for code, n in Counter(language.tolist()).items() if n < MIN_GROUP]
    groups["other languages"] = np.isin(language, few)
    problems = np.array([d.problem for d in documents])
    for problem, n in Counter(problems[~good].tolist()).most_common():
        if n >= 15:
            groups[f"problem {problem}"] = (problems == problem) & ~good
    return Labelled(f"judged, {part}", [d.text for d in documents], good, groups)


def other(data: Path, name: str) -> Labelled:
    """A set whose labels mean something else, see the module."""
    file = "quality/quality.jsonl.gz" if name == "quality" else f"judged/{name}.jsonl.zst"
    rows, _ = judged.rows(data, file)
    good = [GOOD[name](row) for row in rows]
    chosen = [(row, bool(value)) for row, value in zip(rows, good, strict=True) if value is not None]
    key = "kind" if name == "quality" else "lang"
    by = np.array([str(row.get(key, "")) for row, _ in chosen])
    groups = {"all": np.ones(len(chosen), bool)}
    groups |= {value: by == value for value in np.unique(by) if value and (by == value).sum() >= MIN_GROUP}
    return Labelled(name, [row["text"] for row, _ in chosen], np.array([value for _, value in chosen]), groups)


def _danish(row: dict[str, str]) -> bool | None:
    said = [label for label in ast.literal_eval(row["label"]) if label]
    valued = sum(label in ("Minimal", "Basic", "Good", "Excellent") for label in said)
    return None if len(said) < 2 else valued >= 2


def _promotes(row: dict[str, str]) -> bool | None:
    return row["label"] != "A12"


GOOD: dict[str, Callable[[dict[str, str]], bool | None]] = {
    "read_sample": lambda row: {"y": True, "n": False}.get(row.get("keep", "?")),
    "turku_line_quality": lambda row: float(row["label"]) >= 0.5,
    "core_raw_accept_reject": lambda row: row["label"] == "accept",
    "fineweb_c_danish": _danish,
    "ftd_web_genres_en": _promotes,
    "quality": lambda row: bool(int(row["hq"])),
}


def row(name: str, chosen: Chosen, labelled: Labelled, inside: np.ndarray) -> list[str]:
    """A line of the table."""
    good, bad = inside & labelled.good, inside & ~labelled.good
    scored = inside & ~np.isnan(chosen.score)
    auc = metrics.auc(chosen.score[scored], labelled.good[scored]) if scored.sum() > 1 else None
    cells = [_share(chosen.kept[good]), _share(~chosen.kept[bad])]
    return [name, "" if auc is None else f"{auc.value:.3f}", *cells, str(int(inside.sum()))]


def _share(hits: np.ndarray) -> str:
    if not len(hits):
        return "-"
    found = interval.share(int(hits.sum()), len(hits))
    return f"{found.value:.0%} ({found.low:.0%} to {found.high:.0%})".replace("%", " %")


HEAD = ("plan", ">AUC", ">kept of the good", ">dropped of the bad", ">documents")


def plans(names: Sequence[str]) -> dict[str, Recipe]:
    """Recipes by what they are called."""
    chosen = [entry for entry in PLANS if not names or entry[0] in names]
    return {
        (called if preset == "none@1" else f"{preset} {called}".strip()): recipe.resolve(load_plan(preset, assignments=sets).plan)
        for preset, called, sets in chosen
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", nargs="+", default=[], help="presets, such as default@2; none@1 for the models alone")
    parser.add_argument("--write", action="store_true", help="put the first table alone into docs/results/readers.md")
    parser.add_argument("--part", default="test", choices=("test", "apart"))
    options = parser.parse_args()
    data = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA))
    made = plans(options.plan)
    labelled = readers(data, options.part)
    chosen = {name: choose(plan, labelled.texts) for name, plan in made.items()}
    first = [row(name, choice, labelled, labelled.groups["all"]) for name, choice in chosen.items()]
    if options.write:
        text = PAGE.read_text("utf-8")
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        PAGE.write_text("\n".join((f"{before}{BEGIN}", *markdown.table(HEAD, first), f"{END}{after}")), "utf-8")
        return 0
    _print(f"{labelled.name}: what plans keep and drop beside readers", first)
    for name, choice in chosen.items():
        _print(f"{name}, by language and problem", [row(g, choice, labelled, rows) for g, rows in labelled.groups.items()])
    for name in GOOD:
        extra = other(data, name)
        rows = []
        for plan_name, plan in made.items():
            choice = choose(plan, extra.texts)
            rows += [row(f"{plan_name} {g}".removesuffix(" all"), choice, extra, inside) for g, inside in extra.groups.items()]
        _print(name, rows)
    return 0


def _print(title: str, rows: Sequence[Sequence[str]]) -> None:
    print(f"\n{title}")
    print("\n".join(markdown.table(HEAD, rows)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
