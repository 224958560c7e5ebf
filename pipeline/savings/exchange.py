"""Arms for the user's own trainer, and findings from its losses.

`export` writes one Parquet file for each arm and draw (column `text`, in the order to train in: draws differ in documents,
the arms of one draw are filters of one order), one a held-out set, and `experiment.json`, which says how many tokens, which
draws, and what the results must look like. `score` reads those results: JSON lines with arm, draw, params, tokens, set, metric
(`bpb`: bits per byte, never per token) and value, for every arm, draw and set at two or more counts of tokens; with `document`
as well (its row in the set's file), the interval knows how much hangs on the choice of the documents.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import InputError, UsageError
from pipeline.records.base import Number, Record
from pipeline.records.savings_json import SCHEMA, ArmSize, Learner, Measured, Role, Savings, Size
from pipeline.savings import measure, order
from pipeline.savings.analysis import findings
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.heldout import HeldOut
from pipeline.savings.losses import Curve, Draw, Losses
from pipeline.text import numbers

CARD = "experiment.json"


class CardSet(Record):
    """A held-out set that was exported."""

    set: str
    role: Role
    path: str
    sha256: str


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TrainerResult(BaseModel):
    """A result of the user's trainer: a line of JSON, which may say more."""

    model_config = ConfigDict(frozen=True)

    arm: str
    draw: int
    params: Positive
    tokens: Positive
    set: str
    metric: Literal["bpb"]
    value: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    document: int | None = None


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
    """experiment.json: arms and sets as they were exported, and how they are to be trained on. An arm's path is `{draw}`'s.
    `read`: share of the smallest arm that a draw reads, by which draws have text in common."""

    schema_version: int
    arms: tuple[ArmSize, ...]
    sets: tuple[CardSet, ...]
    primary: str | None
    control: str | None
    targets: str
    tokens: Number
    draws: tuple[int, ...]
    read: Number = 0
    checkpoints: str
    results: ResultFields


def export(experiment: Experiment, folder: str, *, tokens: float, bytes_per_token: float) -> Card:
    """Write arms, sets and card; returns the card."""
    root = Path(folder).expanduser()
    for name in ("arms", "sets"):
        (root / name).mkdir(parents=True, exist_ok=True)
    arms = [_export_arm(root, experiment, arm, wanted=tokens * bytes_per_token) for arm in experiment.arms]
    sets = []
    for number, held in enumerate(experiment.sets):
        path = f"sets/{number:02d}.parquet"
        table = {"document": list(range(len(held.texts))), "text": list(held.texts), "cluster": list(held.clusters)}
        pq.write_table(pa.table(table), root / path, compression="zstd")
        sets.append(CardSet(set=held.name, role=held.role, path=path, sha256=held.sha256))
    card = Card(
        schema_version=SCHEMA,
        arms=tuple(arms),
        sets=tuple(sets),
        primary=experiment.primary,
        control=experiment.control,
        targets=experiment.targets,
        tokens=tokens,
        draws=tuple(range(experiment.order.draws)),
        read=min(1.0, tokens * bytes_per_token / min(arm.n_bytes for arm in experiment.arms)),
        checkpoints="score the averaged weights, or those of a constant rate, at eight or more log-spaced counts of tokens",
        results=ResultFields(fields=FIELDS, optional=OPTIONAL, metric="bpb"),
    )
    (root / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False), "utf-8")
    return card


def _export_arm(root: Path, experiment: Experiment, arm: Arm, *, wanted: float) -> ArmSize:
    """A file a draw: the first groups of the draw's order, as many as hold the text that a run sees."""
    path = f"arms/{arm.name}-{{draw}}.parquet"
    for draw in range(experiment.order.draws):
        documents = experiment.order.documents(arm.groups, draw)
        enough = int(np.searchsorted(np.cumsum(arm.sizes[documents]), wanted)) + 1
        texts = [arm.texts[at] for at in documents[:enough]]
        pq.write_table(pa.table({"text": texts}), root / path.format(draw=draw), compression="zstd")
    return ArmSize(
        arm=arm.name,
        what=arm.what,
        path=path,
        documents=len(arm.texts),
        bytes=arm.n_bytes,
        corpus_bytes=arm.corpus_bytes,
        kept_share=arm.corpus_bytes / experiment.arms[0].corpus_bytes,
        enough=arm.n_bytes >= wanted,
    )


