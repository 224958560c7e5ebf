"""Estimates as a person reads them."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.report.table import Part, Said, paragraphs, table
from pipeline.run.estimate import Estimates
from pipeline.run.forecast import Figure, Maybe
from pipeline.text import numbers

EXACT = "units are judged whole, and these are all there are: shares are exact, without an interval"
SERVER_S = 7
"""CPU seconds that a run takes for Prefect, with a server of its own: measured over the sample."""


def estimate_text(found: Estimates | None) -> Said:
    """What was judged, and what follows from it for the whole; what is not known within 20 % is named, without a figure."""
    if found is None:
        return ["nothing new: every input was curated before"]
    units, all_units = numbers.count(found.units[0]), numbers.counted(found.units[1], "unit")
    read, all_bytes = map(numbers.size, found.bytes)
    told = {name: figure for name, figure in found.reasons.items() if figure is not None}
    largest = sorted(told.items(), key=lambda item: (-item[1].value, item[0]))
    rows = [_line("kept by the filters, before dedup", found.kept), *(_line(f"  {reason}", figure) for reason, figure in largest)]
    left = len(found.reasons) - len(largest)
    said: list[Part] = [
        f"{units} of {all_units} judged, {numbers.counted(found.rows, 'row')}, {read} of {all_bytes}; nothing was published",
        *([EXACT] if found.units[0] == found.units[1] else []),
        "",
        table(("share of the rows read", ">estimate", ">95 % interval"), rows),
        *([f"  {numbers.counted(left, 'more reason')}, not known within 20 %"] if left else []),
        "",
        paragraphs(_whole(found)),
    ]
    if None in (found.kept, *found.documents.values(), *found.disk_bytes.values(), found.cpu_s):
        more = "take a larger share, or smaller source.unit_bytes; --sample 1 takes all"
        said.append(f"what is not known: {'only the run itself tells' if found.units[0] == found.units[1] else more}")
    return said


def _whole(found: Estimates) -> list[tuple[str, str]]:
    return [
        ("documents", _listed(found.documents, lambda figure: numbers.count(figure.value))),
        ("output", _listed({name: found.disk_bytes[name] for name in ("output", "shards", "index", "report")}, _size)),
        ("disk", _listed({name: found.disk_bytes[name] for name in ("work directory", "both", "peak")}, _size)),
        ("CPU", f"{_known(found.cpu_s, _seconds)} to the end with --inline; some {SERVER_S} s more with a Prefect server"),
    ]


def _listed(figures: dict[str, Maybe], shown: Callable[[Figure], str]) -> str:
    return ", ".join(f"{name} {_known(figure, shown)}" for name, figure in figures.items())


def _known(figure: Maybe, shown: Callable[[Figure], str]) -> str:
    return "not known" if figure is None else shown(figure)


def _seconds(figure: Figure) -> str:
    return numbers.seconds(figure.value)


def _size(figure: Figure) -> str:
    """Bytes; from and to where they are not known within 20 %."""
    if figure.sure:
        return numbers.size(figure.value)
    return (
        f"at most {numbers.size(figure.high)}" if not figure.low else f"{numbers.size(figure.low)} to {numbers.size(figure.high)}"
    )


def _line(name: str, figure: Maybe) -> tuple[str, str, str]:
    if figure is None:
        return name, "not known", ""
    between = "" if figure.low == figure.high else f"{numbers.share(figure.low, 1)} to {numbers.share(figure.high, 1)}"
    return name, numbers.share(figure.value, 1), between
