"""The `ngram` tier: every arm at equal bytes, scored by a byte 6-gram. Seconds, numpy alone.

A draw is a turn of the one order that all arms are filters of; counts have no start and no seed: draws differ in documents only.
"""

from __future__ import annotations

import numpy as np

from pipeline.errors import UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.records.savings_json import Learner
from pipeline.savings import lacking, order
from pipeline.savings.arms import Arm, Experiment
from pipeline.savings.losses import Curve, Found, Losses
from pipeline.savings.order import GOLDEN
from pipeline.savings.tiers import ngram

MOST_BYTES = 2_000_000
"""Of a draw; chosen so that five draws of three arms take some 15 CPU seconds."""
LEAST_BYTES = lacking.LEAST_BYTES["ngram"]
PIECE = 4096
"""Bytes of a piece, about those of `chunks.PIECE`: longer documents are read in pieces, each with a place of its own, or one of
a few hundred kB would be a tenth of a draw."""
BUDGETS = 5
SPAN = 8
"""Budgets are log-spaced from an eighth of the largest: a multiplier up to 8 is interpolated."""
WHAT = "byte 6-gram, interpolated Witten-Bell"


def measure(experiment: Experiment, *, draws: int, on_event: OnEvent) -> Found:
    """Losses at equal bytes. Compute is in bytes."""
    least = min(experiment.arms, key=lambda arm: arm.n_bytes)
    most = min(MOST_BYTES, least.n_bytes // draws)
    if most < LEAST_BYTES:
        raise UsageError(
            f"arm {least.name} has {least.n_bytes:,} bytes; the ngram tier needs {draws * LEAST_BYTES:,} to tell arms apart"
            f" ({draws} draws of {LEAST_BYTES:,}, of other text each)"
        )
    budgets = np.rint(np.geomspace(most / SPAN, most, BUDGETS)).astype(int)
    scorer = ngram.Scorer([text.encode() for held in experiment.sets for text in held.texts])
    on_event(Event("begin", "savings", total=draws))
    made = []
    for draw in range(draws):
        made.append({arm.name: _curves(experiment, arm, draw, scorer=scorer, budgets=budgets) for arm in experiment.arms})
        on_event(Event("note", "savings", note=f"{draw + 1} of {draws} draws counted and scored"))
    on_event(Event("end", "savings"))
    whole = experiment.arms[0].corpus_bytes
    kept = {arm.name: arm.corpus_bytes / whole for arm in experiment.arms}
    shared = order.shared(range(draws), of=experiment.order.draws, read=most / least.n_bytes)
    return Found(Losses(tuple(made), kept, shared), Learner(what=WHAT, unit="bytes", largest=most))


def _curves(experiment: Experiment, arm: Arm, draw: int, *, scorer: ngram.Scorer, budgets: np.ndarray) -> dict[str, Curve]:
    """By set."""
    keys = _read(arm, experiment.order.turned(draw)[arm.groups], limit=int(budgets[-1]))
    bits = np.array([scorer.bits(keys[:limit]) for limit in budgets])
    ends = np.cumsum([len(held.texts) for held in experiment.sets])[:-1]
    parts = zip(experiment.sets, np.split(bits, ends, axis=1), strict=True)
    return {held.name: Curve(budgets.astype(np.float64), part) for held, part in parts}


def _read(arm: Arm, places: np.ndarray, *, limit: int) -> np.ndarray:
    """The 6-grams of an arm's first `limit` bytes in an order of its documents. `places`: where each of them stands."""
    pieces = np.maximum(1, -(-arm.sizes.astype(np.int64) // PIECE))
    document = np.repeat(np.arange(len(pieces)), pieces)
    start = (np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * PIECE
    ordered = np.argsort((places[document] + start // PIECE * GOLDEN) % 1.0, kind="stable")
    sizes = np.minimum(PIECE, arm.sizes[document] - start)[ordered]
    read = ordered[: int(np.searchsorted(np.cumsum(sizes), limit)) + 1]
    texts = {at: arm.texts[at].encode() for at in np.unique(document[read]).tolist()}
    parts = [texts[at][begin : begin + PIECE] for at, begin in zip(document[read].tolist(), start[read].tolist(), strict=True)]
    return ngram.keys_of(parts)[0][:limit]
