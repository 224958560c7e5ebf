"""The `ngram` tier at the end of a curation, where it costs little beside it: in CPU seconds, and in memory."""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.machine.events import OnEvent
from pipeline.records.savings_json import Savings
from pipeline.savings import arms, corpora, lacking
from pipeline.savings.measure import Request
from pipeline.savings.run import carry_out
from pipeline.savings.tiers import ranks

MOST_SHARE = 0.1
"""Of the curation's CPU seconds that the measurement may cost."""
COUNTING_CPU_S = 20.0
GATHERING_CPU_S_PER_MB = 0.05
MOST_GATHERED_MB = 50.0
"""What the measurement costs, at most: five draws of three arms counted and scored; and every document read once more, of which a
sample of some ten megabytes an arm is cleaned of held-out text (measured, `make bench B=savings`)."""
BASE_BYTES, READ_BYTES, GATHERED_BYTES = 300_000_000, 200, 650
"""What it holds: before it has read a row; of each document that was read its fate; of each that an arm gathers its text and
names. Measured over a million documents of 28 bytes: 1.02 GB, of which 413,000 were gathered for each of two arms."""


def expected_cpu_s(bytes_read: int) -> float:
    """CPU seconds of a measurement of an output that read so many bytes."""
    megabytes = bytes_read / 1e6
    return COUNTING_CPU_S + GATHERING_CPU_S_PER_MB * min(megabytes, MOST_GATHERED_MB) + 0.005 * megabytes


def expected_memory(read: int, kept: int, *, kept_bytes: int) -> int:
    """Bytes that a measurement holds of an output which read and kept so many documents; the shorter they are, the more of them
    are gathered for the text that it needs."""
    share = min(1.0, arms.MARGIN * ranks.MOST_BYTES * lacking.DRAWS / max(1, kept_bytes))
    return BASE_BYTES + READ_BYTES * read + int(GATHERED_BYTES * share * (read + kept))


def ngram_after(output: str, *, work: str | None, curation_cpu_s: float, memory: int, on_event: OnEvent) -> Savings | None:
    """Count n-grams of an output that was just curated, publish savings.json and paint the page anew. None where it would cost
    more than a tenth of the curation's CPU seconds, or more than its `memory`, or where there is too little text: the command is
    then the user's to give."""
    _, live = corpora.open_finished(output)
    if expected_cpu_s(sum(m.totals.bytes_read for m in live)) > MOST_SHARE * curation_cpu_s:
        return None
    read, kept = sum(m.totals.read for m in live), sum(m.totals.kept for m in live)
    kept_bytes = sum(m.metrics.final_bytes.kept for m in live)
    if kept_bytes < lacking.DRAWS * lacking.LEAST_BYTES["ngram"] or expected_memory(read, kept, kept_bytes=kept_bytes) > memory:
        return None
    try:
        return carry_out(Request(output=output, tier="ngram", work=work), on_event)
    except UsageError:
        return None
