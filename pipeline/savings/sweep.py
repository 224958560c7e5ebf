"""Values of one plan key, or filter families switched off, measured by the same method: re-deciding is cheap.

Every variant is curated into a folder of its own in the work directory, with the output's plan, inputs and facts; the output is
not touched.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.schedule import in_process
from pipeline.plan.load import LoadedPlan, of_output, overridden, refuse_untrusted
from pipeline.records.base import Json
from pipeline.records.savings_json import Families, Family, Savings, Sweep
from pipeline.run import execute
from pipeline.run.options import RunOptions
from pipeline.savings import corpora, lacking, measure
from pipeline.savings.analysis import findings
from pipeline.savings.arms import SOURCE, Spec
from pipeline.savings.heldout import HeldOut
from pipeline.savings.measure import Outcome, Request
from pipeline.store.keys import key
from pipeline.store.store import open_store

Variants = dict[str, str]
"""Name of a variant → what it assigns to a key of the output's plan."""


def values_of(asked: str) -> tuple[str, Variants]:
    """The key of `KEY=v1,v2,v3`, and its values as variants."""
    name, _, values = asked.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not name.strip() or len(found) < 2 or len(set(found)) != len(found):
        raise UsageError(f"--sweep {asked}: expected KEY=v1,v2,… with two or more different values")
    return name.strip(), {f"{name.strip()}={value}": f"{name.strip()}={value}" for value in found}


def curated(request: Request, variants: Variants, on_event: OnEvent) -> list[Spec]:
    """The variants as arms, made with the plan of `request.output`. Facts are shared through its work directory."""
    out, live = corpora.open_finished(request.output)
    if not request.trust:
        refuse_untrusted(live[-1].plan, where=out.root)
    work = open_store(request.work or out.path(".work"))
    made = []
    for name, assignment in variants.items():
        plan = overridden(live[-1].plan, (assignment,))
        checks = plan.checks.model_copy(update={"on_fail": "warn"})
        loaded = LoadedPlan(plan.model_copy(update={"checks": checks}), name, extends=name)
        folder = work.path(f"savings/sweep/{key('variant', live[-1].recipe_hash, [m.generation for m in live], (assignment,))}")
        on_event(Event("note", "savings", note=f"curating with {name}"))
        options = RunOptions(output=folder, work=work.root, workers=request.workers)
        execute.execute(loaded, options, mapper=in_process(request.workers), on_event=on_event)
        made.append(Spec(name, folder))
    return made


def sweep(request: Request, asked: str, on_event: OnEvent) -> Savings:
    """Measure the values of a key; `recommended` is a value, or None where no difference is measurable. Which value is best
    depends on what the model is for, so a target is needed: text split off one corpus favours the value that made it."""
    name, variants = values_of(asked)
    _need_target(request, "--sweep")
    specs = (Spec("raw", SOURCE), *curated(request, variants, on_event))
    outcome = measure.measured(replace(request, arms=specs), on_event)
    primary = _primary(outcome)
    ranked = findings.variants(outcome.found.losses, primary, list(variants))
    found = Sweep(key=name, set=primary.name, variants=ranked, recommended=findings.recommended(ranked))
    return outcome.alone().model_copy(update={"measured": (), "sweep": found})


def _need_target(request: Request, option: str) -> None:
    if not measure.targets_of(request, measure.open_folders(request)):
        raise UsageError(lacking.TARGET.format(option=option))


def _primary(outcome: Outcome) -> HeldOut:
    return next(made for made in outcome.experiment.sets if made.name == outcome.experiment.primary)


def families(out_plan: Json, *, trusted: bool = False) -> Variants:
    """One variant for each filter that the plan switches on, and one without dedup: each switched off alone."""
    plan = of_output(out_plan, where="the plan of the output", trusted=trusted)
    names = [name for name in type(plan.filters).model_fields if getattr(plan.filters, name) is not None]
    dedup = {"without dedup": "dedup=false"} if plan.dedup is not None else {}
    return {f"without {name}": f"filters.{name}=false" for name in names} | dedup


def by_reason(request: Request, on_event: OnEvent) -> Savings:
    """What each family adds, in the `ngram` tier: the multiplier of the whole plan over the plan without it, and its CPU cost."""
    _need_target(request, "--by-reason")
    _, live = corpora.open_finished(request.output)
    variants = families(live[-1].plan, trusted=request.trust)
    if not variants:
        raise UsageError(f"{request.output}: the plan switches no filter on")
    specs = (Spec("curated", request.output), *curated(request, variants, on_event))
    outcome = measure.measured(replace(request, arms=specs, tier="ngram"), on_event)
    held, losses = _primary(outcome), outcome.found.losses
    costs = {stage.stage: stage.cpu_s for stage in live[-1].metrics.cost.stages}
    lines = []
    for variant in variants:
        line = findings.comparison(losses, held, "curated", baseline=variant)
        family = variant.removeprefix("without ")
        cpu_s = costs.get("dedup" if family == "dedup" else f"annotate.{family}")
        lines.append(Family(family=family, multiplier=line.multiplier, interval=line.interval, cpu_s=cpu_s))
    lines.sort(key=lambda item: -(item.multiplier or 0.0))
    return outcome.alone().model_copy(update={"measured": (), "by_reason": Families(set=held.name, families=tuple(lines))})
