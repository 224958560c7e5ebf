"""Selection: the best of what dedup kept, by score. The last judgement.

Order: score descending, then text_hash, then source_ref (path bytes, then row). `keep_top` keeps the first ceil(share × n) of
the n scored documents of each group (n as of the generation in which the group first occurs); `token_budget` then keeps the
longest beginning of the rest, in the same order over all groups, whose tokens fit. Documents without a score are not selected,
and counted.

Invariant: what the first generation fitted is a **cut**, recorded in its manifest; later generations apply it and fit only
groups that are new. So what was published never depends on what came later. A budget that was not exhausted is a cut that lets
everything through; later generations say by how much they exceed it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import ValidationError

from filters import FILTERS
from pipeline.errors import Damaged, PlanError
from pipeline.machine import resources, scratch, sorting
from pipeline.machine.workers import Workers
from pipeline.plan.model import Plan, Select
from pipeline.plan.recipe import DECIDE_VERSION, Recipe
from pipeline.records.selection import Cut, Cuts, Fitted, Group, NothingFitted, Selection
from pipeline.schema import SOURCE_COUNT
from pipeline.stages.dedup import part
from pipeline.stages.unit import refs
from pipeline.stages.unit.annotate import Annotated
from pipeline.store.keys import key
from pipeline.store.store import Store

EVERYTHING = "everything"
"""The group of a token budget."""
_ROW_BYTES = 250  # of a document while a piece is sorted: six columns, their row encoding and the sorted copy


@dataclass(frozen=True)
class Selected:
    """Names of the tables of what was not selected (None: the plan selects nothing), the cuts, and what metrics.json says."""

    tables: tuple[str | None, ...]
    fitted: Fitted | NothingFitted
    selection: Selection | None = None


def keeps(cut: Cut, rows: pl.DataFrame) -> pl.Series:
    """Which rows (`_Corpus.rows` of one unit, of the cut's group) it keeps."""
    if cut.kind != "at":
        return pl.Series([cut.kind == "all"] * len(rows), dtype=pl.Boolean)
    left, right = (pl.lit(int(half, 16), pl.UInt64) for half in (cut.text_hash[:16], cut.text_hash[16:]))
    path, _, row = cut.source_ref.rpartition("#")
    last = (pl.col("path") < path) | ((pl.col("path") == path) & (pl.col("row") <= int(row)))  # texts compare by bytes
    last = (pl.col("right") < right) | ((pl.col("right") == right) & last)
    last = (pl.col("left") < left) | ((pl.col("left") == left) & last)
    return rows.select((pl.col("score") > cut.score) | ((pl.col("score") == cut.score) & last)).to_series()


def check(plan: Plan) -> None:
    """Raise PlanError with all that the plan's selection lacks."""
    if lacking := list(_lacking(plan)):
        raise PlanError("\n".join(lacking))


def _lacking(plan: Plan) -> Iterator[str]:
    chosen = plan.select
    if chosen.keep_top is None and chosen.token_budget is None:
        return
    filters = (filter_ for filter_ in (*FILTERS, *plan.added_filters()) if plan.filter_plan(filter_) is not None)
    given = {field.name: field.type for filter_ in filters for field in filter_.signals}
    if plan.dedup is not None and plan.dedup.source_count:
        given[SOURCE_COUNT.name] = SOURCE_COUNT.type
    if chosen.score not in given:
        yield (
            f"select.score: no filter of the plan gives {chosen.score}; switch filters.quality on, name a column of"
            " annotations, or set dedup.source_count and name source_count"
        )
    elif not (pa.types.is_floating(given[chosen.score]) or pa.types.is_integer(given[chosen.score])):
        yield f"select.score: {chosen.score} is {given[chosen.score]}, not a number; name a signal that is one"
    if chosen.token_budget is not None and plan.output.tokenizer is None:
        yield "select.token_budget counts tokens: name output.tokenizer, the path of a tokenizer.json"


def select_documents(
    work: Store,
    recipe: Recipe,
    units: Sequence[Annotated],
    *,
    fates: Sequence[str | None],
    earlier: Sequence[Fitted],
    generation: int,
    memory: int,
    pool: Workers,
) -> Selected:
    """Select among what dedup kept. `earlier`: what the live generations' manifests say of selection, oldest first."""
    chosen = recipe.plan.select
    if chosen.keep_top is None and chosen.token_budget is None:
        return Selected(tuple(None for _ in units), NothingFitted())
    known = _known(earlier)
    inputs = [[unit.path, unit.first_row, unit.names.signals, unit.names.tokens, unit.names.verdicts] for unit in units]
    recorded = [found.model_dump(mode="json")["cuts"] for found in earlier]
    made = key("select", DECIDE_VERSION, chosen.model_dump(mode="json"), inputs, list(fates), recorded, generation)
    folder = f"judgements/select/{made}"
    names = tuple(f"{folder}/{number:06d}.parquet" for number in range(len(units)))
    done = _finished(work, folder, names)
    if done is None:
        if chosen.keep_top is not None and not earlier:
            for name in chosen.keep_top.by:
                part.check_column(work, recipe, "select.keep_top.by", name=name, units=units)
        with scratch.open_scratch(work.scratch(f"{folder}/scratch"), (memory - resources.tree_rss()) // 2) as space:
            corpus = _Corpus(work, recipe, tuple(units), tuple(fates), space, pool)
            new = _fit(corpus, chosen, known)
            cuts = {what: known.get(what, {}) | new.get(what, {}) for what in {*known, *new}}
            counts: Counter[str] = Counter()
            for found in pool.map(lambda number: _apply(corpus, number, cuts, name=names[number]), range(len(units))):
                counts.update(found)
        new = {what: dict(sorted(groups.items())) for what, groups in new.items()}
        done = _Done(**dict(_selection(chosen, counts, cuts, earlier=earlier)), cuts=new)
        work.write_bytes(f"{folder}/summary.json", json.dumps(done.model_dump(mode="json"), sort_keys=True).encode())
    selection = Selection.model_validate(done.model_dump(exclude={"cuts"}))
    return Selected(names, Fitted(cuts=done.cuts, tokens=done.tokens), selection)


class _Done(Selection):
    """What the judgement's folder says when everything in it is there."""

    cuts: Cuts


def _finished(work: Store, folder: str, names: Sequence[str]) -> _Done | None:
    """What an earlier run selected, unless a file of it is damaged or gone: then it is selected anew."""
    if not work.has(f"{folder}/summary.json"):
        return None
    try:
        found = _Done.model_validate(work.read_json(f"{folder}/summary.json"))
    except (Damaged, ValidationError):
        return None
    return found if all(map(work.has, names)) else None


def _known(earlier: Sequence[Fitted]) -> Cuts:
    known: Cuts = {}
    for found in earlier:
        for what, groups in found.cuts.items():
            known.setdefault(what, {}).update(groups)
    return known


@dataclass(frozen=True)
class _Corpus:
    """What the units hold of the documents that dedup kept."""

    work: Store
    recipe: Recipe
    units: tuple[Annotated, ...]
    fates: tuple[str | None, ...]
    space: scratch.Scratch
    pool: Workers

    def rows(self, number: int) -> pl.DataFrame:
        """Columns of one unit: position, score, left and right (halves of text_hash), place (in order of source_ref), path, row,
        tokens, group."""
        unit, name = self.units[number], self.fates[number]
        kept, counts = part.kept_rows(self.work, unit), None
        if name is not None:
            decided = self.work.read_frame(name, ["position", "reason", SOURCE_COUNT.name])
            decided = decided.filter(pl.col("reason").is_null()).sort("position")
            kept, counts = decided["position"].to_numpy(), decided[SOURCE_COUNT.name]
        left, right = part.halves(self.work.read_table(unit.names.final, ["text_hash"])["text_hash"].take(pa.array(kept)))
        score = part.signal(self.work, self.recipe, unit, name=self.recipe.plan.select.score)
        score = None if score is None else score.gather(kept)
        if score is None and self.recipe.plan.select.score == SOURCE_COUNT.name:
            score = counts
        tokens = unit.names.tokens and self.work.read_frame(unit.names.tokens)["token_count"].gather(kept)
        rows = self.work.read_frame(unit.names.documents, ["row"])["row"].gather(kept)
        file, row = refs.split(unit.names, rows.to_numpy())
        return pl.DataFrame(
            {
                "position": kept,
                "score": None if score is None else score.cast(pl.Float64),
                "left": left.byteswap(),  # so that they compare as the bytes do
                "right": right.byteswap(),
                "place": (np.int64(number) << np.int64(40)) + kept,  # units stand in order of path and row
                "path": pl.Series(unit.names.paths, dtype=pl.String).gather(file),
                "row": row,
                "tokens": np.zeros(len(kept), np.int64) if tokens is None else tokens,
                "group": self._groups(unit, kept),
            }
        )

    def _groups(self, unit: Annotated, rows: np.ndarray) -> pl.Series:
        """The group of each row: a JSON list of its values of `keep_top.by`."""
        top = self.recipe.plan.select.keep_top
        if top is None or not top.by:
            return pl.Series("group", ["[]"], dtype=pl.String).new_from_index(0, len(rows))
        values = pl.DataFrame([part.text_of(self.work, self.recipe, unit, name=name).gather(rows).alias(name) for name in top.by])
        unique = values.unique()
        texts = [json.dumps(list(row), ensure_ascii=False, separators=(",", ":")) for row in unique.iter_rows()]
        unique = unique.with_columns(pl.Series("group of a row", texts, dtype=pl.String))
        return values.join(unique, on=values.columns, how="left", nulls_equal=True, maintain_order="left")["group of a row"]

    def ordered(self, rows: Callable[[int], pl.DataFrame], n: int, *first: str) -> Iterator[pl.DataFrame]:
        """The n rows that `rows` gives of the units, by the columns `first` and then in the order of selection."""
        by = [*first, "score", "left", "right", "place", "tokens"]
        descending = [name == "score" for name in by]
        filled = [number for number, unit in enumerate(self.units) if unit.kept]
        wanted = 1 + n * _ROW_BYTES // self.space.room
        folder = self.space.folder / "-".join(("order", *first))
        return sorting.sorted_pieces(
            lambda unit: rows(unit).select(by), filled, wanted, by=by, descending=descending, folder=folder, pool=self.pool
        )

    def cut_at(self, piece: pl.DataFrame, at: int, *, scored: int, kept: int) -> Cut:
        """The cut behind a row of a piece of `ordered`."""
        row = piece.row(at, named=True)
        unit = self.units[row["place"] >> 40]
        number = self.work.read_frame(unit.names.documents, ["row"])["row"][row["place"] & ((1 << 40) - 1)]
        hash_ = f"{row['left']:016x}{row['right']:016x}"
        return Cut("at", row["score"], hash_, refs.ref(unit.names, number), scored=scored, kept=kept)

    def counts(self, rows: Callable[[int], pl.DataFrame]) -> Counter[str]:
        """Documents of each group."""
        sizes: Counter[str] = Counter()
        for found in self.pool.map(lambda unit: dict(rows(unit)["group"].value_counts().iter_rows()), range(len(self.units))):
            sizes.update(found)
        return sizes


def _fit(corpus: _Corpus, chosen: Select, known: Cuts) -> Cuts:
    """Cuts of groups that no earlier generation knows."""
    new: Cuts = {}
    if chosen.keep_top is not None:
        old = pl.Series(list(known.get("keep_top", {})), dtype=pl.String)

        def unknown(unit: int) -> pl.DataFrame:
            return corpus.rows(unit).filter(pl.col("score").is_not_null() & ~pl.col("group").is_in(old.implode()))

        new["keep_top"] = _fit_top(corpus, unknown, Fraction(repr(chosen.keep_top.share)))
    if chosen.token_budget is not None and "token_budget" not in known:
        tops = known.get("keep_top", {}) | new.get("keep_top", {})

        def entering(unit: int) -> pl.DataFrame:
            found = corpus.rows(unit).filter(pl.col("score").is_not_null())
            return found if chosen.keep_top is None else found.filter(_within(found, tops))

        new["token_budget"] = {EVERYTHING: _fit_budget(corpus, entering, chosen.token_budget)}
    return new


def _fit_top(corpus: _Corpus, rows: Callable[[int], pl.DataFrame], share: Fraction) -> dict[str, Cut]:
    sizes = corpus.counts(rows)
    wanted = {group: math.ceil(share * n) for group, n in sizes.items()}
    if share == 1:
        return {group: Cut("all", scored=n, kept=n) for group, n in sizes.items()}
    seen: Counter[str] = Counter()
    cuts: dict[str, Cut] = {}
    for piece in corpus.ordered(rows, sum(sizes.values()), "group"):
        for (name,), found in piece.partition_by("group", as_dict=True, maintain_order=True).items():
            group = str(name)
            last = wanted[group] - 1 - seen[group]
            if 0 <= last < len(found):
                cuts[group] = corpus.cut_at(found, last, scored=sizes[group], kept=wanted[group])
            seen[group] += len(found)
    return cuts


def _fit_budget(corpus: _Corpus, rows: Callable[[int], pl.DataFrame], budget: int) -> Cut:
    scored, used, kept = sum(corpus.counts(rows).values()), 0, 0
    cut = Cut("nothing", scored=scored)
    for piece in corpus.ordered(rows, scored):
        total = used + np.cumsum(piece["tokens"].to_numpy())
        fit = int(np.searchsorted(total, budget, side="right"))  # tokens are never negative
        kept += fit
        if fit:
            used, cut = int(total[fit - 1]), corpus.cut_at(piece, fit - 1, scored=scored, kept=kept)
        if fit < len(piece):
            return cut
    return Cut("all", scored=scored, kept=kept)


def _within(rows: pl.DataFrame, cuts: dict[str, Cut]) -> pl.Series:
    """Which rows stand before their group's cut."""
    kept = np.zeros(len(rows), dtype=bool)
    numbered = rows.with_row_index("number of a row")
    for (group,), found in numbered.partition_by("group", as_dict=True).items():
        cut = cuts.get(str(group))
        if cut is not None:  # else no document of the group has a score
            kept[found["number of a row"].to_numpy()] = keeps(cut, found).to_numpy()
    return pl.Series(kept)


def _apply(corpus: _Corpus, unit: int, cuts: Cuts, *, name: str) -> dict[str, int]:
    """Write which documents of a unit are not selected; the unit's counts."""
    rows = corpus.rows(unit)
    chosen = rows["score"].is_not_null()
    if "keep_top" in cuts:
        chosen &= _within(rows, cuts["keep_top"])
    if "token_budget" in cuts:
        chosen &= keeps(cuts["token_budget"][EVERYTHING], rows).fill_null(False)
    corpus.work.write_table(name, pa.table({"position": pa.array(rows["position"].filter(~chosen), pa.int64())}))
    return {
        "selected": int(chosen.sum()),
        "not_selected": int((~chosen).sum()),
        "unscored": rows["score"].null_count(),
        "tokens": int(rows["tokens"].filter(chosen).sum()),
    }


def _selection(chosen: Select, counts: Counter[str], cuts: Cuts, *, earlier: Sequence[Fitted]) -> Selection:
    tokens = counts["tokens"] + sum(found.tokens for found in earlier)
    budget = chosen.token_budget
    groups = sorted(cuts.get("keep_top", {}).items(), key=lambda pair: (-pair[1].scored, pair[0]))
    return Selection(
        score=chosen.score,
        selected=counts["selected"],
        not_selected=counts["not_selected"],
        unscored=counts["unscored"],
        tokens=counts["tokens"],
        budget=budget,
        tokens_of_all_generations=tokens,
        over_budget=None if budget is None else max(0, tokens - budget),
        groups=tuple(
            Group(group=name, kind=cut.kind, score=cut.score if cut.kind == "at" else None, scored=cut.scored, kept=cut.kept)
            for name, cut in groups
        ),
    )
