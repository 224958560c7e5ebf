"""The arms of a measurement and its held-out sets, made together so that nothing is on both sides.

Order: the held-out documents are split off before anything else, by whole groups (`corpora.TEXTS`), the same ones from every
corpus; then a sample by group is taken that is the same share of every corpus, so that an arm stands for its corpus,
duplicates included; then the sets are cleaned of what the arms hold. The output itself is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.errors import UsageError
from pipeline.output.manifest import Manifest
from pipeline.savings import corpora, heldout
from pipeline.savings.corpora import Frames
from pipeline.savings.heldout import HeldOut
from pipeline.store.keys import key
from pipeline.store.store import Store

SOURCE = "source"
RANDOM = "random"
MOST_HELD_OUT = 0.1
HELD_OUT_DOCUMENTS = 2000
"""Documents split off, at most a tenth: chosen so that rules which drop 2 % still fill a probe."""
MARGIN = 1.15
"""Text gathered over what is needed: groups are taken whole, and held-out ones are not in the arms."""


@dataclass(frozen=True)
class Spec:
    """`what`: `source` (source text of all rows of the output), `random` (a subset of the baseline as large as the second arm),
    or the path of an output or of files."""

    name: str
    what: str


@dataclass(frozen=True)
class Arm:
    """A sample of a corpus. `groups`: uint64, the hash of each document's group, the same in every arm. `corpus_bytes`: of the
    whole corpus."""

    name: str
    what: str
    texts: tuple[str, ...]
    groups: np.ndarray
    corpus_bytes: int

    @property
    def n_bytes(self) -> int:
        return int(corpora.sizes_of(self.texts).sum())


@dataclass(frozen=True)
class Experiment:
    """`arms[0]` is the baseline, `arms[1]` what is judged. `primary`: the declared target that the headline is about."""

    arms: tuple[Arm, ...]
    sets: tuple[HeldOut, ...]
    primary: str | None
    targets: str  # sha256-like key of what was pre-registered
    share: float  # of each corpus that is in the sample
    split_off: int  # documents of the baseline that were kept out of all arms

    @property
    def identity(self) -> str:
        """Key of everything that a measurement of it depends on, besides the tier."""
        arms = [[arm.name, key(list(arm.texts)), arm.corpus_bytes] for arm in self.arms]
        return key("experiment", arms, [[made.name, made.sha256] for made in self.sets])


@dataclass(frozen=True)
class _Corpus:
    frames: Callable[[], Frames]
    n_bytes: int
    documents: int


def build(
    specs: Sequence[Spec],
    *,
    out: Store | None,
    live: Sequence[Manifest],
    work: Store | None,
    targets: Sequence[tuple[str, str]],
    needed_bytes: int,
    seed: int,
) -> Experiment:
    """`needed_bytes`: text that every arm should have, if its corpus has it. `targets`: name and path, the primary one first."""
    if len({spec.name for spec in specs}) != len(specs) or len(specs) < 2:
        raise UsageError("--arm: expected two or more arms with different names; the first is the baseline")
    corpora_ = {spec.name: _corpus(spec, out, live, work=work) for spec in specs if spec.what != RANDOM}
    if specs[0].what == RANDOM or specs[1].what == RANDOM:
        raise UsageError("--arm: the first arm is the baseline, the second what is judged; a random subset comes after them")
    least = min(corpus.n_bytes for corpus in corpora_.values())
    if not least:
        empty = next(name for name, corpus in corpora_.items() if not corpus.n_bytes)
        raise UsageError(f"arm {empty} holds no text")
    share = min(1.0, MARGIN * needed_bytes / least)
    held = min(MOST_HELD_OUT, HELD_OUT_DOCUMENTS / max(1, corpora_[specs[0].name].documents))
    rows = {n: corpora.gather(c.frames(), share=share, held_out=held, seed=seed) for n, c in corpora_.items()}
    declared = [heldout.declared(name, path, seed=seed) for name, path in targets]
    rows = _without_texts_of(declared, rows)
    baseline, judged = rows[specs[0].name], rows[specs[1].name]
    sets = [*declared, *heldout.split_off(baseline, judged, seed=seed)]
    what = {spec.name: "source text of every document read" if spec.what == SOURCE else spec.what for spec in specs}
    made = {n: _arm(n, frame.filter(~pl.col("held")), corpora_[n].n_bytes, what=what[n]) for n, frame in rows.items()}
    for spec in specs:
        if spec.what == RANDOM:
            made[spec.name] = _random(
                spec.name, baseline.filter(~pl.col("held")), made[specs[0].name], judged=made[specs[1].name], seed=seed
            )
    arms = tuple(made[spec.name] for spec in specs)
    distinct = dict.fromkeys(text for arm in arms for text in arm.texts)
    clean = heldout.cleaned(sets, distinct)
    left = [found for found in clean if len(found.texts) >= heldout.LEAST_DOCUMENTS]
    lost = [found.name for found in clean if found.role == "target" and len(found.texts) < heldout.LEAST_DOCUMENTS]
    if lost:
        raise UsageError(
            f"target {lost[0]}: fewer than {heldout.LEAST_DOCUMENTS} documents are left once the text that the arms hold too is"
            " taken out; name text that is not part of the input"
        )
    if not left:
        raise UsageError("no held-out set is left: the corpora are too small to split one off; name targets (--target PATH)")
    registered = key("targets", [[d.name, d.sha256] for d in declared] or ["split", seed])
    return Experiment(arms, tuple(left), declared[0].name if declared else None, registered, share, int(baseline["held"].sum()))


def _corpus(spec: Spec, out: Store | None, live: Sequence[Manifest], *, work: Store | None) -> _Corpus:
    if spec.what == SOURCE:
        if out is None or work is None:
            raise UsageError(f"--arm {spec.name}=source: the text of an output's rows needs an output; name a path")
        rows = sum(m.totals.read - m.totals.quarantined for m in live)
        size = sum(m.totals.bytes_read - m.totals.bytes_quarantined for m in live)
        return _Corpus(lambda: corpora.source(out, live, work=work), size, rows)
    if corpora.is_output(spec.what):
        store, generations = corpora.open_finished(spec.what)
        rows, size = sum(m.totals.kept for m in generations), sum(m.metrics.final_bytes.kept for m in generations)
        return _Corpus(lambda: corpora.kept(store, generations), size, rows)
    found = [(int(frame["text"].str.len_bytes().sum()), len(frame)) for frame in corpora.of_files(spec.what)]
    return _Corpus(lambda: corpora.of_files(spec.what), sum(size for size, _ in found), sum(n for _, n in found))


def _without_texts_of(declared: Sequence[HeldOut], rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Groups with a document that is a declared target's too leave every arm, by its first bytes: targets are cut."""
    begins = {text for made in declared for text in made.texts}
    if not begins:
        return rows
    left = {}
    for name, frame in rows.items():
        cut = [heldout.beginning(text) in begins for text in frame["text"].to_list()]
        groups = frame.filter(pl.Series(cut, dtype=pl.Boolean))["group"].unique()
        left[name] = frame.filter(~pl.col("group").is_in(groups.implode()))
    return left


