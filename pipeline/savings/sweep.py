"""Values of one plan key, or filter families switched off, measured by the same method: re-deciding is cheap.

Every variant is curated into a folder of its own in the work directory, with the output's plan, inputs and facts; the output is
not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.errors import UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.schedule import in_process
from pipeline.plan.load import LoadedPlan, load_plan, validate
from pipeline.records.base import Json
from pipeline.records.savings_json import ArmLine, Families, Family, Range, Savings, Sweep
from pipeline.run import execute
from pipeline.run.options import RunOptions
from pipeline.savings import corpora, measure
from pipeline.savings.analysis import findings
from pipeline.savings.arms import SOURCE, Spec
from pipeline.savings.measure import Request
from pipeline.savings.tiers import training
from pipeline.store.keys import key
from pipeline.store.store import Store, open_store


@dataclass(frozen=True)
class Variant:
    """`assignments`: what differs from the output's plan."""

    name: str
    assignments: tuple[str, ...]


def values_of(asked: str) -> tuple[str, list[Variant]]:
    """`KEY=v1,v2,v3` as variants."""
    name, _, values = asked.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not name.strip() or len(found) < 2 or len(set(found)) != len(found):
        raise UsageError(f"--sweep {asked}: expected KEY=v1,v2,… with two or more different values")
    return name.strip(), [Variant(f"{name.strip()}={value}", (f"{name.strip()}={value}",)) for value in found]


def curated(request: Request, variants: Sequence[Variant], on_event: OnEvent) -> dict[str, str]:
    """Variant → folder of its output, made with the plan of `request.output`. Facts are shared through its work directory."""
    out, live = corpora.open_finished(request.output)
    work = open_store(request.work or out.path(".work"))
    made = {}
    for variant in variants:
        loaded = _loaded(out, variant)
        folder = work.path(
            f"savings/sweep/{key('variant', live[-1].recipe_hash, [m.generation for m in live], variant.assignments)}"
        )
        on_event(Event("note", "proxy", note=f"curating with {variant.name}"))
        options = RunOptions(output=folder, work=work.root, workers=request.workers)
        execute.execute(loaded, options, mapper=in_process(request.workers), on_event=on_event)
        made[variant.name] = folder
    return made


def _loaded(out: Store, variant: Variant) -> LoadedPlan:
    loaded = load_plan(out.path("plan.resolved.yaml"), assignments=variant.assignments)
    limits = loaded.plan.checks.model_copy(update={"on_fail": "warn"})
    return replace(loaded, plan=loaded.plan.model_copy(update={"checks": limits}), name=variant.name)


def sweep(request: Request, asked: str, on_event: OnEvent) -> Savings:
    """Measure the values of a key against the raw text; `recommended` is a value, or None where no difference is measurable."""
    name, variants = values_of(asked)
    folders = curated(request, variants, on_event)
    specs = (Spec("raw", SOURCE), *(Spec(variant.name, folders[variant.name]) for variant in variants))
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
    made = made.model_copy(update={"sweep": found})
    measure.publish_savings(measure.open_measurement(request).out, made)
    return made


def families(out_plan: Json) -> list[Variant]:
    """One variant for each filter that the plan switches on, and one without dedup: each switched off alone."""
    plan = validate(out_plan, where="the plan of the output")
    names = [name for name in type(plan.filters).model_fields if getattr(plan.filters, name) is not None]
    found = [Variant(f"without {name}", (f"filters.{name}=false",)) for name in names]
    return [*found, *([Variant("without dedup", ("dedup=false",))] if plan.dedup is not None else [])]


def by_reason(request: Request, on_event: OnEvent) -> Savings:
    """What each family adds, in the `ngram` tier: the multiplier of the whole plan over the plan without it, and its CPU cost."""
    _, live = corpora.open_finished(request.output)
    variants = families(live[-1].plan)
    if not variants:
        raise UsageError(f"{request.output}: the plan switches no filter on")
    folders = curated(request, variants, on_event)
    specs = (Spec("curated", request.output), *(Spec(v.name, folders[v.name]) for v in variants))
    made = measure.measured(replace(request, arms=specs, tier="ngram"), on_event)
    chosen = made.primary or made.sets[0].name
    costs = {stage.stage: stage.cpu_s for stage in live[-1].metrics.cost.stages}
    lines = []
    for variant in variants:
        line = findings.line_of(made.sets, chosen, variant.name)
        family = variant.name.removeprefix("without ")
        cpu_s = costs.get("dedup" if family == "dedup" else f"annotate.{family}")
        lines.append(Family(family=family, worth=_worth(line), interval=_inverse(line), cpu_s=cpu_s))
    lines.sort(key=lambda item: -(item.worth or 0.0))
    made = made.model_copy(update={"by_reason": Families(set=chosen, families=tuple(lines))})
    measure.publish_savings(measure.open_measurement(request).out, made)
    return made


def _worth(line: ArmLine | None) -> float | None:
    """The whole plan's multiplier over that of the plan without a family, whose line it is."""
    return None if line is None or line.multiplier is None else 1 / line.multiplier


def _inverse(line: ArmLine | None) -> Range | None:
    return None if line is None or line.interval is None else (1 / line.interval[1], 1 / line.interval[0])
