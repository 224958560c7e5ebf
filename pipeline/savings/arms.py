"""The arms of a measurement and its held-out sets, made together so that nothing is on both sides.

Order: the held-out documents are split off before anything else, by whole groups (`corpora.TEXTS`), the same ones from every
corpus; then a sample by group is taken that is the same share of every corpus, so that an arm stands for its corpus,
duplicates included; every arm is then a filter of one order of the groups (`order.Order`); then the sets are cleaned of what
the arms hold. The output itself is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.errors import UsageError
from pipeline.output.manifest import Manifest
from pipeline.savings import corpora, heldout, likeness, mix, order
from pipeline.savings.corpora import NOTHING_KNOWN, Frames, Known
from pipeline.savings.heldout import HeldOut
from pipeline.savings.order import Order
from pipeline.store.keys import key
from pipeline.store.store import Store
from pipeline.text import numbers

SOURCE = "source"
MOST_HELD_OUT = 0.1
HELD_OUT_DOCUMENTS = 2000
"""Documents split off, at most a tenth: chosen so that a plan that drops a seventh still fills the set of what was dropped."""
MARGIN = 1.15
"""Text gathered over what is needed: groups are taken whole, and held-out ones are not in the arms."""


@dataclass(frozen=True)
class Spec:
    """`what`: `source` (source text of all rows of the output), `mix.WHAT` (the baseline resampled to the judged arm's shares by
    source and language), or the path of an output or of files."""

    name: str
    what: str


@dataclass(frozen=True)
class Arm:
    """A sample of a corpus. `keys`: uint64, the same for a document in every arm; `groups`: int64, the number of each document's
    group in the order; `sizes`: bytes of each, float64. `corpus_bytes`: of the whole corpus."""

    name: str
    what: str
    texts: tuple[str, ...]
    keys: np.ndarray
    groups: np.ndarray
    sizes: np.ndarray
    corpus_bytes: int

    @property
    def n_bytes(self) -> int:
        return int(self.sizes.sum())


@dataclass(frozen=True)
class Experiment:
    """`arms[0]` is the baseline, `arms[1]` what is judged. `primary`: the declared target that the headline is about; `control`:
    the second one."""

    arms: tuple[Arm, ...]
    sets: tuple[HeldOut, ...]
    order: Order
    primary: str | None
    control: str | None
    targets: str  # key of what was pre-registered
    share: float  # of each corpus that is in the sample
    split_off: int  # documents of the baseline that were kept out of all arms

    @property
    def identity(self) -> str:
        """Key of everything that a measurement of it depends on, besides the tier."""
        arms = [[arm.name, key(list(arm.texts)), arm.corpus_bytes] for arm in self.arms]
        return key("experiment", arms, [[made.name, made.sha256] for made in self.sets], self.order.identity)

    def deciding(self) -> tuple[str, ...]:
        """The sets that a verdict goes by: the declared target, else both ends of the bracket."""
        bracket = ("raw_heldout", "curated_heldout")
        return (self.primary,) if self.primary else tuple(made.name for made in self.sets if made.role in bracket)


@dataclass(frozen=True)
class _Corpus:
    frames: Callable[[], Frames]
    n_bytes: int
    documents: int


@dataclass(frozen=True)
class Place:
    """Where the corpora are: an output with its live generations and its work directory, or none."""

    out: Store | None
    live: Sequence[Manifest]
    work: Store | None


def build(
    specs: Sequence[Spec], place: Place, *, targets: Sequence[tuple[str, str]], needed_bytes: int, draws: int, seed: int
) -> Experiment:
    """`needed_bytes`: text that every draw of every arm should have, if its corpus has it. `targets`: name and path, the primary
    one first."""
    if len({spec.name for spec in specs}) != len(specs) or len(specs) < 2:
        raise UsageError("--arm: expected two or more arms with different names; the first is the baseline")
    if mix.WHAT in (specs[0].what, specs[1].what):
        raise UsageError("--arm: the first arm is the baseline, the second what is judged; the same mix comes after them")
    declared = _declared(targets, seed=seed)
    found = _corpora(specs, place)
    least = min(corpus.n_bytes for corpus in found.values())
    if not least:
        empty = next(name for name, corpus in found.items() if not corpus.n_bytes)
        raise UsageError(f"arm {empty} holds no text")
    share = min(1.0, MARGIN * needed_bytes * draws / least)
    held = min(MOST_HELD_OUT, HELD_OUT_DOCUMENTS / max(1, found[specs[0].name].documents))
    rows = {name: corpora.gather(corpus.frames(), share=share, held_out=held, seed=seed) for name, corpus in found.items()}
    rows = _without_texts_of(declared, rows)
    baseline, judged = rows[specs[0].name], rows[specs[1].name]
    sets = [*declared, *heldout.split_off(baseline, judged, seed=seed, bracket=not declared)]
    left = {name: frame.filter(~pl.col("held")) for name, frame in rows.items()}
    whole = {name: corpus.n_bytes for name, corpus in found.items()}
    for spec in specs:
        if spec.what == mix.WHAT:
            same = mix.resampled(left[specs[0].name], left[specs[1].name], seed=seed)
            if same is not None:
                left[spec.name] = same
                whole[spec.name] = round(whole[specs[0].name] * _bytes(same) / _bytes(left[specs[0].name]))
    ordered = {spec.name: (spec, left[spec.name]) for spec in specs if spec.name in left}
    alike = sets[0].texts if sets else ()
    arms, placed = _filtered(ordered, whole, alike, limit=needed_bytes, draws=draws, seed=seed)
    return Experiment(
        arms,
        _clean(sets, arms),
        placed,
        declared[0].name if declared else None,
        declared[1].name if len(declared) > 1 else None,
        key("targets", [[d.name, d.sha256] for d in declared] or ["split", seed]),
        share,
        int(baseline["held"].sum()),
    )


def _declared(targets: Sequence[tuple[str, str]], *, seed: int) -> list[HeldOut]:
    """The user's targets, before anything is gathered for those that are too small."""
    declared = heldout.declared(targets, seed=seed)
    for number, (made, (_, path)) in enumerate(zip(declared, targets, strict=True)):
        if (n := len(made.texts)) < heldout.LEAST_DOCUMENTS:
            other = " that no earlier target holds" if number else ""
            least = f"{heldout.LEAST_DOCUMENTS} are the least, {heldout.DOCUMENTS} give a verdict"
            raise UsageError(f"target {path}: it gives {numbers.counted(n, 'document')} with text{other}; {least}")
    return declared


