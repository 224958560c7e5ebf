"""`make bench B=language`: how fast, faithful to fastText and right the language filter is. Status 1 where a target is missed.

1. Faithful: our reader and fastText's own predict on every document of the evaluation data, whole: labels, scores.
2. Fast: MB of text per CPU-second of this thread, best of three: fastText's predict, ours on whole texts, the filter (sampled).
3. Sampled: the filter's language beside that of all prose, and beside fastText's of the whole text as it is; where they differ in
   a corpus of a known language, who is right.
4. Right: on lid_eval, languages that lid.176 knows: accuracy beside whole-text fastText, macro-F1 by unit and by script, 95 %
   intervals (Wilson for accuracy, 200 resamples of the rows for F1). Rows whose text occurs under several languages are left out.
   lid.176's `no` stands for lid_eval's `nb`; lid_eval has folded macrolanguages, as lid.176 does.
5. Mixed pages: made of two paragraphs of lid_eval in two languages: how far language_share is from the true share, and how often
   both languages are named; and how many pages in one language seem mixed.

Needs WINNOW_EVAL_DATA (real text that is not part of the project).

    python -m tests.bench.language [--sample SHARE]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa
import zstandard

from filters import language, models
from filters.contract import TextBatch
from filters.kernels import buffers
from filters.kernels.models import prose
from filters.kernels.unicode import scripts
from filters.models import eldc
from pipeline.records import interval
from tests.bench import language_beside

DEFAULT_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
LEARN = ("throughput", "lid_eval", "quality", "toxicity_eval", "dedup_eval", "pii_eval", "warc")
NOTHING = pa.RecordBatch.from_arrays([], names=[])
SAME = {"nb": "no"}
KNOWN = {
    "gesetze_de": "de", "oi_wiki_zh": "zh", "peps": "en", "rust_book": "en", "powershell_docs": "en",
    "react_native_versioned": "en",
    **{f"php_doc_{code}": code for code in ("en", "fr", "ja", "ru")},
    **{f"react_dev_{code}": code for code in ("en", "es", "fr", "ja", "ru", "tr")},
}  # fmt: skip
"""Corpora in one language, by their names; a few documents of the translated ones are in English still."""
WHOLE_MB, SAMPLED_MB, AGREE, WORSE = 45, 150, 0.995, 0.003


@dataclass
class Report:
    """Lines printed as they come, and targets missed."""

    missed: list[str] = field(default_factory=list)

    def target(self, name: str, value: float, least: float, unit: str = "") -> None:
        met = value >= least
        print(f"  {'met   ' if met else 'MISSED'} {name}: {value:.4g}{unit}, target {least:.4g}{unit}", flush=True)
        if not met:
            self.missed.append(name)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    data = path.read_bytes()
    raw = gzip.decompress(data) if path.suffix == ".gz" else zstandard.ZstdDecompressor().stream_reader(data).read()
    for line in io.BytesIO(raw):
        row = json.loads(line)
        if isinstance(row.get("text"), str) and row["text"].isascii() | _encodable(row["text"]):
            yield row


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(char) < 0xE000 for char in text)


def column(texts: list[str]) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    array = pa.array(texts, pa.large_string())
    return (array, *buffers.views(array))


def cpu(run: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """CPU seconds of this thread, the best of several, and the result."""
    best, found = float("inf"), None
    for _ in range(times):
        start = time.thread_time()
        found = run()
        best = min(best, time.thread_time() - start)
    return best, found


def predict(model: models.Model, offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, scores, _, _ = model.judge(data, models.whole(offsets))
    return labels[:, 0], scores[:, 0]


def faithful(report: Report, model: models.Model, oracle: Any, folder: Path, share: float) -> None:
    print("1. our reader and fastText's predict, whole texts")
    documents, other, unlike, largest = 0, 0, 0, 0.0
    for name in LEARN:
        for path in sorted((folder / name).rglob("*.jsonl.*")):
            texts = [row["text"].replace("\n", " ") for row in rows(path)]
            texts = texts[: max(int(len(texts) * share), 1)] if texts else []
            labels, scores = predict(model, *column(texts)[1:])
            for label, score, theirs, their_scores in zip(labels, scores, *oracle.predict(texts, k=2), strict=True):
                difference = abs(float(score) - float(their_scores[0]))
                largest, documents = max(largest, difference), documents + 1
                unlike += difference > 1e-5
                tied = len(their_scores) > 1 and their_scores[0] - their_scores[1] < 2e-5
                other += f"__label__{model.labels[label]}" != theirs[0] and not tied
    print(f"  {documents:,} documents: {other} with another label, {unlike} with another score, largest difference {largest:.1e}")
    report.target("same label and score", 1 - (other + unlike) / documents, 1)


def fast(report: Report, model: models.Model, oracle: Any, texts: list[str]) -> dict[str, Any]:
    array, offsets, data = column(texts)
    megabytes = len(b"".join(text.encode() for text in texts)) / 1e6
    print(f"2. MB of text per CPU-second: {megabytes:.0f} MB of throughput, {len(texts):,} documents")
    lines = [text.replace("\n", " ") for text in texts]
    theirs, _ = cpu(lambda: oracle.predict(lines), 1)
    ours, whole = cpu(lambda: predict(model, offsets, data))
    sampled, signals = cpu(lambda: language.annotate(TextBatch(array), NOTHING, language.Params(), model=model))
    print(f"  fastText's predict {megabytes / theirs:.1f}; ours {megabytes / ours:.1f}; the filter {megabytes / sampled:.1f}")
    report.target("whole texts", megabytes / ours, WHOLE_MB, " MB")
    report.target("sampled (the filter, script and share included)", megabytes / sampled, SAMPLED_MB, " MB")
    return {"raw": named(model, *whole), "signals": signals.to_pydict(), "offsets": offsets, "data": data}


def named(model: models.Model, labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The language that the filter would name for these labels."""
    names = np.array([*model.labels, language.UNDETERMINED])
    return names[np.where(scores >= language.MIN_DETERMINED, labels, len(model.labels))]


