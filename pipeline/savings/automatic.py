"""The `ngram` tier at the end of a curation, where it costs little beside it."""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.machine.events import OnEvent
from pipeline.records.savings_json import Savings
from pipeline.savings import corpora
from pipeline.savings.measure import Request
from pipeline.savings.run import carry_out

MOST_SHARE = 0.1
"""Of the curation's CPU seconds that the measurement may cost."""
COUNTING_CPU_S = 20.0
GATHERING_CPU_S_PER_MB = 0.05
MOST_GATHERED_MB = 50.0
"""What the measurement costs, at most: five draws of three arms counted and scored; and every document read once more, of which a
sample of some ten megabytes an arm is cleaned of held-out text (measured, `make bench B=savings`)."""


def expected_cpu_s(bytes_read: int) -> float:
    """CPU seconds of a measurement of an output that read so many bytes."""
    megabytes = bytes_read / 1e6
    return COUNTING_CPU_S + GATHERING_CPU_S_PER_MB * min(megabytes, MOST_GATHERED_MB) + 0.005 * megabytes


def ngram_after(output: str, *, work: str | None, curation_cpu_s: float, on_event: OnEvent) -> Savings | None:
    """Count n-grams of an output that was just curated, publish savings.json and paint the page anew. None where it would cost
    more than a tenth of the curation's CPU seconds, or where there is too little text: the command is then the user's to give."""
    _, live = corpora.open_finished(output)
    if expected_cpu_s(sum(m.totals.bytes_read for m in live)) > MOST_SHARE * curation_cpu_s:
        return None
    try:
        return carry_out(Request(output=output, tier="ngram", work=work), on_event)
    except UsageError:
        return None