def _corpora(specs: Sequence[Spec], place: Place) -> dict[str, _Corpus]:
    """By name. Groups of files and of other outputs are named as those of the output are, where they hold its documents."""
    texts = refs = NOTHING_KNOWN
    others = [spec.what for spec in specs if spec.what not in (SOURCE, mix.WHAT)]
    outputs = {what for what in others if corpora.is_output(what)}
    if place.out is not None and place.work is not None and place.live:
        if outputs:
            refs = corpora.known_refs(place.out, place.live)
        if set(others) - outputs:
            texts = corpora.known_texts(corpora.source(place.out, place.live, work=place.work))
    return {spec.name: _corpus(spec, place, texts=texts, refs=refs) for spec in specs if spec.what != mix.WHAT}


def _corpus(spec: Spec, place: Place, *, texts: Known, refs: Known) -> _Corpus:
    if spec.what == SOURCE:
        out, live, work = place.out, place.live, place.work
        if out is None or work is None or not live:
            raise UsageError(f"--arm {spec.name}=source: the text of an output's rows needs an output; name a path")
        rows = sum(m.totals.read - m.totals.quarantined for m in live)
        size = sum(m.totals.bytes_read - m.totals.bytes_quarantined for m in live)
        return _Corpus(lambda: corpora.source(out, live, work=work), size, rows)
    if corpora.is_output(spec.what):
        store, generations = corpora.open_finished(spec.what)
        rows, size = sum(m.totals.kept for m in generations), sum(m.metrics.final_bytes.kept for m in generations)
        return _Corpus(lambda: corpora.kept(store, generations, refs), size, rows)
    found = [(int(frame["text"].str.len_bytes().sum()), len(frame)) for frame in corpora.of_files(spec.what)]
    return _Corpus(lambda: corpora.of_files(spec.what, texts), sum(size for size, _ in found), sum(n for _, n in found))