def sampled(report: Report, model: models.Model, sources: np.ndarray, found: dict[str, Any]) -> None:
    print("3. the sample beside the whole text (languages, `und` among them)")
    ours, raw = np.array(found["signals"]["language"]), found["raw"]
    everything = prose.sample(found["offsets"], found["data"], limit=1 << 40, parts=2)
    letters, _ = scripts.majority(everything.data, everything.spans)
    labels, scores, _, _ = model.judge(everything.data, everything.spans)
    of_prose = named(model, labels[:, 0], np.where(letters >= language.MIN_LETTERS, scores[:, 0], 0))
    report.target("language of all prose", float((ours == of_prose).mean()), AGREE)
    both = (ours != "und") & (raw != "und")
    for name, others in (("of all prose", of_prose), ("as fastText gives it for the whole text", raw)):
        both = (ours != "und") & (others != "und")
        print(
            f"  language {name}: same on {(ours == others).mean():.4f}; {(ours == others)[both].mean():.5f} where both name one"
        )
    truth = np.array([KNOWN.get(source, "") for source in sources])
    known, differ = truth != "", ours != raw
    print(f"  corpora of a known language, {known.sum():,} documents: right {(ours == truth)[known].mean():.4f} by the sample,")
    print(f"    {(raw == truth)[known].mean():.4f} by fastText on the whole text; where both name one and differ")
    x = known & differ & both
    print(f"    ({x.sum()}): sample right {(ours == truth)[x].sum()}, whole text right {(raw == truth)[x].sum()}")
    for name, x in (
        ("whole text undetermined, sample not", known & (raw == "und") & (ours != "und")),
        ("sample undetermined, whole text not", known & (raw != "und") & (ours == "und")),
    ):
        print(f"    {name} ({x.sum()}): the one named is right on {((ours == truth) | (raw == truth))[x].sum()}")


