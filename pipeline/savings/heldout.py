"""Held-out sets: what each is for, cut to size, and cleaned of everything that an arm holds.

Invariant: no line of a held-out set stands in an arm as a line of its own, and no thirteen words in a row of it do (the
length that GPT-3, arXiv 2005.14165, appendix C, uses). What was removed is counted. Documents are cut so that a long one does
not decide alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.savings import corpora

ROLES = {
    "target": "declared by you",
    "curated_heldout": "split off the curated text: biased for the curation",
    "raw_heldout": "split off the raw text, duplicates taken out: biased against, it rewards modelling what was dropped",
    "dropped": "what one rule removed: what you gave up",
    "language": "the raw text of one language",
}
WORDS = 13
DOCUMENT_BYTES = 900
"""UTF-8 bytes of a held-out document; chosen because two contexts of the small model then see most of it."""
TARGET_BYTES = 80_000
PROBE_BYTES = 20_000
"""Bytes of a set. Scoring dominates the cost, and a hundred documents give the bootstrap enough to draw from."""
LEAST_DOCUMENTS = 8
"""Fewer are no set: its interval would say nothing."""
MOST_PROBES = 6
"""Most probes of each kind (reasons, languages), the largest first."""


@dataclass(frozen=True)
class HeldOut:
    """One set. `removed_lines` of `lines` stood in an arm too; `sha256` is over its texts."""

    name: str
    role: str
    texts: tuple[str, ...]
    lines: int = 0
    removed_lines: int = 0

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(len(text).to_bytes(8, "big") + text.encode())
        return digest.hexdigest()


def declared(name: str, path: str, *, seed: int) -> HeldOut:
    """A target that the plan names: JSONL or Parquet."""
    frame = pl.concat([pl.DataFrame(schema=corpora.TEXTS), *corpora.of_files(path)])
    return _cut(name, "target", frame, limit=TARGET_BYTES, seed=seed)


def split_off(baseline: pl.DataFrame, curated: pl.DataFrame, *, seed: int) -> list[HeldOut]:
    """The sets that come from the corpora themselves (`held` rows): curated, raw, and one a reason and a language.

    Duplicates are taken out of the raw rows: one document a group.
    """
    raw = baseline.filter("held").unique("group", keep="first", maintain_order=True)
    sets = [
        _cut("curated_heldout", "curated_heldout", curated.filter("held"), limit=TARGET_BYTES, seed=seed),
        _cut("raw_heldout", "raw_heldout", raw, limit=TARGET_BYTES, seed=seed),
    ]
    own = baseline.filter("held").unique("text", keep="first", maintain_order=True)
    for kind, column in (("dropped", "reason"), ("language", "language")):
        parts = own.filter(pl.col(column).is_not_null()).partition_by(column, as_dict=True)
        parts = {name: part for name, part in parts.items() if name[0] not in ("exact_duplicate", "duplicate_url")}
        largest = sorted(parts.items(), key=lambda item: (-item[1]["text"].str.len_bytes().sum(), item[0]))
        if kind == "language" and len(largest) < 2:
            continue
        for (name,), part in largest[:MOST_PROBES]:
            sets.append(_cut(f"{kind}:{name}", kind, part, limit=PROBE_BYTES, seed=seed))
    return [made for made in sets if len(made.texts) >= LEAST_DOCUMENTS]


def _cut(name: str, role: str, frame: pl.DataFrame, *, limit: int, seed: int) -> HeldOut:
    """A seeded choice of the documents, each cut at a character, up to `limit` bytes; the same text once."""
    order = corpora.fractions(frame["key"], seed=seed, purpose="order")
    texts: dict[str, None] = {}
    taken = 0
    for text in frame.with_columns(order=order).sort("order", "key")["text"].to_list():
        part = beginning(text)
        if part.strip() and part not in texts:
            texts[part] = None
            taken += len(part.encode())
        if taken >= limit:
            break
    return HeldOut(name, role, tuple(texts))


def beginning(text: str) -> str:
    """As much of a text as a held-out set takes: DOCUMENT_BYTES at most, cut at a character."""
    return text.encode()[:DOCUMENT_BYTES].decode("utf-8", "ignore")


def cleaned(sets: Sequence[HeldOut], arms: Iterable[str]) -> list[HeldOut]:
    """The sets without the lines that stand in a text of `arms`, or that share thirteen words in a row with one."""
    lines = {line for made in sets for text in made.texts for line in _lines(text)}
    words = {word: number for number, word in enumerate({word for line in lines for word in line.lower().split()}, 1)}
    runs = {run for line in lines for run in _runs(line, words)}
    wanted = np.array(sorted(runs), dtype=np.uint64)
    seen_lines: set[str] = set()
    seen_runs: set[int] = set()
    for text in arms:
        seen_lines.update(lines.intersection(_lines(text)))
        found = _runs(text, words)
        if len(found) and len(wanted):
            at = np.minimum(np.searchsorted(wanted, found), len(wanted) - 1)
            seen_runs.update(found[wanted[at] == found].tolist())

    def known(line: str) -> bool:
        return line in seen_lines or not seen_runs.isdisjoint(_runs(line, words).tolist())

    return [_without(made, known) for made in sets]


def _without(made: HeldOut, known: Callable[[str], bool]) -> HeldOut:
    texts, lines, removed = [], 0, 0
    for text in made.texts:
        left = []
        for line in text.split("\n"):
            bare = line.strip()
            lines += bool(bare)
            if bare and known(bare):
                removed += 1
            else:
                left.append(line)
        if "".join(left).strip():
            texts.append("\n".join(left))
    return replace(made, texts=tuple(texts), lines=lines, removed_lines=removed)


def _lines(text: str) -> set[str]:
    return {bare for line in text.split("\n") if (bare := line.strip())}


_MIX = np.uint64(0x9E3779B97F4A7C15)


def _runs(text: str, words: dict[str, int]) -> np.ndarray:
    """uint64 hash of every thirteen words in a row that all have a number."""
    numbers = np.array([words.get(word, 0) for word in text.lower().split()], dtype=np.uint64)
    if len(numbers) < WORDS:
        return np.empty(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, WORDS)
    windows = windows[(windows != 0).all(axis=1)]
    hashed = np.zeros(len(windows), np.uint64)
    for column in range(WORDS):
        hashed = (hashed ^ windows[:, column]) * _MIX
        hashed ^= hashed >> np.uint64(29)
    return hashed
