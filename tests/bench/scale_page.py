"""`python -m tests.bench.scale_page`: docs/results/scale.md, from docs/results/scale.json: what was measured, and what follows
for more documents than fit a machine of two cores.

`tests.bench.dedup_scale --write` and `tests.bench.flat --write` put their figures there. A run over n documents of s bytes takes
`cpu_s = FIXED_S + n · (a + b · s)`, and as much disk: a and b follow from two corpora, of short documents and of long ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.text import markdown
from tests.bench import peers_page
from tests.bench.peers_page import PRICE, PRICED

PAGE = peers_page.PAGE.with_name("scale.md")
RESULTS = PAGE.with_suffix(".json")
SHORT, LONG = "short", "long"
DOCUMENTS, SIZE = (10**7, 10**8, 10**9), 2_000
"""Sizes that are told: documents, and bytes of text of each."""
FIXED_S = 1.0
PLACE_BYTES, BANDS = 16, 18
"""Bytes of a document's place in a band, as it is handed on (`pipeline.stages.dedup.near.PLACE`); bands at 0.8."""
BITS = 5
"""Bits that dedup holds in memory for each document: all else lies in arrays on disk (`pipeline.stages.dedup.corpus`)."""


@dataclass(frozen=True)
class Ran:
    """A measured run of `minimal`; sizes in MB of 10^6 bytes; `work_mb`: the most that the work directory took meanwhile."""

    corpus: str
    documents: int
    text_mb: float
    cpu_s: float
    wall_s: float
    peak_mb: float
    index_mb: float
    data_mb: float
    work_mb: float
    workers: int

    @property
    def size(self) -> float:
        """Bytes of text of a document."""
        return 1e6 * self.text_mb / self.documents


def note(rows: list[Ran]) -> None:
    """Put the runs of a corpus in place of those that were there, and make the page anew."""
    held = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    held |= {rows[0].corpus: [asdict(row) for row in rows], "machine": peers_page.machine()}
    RESULTS.write_text(json.dumps(held, indent=1) + "\n")
    if held.keys() >= {SHORT, LONG}:
        PAGE.write_text(page(held))


def page(held: dict[str, Any]) -> str:
    """docs/results/scale.md."""
    short, long = ([Ran(**row) for row in held[name]] for name in (SHORT, LONG))
    cpu, disk = _fitted(short[-1], long[-1])
    parts = [
        "# From ten million to a billion documents",
        "What near-dedup with exact verification (`minimal`) takes as a corpus grows: measured as far as a machine of two cores"
        " goes, and what follows from that by arithmetic. Both are told apart.",
        "## Measured",
        f"On {held['machine']}; CPU-seconds are of the whole process tree. Short documents: `make bench B=scale`, made-up text"
        " of known fates, each of which was compared with what was planted, two workers. Long ones: `make bench B=flat`, real"
        " text and copies of it in other letters, one worker.",
        _table(short, long),
        _flat(long),
        "## By arithmetic",
        f"From the largest run of each: {1e6 * cpu[0]:.0f} µs a document and {1e12 * cpu[1]:,.0f} µs a MB of its text,"
        f" {disk[0]:.0f} bytes of work directory a document and {disk[1]:.2f} for each byte of its text. Documents of {SIZE:,}"
        f" bytes; dollars at {PRICE} an hour of a virtual CPU ([AWS]({PRICED})).",
        "\n".join(markdown.table(*_arithmetic(cpu, disk))),
        "**Passes.** The input is read once. A text is written once to the work directory and once to a shard; it is read again"
        " for those pairs that share a bucket, and once for the shard. Everything else is columns of numbers: signatures stay"
        f" with the unit that made them, {BANDS} places of {PLACE_BYTES} bytes a document are handed on between jobs, once.",
        f"**Memory** does not grow with the corpus but for {BITS} bits a document while dedup decides.",
        "**What ends first is the disk** of the work directory: on one machine it has to hold what the table says. On a cluster"
        " it lies on shared storage, and jobs hand on through files there. Where it does not fit, the corpus goes in as several"
        " runs into one output: each finds what those before it kept ([law 4](../design.md#4-laws-each-one-is-a-test)), and"
        " `--clean` gives the disk back after each.",
    ]
    return "\n\n".join(parts) + "\n"


def _fitted(short: Ran, long: Ran) -> tuple[tuple[float, float], tuple[float, float]]:
    """`(a, b)` of CPU seconds and of bytes of work directory."""
    cpu = _each((short.cpu_s - FIXED_S, long.cpu_s - FIXED_S), short, long)
    return cpu, _each((1e6 * short.work_mb, 1e6 * long.work_mb), short, long)


def _each(values: tuple[float, float], short: Ran, long: Ran) -> tuple[float, float]:
    one, two = values[0] / short.documents, values[1] / long.documents
    by_byte = (two - one) / (long.size - short.size)
    return one - by_byte * short.size, by_byte


def _table(short: list[Ran], long: list[Ran]) -> str:
    head = [
        "documents",
        ">MB of text",
        ">CPU-seconds",
        ">µs a document",
        ">MB a CPU-second",
        ">peak MB",
        ">work MB, at most",
        ">data MB",
    ]
    rows = [
        [
            f"{ran.corpus}, {ran.documents:,}",
            f"{ran.text_mb:,.0f}",
            f"{ran.cpu_s:,.1f}",
            f"{1e6 * ran.cpu_s / ran.documents:.1f}",
            f"{ran.text_mb / ran.cpu_s:.1f}",
            f"{ran.peak_mb:,.0f}",
            f"{ran.work_mb:,.0f}",
            f"{ran.data_mb:,.0f}",
        ]
        for ran in (*short, *long)
    ]
    return "\n".join(markdown.table(head, rows))


def _flat(long: list[Ran]) -> str:
    first, last = (ran.text_mb / ran.cpu_s for ran in (long[0], long[-1]))
    times = long[-1].text_mb / long[0].text_mb
    return f"A MB costs {first / last:.2f} times as much CPU at {times:.0f} times the text (target: at most 1.15)."


def _arithmetic(cpu: tuple[float, float], disk: tuple[float, float]) -> tuple[list[str], list[list[str]]]:
    head = [
        "documents",
        ">TB of text",
        ">CPU-hours",
        ">hours on 64 CPUs",
        ">dollars",
        ">work directory",
        ">places handed on",
        ">bits in memory",
    ]
    return head, [list(_line(n, cpu, disk)) for n in DOCUMENTS]


def _line(documents: int, cpu: tuple[float, float], disk: tuple[float, float]) -> Iterator[str]:
    hours = documents * (cpu[0] + cpu[1] * SIZE) / 3600
    yield f"{documents:,}"
    yield f"{documents * SIZE / 1e12:g}"
    yield f"{hours:,.2f}"
    yield f"{hours / 64:,.2f}"
    yield f"{hours * PRICE:,.2f}"
    yield f"{documents * (disk[0] + disk[1] * SIZE) / 1e9:,.0f} GB"
    yield f"{documents * PLACE_BYTES * BANDS / 1e9:,.0f} GB"
    yield f"{documents * BITS / 8e6:,.0f} MB"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text())))