def macro_f1(truth: np.ndarray, given: np.ndarray, weights: np.ndarray, n: int) -> float:
    """Mean F1 of the languages that occur in `truth`; numbers below n; -1 in `given`: none of them."""
    true = np.bincount(truth, weights, n)
    named = np.bincount(given[given >= 0], weights[given >= 0], n)
    hit = np.bincount(truth[truth == given], weights[truth == given], n)
    there = true > 0
    return float((2 * hit[there] / (true[there] + named[there])).mean())


def with_interval(truth: np.ndarray, given: np.ndarray, n: int) -> str:
    rng = np.random.default_rng(0)
    ones = np.ones(len(truth))
    draws = [
        macro_f1(truth, given, np.bincount(rng.integers(0, len(truth), len(truth)), minlength=len(truth)), n) for _ in range(200)
    ]
    low, high = np.percentile(draws, (2.5, 97.5))
    return f"{macro_f1(truth, given, ones, n):.3f} [{low:.3f}, {high:.3f}]"


def right(report: Report, model: models.Model, everything: list[dict[str, Any]]) -> None:
    clear = [row for row in everything if not row["ambiguous"]]
    known = [row for row in clear if SAME.get(row["lang"], row["lang"]) in model.labels]
    print(
        f"4. lid_eval: {len(known):,} rows in languages that lid.176 knows; left out: {len(everything) - len(clear)} ambiguous,"
    )
    print(f"  {len(clear) - len(known):,} in other languages")
    array, offsets, data = column([row["text"] for row in known])
    signals = language.annotate(TextBatch(array), NOTHING, language.Params(), model=model)
    sample = prose.sample(offsets, data, limit=language.SAMPLE_BYTES, parts=language.PARTS)
    whole, ours = predict(model, offsets, data)[0], model.judge(sample.data, sample.spans)[0][:, 0]
    truth = np.array([model.labels.index(SAME.get(row["lang"], row["lang"])) for row in known])
    units = np.array([f"{row['source'].split('-')[0]} {row['unit']}" for row in known])
    und = np.array(signals["language"].to_pylist()) == "und"
    print("  accuracy of the best label, without `und`:     rows     whole   sample (95 %)           `und`   right among named")
    for unit in sorted(set(units)):
        x = units == unit
        a, b = (whole == truth)[x].mean(), (ours == truth)[x].mean()
        right = interval.share(int((ours == truth)[x].sum()), int(x.sum()))
        low, high = right.low, right.high
        named_right = (ours == truth)[x & ~und].mean()
        print(
            f"    {unit:<40} {x.sum():>8,}   {a:.4f}   {b:.4f} [{low:.3f}, {high:.3f}]   {und[x].mean():.3f}   {named_right:.4f}"
        )
        if unit.split()[1] in ("sentence", "paragraph") and x.sum() >= 1000:
            report.target(f"sample no worse than whole text on {unit}s", float(b - a), -WORSE)
    n = len(model.labels)
    print("  macro-F1 (95 %) of the sample by unit and of sentences and paragraphs by script")
    for unit in ("single_word", "word_pair", "sentence", "paragraph"):
        x = np.array([row["unit"] == unit for row in known])
        print(f"    {unit:<16} {x.sum():>8,} rows, {len(set(truth[x])):>3} languages: {with_interval(truth[x], ours[x], n)}")
    long = np.array([row["unit"] in ("sentence", "paragraph") for row in known])
    script = np.array(scripts.CODES)[scripts.majority(data, models.whole(offsets))[1]]
    for code in sorted(set(script[long]), key=lambda code: -(script[long] == code).sum()):
        x = long & (script == code)
        if x.sum() >= 100:
            print(f"    {code:<16} {x.sum():>8,} rows, {len(set(truth[x])):>3} languages: {with_interval(truth[x], ours[x], n)}")


