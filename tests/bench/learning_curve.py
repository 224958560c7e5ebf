"""Would more judgements help? The quality model of what readers keep, fitted on 25, 50, 75 and 100 % of the sites.

Needs WINNOW_EVAL_DATA and LightGBM. By cross-validation over sites of the parts that fit the model, never the test part: ROC AUC,
and the share dropped of what readers drop where 92 % of what they keep is kept, with one limit for all languages.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numpy as np

from pipeline.text import markdown
from pipeline.training import judged, metrics
from pipeline.training.readers_card import FITTING
from pipeline.training.recipes import readers
from tests.bench.choice import DEFAULT_DATA

SHARES = (0.25, 0.5, 0.75, 1.0)
KEPT = 0.92


def place(site: str) -> float:
    """Where a site stands between 0 and 1, by its hash: the sites of a share are among those of a larger one."""
    return int(hashlib.blake2b(f"curve{site}".encode(), digest_size=8).hexdigest(), 16) / 2**64


def dropped(logit: np.ndarray, keep: np.ndarray) -> float:
    """Of what readers drop, where KEPT of what they keep is kept."""
    return float((logit[~keep] < np.quantile(logit[keep], 1 - KEPT)).mean())


def main() -> int:
    data = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA))
    documents = [d for d in judged.load(data)[0] if d.part in FITTING and d.keep is not None]
    every, (others, _) = readers.examples_of(documents), readers.sources(data)
    places = np.array([place(document.site) for document in documents])
    rows = []
    for share in SHARES:
        logit, used = np.empty(len(documents)), 0
        for fold in range(readers.FOLDS):
            inside, known = np.flatnonzero(every.fold == fold), np.flatnonzero((every.fold != fold) & (places < share))
            logit[inside] = readers.fit(readers.together(every.take(known), others)).logits(every.take(inside))
            used += len(known)
        auc = metrics.auc(logit, every.keep)
        value = "-" if auc is None else f"{auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]"
        rows.append((f"{share:.0%}", str(used // readers.FOLDS), value, f"{dropped(logit, every.keep):.1%}"))
    print("\n".join(markdown.table(("sites", ">judgements", ">ROC AUC", f">dropped where {KEPT:.0%} is kept"), rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
