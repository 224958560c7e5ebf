"""What reviews teach the shipped quality model: our judgements taken as somebody else's, with other tastes than ours.

Documents of sites that the shipped model was not trained on. Some are its user's reviews, the rest of the sites say how it does
then, by ROC AUC. `pipeline.training.adapt`'s constants were chosen by this table. Needs WINNOW_EVAL_DATA.

    python -m tests.bench.own_taste [--reviews N ...] [--draws N]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from filters import quality
from filters.models import readers as model_files
from pipeline.training import adapt, calibrate, judged, metrics
from pipeline.training.judged import Judged
from pipeline.training.recipes import readers
from pipeline.training.recipes.readers import Fitted

DEFAULT_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FORUMS = ("recipe_pages", "harvest_forums", "oem_forum", "turku_registers")
TASTES: dict[str, Callable[[Judged], bool]] = {
    "as our readers": lambda one: bool(one.keep),
    "no recipes, no forums": lambda one: bool(one.keep) and one.source not in FORUMS,
    "listings too": lambda one: bool(one.keep) or one.problem in ("listing", "too_short"),
    "the best only (score 4 and 5)": lambda one: one.score >= 4,
}
MOST_OF_A_SITE = 10


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, nargs="+", default=[100, 200, 500])
    parser.add_argument("--draws", type=int, default=4)
    given = parser.parse_args(arguments)
    data = Path(os.environ.get("WINNOW_EVAL_DATA") or DEFAULT_DATA)
    documents = [one for one in judged.load(data)[0] if one.part != "train" and one.keep is not None]
    every = readers.examples_of(documents)
    sites = np.array([one.site for one in documents])
    base = model_files.load_readers(quality.PATH)
    known = Fitted(base.words.astype(float), base.card.bias, base.trees)
    shipped = known.logits(every)
    chance = np.random.default_rng(0)
    print(f"{len(documents):,} documents; means of {given.draws} draws")
    print(
        f"{'reviews':>7}  {'taste':30}  {'keep':>5}  {'shipped':>7}  {'adapted':>7}  {'corrected':>9}  {'calibration error':>17}"
    )
    for n in given.reviews:
        for name, taste in TASTES.items():
            keep = np.array([taste(one) for one in documents])
            found = []
            for _ in range(given.draws):
                inside = _reviews(sites, n, chance)
                rest = np.flatnonzero(~np.isin(sites, sites[inside]))
                own = replace(every.take(inside), keep=keep[inside], weight=np.ones(len(inside)))
                made = adapt.adapt(base, own)
                logits = made.fitted.logits(every.take(rest))
                before, after = metrics.auc(shipped[rest], keep[rest]), metrics.auc(logits, keep[rest])
                assert before is not None and after is not None
                error = metrics.calibration_error(calibrate.probabilities(made.calibration, logits), keep[rest])
                found.append((before.value, after.value, float(made.corrected), error))
            before_, after_, corrected, error_ = np.mean(found, axis=0)
            print(
                f"{n:7}  {name:30}  {keep.mean():5.2f}  {before_:7.3f}  {after_:7.3f}  {corrected:9.2f}  {error_:17.3f}",
                flush=True,
            )
    return 0


def _reviews(sites: np.ndarray, n: int, chance: np.random.Generator) -> np.ndarray:
    """Rows of about n documents, by whole sites, at most ten of one."""
    rows: list[int] = []
    for site in chance.permutation(np.unique(sites)):
        if len(rows) >= n:
            break
        rows += np.flatnonzero(sites == site)[:MOST_OF_A_SITE].tolist()
    return np.array(sorted(rows))


if __name__ == "__main__":
    sys.exit(main())