def mixed(model: models.Model, everything: list[dict[str, Any]]) -> None:
    """Pages of two paragraphs, cut at random places, one in each of two languages that lid.176 is right about."""
    rng = np.random.default_rng(1)
    chosen = [r for r in everything if r["unit"] == "paragraph" and r["source"] != "udhr" and not r["ambiguous"]]
    texts = [row["text"] for row in chosen]
    alone = language.annotate(TextBatch(pa.array(texts, pa.large_string())), NOTHING, language.Params(), model=model).to_pylist()
    codes = [SAME.get(row["lang"], row["lang"]) for row in chosen]
    fine = [i for i, signal in enumerate(alone) if signal["language"] == codes[i]]
    shares = np.array([alone[i]["language_share"] for i in fine], float)
    pages, true, pairs = [], [], []
    while len(pages) < 2000:
        a, b = (int(i) for i in rng.choice(fine, 2, replace=False))
        if codes[a] != codes[b]:
            parts = [texts[i].split(" ") for i in (a, b)]
            cut = [" ".join(words[: max(int(len(words) * rng.uniform(0.3, 1)), 1)]) for words in parts]
            sizes = [len(part.encode()) for part in cut]
            pages.append("\n".join(cut))
            true.append({codes[a]: sizes[0] / sum(sizes), codes[b]: sizes[1] / sum(sizes)})
            pairs.append({codes[a], codes[b]})
    found = language.annotate(TextBatch(pa.array(pages, pa.large_string())), NOTHING, language.Params(), model=model).to_pylist()
    scored = [(s["language_share"], t[s["language"]]) for s, t in zip(found, true, strict=True) if s["language"] in t]
    wrong = [abs(share - t) for share, t in scored if share is not None]
    both = np.mean([{s["language"], s["language_second"]} == pair for s, pair in zip(found, pairs, strict=True)])
    seen = np.mean([s["language_share"] is not None and s["language_share"] < 1 for s in found])
    print("5. mixed pages: 2,000 of two lingua paragraphs, each 30-100 % of one, median "
          f"{int(np.median([len(page.encode()) for page in pages])):,} bytes")  # fmt: skip
    print(f"  language is one of the two: {len(scored) / 2000:.3f}; both named: {both:.3f}; share below 1: {seen:.3f}")
    print(f"  |language_share - true share|: mean {np.mean(wrong):.3f}, 90 % below {np.percentile(wrong, 90):.3f}")
    low = [(shares < limit).mean() for limit in (1, 0.6)]
    print(f"  paragraphs in one language ({len(fine):,}): share below 1: {low[0]:.4f}, below 0.6: {low[1]:.4f}")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sample", type=float, default=1.0, help="share of each file for part 1 (default: all)")
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA to a folder with throughput/*.jsonl.gz")
    model = language.load(language.Params())
    oracle = fasttext.load_model(str(model.path))
    no_columns = pa.RecordBatch.from_arrays([], names=[])
    language.annotate(TextBatch(pa.array(["warm"], pa.large_string())), no_columns, language.Params(), model=model)
    report = Report()
    faithful(report, model, oracle, chosen.data, chosen.sample)
    documents = [(path.name.split(".")[0], row["text"]) for path in files for row in rows(path)]
    found = fast(report, model, oracle, [text for _, text in documents])
    sampled(report, model, np.array([source for source, _ in documents]), found)
    everything = list(rows(chosen.data / "lid_eval" / "lid.jsonl.gz"))
    right(report, model, everything)
    mixed(model, everything)
    both = language.load(language.Params(model=eldc.NAME))
    texts = TextBatch(pa.array([text for _, text in documents], pa.large_string()))
    seconds, _ = cpu(lambda: language.annotate(texts, NOTHING, language.Params(model=eldc.NAME), model=both))
    megabytes = sum(len(text.encode()) for _, text in documents) / 1e6
    report.target("`model: eldc`, sampled", megabytes / seconds, SAMPLED_MB, " MB")
    language_beside.beside(report.target, both, chosen.data, everything)
    print(f"missed: {', '.join(report.missed)}" if report.missed else "all targets met")
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
