"""The measurement as a Prefect flow, with its table as an artifact. What is done is decided by what lies on disk.

Texts, losses and paths of corpora never reach Prefect: only names, figures and the headline do.
"""

# No `from __future__ import annotations`: a served flow is pickled by value, and its types must go with it.
from collections.abc import Callable
from contextvars import ContextVar

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.serving import server
from flows.serving.form import Text
from flows.serving.settings import command_settings
from pipeline.errors import RunFailed
from pipeline.machine.events import Event, OnEvent
from pipeline.records.savings_json import Savings, Tier
from pipeline.report import sentences
from pipeline.report.page import savings as shown
from pipeline.savings.measure import Request
from pipeline.savings.run import carry_out
from pipeline.text import markdown

_prepared: ContextVar[Callable[[], Savings] | None] = ContextVar("prepared", default=None)


@flow(name="measure-saving", retries=0, persist_result=False, log_prints=False)
def measure_saving(output: Text = "curated", tier: Tier = "ngram", thorough: bool = False, *, draws: int | None = None) -> str:
    """Measure the training compute that a curation saves, at equal quality; the headline is the result.

    Args:
        output: An output of Winnow.
        tier: `ngram` ranks in seconds; `cpu` and `gpu` train small models (torch).
        thorough: Also models of other sizes, and a tenth of the learning rate.
        draws: Paired draws of the text; three are the least that give an interval.
    """
    body = _prepared.get()
    if body is None:
        request = Request(output=output, tier=tier, thorough=thorough, draws=draws)
        logger = get_run_logger()

        def log(event: Event) -> None:
            if event.note:
                logger.info(event.note)

        made = carry_out(request, log)
    else:
        made = body()
    create_markdown_artifact(markdown=table(made), key="winnow-saving", description="Compute saved at equal quality")
    return _headline(made)


def _headline(made: Savings) -> str:
    found = sentences.headline(made)
    return "Nothing was measured." if found is None else found.whole


def table(made: Savings) -> str:
    """Markdown: the headline and, of the strongest evidence, a line for each arm and set."""
    rows = [] if made.best is None else [[*map(markdown.escaped, row)] for row in shown.rows(made.best)]
    head = () if made.best is None else shown.head(made.best)
    return "\n".join([f"# {markdown.escaped(_headline(made))}", "", *markdown.table(head, rows)])


def measure_in_flow(request: Request, on_event: OnEvent, *, sweep: str | None = None, by_reason: bool = False) -> Savings:
    """From the command line, as a flow run on the configured server, or else on a temporary one. Raises what the stages raise."""
    results: list[Savings] = []
    errors: list[BaseException] = []

    def body() -> Savings:
        try:
            results.append(carry_out(request, on_event, sweep=sweep, by_reason=by_reason))
        except BaseException as error:
            errors.append(error)
            raise
        return results[0]

    with server.for_this_run() as temporary:
        if temporary is not None and not temporary.ready:
            temporary.wait()
        token = _prepared.set(body)
        try:
            with command_settings(temporary):
                measure_saving.with_options(validate_parameters=False)(
                    output=request.output, tier=request.tier, thorough=request.thorough, draws=request.draws
                )
        except Exception as error:
            if errors:
                raise errors[0] from errors[0].__cause__
            if not results:
                raise RunFailed(f"Prefect failed ({error}); the same command resumes, with --inline without it") from error
            on_event(Event("note", "prefect", note=f"it was measured, but Prefect could not record it: {error}"))
        finally:
            _prepared.reset(token)
    return results[0]
