"""Files that arrive, change, get other names and vanish over many runs into one output: no document is lost, none is there twice.

A seeded corpus with planted exact and near duplicates (`tests.bench.synthetic`) and unreadable rows is dealt out at random. Each
increment brings one file (JSONL, gzip or Parquet) to one of a few sources; documents are taken down, work directories removed and
changed meanwhile. At the end (law 4): one run over everything that was read, each increment's files with a larger priority than
those before, keeps the same documents, row by row. `tests.soak.year` is the same at length, with harm to the output itself.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.soak.common import Report
from tests.soak.events import night, schedule
from tests.soak.inputs import KINDS, corpus
from tests.soak.series import Series

SHARES = {"work": 0.06, "takedown": 0.1, "change": 0.35, "rename": 0.2, "vanish": 0.1, "clean": 0.08}
"""Of the increments, by what happens."""


def go(
    *,
    seed: int,
    increments: int = 50,
    documents: int = 4000,
    kinds: Sequence[str] = KINDS,
    log: Callable[[str], None] = lambda _: None,
) -> Report:
    """`documents` dealt out over so many increments, each one run, of files of these kinds."""
    report = Report(f"Increments (seed {seed})")
    chosen = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="winnow-increments-") as name:
        folder = Path(name)
        texts = corpus(documents, chosen, folder / "corpus")
        cuts = [0, *sorted(chosen.sample(range(1, len(texts)), increments - 1)), len(texts)]
        series, planned = Series(folder, chosen, report, kinds), schedule(increments, SHARES, chosen)
        for number in range(1, increments + 1):
            series.arrive(number, texts[cuts[number - 1] : cuts[number]])
            night(series, number, planned.get(number, ()))
            if number % 10 == 0:
                series.again()
                series.checkpoint()
                log(f"{number} increments, {series.rows_read} rows")
        series.against_one_run()
    report.say(", ".join(f"{count} {what}" for what, count in series.counts.items() if count))
    report.say(f"{series.wrong} documents lost or doubled over {increments} increments ({series.rows_read} documents)")
    return report
