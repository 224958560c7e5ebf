"""`make bench B=parity`: do our profiles decide as the systems that they are named after? Rule by rule, document by document.

datatrove 0.10.1 and dolma 1.2.1 judge a seeded slice of real text, each in an environment of its own
(`tests/bench/peers/with_datatrove_rules.py`, `with_dolma.py`), and so do our filters. Prints for each rule the share of equal
decisions, and of the others some documents by id; why they differ, as far as a language's own tokeniser explains it (ours cuts
every text as spaCy cuts English), with words of theirs and of English; and the CPU-seconds of both sides on the same
documents, on one core. Needs WINNOW_EVAL_DATA.

    python -m tests.bench.parity [--megabytes 40] [--seed 0] [--only datatrove|dolma] [--work DIR]

`--work` keeps the slice and the peers' answers; what lies there is not made again.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import zstandard

from filters import FILTERS
from filters.contract import TextBatch, judge
from filters.edits.c4_lines import C4LinesParams
from filters.edits.c4_lines import steps as c4_steps
from filters.edits.contract import apply
from filters.kernels import warm
from pipeline.text import normalise
from tests.bench.peers.environments import DATATROVE_RULES, DOLMA, Peer, installed
from tests.bench.throughput import DEFAULT_DATA

UNSPACED = ("zh", "ja", "th", "lo", "km", "my", "bo")
QUALITY = {
    "min_doc_words": "too_few_words",
    "max_doc_words": "too_many_words",
    "min_avg_word_length": "words_too_short",
    "max_avg_word_length": "words_too_long",
    "hashes": "too_many_hashes",
    "ellipses": "too_many_ellipses",
    "max_bullet_lines_ratio": "too_many_bullet_lines",
    "max_ellipsis_lines_ratio": "too_many_ellipsis_lines",
    "max_non_alpha_words_ratio": "too_few_alphabetic_words",
    "min_stop_words": "too_few_stop_words",
}
REPETITION = {
    "dup_line_frac": "duplicate_lines",
    "dup_para_frac": "duplicate_paragraphs",
    "dup_line_char_frac": "duplicate_line_chars",
    "dup_para_char_frac": "duplicate_paragraph_chars",
    **{f"top_{n}": f"top_{n}gram" for n in (2, 3, 4)},
    **{f"dup_{n}": f"repeated_{n}gram" for n in range(5, 11)},
}
FINEWEB = {
    "line_punct_thr": "too_few_punctuated_lines",
    "short_line_thr": "too_many_short_lines",
    "char_duplicates_ratio": "too_many_repeated_lines",
    "new_line_ratio": "too_many_newlines",
}
DATATROVE_PAIRS = {
    **{f"quality.{theirs}": f"gopher_quality.{ours}" for theirs, ours in QUALITY.items()},
    **{f"repetition.{theirs}": f"gopher_repetition.{ours}" for theirs, ours in REPETITION.items()},
    **{f"fineweb.{theirs}": f"fineweb.{ours}" for theirs, ours in FINEWEB.items()},
    "c4.lorem_ipsum": "c4.lorem_ipsum",
    "c4.curly_bracket": "c4.curly_bracket",
    "c4.sentences": "c4.too_few_sentences",
}
DOLMA_PAIRS = {
    "gopher.word_count.low": "gopher_quality.too_few_words",
    "gopher.word_count.high": "gopher_quality.too_many_words",
    "gopher.median_word_length.low": "gopher_quality.words_too_short",
    "gopher.median_word_length.high": "gopher_quality.words_too_long",
    "gopher.symbol_to_word_ratio.high": "gopher_quality.too_many_symbols",
    "gopher.fraction_of_words_with_alpha_character.low": "gopher_quality.too_few_alphabetic_words",
    "gopher.required_word_count.low": "gopher_quality.too_few_stop_words",
    "gopher.fraction_of_lines_starting_with_bullet_point.high": "gopher_quality.too_many_bullet_lines",
    "gopher.fraction_of_lines_ending_with_ellipsis.high": "gopher_quality.too_many_ellipsis_lines",
    "gopher.fraction_of_duplicate_lines.high": "gopher_repetition.duplicate_lines",
    "gopher.fraction_of_characters_in_duplicate_lines.high": "gopher_repetition.duplicate_line_chars",
    **{f"gopher.fraction_of_characters_in_most_common_{n}grams.high": f"gopher_repetition.top_{n}gram" for n in (2, 3, 4)},
    **{f"gopher.fraction_of_characters_in_duplicate_{n}grams.high": f"gopher_repetition.repeated_{n}gram" for n in range(5, 11)},
    "c4.has_javascript": "c4.javascript",
    "c4.has_lorem_ipsum": "c4.lorem_ipsum",
    "c4.has_curly_brace": "c4.curly_bracket",
}


@dataclass(frozen=True)
class Slice:
    """The documents that both sides judge: source texts, ids of file and row, languages."""

    ids: list[str]
    languages: list[str]
    text: pa.LargeStringArray


def documents(data: Path) -> Iterator[tuple[str, str]]:
    """`(id, text)` of every row of throughput/."""
    for path in sorted((data / "throughput").glob("*.jsonl.*")):
        raw = path.read_bytes()
        if path.suffix == ".zst":
            raw = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read()
        else:
            raw = gzip.decompress(raw)
        for number, line in enumerate(raw.split(b"\n"), start=1):
            text = json.loads(line).get("text") if line else None
            if isinstance(text, str) and text.strip():
                yield f"{path.name}#{number}", text


def sliced(data: Path, *, megabytes: float, seed: int) -> Slice:
    """A random choice of documents, as many as fit."""
    found = list(documents(data))
    random.Random(seed).shuffle(found)
    chosen, size = [], 0
    for id_, text in found:
        if size >= megabytes * 1e6:
            break
        chosen.append((id_, text))
        size += len(text.encode())
    text = normalise.normalise(pa.array([text for _, text in chosen], pa.large_string()))
    language = FILTERS[0]
    params = language.params()
    none = pa.RecordBatch.from_arrays([], names=[])
    labels = language.annotate(TextBatch(text), none, params, language.load(params)).column("language").to_pylist()
    return Slice([id_ for id_, _ in chosen], [label or "und" for label in labels], text)


def asked(peer: Peer, rows: Slice, folder: Path) -> dict[str, Any] | None:
    """The peer's answers, None where it cannot be installed."""
    answers = folder / f"{peer.name}.json"
    if not answers.exists():
        if not installed(peer):
            return None
        given = folder / "slice.jsonl"
        with given.open("w", encoding="utf-8") as file:
            for id_, language, text in zip(rows.ids, rows.languages, rows.text.to_pylist(), strict=True):
                file.write(json.dumps({"id": id_, "language": language, "text": text}) + "\n")
        print(f"{peer.name} judges {len(rows.ids):,} documents …", flush=True)
        subprocess.run(peer.command(given, "--output", answers), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return json.loads(answers.read_text())


@dataclass(frozen=True)
class Ours:
    """Decisions by `filter.reason`, signals by name, and what they cost."""

    failed: pl.DataFrame
    signals: pl.DataFrame
    cpu_s: float


def judged(text: pa.LargeStringArray, languages: Sequence[str], chosen: dict[str, tuple[dict[str, Any], dict[str, Any]]]) -> Ours:
    """Our filters (name → keys of params, keys of thresholds) on these texts; every cost of facts included."""
    given = {"language": pa.array(languages, pa.string())}
    failed, signals = [], []
    batch = TextBatch(text)
    start = time.process_time()
    for filter_ in FILTERS:
        if filter_.name not in chosen:
            continue
        params, thresholds = filter_.params(**chosen[filter_.name][0]), filter_.thresholds(**chosen[filter_.name][1])
        needed = pa.RecordBatch.from_arrays([given[name] for name in filter_.needs], names=list(filter_.needs))
        made = pl.from_arrow(filter_.annotate(batch, needed, params, None))
        assert isinstance(made, pl.DataFrame)
        signals.append(made)
        every = made.hstack([pl.Series(name, given[name].to_pylist(), dtype=pl.String) for name in filter_.needs])
        failed.append(judge(filter_, filter_.rules(params, thresholds), every))
    used = time.process_time() - start
    return Ours(pl.concat(failed, how="horizontal"), pl.concat(signals, how="horizontal"), used)


def edited(text: pa.LargeStringArray, **params: Any) -> tuple[pa.LargeStringArray, float]:
    """The text after `c4_lines`, and CPU-seconds."""
    start = time.process_time()
    made, _ = apply(c4_steps(C4LinesParams(**params)), text)
    return made, time.process_time() - start


def compare(rows: Slice, theirs: list[bool], ours: pl.Series, among: list[bool]) -> tuple[int, int, list[int]]:
    """`(documents, equal ones, rows that differ)` among those that count."""
    places = [k for k, counts in enumerate(among) if counts]
    differ = [k for k in places if theirs[k] != ours[k]]
    return len(places), len(places) - len(differ), differ


def show(name: str, n: int, equal: int, rows: Slice, differ: list[int], ours: pl.Series) -> None:
    share = 100 * equal / n if n else 100.0
    more = ", ".join(f"{rows.ids[k]} ({rows.languages[k]}; ours {'fails' if ours[k] else 'passes'})" for k in differ[:3])
    print(f"  {name:<66}{share:>8.2f} % of {n:,}" + (f"   {len(differ)} differ: {more}" if differ else ""))


def reasons(rows: Slice, differ: list[int], words: list[list[list[str]]]) -> str:
    """What became of the documents that differ: by language, those in which its tokeniser finds other words than English's."""
    parts = []
    for language in sorted({rows.languages[k] for k in differ}):
        of_it = [k for k in differ if rows.languages[k] == language]
        cut = [k for k in of_it if any(words[k])]
        theirs, english = ([word for k in cut for word in words[k][side][:2]][:3] for side in (0, 1))
        if cut:
            parts.append(f"{language} {len(cut)} cut otherwise ({' '.join(theirs)} for {' '.join(english)})")
        if len(of_it) > len(cut):
            parts.append(f"{language} {len(of_it) - len(cut)} unexplained")
    return "; ".join(parts)


def datatrove(rows: Slice, folder: Path) -> None:
    answers = asked(DATATROVE_RULES, rows, folder)
    if answers is None:
        return
    left, _ = edited(rows.text, citations=True)
    whole = {
        "gopher_quality": ({"profile": "datatrove"}, {}),
        "gopher_repetition": ({"profile": "datatrove"}, {}),
        "fineweb": ({}, {}),
    }
    ours, after = judged(rows.text, rows.languages, whole), judged(left, rows.languages, {"c4": ({}, {})})
    failed = ours.failed.hstack(after.failed)
    dropped = after.failed["c4.lorem_ipsum"] | after.failed["c4.curly_bracket"]
    both = [a["c4_text"] is not None and not d for a, d in zip(answers["rows"], dropped, strict=True)]
    spaced = [language not in UNSPACED for language in rows.languages]
    for title, among in (
        ("space-separated languages", spaced),
        ("Chinese, Japanese, Thai, cut as English", [not s for s in spaced]),
    ):
        print(f"datatrove 0.10.1, {title}")
        for theirs, name in DATATROVE_PAIRS.items():
            counted = among
            if theirs == "quality.min_stop_words":
                counted = [a and language == "en" for a, language in zip(among, rows.languages, strict=True)]
            elif theirs == "c4.sentences":
                counted = [a and b for a, b in zip(among, both, strict=True)]
            column = [bool(row["fails"][theirs]) for row in answers["rows"]]
            n, equal, differ = compare(rows, column, failed[name], counted)
            show(f"{theirs} = {name}", n, equal, rows, differ, failed[name])
            if differ:
                print(f"      {reasons(rows, differ, [row['words'] for row in answers['rows']])}")
        texts = [row["c4_text"] == blake2b(text.encode(), digest_size=8).hexdigest() for row, text in
                 zip(answers["rows"], left.to_pylist(), strict=True)]  # fmt: skip
        same = pl.Series([True] * len(texts))
        n, equal, differ = compare(rows, texts, same, [a and b for a, b in zip(among, both, strict=True)])
        show("c4 text after its line rules = edits.c4_lines", n, equal, rows, differ, same)
    cost(rows, answers["cost"], recipe="datatrove")


def dolma(rows: Slice, folder: Path) -> None:
    answers = asked(DOLMA, rows, folder)
    if answers is None:
        return
    languages = ["en"] * len(rows.ids)  # its tagger knows English words only and asks for them in every document
    chosen = {
        "gopher_quality": ({"profile": "dolma"}, {}),
        "gopher_repetition": ({"profile": "dolma"}, {}),
        "c4": ({}, {"javascript": True}),
    }
    ours = judged(rows.text, languages, chosen)
    print("dolma 1.2.1")
    everyone = [True] * len(rows.ids)
    for theirs, name in DOLMA_PAIRS.items():
        column = [bool(row["fails"][theirs]) for row in answers["rows"]]
        n, equal, differ = compare(rows, column, ours.failed[name], everyone)
        show(f"{theirs} = {name}", n, equal, rows, differ, ours.failed[name])
    none = {"citations": False, "javascript": False, "policy": False, "max_word_length": 0}
    for kind, params in {
        "lines_with_no_ending_punctuation": {"punctuation": True, "min_words": 0},
        "lines_with_too_few_words": {"punctuation": False, "min_words": 3},
    }.items():
        left, _ = edited(rows.text, profile="dolma", **none, **params)
        gone = [_lines(before) - _lines(after) for before, after in zip(rows.text.to_pylist(), left.to_pylist(), strict=True)]
        last = [int(before.endswith("\n")) for before in rows.text.to_pylist()]  # its last line is empty, and counts
        equal = [row["counts"][kind] == n + m for row, n, m in zip(answers["rows"], gone, last, strict=True)]
        same = pl.Series([True] * len(equal))
        show(
            f"c4 {kind} = edits.c4_lines",
            *compare(rows, equal, same, everyone)[:2],
            rows,
            compare(rows, equal, same, everyone)[2],
            same,
        )
    cost(rows, answers["cost"], recipe="dolma")


def _lines(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n") and text != "")


def cost(rows: Slice, theirs: dict[str, float], *, recipe: str) -> None:
    """Both sides' CPU-seconds on the documents that the peer was timed on."""
    sizes = [len(text.encode()) for text in rows.text.to_pylist()]
    n, size = 0, 0
    while n < len(sizes) and size < theirs["bytes"]:
        size += sizes[n]
        n += 1
    text, languages = rows.text.slice(0, n), rows.languages[:n]
    judged_on = {"gopher_quality": ({"profile": recipe}, {}), "gopher_repetition": ({"profile": recipe}, {})}
    seconds = []
    for _ in range(3):
        if recipe == "datatrove":
            left, used = edited(text, punctuation=False)
            used += (
                judged(text, languages, judged_on).cpu_s + judged(left, languages, {"c4": ({}, {}), "fineweb": ({}, {})}).cpu_s
            )
        else:
            used = judged(text, languages, {**judged_on, "c4": ({}, {"javascript": True})}).cpu_s
        seconds.append(used)
    ours = sorted(seconds)[1]
    pace, own = theirs["bytes"] / 1e6 / theirs["cpu_s"], size / 1e6 / ours
    print(f"  CPU on {size / 1e6:.1f} MB, one core: {recipe} {theirs['cpu_s']:.1f} s ({pace:.2f} MB/s),", end="")
    print(f" ours {ours:.3f} s ({own:.0f} MB/s): {own / pace:.0f} x less")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=float, default=40)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", choices=["datatrove", "dolma"])
    options.add_argument("--work", type=Path)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    if not (chosen.data / "throughput").is_dir():
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA to a folder with throughput/*.jsonl.gz")
    warm.warm()
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        rows = sliced(chosen.data, megabytes=chosen.megabytes, seed=chosen.seed)
        size = sum(len(text.encode()) for text in rows.text.to_pylist())
        print(f"{len(rows.ids):,} documents, {size / 1e6:.1f} MB, seed {chosen.seed}")
        for name, bench in (("dolma", dolma), ("datatrove", datatrove)):
            if chosen.only in (None, name):
                bench(rows, work)


if __name__ == "__main__":
    main()
