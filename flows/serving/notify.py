"""Tells a webhook how a flow run ended: a small JSON object, posted once.

The address comes from the environment (`WINNOW_NOTIFY_URL`), because addresses of chat services are secrets: it is no parameter,
and neither log nor error names it. https, or http to this machine. A webhook that fails or hangs fails no run: it is tried once,
for at most `TIMEOUT_S` seconds.
"""

# No `from __future__ import annotations`: these are hooks of a flow that is pickled by value when it is served.
import ipaddress
import logging
import os
import threading
from typing import Any, TypedDict
from urllib.parse import urlsplit

from prefect.logging.loggers import flow_run_logger

from flows.serving.artifacts import NAME_LENGTH
from pipeline.errors import CheckFailed, UsageError
from pipeline.store.secrets import without_secrets
from pipeline.text.visible import folded, visible

VARIABLE = "WINNOW_NOTIFY_URL"
TIMEOUT_S = 5.0
LENGTH = 500
"""Characters of a message: chat services cut longer ones."""


class RunSummary(TypedDict):
    """What a message holds of a flow's result: the generation (None where nothing was new), documents read and by verdict."""

    generation: int | None
    documents: dict[str, int]


class Message(TypedDict):
    """What is posted. `event`: completed, refused (by a check), failed, crashed or cancelled; `text` is for chat services."""

    event: str
    flow_run: str
    flow_run_id: str
    state: str
    generation: int | None
    documents: dict[str, int]
    message: str
    text: str


def check(url: str) -> None:
    """Raises UsageError where `url` is no address for a webhook, without repeating it."""
    try:
        parts = urlsplit(url)
        host, user = parts.hostname or "", parts.username
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"the webhook's address ({VARIABLE} or --notify) is not a URL") from error
    if user is not None:
        raise UsageError(f"the webhook's address ({VARIABLE} or --notify) holds a user; put a token into its path or query")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host))):
        raise UsageError(f"the webhook's address ({VARIABLE} or --notify): expected https://…, or http:// to this machine")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def hooks() -> Any:
    """For the flow's `on_completion` and its like: nothing where no webhook is named."""
    return [tell_webhook] if os.environ.get(VARIABLE) else None


def tell_webhook(flow: Any, flow_run: Any, state: Any) -> None:
    """A hook of Prefect: posts `message` of this flow run's state."""
    url = os.environ.get(VARIABLE, "")
    try:
        check(url)
        _post(url, message(flow_run, state))
    except Exception as error:  # named by its kind only: its text may hold the address
        flow_run_logger(flow_run, flow).warning("the webhook was not told: %s", type(error).__name__)


def _post(url: str, body: Message) -> None:
    import httpx

    here = _is_here(urlsplit(url).hostname or "")
    own = threading.get_ident()

    def of_others(record: logging.LogRecord) -> bool:
        return record.thread != own

    log = logging.getLogger("httpx")  # it tells each request's address at level INFO
    log.addFilter(of_others)
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=not here) as client:
            client.post(url, json=body).raise_for_status()
    finally:
        log.removeFilter(of_others)


def message(flow_run: Any, state: Any) -> Message:
    """What is posted of this flow run's state."""
    result = _result(state)
    made: RunSummary = {"generation": None, "documents": {}}
    if isinstance(result, dict):
        made = {"generation": result.get("generation"), "documents": result.get("documents") or {}}
    if isinstance(result, CheckFailed):
        event = "refused"
    else:
        event = {"cancelling": "cancelled"}.get(state.type.value.lower(), state.type.value.lower())
    said = str(result) if isinstance(result, BaseException) else (state.message or "")
    if event == "completed":
        said = _in_words(made)
    text = folded("; ".join(without_secrets(said).splitlines()), limit=LENGTH)
    name = visible(flow_run.name, limit=NAME_LENGTH)
    return {
        "event": event,
        "flow_run": name,
        "flow_run_id": str(flow_run.id),
        "state": visible(state.name or "", limit=NAME_LENGTH),
        "generation": made["generation"],
        "documents": made["documents"],
        "message": text,
        "text": f"Winnow {event}: {name}: {text}",
    }


def _result(state: Any) -> Any:
    try:
        return state.result(raise_on_failure=False)
    except Exception:  # of another process: only its message is known
        return None


def _in_words(made: RunSummary) -> str:
    if made["generation"] is None:
        return "nothing new"
    counts = ", ".join(f"{count:,} {name}" for name, count in made["documents"].items())
    return f"generation {made['generation']}: {counts}"
