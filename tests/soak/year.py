"""A year of nights into one output: 365 increments of a few documents each, with what happens to folders in a year.

Files come, change, get other names and vanish; documents are taken down; work directories are removed and changed; the output
is made anew, moved, copied and restored from a backup; copies of manifests lie beside them; runs are killed. After each night
the rows of all ledgers are those that `inputs.Book` has; every CHECK nights each kept row has its text, nothing that was taken
down is left, and the doctor finds nothing wrong (`tests.soak.series`). At the end one run over all that was read keeps the same
documents.

CPU seconds are those of a night's run in this process (and of its decoders), medians of the quiet nights around: those on which
nothing happened but files.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.killed import ready
from tests.soak.common import Report
from tests.soak.events import night, schedule
from tests.soak.inputs import KINDS, corpus
from tests.soak.series import Series
from tests.support import ROOT

SHARES = {
    **{"restore": 0.01, "move": 0.01, "copy": 0.01, "work": 0.015, "stray": 0.03, "takedown": 0.03},
    **{"change": 0.2, "rename": 0.1, "vanish": 0.06, "kill": 0.04, "clean": 0.015, "replace": 0.004, "anew": 0.006},
}
"""Of the nights, by what happens."""
FILES_ALONE = {"change", "rename", "vanish"}
COMES = 0.9
"""Share of the nights that bring a new file."""
DOCUMENTS = (10, 40)
CHECK = 10
SHOWN = (10, 100, 300, 365)
AROUND = 4
"""Nights to each side whose median stands for one."""


def go(*, seed: int, nights: int = 365, kinds: Sequence[str] = KINDS, log: Callable[[str], None] = lambda _: None) -> Report:
    report = Report(f"A year: {nights} nights (seed {seed})")
    chosen = random.Random(seed)
    live: list[int] = []
    with tempfile.TemporaryDirectory(prefix="winnow-year-") as name, ready(ROOT) as killed:
        folder = Path(name)
        texts = corpus(nights * DOCUMENTS[1], chosen, folder / "corpus")
        series, planned = Series(folder, chosen, report, kinds), schedule(nights, SHARES, chosen)
        quiet = [not set(planned.get(number, ())) - FILES_ALONE for number in range(1, nights + 1)]
        for number in range(1, nights + 1):
            if number == 1 or chosen.random() < COMES:
                size = chosen.randint(*DOCUMENTS)
                series.arrive(number, texts[:size])
                texts = texts[size:]
            night(series, number, planned.get(number, ()), killed=killed)
            live.append(len({generation for generation, _ in series.book.arrived}))
            if number % CHECK == 0 or number == nights:
                series.again()
                series.checkpoint()
            if number % 50 == 0:
                log(f"night {number}: {series.rows_read} rows read, {live[-1]} live generations, {series.costs[-1]:.2f} CPU s")
        series.against_one_run()
    report.say(", ".join(f"{count} {what}" for what, count in series.counts.items() if count))
    for shown in (shown for shown in SHOWN if shown <= nights):
        around = range(max(0, shown - 1 - AROUND), min(nights, shown + AROUND))
        cost = median(series.costs[k] for k in around if quiet[k])
        report.say(f"night {shown}: {cost:.2f} CPU s ({live[shown - 1]} live generations)")
    report.say(f"{series.wrong} documents lost or doubled over {nights} nights ({series.rows_read} documents read)")
    return report