def _without_texts_of(declared: Sequence[HeldOut], rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Groups with a document that is a declared target's too leave every arm, by its first bytes: targets are cut."""
    begins = {text for made in declared for text in made.texts}
    if not begins:
        return rows
    gone: set[int] = set()
    for frame in rows.values():
        cut = [heldout.beginning(text) in begins for text in frame["text"].to_list()]
        gone.update(frame.filter(pl.Series(cut, dtype=pl.Boolean))["group"].to_list())
    groups = pl.Series(sorted(gone), dtype=pl.UInt64)
    return {name: frame.filter(~pl.col("group").is_in(groups.implode())) for name, frame in rows.items()}


def _filtered(
    rows: dict[str, tuple[Spec, pl.DataFrame]],
    whole: dict[str, int],
    alike: Sequence[str],
    *,
    limit: int,
    draws: int,
    seed: int,
) -> tuple[tuple[Arm, ...], Order]:
    """The arms, and the order that they are filters of. `alike`: texts that every draw should have its share of the like of."""
    for name, (_, frame) in rows.items():
        if not len(frame):
            raise UsageError(
                f"arm {name}: not one of its documents is left beside the held-out ones and within what is asked for; give a"
                " larger corpus, other targets (--target PATH), or ask for more (--tokens N)"
            )
    baseline = next(iter(rows.values()))[1]
    sizes = baseline["text"].str.len_bytes().to_numpy().astype(np.float64)
    piece = order.pieces(baseline["group"].to_numpy(), sizes, limit=limit)
    torn = baseline.select("key", piece=pl.Series(piece)).unique("key", keep="first")
    places = [
        frame.join(torn, on="key", how="left", maintain_order="left").select("group", pl.col("piece").fill_null(0))
        for _, frame in rows.values()
    ]
    numbers = pl.concat(places).unique(maintain_order=True).with_row_index("number")
    arms = []
    for (name, (spec, frame)), place in zip(rows.items(), places, strict=True):
        found = place.join(numbers, on=["group", "piece"], how="left", maintain_order="left")["number"]
        groups = found.to_numpy().astype(np.int64)
        texts = tuple(frame["text"].to_list())
        what = "source text of every document read" if spec.what == SOURCE else spec.what
        arms.append(Arm(name, what, texts, frame["key"].to_numpy(), groups, corpora.sizes_of(texts), whole[name]))
    like = likeness.of_groups([(arm.groups, arm.texts) for arm in arms], alike, groups=len(numbers))
    sizes_of_arms = [(arm.groups, arm.sizes) for arm in arms]
    kinds = _languages([(arm.groups, frame) for arm, (_, frame) in zip(arms, rows.values(), strict=True)], groups=len(numbers))
    made = order.made(sizes_of_arms, groups=len(numbers), draws=draws, seed=seed, likeness=like, kinds=kinds)
    return tuple(arms), made


def _languages(arms: Sequence[tuple[np.ndarray, pl.DataFrame]], *, groups: int) -> np.ndarray:
    """A number of each group's language: that of its first document whose language is known in an arm; 0 where none is."""
    known = pl.concat([frame.select(group=pl.Series(of), language="language").drop_nulls() for of, frame in arms])
    first = known.unique("group", keep="first", maintain_order=True)
    numbers = np.zeros(groups, np.int64)
    numbers[first["group"].to_numpy()] = first["language"].rank("dense").to_numpy()
    return numbers


def _bytes(frame: pl.DataFrame) -> int:
    return int(frame["text"].str.len_bytes().sum())


def _clean(sets: Sequence[HeldOut], arms: Sequence[Arm]) -> tuple[HeldOut, ...]:
    """The sets without what the arms hold; those of which too little is left are gone."""
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
    return tuple(left)