def score(folder: str, results: str) -> Savings:
    """Findings from the losses of the user's trainer on arms that `export` wrote: the largest model's, and of the others the
    judged arm's on the primary target."""
    card, rows = _read(folder, results)
    trained, scored = set(rows["arm"].to_list()), set(rows["set"].to_list())
    arms = [arm for arm in card.arms if arm.arm in trained]
    missing = [f"arm {arm.arm}" for arm in card.arms[:2] if arm.arm not in trained]
    missing += [f"set {entry.set}" for entry in card.sets if entry.set not in scored]
    if missing:
        raise InputError(f"{results}: no results of {missing[0]}; expected the first two arms of {CARD}, on all of its sets")
    held = [_held_out(Path(folder), entry) for entry in card.sets]
    sizes = rows["params"].unique().sort(descending=True).to_list()
    found = {params: _losses(rows.filter(pl.col("params") == params), arms, held, card=card, where=results) for params in sizes}
    largest, tokens = found[sizes[0]], {params: _tokens(rows, params) for params in sizes}
    primary = next((made for made in held if made.name == card.primary), None)
    others = [] if primary is None else sizes[1:]
    made = Measured(
        tier="own trainer",
        definition=measure.DEFINITION,
        primary=card.primary,
        control=card.control,
        targets=card.targets,
        draws=len(largest.draws),
        shared=largest.shared,
        arms=tuple(arms),
        learner=Learner(
            what=f"a model of {numbers.short(sizes[0])} parameters",
            unit="FLOPs",
            largest=6 * sizes[0] * tokens[sizes[0]],
            parameters=sizes[0],
            tokens=tokens[sizes[0]],
        ),
        sets=findings.sets_of(largest, held),
        sizes=tuple(
            Size(parameters=p, tokens=tokens[p], comparison=findings.comparison(found[p], made, arms[1].arm))
            for p in others
            for made in held
            if made is primary
        ),
    )
    return Savings(schema_version=SCHEMA, measured=(made,))


def _tokens(rows: pl.DataFrame, params: float) -> float:
    return float(rows.filter(pl.col("params") == params).select(pl.col("tokens").max()).item())


def _read(folder: str, results: str) -> tuple[Card, pl.DataFrame]:
    try:
        card = Card.model_validate(json.loads((Path(folder) / CARD).read_text("utf-8")))
        lines = Path(results).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: expected what export-arms wrote, and {results} as JSON lines ({error})") from error
    known: dict[str, Sequence[str | int]] = {
        "arm": [arm.arm for arm in card.arms],
        "draw": card.draws,
        "set": [made.set for made in card.sets],
    }
    found = [_result(line, f"{results}, line {number}", known) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise InputError(f"{results}: no results; expected a line of JSON for every arm, draw, set and count of tokens")
    schema = {"arm": pl.String, "draw": pl.Int64, "params": pl.Float64, "tokens": pl.Float64, "set": pl.String}
    return card, pl.DataFrame(found, schema={**schema, "metric": pl.String, "value": pl.Float64, "document": pl.Int64})


def _result(line: str, where: str, known: Mapping[str, Sequence[str | int]]) -> dict[str, str | float | None]:
    """`known`: what was exported, by field."""
    try:
        made = TrainerResult.model_validate_json(line).model_dump()
    except ValidationError as error:
        fault = error.errors()[0]
        what = ": ".join([*map(str, fault["loc"]), fault["msg"]])
        expected = f"expected {', '.join(FIELDS)}; metric bpb, as losses per token are not comparable"
        raise InputError(f"{where}: {what}; {expected}") from error
    for field, names in known.items():
        if made[field] not in names:
            raise InputError(f"{where}: {field} {made[field]} was not exported; expected {', '.join(map(str, names))}")
    return made


def _held_out(root: Path, entry: CardSet) -> HeldOut:
    if not (root / entry.path).is_file():
        raise UsageError(f"{root / entry.path} is missing; it is part of what export-arms wrote")
    table = pq.read_table(root / entry.path, columns=["text", "cluster"], partitioning=None)
    return HeldOut(entry.set, entry.role, tuple(table["text"].to_pylist()), tuple(table["cluster"].to_pylist()))


def _losses(rows: pl.DataFrame, arms: list[ArmSize], held: list[HeldOut], *, card: Card, where: str) -> Losses:
    """Of one model size. Raises InputError where an arm, draw or set has fewer than two checkpoints, or lacks documents."""
    parts = rows.partition_by("draw", "arm", "set", as_dict=True)
    draws: list[Draw] = []
    drawn = rows["draw"].unique().sort().to_list()
    for draw in drawn:
        by_arm: dict[str, dict[str, Curve]] = {}
        for arm in arms:
            by_arm[arm.arm] = {}
            for made in held:
                own = parts.get((draw, arm.arm, made.name))
                curve = None if own is None else _curve(own, made)
                if curve is None:
                    raise InputError(
                        f"{where}: arm {arm.arm}, draw {draw}, set {made.name}, {rows['params'][0]:g} parameters: expected"
                        " results at two or more counts of tokens, of the whole set or of all its documents; all are needed"
                    )
                by_arm[arm.arm][made.name] = curve
        draws.append(by_arm)
    kept = {arm.arm: arm.kept_share / arms[0].kept_share for arm in arms}
    shared = order.shared(drawn, of=len(card.draws), read=card.read)
    return Losses(tuple(draws), kept, shared)


def _curve(rows: pl.DataFrame, made: HeldOut) -> Curve | None:
    """A value of the whole set stands for each of its documents. None where something is missing."""
    rows = rows.unique(["tokens", "document"], keep="last", maintain_order=True).sort("tokens", "document")
    tokens = rows["tokens"].unique().sort().to_numpy()
    whole = rows["document"].is_null().all()
    wanted = list(range(len(made.texts)))
    if len(tokens) < 2 or not (whole or all(part["document"].to_list() == wanted for part in rows.partition_by("tokens"))):
        return None
    values = rows["value"].to_numpy().reshape(len(tokens), -1)
    return Curve(6.0 * float(rows["params"][0]) * tokens, values * made.sizes)
