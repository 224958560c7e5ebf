"""The corpus-wide judgements of a run, dedup and selection, and the counts of what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pipeline.machine.events import Event
from pipeline.plan.recipe import Recipe
from pipeline.records.selection import Fitted
from pipeline.report.metrics.tally import Tally, of_plan_source, tally
from pipeline.run import accounts, damage
from pipeline.run.cluster import tasks
from pipeline.run.context import Context
from pipeline.stages import select
from pipeline.stages.dedup import corpus
from pipeline.stages.dedup.decision import Decision
from pipeline.stages.select import Selected
from pipeline.stages.shards import layout
from pipeline.stages.shards.joined_rows import Inputs, inputs_of
from pipeline.stages.shards.layout import Piece
from pipeline.stages.unit.annotate import Annotated


@dataclass(frozen=True)
class Judgement:
    """The decisions of dedup and selection, and the inputs of shards that follow from them."""

    dedup: Decision
    selection: Selected
    inputs: Inputs


@dataclass(frozen=True)
class Count:
    """The counts over all rows, and the sizes that the layout of shards needs, in the order of the rows."""

    tally: Tally
    pieces: tuple[Piece, ...]


def judge(context: Context, units: tuple[Annotated, ...]) -> Judgement:
    """Dedup among what the filters kept, then selection among what dedup kept."""
    decided = context.within("dedup", lambda: _dedup(context, units))
    context.started.phases.end("dedup")
    selected = context.within("select", lambda: _select(context, units, decided))
    context.started.phases.end("select")
    run = context.run
    inputs = inputs_of(run.work, run.recipe, units, fates=decided.fates, unselected=selected.tables, generation=run.generation)
    return Judgement(decided, selected, inputs)


def _dedup(context: Context, units: tuple[Annotated, ...]) -> Decision:
    run = context.run
    context.tell(Event("begin", "dedup"))
    decided = corpus.dedup_corpus(
        run.work,
        run.out,
        run.recipe,
        units=units,
        live=run.live,
        generation=run.generation,
        memory=context.options.memory,
        pool=run.pool,
        tasks=context.on_site(tasks.run_steps),
    )
    context.tell(Event("end", "dedup"))
    return decided


def _select(context: Context, units: tuple[Annotated, ...], decided: Decision) -> Selected:
    run = context.run
    return select.select_documents(
        run.work,
        run.recipe,
        units,
        fates=decided.fates,
        earlier=[made.selection for made in run.live if isinstance(made.selection, Fitted)],
        generation=run.generation,
        memory=context.options.memory,
        pool=run.pool,
    )


def count(context: Context, units: Sequence[Annotated], judgement: Judgement) -> Count:
    """One look at each unit's joined rows. Raises BrokenContract where a row was lost."""
    run = context.run
    one = partial(_count_unit, inputs=judgement.inputs, recipe=run.recipe)
    summed = Tally()
    pieces = layout.Pieces()
    source_of = damage.sources(run)
    for unit, (part, of_unit) in zip(units, run.pool.each(one, range(len(units))), strict=True):
        summed.add(of_plan_source(part, source_of[unit.path]))
        pieces.add(of_unit)
    accounts.check_conserved(summed, units)
    return Count(summed, tuple(pieces.ordered()))


def _count_unit(unit: int, *, inputs: Inputs, recipe: Recipe) -> tuple[Tally, list[Piece]]:
    rows = inputs.rows(unit)
    found = tally(inputs, rows, recipe)
    return found, list(layout.pieces(rows, partial(inputs.rows, unit), rejected=inputs.rejected, seed=inputs.seed))
