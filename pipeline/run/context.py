"""The context that every stage of a run is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.machine.events import OnEvent
from pipeline.machine.schedule import Mapper
from pipeline.plan.load import LoadedPlan
from pipeline.run.accounts import Spent
from pipeline.run.cluster.site import Site
from pipeline.run.options import RunOptions
from pipeline.run.state import Run


@dataclass(frozen=True)
class Context:
    """One run under way. `spent()`: what it has cost so far; `site`: where its tasks run, None where that is this process."""

    run: Run
    loaded: LoadedPlan
    options: RunOptions
    mapper: Mapper
    tell: OnEvent
    spent: Callable[[], Spent]
    site: Site | None = None

    def on_site(self, function: Callable[..., Any]) -> Callable[..., Any] | None:
        """A function of `pipeline.run.cluster.tasks` that has the run's tasks carried out; None where that is this process."""
        return None if self.site is None else partial(function, self.site, self.mapper, self.run.pool.stop)
