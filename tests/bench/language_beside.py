"""Part 6 of `make bench B=language`: `model: eldc` beside lid.176, and beside the packages eldc and heliport where they are
installed.

Told on the half of lid_eval and lid_more that no weight was fitted on (`half`). A language is right when it is the text's or a
relative of it (`labels.RELATIVES`). The table knows each language in one script: rows of the others (Malay in
Arabic letters, Azerbaijani in Cyrillic) are counted as not covered.
"""

from __future__ import annotations

import importlib
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zstandard

from filters import language
from filters.contract import TextBatch
from filters.kernels import buffers
from filters.kernels.unicode import scripts
from filters.models import labels, whole
from filters.models.languages import Languages

NOTHING = pa.RecordBatch.from_arrays([], names=[])
_GROUPS = {name: sorted(group)[0] for group in labels.RELATIVES for name in group}
ELSEWHERE = {("id", "Arab"), ("az", "Cyrl"), ("az", "Arab")}  # relatives by their first code
SENTENCES, PARAGRAPHS = 0.97, 0.985


def half(identity: str) -> int:
    """0: weights are fitted on it; 1: they are told on it."""
    return zlib.crc32(identity.encode()) & 1


def common(code: str) -> str:
    """One code for relatives."""
    name = next(iter(labels.languages((labels.understood(code),))))
    return _GROUPS.get(name, name)


def engines(both: Languages) -> dict[str, Callable[[list[str]], list[str]]]:
    """Texts → codes, by the name of what judges them."""

    def filtered(model: Any, name: str | None) -> Callable[[list[str]], list[str]]:
        params = language.Params(model=name)
        return lambda texts: language.annotate(
            TextBatch(pa.array(texts, pa.large_string())), NOTHING, params, model=model
        ).to_pydict()["language"]

    found = {"lid.176": filtered(both.lid, None), "eldc+lid": filtered(both, "eldc")}
    try:
        package = importlib.import_module("eldc")
        package.init()
        found["eldc 0.4"] = lambda texts: [package.detect(text).replace("ku", "ckb") for text in texts]
    except ImportError:
        print("  eldc is not installed: not measured")
    try:
        other = importlib.import_module("heliport").Identifier()
        found["heliport"] = lambda texts: [str(other.identify(text)) for text in texts]
    except ImportError:
        print("  heliport (GPL-3.0) is not installed: not measured")
    return found


def rows_of(data: Path, evaluation: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The told half of both sets: text, truth, unit, script, set."""
    made = []
    for row in evaluation:
        if not row["ambiguous"] and half(row["id"]):
            unit = f"{row['source'].split('-')[0]} {row['unit']}"
            made.append({"text": row["text"], "lang": row["lang"], "unit": unit, "set": "lid_eval"})
    path = data / "lid_more" / "common_voice_sentences_cc0.jsonl.zst"
    for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines():
        row = json.loads(line)
        if half(row["id"]):
            made.append({"text": row["text"], "lang": row["lang"], "unit": "common voice", "set": "lid_more"})
    offsets, texts = buffers.views(pa.array([row["text"] for row in made], pa.large_string()))
    for row, script in zip(made, scripts.majority(texts, whole(offsets))[1], strict=True):
        row |= {"script": scripts.CODES[script], "truth": common(row["lang"])}
    return made


def beside(target: Callable[[str, float, float], None], both: Languages, data: Path, evaluation: list[dict[str, Any]]) -> None:
    """Print accuracies and check the targets."""
    rows = rows_of(data, evaluation)
    covered = {common(code) for code in both.ngrams.card.languages}
    known = {common(code) for code in both.labels}
    truth, units = (np.array([row[name] for row in rows]) for name in ("truth", "unit"))
    script = np.array([row["script"] for row in rows])
    elsewhere = np.array([(row["truth"], row["script"]) in ELSEWHERE for row in rows])
    inside = np.isin(truth, sorted(covered)) & ~elsewhere
    texts = [row["text"] for row in rows]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"6. `model: eldc` beside others, half of lid_eval and of lid_more: {len(rows):,} rows; `und` is wrong")
    right: dict[str, np.ndarray] = {}
    given: dict[str, np.ndarray] = {}
    for name, judge in engines(both).items():
        judge(texts[:2])  # compiles kernels
        start = time.thread_time()
        codes = judge(texts)
        print(f"  {name:<10} {megabytes / (time.thread_time() - start):.1f} MB per CPU-second on these short texts")
        given[name] = np.array(codes)
        right[name] = np.array([common(code) for code in codes]) == truth
    names = list(right)

    def line(what: str, x: np.ndarray) -> None:
        if x.any():
            print(f"    {what:<44} {x.sum():>7,}  " + "  ".join(f"{name} {right[name][x].mean():.3f}" for name in names))

    for kind, x in (("covered", inside), ("of lid.176 only", np.isin(truth, sorted(known - covered)))):
        print(f"  languages {kind}")
        for unit in sorted(set(units)):
            line(unit, x & (units == unit))
    print("  `und` for languages that neither knows: " + ", ".join(
        f"{name} {np.isin(given[name], ['und', 'zxx'])[~np.isin(truth, sorted(known))].mean():.3f}" for name in names
    ))  # fmt: skip
    clear = inside & np.array([unit.split()[-1] in ("sentence", "paragraph", "voice") for unit in units])
    print("  by length in bytes, covered")
    size = np.array([len(row["text"].encode()) for row in rows])
    for low, high in ((0, 20), (20, 40), (40, 80), (80, 160), (160, 320), (320, 1 << 20)):
        line(f"{low} to {high}", inside & (size >= low) & (size < high))
    print("  by script, covered sentences and paragraphs")
    for code in sorted(set(script[clear]), key=lambda code: -(script[clear] == code).sum()):
        line(code, clear & (script == code))
    print("  lid_more by language")
    more = np.array([row["set"] == "lid_more" for row in rows])
    for code in sorted({row["lang"] for row, x in zip(rows, more, strict=True) if x}):
        line(code, more & np.array([row["lang"] == code for row in rows]))
    capitals(both, [row for row, x in zip(rows, clear, strict=True) if x])
    for unit, least in (("sentence", SENTENCES), ("paragraph", PARAGRAPHS)):
        x = inside & np.array([one.endswith(unit) and not one.startswith("cld2") for one in units])  # word salad and markup
        target(f"covered {unit}s of lid_eval", float(right["eldc+lid"][x].mean()), least)


def capitals(both: Languages, rows: list[dict[str, Any]]) -> None:
    """Sentences in capitals: how many are in the language that they are in as they stand."""
    cased = [row["text"] for row in rows if row["script"] in ("Latn", "Cyrl", "Grek") and row["text"].upper() != row["text"]]
    texts = cased[:: max(len(cased) // 4000, 1)]
    for name, judge in engines(both).items():
        as_written, large = judge(texts), judge([text.upper() for text in texts])
        same = np.mean([common(a) == common(b) for a, b in zip(as_written, large, strict=True)])
        print(f"  {name:<10} in capitals {same:.4f} of {len(texts):,} keep their language")
