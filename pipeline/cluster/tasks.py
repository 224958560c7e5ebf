"""What a worker does of a run, as plain functions of a site and a small item.

Invariant: a result lies in the work directory under its key before the function returns, so that a task may run anywhere, twice,
or again after its worker died.
"""

from __future__ import annotations

import os
import socket

from pipeline import spans
from pipeline.annotate import Annotated
from pipeline.cluster import site as site_
from pipeline.cluster.site import Site
from pipeline.errors import RunFailed
from pipeline.events import silent
from pipeline.spans import Span


def span(site: Site, item: Span) -> list[Annotated]:
    """`spans.run_span` with threads of this task's own."""
    here = site_.at(site)
    _see_inputs(item)
    largest = max((part.file.unit_bytes for part in item.items), default=1)
    with spans.workers(site.threads, units=spans.units_within(site.memory, largest), alone=False) as pool:
        return spans.run_span(here.work, here.recipe, item, pool, silent)


def _see_inputs(item: Span) -> None:
    for part in item.items:
        url = part.file.url.removeprefix("file://")
        if "://" not in url and not os.path.exists(url):
            raise RunFailed(
                f"worker on {socket.gethostname()} does not see the input {part.file.path}; inputs must be on storage that all"
                " workers share"
            )
