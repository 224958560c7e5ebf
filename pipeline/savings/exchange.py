"""Arms for the user's own trainer, and findings from its losses.

`export` writes one Parquet file an arm (column `text`, in the order to train in, whole duplicate groups), one a held-out set, and
`experiment.json`, which says how many tokens, which seeds, and what the results must look like. `score` reads those results: JSON
lines with arm, seed, params, tokens, set, metric (`bpb`: bits per byte, never per token) and value, one for every arm, seed,
checkpoint and set; with `document` and `bytes` as well, the bootstrap draws documents too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import InputError, UsageError
from pipeline.records.base import Number, Record
from pipeline.records.savings_1 import ArmSize, Model, Savings
from pipeline.savings.analysis import findings
from pipeline.savings.analysis.findings import RegimeLosses
from pipeline.savings.analysis.intervals import Losses
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.corpora import by_seed, sizes_of, upto
from pipeline.savings.heldout import HeldOut

CARD = "experiment.json"
LEAST_TOKENS = 20_000
"""Different tokens of an arm; one that the planned run repeats so often that fewer would be left is exported without repeats."""


class CardSet(Record):
    """A held-out set that was exported."""

    set: str
    role: str
    path: str
    sha256: str


class TrainerResult(BaseModel):
    """A result of the user's trainer: a line of JSON, which may say more."""

    model_config = ConfigDict(frozen=True)

    arm: str
    seed: int
    params: float
    tokens: float
    set: str
    metric: Literal["bpb"]
    value: float
    document: int = 0
    bytes: float = 1.0


FIELDS, OPTIONAL = (
    tuple(name for name, field in TrainerResult.model_fields.items() if field.is_required() is required)
    for required in (True, False)
)


class ResultFields(Record):
    """What a line of results must and may hold."""

    fields: tuple[str, ...]
    optional: tuple[str, ...]
    metric: str


class Card(Record):
    """experiment.json: arms and sets as they were exported, and how they are to be trained on."""

    arms: tuple[ArmSize, ...]
    sets: tuple[CardSet, ...]
    primary: str | None
    targets: str
    tokens: Number
    seeds: tuple[int, ...]
    checkpoints: str
    results: ResultFields


def export(experiment: Experiment, folder: str, *, tokens: float, planned: float, bytes_per_token: float, seeds: int) -> Card:
    """Write arms, sets and card; returns the card. An arm that the planned run would repeat is cut to as many epochs, where
    enough text is left then."""
    root = Path(folder).expanduser()
    for name in ("arms", "sets"):
        (root / name).mkdir(parents=True, exist_ok=True)
    arms = [_export_arm(root, arm, tokens=tokens, planned=planned, bytes_per_token=bytes_per_token) for arm in experiment.arms]
    sets = []
    for number, held in enumerate(experiment.sets):
        path = f"sets/{number:02d}.parquet"
        table = {"document": list(range(len(held.texts))), "text": list(held.texts)}
        pq.write_table(pa.table(table), root / path, compression="zstd")
        sets.append(CardSet(set=held.name, role=held.role, path=path, sha256=held.sha256))
    card = Card(
        arms=tuple(arms),
        sets=tuple(sets),
        primary=experiment.primary,
        targets=experiment.targets,
        tokens=tokens,
        seeds=tuple(range(seeds)),
        checkpoints="score the averaged weights, or those of a constant rate, at eight or more log-spaced counts of tokens",
        results=ResultFields(fields=FIELDS, optional=OPTIONAL, metric="bpb"),
    )
    (root / CARD).write_text(json.dumps(card.model_dump(mode="json", exclude_unset=True), indent=1, ensure_ascii=False), "utf-8")
    return card


def _export_arm(root: Path, arm: Arm, *, tokens: float, planned: float, bytes_per_token: float) -> ArmSize:
    epochs = max(1.0, planned * bytes_per_token / arm.corpus_bytes)
    matched = tokens / epochs >= LEAST_TOKENS
    wanted = tokens * bytes_per_token / (epochs if matched else 1.0)
    chosen = upto(by_seed(arm.groups, seed=0), sizes_of(arm.texts), wanted)
    texts = [arm.texts[at] for at in np.random.default_rng([0, 2]).permutation(chosen)]
    size = int(sizes_of(texts).sum())
    path = f"arms/{arm.name}.parquet"
    pq.write_table(pa.table({"text": texts}), root / path, compression="zstd")
    return ArmSize(
        arm=arm.name,
        what=arm.what,
        path=path,
        documents=len(texts),
        bytes=size,
        corpus_bytes=arm.corpus_bytes,
        planned_epochs=epochs,
        repeated_as_planned=matched,
        enough=size >= wanted,
    )


