"""Arms for the user's own trainer, and findings from its losses.

`export` writes one Parquet file an arm (column `text`, in the order to train in, whole duplicate groups), one a held-out set, and
`experiment.json`, which says how many tokens, which seeds, and what the results must look like. `score` reads those results: JSON
lines with arm, seed, params, tokens, set, metric (`bpb`: bits per byte, never per token) and value, one for every arm, seed,
checkpoint and set; with `document` and `bytes` as well, the bootstrap draws documents too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError, UsageError
from pipeline.records.base import Number, Record
from pipeline.records.savings_json import ArmSize, Model, Savings
from pipeline.savings.analysis import findings
from pipeline.savings.analysis.findings import RegimeLosses
from pipeline.savings.analysis.intervals import Losses
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.corpora import by_seed
from pipeline.savings.heldout import HeldOut

CARD = "experiment.json"
LEAST_TOKENS = 20_000
"""Different tokens of an arm; one that the planned run repeats so often that fewer would be left is exported without repeats."""
FIELDS = ("arm", "seed", "params", "tokens", "set", "metric", "value")


class CardSet(Record):
    """A held-out set that was exported."""

    set: str
    role: str
    path: str
    sha256: str


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
    root = Path(folder)
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
        results=ResultFields(fields=FIELDS, optional=("document", "bytes"), metric="bpb"),
    )
    (root / CARD).write_text(json.dumps(card.model_dump(mode="json", exclude_unset=True), indent=1, ensure_ascii=False), "utf-8")
    return card


def _export_arm(root: Path, arm: Arm, *, tokens: float, planned: float, bytes_per_token: float) -> ArmSize:
    epochs = max(1.0, planned * bytes_per_token / arm.corpus_bytes)
    matched = tokens / epochs >= LEAST_TOKENS
    wanted = tokens * bytes_per_token / (epochs if matched else 1.0)
    chosen, size = [], 0
    for at in by_seed(arm.groups, seed=0):
        chosen.append(int(at))
        size += len(arm.texts[at].encode("utf-8", "surrogatepass"))
        if size >= wanted:
            break
    order = np.random.default_rng([0, 2]).permutation(len(chosen))
    path = f"arms/{arm.name}.parquet"
    pq.write_table(pa.table({"text": [arm.texts[chosen[at]] for at in order]}), root / path, compression="zstd")
    return ArmSize(
        arm=arm.name,
        what=arm.what,
        path=path,
        documents=len(chosen),
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
    rows = list(_rows(lines, results))
    names = [arm.arm for arm in card.arms if any(row.arm == arm.arm for row in rows)]
    if len(names) < 2:
        raise InputError(f"{results}: expected results of two or more of the arms {', '.join(a.arm for a in card.arms)}")
    sets = [entry for entry in card.sets if any(row.set == entry.set for row in rows)]
    baseline = next(arm for arm in card.arms if arm.arm == names[0])
    losses = {name: {entry.set: _losses(rows, name, entry.set, where=results) for entry in sets} for name in names}
    tokens = sorted({float(row.tokens) for row in rows})
    parameters = float(rows[0].params)
    share = {arm.arm: arm.corpus_bytes / baseline.corpus_bytes for arm in card.arms}
    measured = RegimeLosses(6.0 * parameters * np.array(tokens), losses, share)
    held = [HeldOut(entry.set, entry.role, _texts(Path(folder) / entry.path)) for entry in sets]
    found = findings.sets_of(measured, held)
    seeds = len({row.seed for row in rows})
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


@dataclass(frozen=True)
class TrainerResult:
    """One result of the user's trainer; numbers are as the line has them."""

    arm: str
    seed: int
    params: float
    tokens: float
    set: str
    value: float
    document: int
    bytes: float


def _rows(lines: Iterable[str], where: str) -> Iterator[TrainerResult]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{where}, line {number}: not JSON") from error
        missing = [field for field in FIELDS if field not in row]
        if missing:
            raise InputError(f"{where}, line {number}: {', '.join(missing)} missing; expected {', '.join(FIELDS)}")
        if row["metric"] != "bpb":
            raise InputError(f"{where}, line {number}: metric {row['metric']}; expected bpb: losses per token are not comparable")
        named = {name: row[name] for name in FIELDS if name != "metric"}
        yield TrainerResult(**named, document=row.get("document", 0), bytes=row.get("bytes", 1))


def _losses(rows: Sequence[TrainerResult], arm: str, name: str, *, where: str) -> Losses:
    """seeds x checkpoints x documents. Raises InputError where a cell is missing: arms are compared at equal tokens."""
    own = [row for row in rows if row.arm == arm and row.set == name]
    seeds, tokens = sorted({row.seed for row in rows}), sorted({row.tokens for row in rows})
    documents = sorted({row.document for row in rows if row.set == name})
    cells = {(row.seed, row.tokens, row.document): row for row in own}
    bits = np.empty((len(seeds), len(tokens), len(documents)))
    sizes = np.ones(len(documents))
    for i, seed in enumerate(seeds):
        for j, seen in enumerate(tokens):
            for k, document in enumerate(documents):
                row = cells.get((seed, seen, document))
                if row is None:
                    raise InputError(f"{where}: no result of arm {arm}, seed {seed}, {seen} tokens, set {name}; all are needed")
                sizes[k] = float(row.bytes)
                bits[i, j, k] = float(row.value) * sizes[k]
    return Losses(bits, sizes)


def _texts(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        raise UsageError(f"{path} is missing; it is part of what export-arms wrote")
    return tuple(pq.read_table(path, columns=["text"])["text"].to_pylist())
