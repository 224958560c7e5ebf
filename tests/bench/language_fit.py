"""`python -m tests.bench.language_fit [--write]`: the weights of filters/model_files/eldc.json, fitted on one half of lid_eval
and lid_more (`tests.bench.language_beside.half`). --write puts them there; else the largest difference from those there is
printed.

Two logistic regressions by maximum likelihood (L-BFGS): whether the table's best language is right, and which of the table's two
best and lid.176's two best is, or none. A row weighs 1 in a language that lid.176 knows, .3 in others; single words .3 of that.
What languages weigh by themselves is held near 0 (3 times its square, and once).

Needs WINNOW_EVAL_DATA (real text that is not part of the project).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import zstandard
from scipy.optimize import minimize

from filters import language
from filters.kernels import buffers
from filters.kernels.models import prose
from filters.kernels.unicode import scripts
from filters.models import eldc
from filters.models.languages import Evidence, Languages
from tests.bench.language import DEFAULT_DATA, rows
from tests.bench.language_beside import common, half

HELD_ALONE, HELD_TOGETHER = 3.0, 1.0


def texts_of(data: Path) -> list[dict[str, Any]]:
    """The half that is fitted on: text, truth, and whether it is a single word."""
    found = [row for row in rows(data / "lid_eval" / "lid.jsonl.gz") if not row["ambiguous"]]
    path = data / "lid_more" / "common_voice_sentences_cc0.jsonl.zst"
    found += [json.loads(line) for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()]
    return [
        {"text": row["text"], "truth": common(row["lang"]), "word": row.get("unit") == "single_word"}
        for row in found
        if not half(row["id"])
    ]


def evidence(both: Languages, texts: list[str]) -> Evidence:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    sample = prose.sample(offsets, data, limit=language.SAMPLE_BYTES, parts=language.PARTS)
    letters, _ = scripts.majority(sample.data, sample.spans)
    found = both.ngrams.judge(sample.data, sample.spans)
    others, scores, _, _ = both.lid.judge(*language._in_small_letters(sample.data, sample.spans, letters))
    return Evidence(found.best[:, -1], found.says[:, -1], found.counts[:, -1], found.sums, others, scores)


def fitted(
    x: np.ndarray, valid: np.ndarray, own: np.ndarray, y: np.ndarray, weights: np.ndarray, held: float
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of features, and of `own` (-1: none) by itself, of a choice `y` among candidates: x[n, candidates, features]."""
    features, languages, total = x.shape[2], int(own.max()) + 1, weights.sum()
    rows_, has = np.arange(len(y)), (own >= 0) & valid

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        z = np.where(valid, x @ w[:features] + np.where(has, w[features:][np.maximum(own, 0)], 0), -1e9)
        z -= z.max(axis=1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(axis=1, keepdims=True)
        value = -(weights * np.log(np.maximum(p[rows_, y], 1e-12))).sum() + held * (w[features:] ** 2).sum()
        off = p * weights[:, None]
        off[rows_, y] -= weights
        slope = np.bincount(own[has], off[has], languages) + 2 * held * w[features:]
        return value / total, np.concatenate((np.einsum("nk,nkf->f", off, x), slope)) / total

    found = minimize(loss, np.zeros(features + languages), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return found.x[:features], found.x[features:]


def weights_of(both: Languages, texts: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """`alone` and `together` of the card."""
    seen = evidence(both, [row["text"] for row in texts])
    truth, card = np.array([row["truth"] for row in texts]), both.ngrams.card
    known = {common(code) for code in both.labels}
    row_weights = np.where(np.isin(truth, sorted(known)), 1.0, 0.3)
    row_weights *= np.where([row["word"] for row in texts], 0.3, 1.0)
    n = np.maximum(seen.counts, 1)
    root, average = np.sqrt(np.sqrt(n)), both._averages[seen.best[:, 0]]
    share = seen.says[:, 0] / n / average
    lead = share - seen.says[:, 1] / n / average
    best = np.array([common(code) for code in card.languages])[seen.best[:, 0]]
    right = (best == truth) & (seen.says[:, 0] > 0)
    x = np.zeros((len(n), 2, len(eldc.ALONE)))
    x[:, 1] = np.stack((share * root, root, np.ones(len(n)), lead * root, np.minimum(share, 1)), axis=1)
    own = np.stack((np.full(len(n), -1), seen.best[:, 0]), axis=1)
    alone = fitted(x, np.ones((len(n), 2), bool), own, right.astype(np.int64), row_weights, HELD_ALONE)

    candidates, valid, others_log, agreed = both._candidates(seen)
    inside = both._covered[candidates]
    says = seen.sums[np.arange(len(n))[:, None, None], both._members[candidates]].max(axis=2)
    x = np.zeros((len(n), 5, len(eldc.TOGETHER)))
    x[:, :4, 0], x[:, :4, 7] = others_log, agreed
    ahead = (says - seen.says[:, :1]) / n[:, None] / average[:, None] * root[:, None]
    x[:, :4, 1] = np.where(inside, ahead, 0)
    x[:, :4, 2] = np.where(inside, (share * root)[:, None], 0)
    x[:, :4, 3] = np.where(inside, root[:, None], 0)
    x[:, :4, 4] = inside
    x[:, 4, 5], x[:, 4, 6] = 1, root
    names = np.array([common(code) for code in both.labels])
    hit = (names[candidates] == truth[:, None]) & valid & np.isin(truth, sorted(known))[:, None]
    y = np.where(hit.any(axis=1), hit.argmax(axis=1), 4)
    valid = np.concatenate((valid, np.ones((len(n), 1), bool)), axis=1)
    own = np.concatenate((np.where(inside, -1, candidates), np.full((len(n), 1), -1)), axis=1)
    together = fitted(x, valid, own, y, row_weights, HELD_TOGETHER)
    return {
        "alone": _named(eldc.ALONE, card.languages, alone, 0.0),
        "together": _named(eldc.TOGETHER, both.labels, together, 0.05),
    }


def _named(
    features: tuple[str, ...], languages: tuple[str, ...], found: tuple[np.ndarray, np.ndarray], least: float
) -> dict[str, dict[str, float]]:
    own = dict(zip(languages, found[1].tolist(), strict=False))
    return {
        "features": {name: round(float(value), 3) for name, value in zip(features, found[0], strict=True)},
        "languages": {name: round(value, 3) for name, value in own.items() if abs(value) >= least},
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true", help="put the weights into eldc.json")
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    both = language.load(language.Params(model=eldc.NAME))
    made = weights_of(both, texts_of(chosen.data))
    place = eldc.CARD
    card = json.loads(place.read_text("utf-8"))
    for name, kinds in made.items():
        for kind, values in kinds.items():
            differ = max(abs(card[name][kind].get(key, 0) - values.get(key, 0)) for key in {*card[name][kind], *values})
            print(f"{name}.{kind}: {len(values)}, largest difference from those of the card {differ:.3f}")
    if chosen.write:
        place.write_text(json.dumps(card | made, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
