"""What a run will do and take, from what its stages did to a share of the units: documents, bytes on disk, CPU seconds.

How many near duplicates all of the input holds cannot be known from a share: two files may be copies of each other, of which one
was judged. So what depends on it (documents in the end, the dedup index) is known from the whole input only; what does not is
known from a share: a dropped document lies in rejected/ instead of in data/, and takes about the same room there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.machine.meter import Phases
from pipeline.run import forecast
from pipeline.run.forecast import Figure, Maybe, Piece


@dataclass(frozen=True)
class Measured:
    """What the stages behind the units made of those that were judged. `whole`: those are all; bytes by folder of the output,
    of the dedup index, of judgements over the corpus in the work directory, of the figures; `rejected`: dropped documents stay
    in full."""

    whole: bool
    folders: dict[str, int]
    index_bytes: int
    judged_bytes: int
    counted_bytes: int
    duplicates: int
    dedup: bool
    selects: bool
    rejected: bool


@dataclass(frozen=True)
class Costs:
    """CPU seconds of the look. `new`: none of its units had been judged before; `end_s`: what the end of the process takes."""

    phases: Phases
    compile_s: float
    new: bool
    end_s: float


FIRST_S = {"annotate": 0.1, "dedup": 0.1, "count": 0.1, "write": 0.06, "publish": 0.1}
"""CPU seconds that stages take over next to nothing, for what they load and set up: measured over ten documents."""
LOADED_S = 0.3
"""CPU seconds to load kernels that are compiled: the look may have compiled them, the run that follows does not."""
FRAME_BYTES, PAGES = 35_000, 8.5
"""Bytes of a generation's report, figures, card, samples and manifest: what every page has, and for each byte of its figures.
Fitted over plans from `minimal` to `dolma`, of 100 to 3,000 documents, 75 to 447 kB."""
PAGES_OFF = 0.15
"""By how much that may be off, as a share: the largest difference was 14 %."""
OTHER_BYTES = 2_500
"""Of metrics.json, beside what is counted: what the run cost, and the planned training."""
NOISE = 0.1
"""By how much two runs of the same work differ in CPU time, as a share: measured on shared cores."""


def documents(pieces: Sequence[Piece], measured: Measured) -> dict[str, Maybe]:
    """Rows read, documents that the filters keep, and those kept in the end."""
    filtered = forecast.total(pieces, "kept")
    known = (measured.whole or not measured.dedup) and not measured.selects
    kept = None if filtered is None or not known else _less(filtered, measured.duplicates)
    return {"read": forecast.total(pieces, "rows"), "kept by the filters": filtered, "kept": kept}


def _less(figure: Figure, some: float) -> Figure:
    return Figure(figure.value - some, figure.low - some, figure.high - some)


def disk(pieces: Sequence[Piece], measured: Measured) -> dict[str, Maybe]:
    """Bytes of the output and its parts, of the work directory, of both, and of both before the judgements over the corpus are
    removed at the commit. Copies in units that were not judged make the index
    smaller, by how much is not known: from a share it is told as from nothing to what it is without them."""
    work, rows = forecast.total(pieces, "work"), _ratio(pieces, "rows")
    shards = _shards(pieces, measured)
    most = None if rows is None else rows.times(measured.index_bytes)
    index = most if measured.whole or not measured.dedup or most is None else forecast.between(0.0, most.high)
    pages = FRAME_BYTES + PAGES * (measured.counted_bytes + OTHER_BYTES)
    report = forecast.between(pages * (1 - PAGES_OFF), pages * (1 + PAGES_OFF))
    out = forecast.added([shards, index, report])
    both = forecast.added([out, work])
    peak = forecast.added([both, None if rows is None else rows.times(measured.judged_bytes)])
    parts = {"shards": shards, "index": index, "report": report}
    return {"output": out, **parts, "work directory": work, "both": both, "peak": peak}


def _shards(pieces: Sequence[Piece], measured: Measured) -> Maybe:
    text, rows = _ratio(pieces, "text"), _ratio(pieces, "rows")
    if text is None or rows is None:
        return None
    if not (measured.whole or measured.rejected or not (measured.dedup or measured.selects)):
        return None
    texts = sum(measured.folders.get(folder, 0) for folder in ("data", "rejected"))
    return forecast.added([text.times(texts), rows.times(sum(measured.folders.values()) - texts)])


def _ratio(pieces: Sequence[Piece], name: str) -> Maybe:
    """What all has of something, in shares of what was judged; None where that is nothing."""
    seen = sum(piece.seen.get(name, 0.0) for piece in pieces if piece.seen is not None)
    whole = forecast.total(pieces, name)
    return None if whole is None or not seen else whole.times(1 / seen)


def processor(pieces: Sequence[Piece], measured: Measured, costs: Costs) -> Maybe:
    """CPU seconds of the run that follows with --inline: what was judged is not judged again. None where the look judged nothing
    anew, so that the pace is not known."""
    spent = {name: own + costs.phases.children[name] for name, own in costs.phases.own.items()}
    once = sum(spent.get(name, 0.0) for name in ("imports", "plan", "scan", "page")) + costs.end_s
    once += min(costs.compile_s, LOADED_S) - costs.compile_s + sum(FIRST_S.values())
    again = {name: max(0.0, spent.get(name, 0.0) - FIRST_S.get(name, 0.0)) for name in _AGAIN}
    if measured.whole:  # facts and judgements are there; the shards are not
        return _noisy(once, sum(again[name] for name in ("count", "write", "index")), 0.0)
    text, rows = _ratio(pieces, "text"), _ratio(pieces, "rows")
    if text is None or rows is None or not costs.new:
        return None
    ends = []
    for more_text, more_rows in ((t, r) for t, r in zip(_ends(text), _ends(rows), strict=True)):
        more = again["annotate"] * (more_text - 1) + (again["write"] + again["index"]) * more_text
        ends.append(more + (again["dedup"] + again["select"] + again["count"]) * more_rows)
    middle, low, high = (_noisy(once, one, text.value) for one in ends)
    return Figure(middle.value, low.low, high.high)


_AGAIN = ("annotate", "dedup", "select", "count", "write", "index")
TICK_S = 0.02
"""What a short measurement of CPU time may be off by: two ticks of the kernel's clock."""


def _ends(figure: Figure) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _noisy(once: float, more: float, factor: float) -> Figure:
    """Seconds that are spent once and seconds that were scaled up by a factor, as one figure."""
    off = NOISE * (once + more) / 2 + TICK_S * factor
    return Figure(once + more, once + more - off, once + more + off)
