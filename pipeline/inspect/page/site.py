"""The output that the page shows: what was loaded of it so far, and how its templates are filled.

Every string that reaches HTML is made visible by `finalize` and then escaped.
"""

from __future__ import annotations

import shlex
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse

from pipeline.inspect import listing, review
from pipeline.inspect.margins import worded
from pipeline.inspect.output import Output, open_output_of
from pipeline.inspect.page import template_data
from pipeline.inspect.thresholds.slider import Slider
from pipeline.report.page.page import breakable, environment
from pipeline.report.page.tables import similarity
from pipeline.store.store import Store
from pipeline.text import numbers
from pipeline.text.visible import visible

HERE = Path(__file__).parent
SAMPLE = 100
"""Documents of a review that is started from the page; the command takes -n."""


MOST_COUNTED = 100
"""Searches whose numbers of documents are remembered."""

DECIDED = "decided"
"""Stands for no reason of a review: what the quality model decides on, either way."""


class Site:
    """An output and what was loaded of it so far; opened anew where a run has committed meanwhile."""

    def __init__(self, output: Output, work: str | None, save_plan: Path | None) -> None:
        self.save_plan = save_plan
        self._work = work or output.store.path(".work")
        self._lock = threading.RLock()
        filters = (numbers.count, numbers.counted, numbers.size, numbers.percent, numbers.signal, worded, visible, breakable)
        self.templates = environment(HERE, (*filters, similarity))
        addresses = {"document": template_data.document, "query": template_data.query, "address": template_data.address}
        self.templates.globals |= addresses
        self._take(replace(output, work_at=self._work))

    def _take(self, output: Output) -> None:
        self._output, self._manifests = output, output.store.names("manifests")
        self._slider: Slider | None = None
        self.facets = template_data.facets(output)
        choices = [*self.facets.languages, *self.facets.sources, *(c for found in self.facets.reasons.values() for c in found)]
        self._written = {visible(choice.value): choice.value for choice in choices}
        self._hits: dict[listing.DocumentQuery, listing.Hits] = {}
        self._samples: dict[tuple[str, review.Order], list[review.Candidate]] = {}

    def hits(self, wanted: listing.DocumentQuery) -> listing.Hits:
        """How many documents there are of these; counted once."""
        with self._lock:
            output = self.output
            if wanted not in self._hits:
                if len(self._hits) >= MOST_COUNTED:
                    self._hits.clear()
                self._hits[wanted] = listing.hits(output, wanted)
            return self._hits[wanted]

    def sample(self, reason: str, order: review.Order) -> list[review.Candidate]:
        """Documents to judge; each call gives the same ones."""
        with self._lock:
            output = self.output
            if (reason, order) not in self._samples:
                asked = None if reason == DECIDED else reason
                found = review.sample(output, asked, n=SAMPLE, seed=output.plan.seed, order=order)
                self._samples[reason, order] = found
            return self._samples[reason, order]

    @property
    def output(self) -> Output:
        """The output with its newest generation."""
        with self._lock:
            if self._output.store.names("manifests") != self._manifests:
                self._take(open_output_of(self._output.store.root, work=self._work, trust=self._output.trusted))
            return self._output

    @property
    def work(self) -> Store:
        return self.output.work

    def slider(self) -> Slider:
        """Raises InputError where the work directory is gone."""
        with self._lock:
            output = self.output
            if self._slider is None:
                self._slider = Slider(output, self.work)
            return self._slider

    def written(self, name: str) -> str:
        """A source, language or reason as the tables hold it, from how a form shows it."""
        return self._written.get(name, name)

    @property
    def remake(self) -> str:
        """The command that makes the work directory again."""
        root = self.output.store.root
        work = [] if self._work == self.output.store.path(".work") else ["--work", self._work]
        return shlex.join(["winnow", "curate", f"{root}/plan.resolved.yaml", "--output", root, *work, "--replace"])

    def page(self, name: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
        output = self.output
        html = self.templates.get_template(name).render(site=self, output=output, totals=self.facets.views, **values)
        return HTMLResponse(html.encode("utf-8", "replace"), status)
