"""Held-out sets: what each is for, cut to size, and cleaned of everything that an arm holds.

Invariant: no line of a held-out set stands in an arm as a line of its own, and no thirteen words in a row of it do (the
length that GPT-3, arXiv 2005.14165, appendix C, uses). What was removed is counted. Documents are cut so that a long one does
not decide alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from pipeline.records.savings_json import TARGET_DOCUMENTS, Role
from pipeline.savings import corpora

ROLES: dict[Role, str] = {
    "target": "declared by you",
    "curated_heldout": "split off the curated text: biased for the curation",
    "raw_heldout": "split off the raw text, duplicates taken out: biased against, it rewards modelling what was dropped",
    "dropped": "groups of which the curation kept nothing: what you gave up",
}
WORDS = 13
DOCUMENT_BYTES = 600
"""UTF-8 bytes of a held-out document: some three contexts of the small model. Many short ones tell more than few long ones, and
scoring them costs as much as training does."""
DOCUMENTS = TARGET_DOCUMENTS
"""Of a target, and of each end of the bracket where none is named."""
SPARE = 1.2
"""Documents looked at for one that is wanted: some are lost with what the arms hold too."""
MOST_PIECES = 4
"""Documents that one text gives at most."""
BESIDE = 200
"""Of the sets beside those that decide: the control, and the dropped text."""
LEAST_DOCUMENTS = 8
"""Fewer are no set: its interval would say nothing."""


@dataclass(frozen=True)
class HeldOut:
    """One set. `clusters`: of each document, the number of its site, book or group: they are drawn together. `removed_lines` of
    `lines` stood in an arm too; `most`: documents that it should have once it is cleaned; `sha256` is over its texts."""

    name: str
    role: Role
    texts: tuple[str, ...]
    clusters: tuple[int, ...]
    lines: int = 0
    removed_lines: int = 0
    most: int = DOCUMENTS

    @property
    def sizes(self) -> np.ndarray:
        """float64: UTF-8 bytes of each document."""
        return corpora.sizes_of(self.texts)

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for text in self.texts:
            digest.update(len(text).to_bytes(8, "big") + text.encode())
        return digest.hexdigest()


def declared(targets: Sequence[tuple[str, str]], *, seed: int) -> list[HeldOut]:
    """The targets by name and path, the primary one first: JSONL, Parquet, or what else can be read. What an earlier one holds,
    by site or by beginning, is in no later one: they are controls of each other."""
    made: list[HeldOut] = []
    sites, begins = pl.Series([], dtype=pl.String), set[str]()
    for name, path in targets:
        frame = pl.concat([pl.DataFrame(schema=corpora.TEXTS), *corpora.of_files(path)])
        frame = frame.filter(pl.col("site").is_null() | ~pl.col("site").is_in(sites.implode()))
        made.append(_cut(name, "target", frame, most=BESIDE if made else DOCUMENTS, seed=seed, without=begins))
        sites = pl.concat([sites, frame["site"].drop_nulls().unique()])
        begins |= set(made[-1].texts)
    return made


def split_off(baseline: pl.DataFrame, judged: pl.DataFrame, *, seed: int, bracket: bool) -> list[HeldOut]:
    """The sets that come from the corpora themselves (`held` rows), a document a group: what was given up, and before it, where
    no target is declared (`bracket`), raw and curated text."""
    raw, kept = (rows.filter("held").unique("group", keep="first", maintain_order=True) for rows in (baseline, judged))
    ends: dict[Role, pl.DataFrame] = {"raw_heldout": raw, "curated_heldout": kept} if bracket else {}
    dropped = raw.filter(~pl.col("group").is_in(kept["group"].implode()))
    sets = [
        *(_cut(name, name, frame, most=DOCUMENTS, seed=seed) for name, frame in ends.items()),
        _cut("dropped", "dropped", dropped, most=BESIDE, seed=seed),
    ]
    return [made for made in sets if len(made.texts) >= LEAST_DOCUMENTS]


def _cut(name: str, role: Role, frame: pl.DataFrame, *, most: int, seed: int, without: Collection[str] = ()) -> HeldOut:
    """A seeded choice of `most` documents, each the beginning of one; where there are too few also what follows there, as
    documents of the same cluster. The same text once. All of one site are no cluster: the set stands for that site."""
    order = pl.Series(corpora.fractions(frame["key"].to_numpy(), seed=seed, purpose="order"))
    texts: dict[str, str] = {}
    own = pl.col("group").cast(pl.String)
    cluster = own if frame["site"].n_unique() == 1 else pl.coalesce("site", own)
    rows = frame.with_columns(order=order).sort("order", "key").select("text", cluster.alias("cluster")).rows()
    for piece in range(MOST_PIECES):
        for text, cluster_of in rows:
            part = text.encode()[piece * DOCUMENT_BYTES : (piece + 1) * DOCUMENT_BYTES].decode("utf-8", "ignore")
            if part.strip() and part not in texts and part not in without and len(texts) < SPARE * most:
                texts[part] = cluster_of
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(texts.values()))}
    return HeldOut(name, role, tuple(texts), tuple(numbers[cluster] for cluster in texts.values()), most=most)


def beginning(text: str) -> str:
    """As much of a text as a held-out set takes: DOCUMENT_BYTES at most, cut at a character."""
    return text.encode()[:DOCUMENT_BYTES].decode("utf-8", "ignore")


def cleaned(sets: Sequence[HeldOut], arms: Iterable[str]) -> list[HeldOut]:
    """The sets without the lines that stand in a text of `arms`, or that share thirteen words in a row with one; of what is left
    as many documents as each should have."""
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
    texts, clusters, lines, removed = [], [], 0, 0
    for text, cluster in zip(made.texts, made.clusters, strict=True):
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
            clusters.append(cluster)
    texts, clusters = texts[: made.most], clusters[: made.most]
    return replace(made, texts=tuple(texts), clusters=tuple(clusters), lines=lines, removed_lines=removed)


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
