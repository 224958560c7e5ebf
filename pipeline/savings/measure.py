"""A measurement from a request to `savings.json`: arms, registration, losses, findings, the report made anew.

The output's data are only read. What is trained lies in the work directory under keys, so the same command resumes; results go
to `savings.json`, every attempt to `savings_history.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipeline.errors import UsageError
from pipeline.machine import resources
from pipeline.machine.events import Event, OnEvent
from pipeline.output import work as work_
from pipeline.output.manifest import Manifest
from pipeline.plan.compute import Compute
from pipeline.plan.load import part_of_output
from pipeline.records.savings_json import SCHEMA, TIERS, ArmSize, Measured, Savings, Size, SmallRate, Tier
from pipeline.report import publish
from pipeline.savings import arms, corpora, costs, history, lacking, mix
from pipeline.savings.analysis import findings, intervals
from pipeline.savings.arms import SOURCE, Arm, Experiment, Place, Spec
from pipeline.savings.losses import Found
from pipeline.savings.tiers import ranks, training
from pipeline.store.keys import key
from pipeline.store.store import Store, open_store

DEFINITION = "compute of the baseline / compute at which the arm first has the baseline's final loss (backward, iso-loss)"
LOCK = ".lock"
MOST_DRAWS = 8
"""Of the tiers that train: an interval of 5 % then needs a standard deviation of .06 between draws."""


@dataclass(frozen=True)
class Request:
    """What to measure. `output`: an output of Winnow, or a folder for the results where every arm is a path of files.

    `arms` and `targets` empty: raw source text, the curated text and raw text of the same mix; the plan's `compute.targets`.
    `draws`: the most; None for the tier's own. `trust`: variants may run the plugins, and fetch the models, of the output's plan.
    """

    output: str
    tier: Tier
    arms: tuple[Spec, ...] = ()
    targets: tuple[str, ...] = ()
    draws: int | None = None
    seed: int = 0
    thorough: bool = False
    work: str | None = None
    workers: int = 2
    trust: bool = False
    minutes: float | None = None


@dataclass(frozen=True)
class Folders:
    """The folders of a request, and the plan of the output (defaults where there is none)."""

    out: Store
    live: tuple[Manifest, ...]
    work: Store
    compute: Compute

    @property
    def recipe(self) -> str | None:
        """Null where every arm is a folder of files."""
        return self.live[-1].recipe_hash if self.live else None


@dataclass(frozen=True)
class Outcome:
    """What was found, and the losses that it was found from."""

    measured: Measured
    experiment: Experiment
    found: Found
    folders: Folders

    def alone(self) -> Savings:
        """As savings.json, without what was measured before."""
        live = self.folders.live
        generation = live[-1].generation if live else None
        return Savings(schema_version=SCHEMA, generation=generation, recipe_hash=self.folders.recipe, measured=(self.measured,))


def open_folders(request: Request) -> Folders:
    """Raises UsageError where there is no output and an arm needs one."""
    if corpora.is_output(request.output):
        out, live = corpora.open_finished(request.output)
        compute = part_of_output(live[-1].plan, "compute", where="the plan of the output").compute
    elif request.arms and all(spec.what not in (SOURCE, request.output) for spec in request.arms):
        out, live, compute = open_store(request.output), [], Compute()
    else:
        raise UsageError(f"{request.output}: no output of Winnow (it has no manifests/); curate into it first, or name all arms")
    work = open_store(request.work or out.path(".work"))
    if live:
        work_.refuse_other(work, out, work_.id_of(out, live))
    work.private("")
    work.private("savings")
    return Folders(out, tuple(live), work, compute)


def named_targets(paths: Sequence[str]) -> list[tuple[str, str]]:
    """Name (the file's, without endings) and path of each target. Raises UsageError where two have one name."""
    named = [(PurePosixPath(path).name.split(".")[0] or path, path) for path in paths]
    if len({name for name, _ in named}) != len(named):
        raise UsageError("two targets have one file name; rename one")
    return named


def targets_of(request: Request, folders: Folders) -> tuple[str, ...]:
    """Those of the command, else of the plan."""
    return request.targets or folders.compute.targets


def experiment_of(request: Request, folders: Folders, *, needed_bytes: int, draws: int) -> Experiment:
    """The arms and sets that a request asks for."""
    place = Place(folders.out if folders.live else None, folders.live, folders.work)
    return arms.build(
        request.arms or (Spec("raw", SOURCE), Spec("curated", request.output), Spec("same mix", mix.WHAT)),
        place,
        targets=named_targets(targets_of(request, folders)),
        needed_bytes=needed_bytes,
        draws=draws,
        seed=request.seed,
    )


def measured(request: Request, on_event: OnEvent) -> Outcome:
    """Register, measure, and write the outcome to the history; publishes nothing."""
    folders = open_folders(request)
    counts = request.tier == "ngram"
    draws = request.draws or (lacking.DRAWS if counts else MOST_DRAWS)
    needed = ranks.MOST_BYTES if counts else training.needed_bytes(request.tier)
    with folders.work.lock("savings/.lock"):
        before = resources.tree_cpu_s()
        on_event(Event("begin", "arms"))
        experiment = experiment_of(request, folders, needed_bytes=needed, draws=draws)
        on_event(Event("end", "arms"))
        about = history.About(
            targets=experiment.targets,
            identity=key("measurement", experiment.identity, request.tier, draws, request.thorough),
            tier=request.tier,
            primary=experiment.primary,
            draws=draws,
            arms=tuple(arm.name for arm in experiment.arms),
            sets={made.name: made.sha256 for made in experiment.sets},
            recipe=folders.recipe,
        )
        attempt = history.started(folders.out, about)
        found = _found(request, folders, experiment, draws=draws, on_event=on_event)
        made = described(request.tier, experiment, found).model_copy(update={"attempt": attempt})
        cost = costs.of(folders.compute, folders.live, made, cpu_s=resources.tree_cpu_s() - before)
        repeats = costs.repeats(folders.compute, made, made.comparison(made.primary))
        decided = [line for name in experiment.deciding() if (line := made.comparison(name)) is not None]
        history.ended(folders.out, about, attempt=attempt, found=decided)
        return Outcome(made.model_copy(update={"costs": cost, "repeats": repeats}), experiment, found, folders)


def _found(request: Request, folders: Folders, experiment: Experiment, *, draws: int, on_event: OnEvent) -> Found:
    if request.tier == "ngram":
        return ranks.measure(experiment, draws=draws, on_event=on_event)
    return training.measure(
        experiment,
        tier=request.tier,
        draws=draws,
        thorough=request.thorough,
        work=folders.work,
        workers=request.workers,
        minutes=request.minutes,
        settled=findings.settled(experiment.sets, experiment.deciding(), experiment.arms[1].name),
        on_event=on_event,
    )


def described(tier: Tier, experiment: Experiment, found: Found) -> Measured:
    """The record of what a tier found, without its costs."""
    return Measured(
        tier=tier,
        definition=DEFINITION,
        primary=experiment.primary,
        control=experiment.control,
        targets=experiment.targets,
        draws=len(found.losses.draws),
        arms=tuple(_size(arm, found) for arm in experiment.arms),
        learner=found.learner,
        sets=findings.sets_of(found.losses, experiment.sets),
        sample_share=experiment.share,
        split_off_documents=experiment.split_off,
        shared=found.losses.shared,
        stopped_early=found.stopped_early,
        sizes=_sizes(experiment, found),
        small_rate=_small_rate(experiment, found),
        notes=found.notes,
    )


def _size(arm: Arm, found: Found) -> ArmSize:
    return ArmSize(
        arm=arm.name,
        what=arm.what,
        documents=len(arm.texts),
        bytes=arm.n_bytes,
        corpus_bytes=arm.corpus_bytes,
        kept_share=found.losses.kept_share[arm.name],
        bytes_per_token=found.bytes_per_token.get(arm.name, 0),
        corpus_tokens=found.corpus_tokens.get(arm.name, 0),
    )


def _sizes(experiment: Experiment, found: Found) -> tuple[Size, ...]:
    judged, decides = experiment.arms[1].name, set(experiment.deciding())
    held = next((made for made in experiment.sets if made.name in decides), None)
    if held is None:
        return ()
    return tuple(
        Size(parameters=size.parameters, tokens=size.tokens, comparison=findings.comparison(size.losses, held, judged))
        for size in found.sizes
    )


def _small_rate(experiment: Experiment, found: Found) -> SmallRate | None:
    held = next((made for made in experiment.sets if made.name in experiment.deciding()), None)
    if found.small_rate is None or held is None:
        return None
    rate, losses = found.small_rate
    pairs = findings.pairs_of(losses, held.name, experiment.arms[1].name)
    gap, interval = intervals.gap(pairs, findings.target_of(held), shared=losses.shared)
    return SmallRate(learning_rate=rate, set=held.name, gap=gap, gap_interval=interval)


def publish_savings(out: Store, made: Savings) -> Savings:
    """Write savings.json and, where the folder is an output, its page anew; returns what was written.

    What was measured of the same generation stays: each tier once, the strongest evidence first.
    """
    with out.lock(LOCK):
        shown = _beside(made, publish.savings_of(out))
        content = json.dumps(shown.plain(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        out.write_bytes(publish.SAVINGS, content.encode("utf-8", "backslashreplace"), durable=True)
        publish.repaint(out)
    return shown


def _beside(made: Savings, before: Savings | None) -> Savings:
    if before is None or before.generation != made.generation:
        return made
    tiers = {one.tier: one for one in (*before.measured, *made.measured)}
    tables = {"sweep": made.sweep or before.sweep, "by_reason": made.by_reason or before.by_reason}
    found = {name: table for name, table in tables.items() if table is not None}
    return made.model_copy(update={"measured": tuple(tiers[tier] for tier in TIERS if tier in tiers), **found})