def _arm(name: str, frame: pl.DataFrame, corpus_bytes: int, *, what: str) -> Arm:
    if not len(frame):
        raise UsageError(
            f"arm {name}: not one of its documents is left beside the held-out ones and within what is asked for; give a larger"
            " corpus, other targets (--target PATH), or ask for more (--tokens N)"
        )
    hashes = [corpora.number_of(group) for group in frame["group"].to_list()]
    return Arm(name, what, tuple(frame["text"].to_list()), np.array(hashes, dtype=np.uint64), corpus_bytes)


def _random(name: str, rows: pl.DataFrame, baseline: Arm, *, judged: Arm, seed: int) -> Arm:
    """Groups of the baseline, chosen at random, of as many bytes as the judged arm: tells smaller from better."""
    order = corpora.fractions(rows["group"], seed=seed, purpose="random")
    ordered = rows.with_columns(order=order, size=pl.col("text").str.len_bytes()).sort("order", "group", "key")
    upto = ordered["size"].cum_sum() <= judged.n_bytes
    whole = round(baseline.corpus_bytes * min(1.0, judged.n_bytes / baseline.n_bytes))
    return _arm(
        name,
        ordered.filter(upto | (pl.int_range(pl.len()) == 0)),
        whole,
        what=f"random groups of {baseline.name}, as large as {judged.name}",
    )