def score(folder: str, results: str) -> Savings:
    """Findings from the losses of the user's trainer on arms that `export` wrote."""
    try:
        card = Card.model_validate(json.loads((Path(folder) / CARD).read_text("utf-8")))
        lines = Path(results).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: expected what export-arms wrote, and {results} as JSON lines ({error})") from error
    rows = pl.DataFrame([_result(line, f"{results}, line {number}") for number, line in enumerate(lines, 1) if line.strip()])
    trained, scored = (set(rows[name].to_list()) if len(rows) else set() for name in ("arm", "set"))
    names = [arm.arm for arm in card.arms if arm.arm in trained]
    if len(names) < 2:
        raise InputError(f"{results}: expected results of two or more of the arms {', '.join(a.arm for a in card.arms)}")
    sets = [entry for entry in card.sets if entry.set in scored]
    baseline = next(arm for arm in card.arms if arm.arm == names[0])
    losses = {name: {entry.set: _losses(rows, name, entry.set, where=results) for entry in sets} for name in names}
    tokens = rows["tokens"].unique().sort().to_list()
    parameters = rows["params"][0]
    share = {arm.arm: arm.corpus_bytes / baseline.corpus_bytes for arm in card.arms}
    measured = RegimeLosses(6.0 * parameters * np.array(tokens), losses, share)
    held = [HeldOut(entry.set, entry.role, _texts(Path(folder) / entry.path)) for entry in sets]
    found = findings.sets_of(measured, held)
    seeds = rows["seed"].n_unique()
    words = f"your trainer, {parameters:.3g} parameters, {tokens[-1]:.3g} tokens a run, {seeds} seeds"
    return Savings(
        tier="own trainer",
        primary=card.primary,
        targets=card.targets,
        arms=card.arms,
        sets=found,
        model=Model(what=words, parameters=parameters, tokens=tokens[-1], seeds=seeds),
        headline=findings.headline(found, primary=card.primary, arm=names[1], baseline=names[0], model=words),
        ranking=None,
        regimes=(),
        notes=(),
    )


def _result(line: str, where: str) -> TrainerResult:
    try:
        return TrainerResult.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors()[0]
        what = ".".join(map(str, fault["loc"]))
        expected = f"expected {', '.join(FIELDS)}; metric bpb, as losses per token are not comparable"
        raise InputError(f"{where}: {what}: {fault['msg']}; {expected}") from error


def _losses(rows: pl.DataFrame, arm: str, name: str, *, where: str) -> Losses:
    """seeds x checkpoints x documents. Raises InputError where a cell is missing: arms are compared at equal tokens."""
    cell = ["seed", "tokens", "document"]
    of_set = rows.filter(pl.col("set") == name)
    axes = [rows.select("seed").unique(), rows.select("tokens").unique(), of_set.select("document").unique()]
    grid = axes[0].join(axes[1], how="cross").join(axes[2], how="cross").sort(cell)
    own = of_set.filter(pl.col("arm") == arm).unique(cell, keep="last", maintain_order=True)
    found = grid.join(own, on=cell, how="left", maintain_order="left")
    missing = found.filter(pl.col("value").is_null())
    if len(missing):
        seed, seen, _ = missing.select(cell).row(0)
        raise InputError(f"{where}: no result of arm {arm}, seed {seed}, {seen:g} tokens, set {name}; all are needed")
    shape = [len(axis) for axis in axes]
    sizes = found["bytes"].to_numpy().reshape(shape)
    return Losses(found["value"].to_numpy().reshape(shape) * sizes, sizes[-1, -1])


def _texts(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise UsageError(f"{path} is missing; it is part of what export-arms wrote")
    return tuple(pq.read_table(path, columns=["text"], partitioning=None)["text"].to_pylist())
