"""Values of one plan key, or filter families switched off, measured by the same method: re-deciding is cheap.

Every variant is curated into a folder of its own in the work directory, with the output's plan, inputs and facts; the output is
not touched.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.errors import UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.schedule import in_process
from pipeline.plan.load import load_plan, validate
from pipeline.records.base import Json
from pipeline.records.savings_1 import Families, Family, Savings, Sweep
from pipeline.run import execute
from pipeline.run.options import RunOptions
from pipeline.savings import corpora, measure
from pipeline.savings.analysis import findings
from pipeline.savings.arms import SOURCE, Spec
from pipeline.savings.measure import Request
from pipeline.savings.tiers import training
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
    work = open_store(request.work or out.path(".work"))
    made = []
    for name, assignment in variants.items():
        loaded = load_plan(out.path("plan.resolved.yaml"), assignments=(assignment,))
        checks = loaded.plan.checks.model_copy(update={"on_fail": "warn"})
        loaded = replace(loaded, plan=loaded.plan.model_copy(update={"checks": checks}), name=name)
        folder = work.path(f"savings/sweep/{key('variant', live[-1].recipe_hash, [m.generation for m in live], (assignment,))}")
        on_event(Event("note", "proxy", note=f"curating with {name}"))
        options = RunOptions(output=folder, work=work.root, workers=request.workers)
        execute.execute(loaded, options, mapper=in_process(request.workers), on_event=on_event)
        made.append(Spec(name, folder))
    return made


def sweep(request: Request, asked: str, on_event: OnEvent) -> Savings:
    """Measure the values of a key against the raw text; `recommended` is a value, or None where no difference is measurable."""
    name, variants = values_of(asked)
    specs = (Spec("raw", SOURCE), *curated(request, variants, on_event))
    made = measure.measured(replace(request, arms=specs), on_event)
    chosen = made.primary or made.sets[0].name
    repeated = next((item.sets for item in made.regimes if item.regime == training.REPEATED), None)
    ranked = findings.ranking(repeated or made.sets, name=chosen, baseline="raw")
    best = findings.recommended([item for item in ranked if item.arm != "raw"])
    sentence = (
        f"Best on {chosen}: {best}; its interval lies above the others'."
        if best is not None
        else f"No measurable difference between the values of {name} on {chosen}: the intervals overlap."
    )
    sentence += "" if repeated is None else " Text was repeated as often as planned."
    found = Sweep(key=name, set=chosen, ranking=ranked, recommended=best, sentence=sentence)
    return made.model_copy(update={"sweep": found})


def families(out_plan: Json) -> Variants:
    """One variant for each filter that the plan switches on, and one without dedup: each switched off alone."""
    plan = validate(out_plan, where="the plan of the output")
    names = [name for name in type(plan.filters).model_fields if getattr(plan.filters, name) is not None]
    dedup = {"without dedup": "dedup=false"} if plan.dedup is not None else {}
    return {f"without {name}": f"filters.{name}=false" for name in names} | dedup


def by_reason(request: Request, on_event: OnEvent) -> Savings:
    """What each family adds, in the `ngram` tier: the multiplier of the whole plan over the plan without it, and its CPU cost."""
    _, live = corpora.open_finished(request.output)
    variants = families(live[-1].plan)
    if not variants:
        raise UsageError(f"{request.output}: the plan switches no filter on")
    specs = (Spec("curated", request.output), *curated(request, variants, on_event))
    made = measure.measured(replace(request, arms=specs, tier="ngram"), on_event)
    chosen = made.primary or made.sets[0].name
    costs = {stage.stage: stage.cpu_s for stage in live[-1].metrics.cost.stages}
    lines = []
    for variant in variants:
        line = findings.line_of(made.sets, chosen, variant)
        family = variant.removeprefix("without ")
        worth = 1 / line.multiplier if line is not None and line.multiplier is not None else None
        interval = (1 / line.interval[1], 1 / line.interval[0]) if line is not None and line.interval is not None else None
        cpu_s = costs.get("dedup" if family == "dedup" else f"annotate.{family}")
        lines.append(Family(family=family, worth=worth, interval=interval, cpu_s=cpu_s))
    lines.sort(key=lambda item: -(item.worth or 0.0))
    return made.model_copy(update={"by_reason": Families(set=chosen, families=tuple(lines))})
