"""A measurement from a request to `savings.json`: arms, registration, losses, findings, the report made anew.

The output's data are only read. What is trained lies in the work directory under keys, so the same command resumes; results go
to `savings.json`, every attempt to `savings_history.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from pipeline.errors import UsageError
from pipeline.machine import resources
from pipeline.machine.events import Event, OnEvent
from pipeline.output.manifest import Manifest
from pipeline.plan.compute import Compute
from pipeline.plan.load import validate
from pipeline.records.savings_1 import SCHEMA, ArmSize, Families, Model, Ranking, RegimeLine, Savings, Sweep
from pipeline.report import publish
from pipeline.savings import arms, corpora, costs, history
from pipeline.savings.analysis import findings
from pipeline.savings.analysis.findings import RegimeLosses
from pipeline.savings.arms import RANDOM, SOURCE, Arm, Experiment, Spec
from pipeline.savings.tiers import ranks, training
from pipeline.store.keys import key
from pipeline.store.store import Store, open_store

DEFINITION = "compute of the baseline / compute at which the arm first has the baseline's final loss (backward, iso-loss)"
LOCK = ".lock"
SEEDS = 3


@dataclass(frozen=True)
class Request:
    """What to measure. `output`: an output of Winnow, or a folder for the results where every arm is a path of files.

    `arms` and `targets` empty: raw source text, the curated text and a random subset; the plan's `compute.targets`.
    """

    output: str
    tier: str
    arms: tuple[Spec, ...] = ()
    targets: tuple[str, ...] = ()
    seeds: int = SEEDS
    seed: int = 0
    thorough: bool = False
    work: str | None = None
    workers: int = 2
    minutes: float | None = None


@dataclass(frozen=True)
class Measurement:
    """The folders of a request, and the plan of the output (defaults where there is none)."""

    out: Store
    live: tuple[Manifest, ...]
    work: Store
    compute: Compute


def open_measurement(request: Request) -> Measurement:
    """Raises UsageError where there is no output and an arm needs one."""
    if corpora.is_output(request.output):
        out, live = corpora.open_finished(request.output)
        compute = validate(live[-1].plan, where="the plan of the output").compute
    elif request.arms and all(spec.what not in (SOURCE, request.output) for spec in request.arms):
        out, live, compute = open_store(request.output), [], Compute()
    else:
        raise UsageError(f"{request.output}: no output of Winnow (it has no manifests/); curate into it first, or name all arms")
    work = open_store(request.work or out.path(".work"))
    work.private("")
    work.private("savings")
    return Measurement(out, tuple(live), work, compute)


def named_targets(paths: Sequence[str]) -> list[tuple[str, str]]:
    """Name (the file's, without endings) and path of each target. Raises UsageError where two have one name."""
    named = [(PurePosixPath(path).name.split(".")[0] or path, path) for path in paths]
    if len({name for name, _ in named}) != len(named):
        raise UsageError("two targets have one file name; rename one")
    return named


def experiment_of(request: Request, where: Measurement, *, needed_bytes: int) -> Experiment:
    return arms.build(
        request.arms or (Spec("raw", SOURCE), Spec("curated", request.output), Spec("random", RANDOM)),
        out=where.out if where.live else None,
        live=where.live,
        work=where.work,
        targets=named_targets(request.targets or where.compute.targets),
        needed_bytes=needed_bytes,
        seed=request.seed,
    )


def measured(request: Request, on_event: OnEvent) -> Savings:
    """Register, measure, and write the outcome to the history; publishes nothing."""
    where = open_measurement(request)
    with where.work.lock("savings/.lock"):
        before = resources.tree_cpu_s()
        on_event(Event("begin", "arms"))
        needed = ranks.MOST_BYTES if request.tier == "ngram" else training.BYTES_PER_TOKEN * training.SHAPES[request.tier].tokens
        experiment = experiment_of(request, where, needed_bytes=needed)
        on_event(Event("end", "arms"))
        recipe = where.live[-1].recipe_hash if where.live else None
        about = history.About(
            targets=experiment.targets,
            identity=key("measurement", experiment.identity, request.tier, request.seeds, request.thorough),
            tier=request.tier,
            primary=experiment.primary,
            seeds=request.seeds,
            arms=tuple(arm.name for arm in experiment.arms),
            sets={made.name: made.sha256 for made in experiment.sets},
            recipe=recipe,
        )
        attempt = history.started(where.out, about)
        begin = partial(
            Savings,
            schema_version=SCHEMA,
            tier=request.tier,
            generation=where.live[-1].generation if where.live else None,
            recipe_hash=recipe,
            definition=DEFINITION,
            primary=experiment.primary,
            targets=experiment.targets,
            sample_share=experiment.share,
            split_off_documents=experiment.split_off,
            provenance={"sets": "measured", "arms": "measured", "costs": "computed", "extrapolation": "extrapolated"},
        )
        measure = _ranked if request.tier == "ngram" else _trained
        made = measure(request, where, experiment, begin=begin, on_event=on_event)
        cost = costs.of(where.compute, where.live, made, cpu_s=resources.tree_cpu_s() - before)
        history.ended(where.out, about, attempt=attempt, headline=made.headline)
        return made.model_copy(update={"attempt": attempt, "costs": cost})


Begun = Callable[..., Savings]
"""Makes savings.json of what a tier found; what every tier says of a measurement is there already."""


def _ranked(request: Request, where: Measurement, experiment: Experiment, *, begin: Begun, on_event: OnEvent) -> Savings:
    measured = ranks.measure(experiment, seeds=request.seeds, on_event=on_event)
    sets = findings.sets_of(measured, experiment.sets)
    name, baseline = experiment.primary or sets[0].name, experiment.arms[0].name
    ranked = findings.ranking(sets, name=name, baseline=baseline)
    return begin(
        arms=tuple(_size(arm, measured) for arm in experiment.arms),
        headline=findings.ranked_in_words(ranked, name=name, baseline=baseline),
        ranking=Ranking(set=name, arms=ranked),
        model=Model(what="byte 6-gram, interpolated Witten-Bell", unit_of_compute="bytes of text", seeds=request.seeds),
        sets=sets,
        regimes=(),
        notes=("counts cannot see repetition, and random bytes poison them: an order of arms, never a size",),
    )


def _trained(request: Request, where: Measurement, experiment: Experiment, *, begin: Begun, on_event: OnEvent) -> Savings:
    planned = where.compute.plan.tokens if where.compute.plan is not None else 0.0
    found = training.measure(
        experiment,
        tier=request.tier,
        seeds=request.seeds,
        thorough=request.thorough,
        planned_tokens=planned,
        work=where.work,
        workers=request.workers,
        minutes=request.minutes,
        on_event=on_event,
    )
    (_, fresh), *others = found.regimes
    sets = findings.sets_of(fresh, experiment.sets)
    baseline, judged = experiment.arms[0].name, experiment.arms[1].name
    regimes = tuple(
        RegimeLine(regime=regime.name, unique_tokens=regime.unique, sets=findings.sets_of(measured, experiment.sets))
        for regime, measured in others
    )
    words = training.model_in_words(found.shape, request.seeds)
    repeated = [regime for regime in regimes if regime.regime == training.REPEATED]
    repeats = "".join(findings.with_repeats(regime, primary=experiment.primary, arm=judged) for regime in repeated)
    tokens = {
        name: {"bytes_per_token": found.bytes_per_token[name], "corpus_tokens": whole, "planned_epochs": planned / whole}
        for name, whole in found.corpus_tokens.items()
    }
    return begin(
        arms=tuple(_size(arm, fresh).model_copy(update=tokens[arm.name]) for arm in experiment.arms),
        headline=findings.headline(sets, primary=experiment.primary, arm=judged, baseline=baseline, model=words) + repeats,
        ranking=None,
        model=Model(
            what=words,
            unit_of_compute="FLOPs (6 x parameters in products x tokens)",
            parameters=found.shape.parameters,
            tokens=found.shape.tokens,
            seeds=request.seeds,
            learning_rate=found.shape.rate,
            schedule="constant after warm-up, averaged weights scored",
            vocabulary=found.shape.vocabulary,
            training_cpu_s=found.cpu_s,
        ),
        sets=sets,
        regimes=regimes,
        notes=(*found.notes, *findings.differing(sets, regimes, arm=judged)),
    )


def _size(arm: Arm, measured: RegimeLosses) -> ArmSize:
    return ArmSize(
        arm=arm.name,
        what=arm.what,
        documents=len(arm.texts),
        bytes=arm.n_bytes,
        corpus_bytes=arm.corpus_bytes,
        kept_share=measured.kept_share[arm.name],
    )


def publish_savings(out: Store, made: Savings) -> None:
    """Write savings.json and, where the folder is an output, its page anew.

    A sweep or a table of families is put beside what was measured before, and so is a ranking beside a measurement of the same
    generation: counting n-grams never replaces a trained model.
    """
    with out.lock(LOCK):
        shown = _beside(made, None)  # until this module makes the new record
        content = json.dumps(shown.plain(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        out.write_bytes(publish.SAVINGS, content.encode("utf-8", "backslashreplace"), durable=True)
        publish.repaint(out)


def _beside(made: Savings, before: Savings | None) -> Savings:
    if before is None or before.generation != made.generation:
        return made
    if added := _tables(made):
        return before.model_copy(update=added)
    if made.tier == "ngram" and before.tier != "ngram":
        return before.model_copy(update={"ranking": made.ranking})
    return made.model_copy(update=_tables(before))


def _tables(made: Savings) -> dict[str, Sweep | Families]:
    """The sweep and the table of families, where they were made."""
    return {name: table for name in ("sweep", "by_reason") if (table := getattr(made, name)) is not None}
