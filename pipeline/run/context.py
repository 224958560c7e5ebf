"""The context that every stage of a run is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from pipeline.machine.events import OnEvent
from pipeline.machine.schedule import Mapper
from pipeline.plan.load import LoadedPlan
from pipeline.run.accounts import Started
from pipeline.run.cluster.site import Site
from pipeline.run.options import RunOptions
from pipeline.run.state import Run

Made = TypeVar("Made")


RUN = "run"
"""The name, beside those of stages over the corpus, of all that runs once inputs are hashed."""
NOTHING_NEW = "nothing new"
"""Its name where every input was curated before."""


class Within(Protocol):
    """Carries a stage over the corpus out, in this process."""

    def __call__(self, stage: str, body: Callable[[], Made], /) -> Made:
        """The result of `body()`, which is called once; raises what it raises."""
        ...


def right_here(_stage: str, body: Callable[[], Made]) -> Made:
    """Run a stage with nothing around it."""
    return body()


@dataclass(frozen=True)
class Context:
    """One run under way. `started`: when and where; `within`: what stages over the corpus run in; `site`: where its
    tasks run, None where that is this process."""

    run: Run
    loaded: LoadedPlan
    options: RunOptions
    mapper: Mapper
    tell: OnEvent
    started: Started
    within: Within = right_here
    site: Site | None = None

    def on_site(self, function: Callable[..., Any]) -> Callable[..., Any] | None:
        """A function of `pipeline.run.cluster.tasks` that has the run's tasks carried out; None where that is this process."""
        return None if self.site is None else partial(function, self.site, self.mapper, self.run.pool.stop)
