"""What to do with an output next, as commands that can be pasted: real paths, each one word of a shell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.report.compute.statement import Statement
from pipeline.text.shell import quoted

INSPECT = "winnow inspect"
LOAD = "import polars, sys; print(polars.scan_parquet(sys.argv[1] + '/data/*.parquet').collect())"


@dataclass(frozen=True)
class Step:
    """`what` it is good for, and its `command`."""

    what: str
    command: str


def steps(closing: Statement, *, out: str, example: str | None) -> Iterator[Step]:
    """`out`: the output as its reader finds it; `example`: a dropped document's source_ref."""
    place = quoted(out)
    yield Step("Look through the documents, by reason, and try other thresholds", f"{INSPECT} browse --output {place}")
    if example is not None:
        yield Step("See every rule's say on one document", f"{INSPECT} why {quoted(example)} --output {place}")
        yield Step("Judge drops yourself, which this page then quotes", f"{INSPECT} review --output {place}")
    if closing.command is not None:
        yield Step(f"Measure whether a model trained on it is as good ({closing.takes})", closing.command)
    yield Step("Load what was kept", f'python -c "{LOAD}" {place}')
