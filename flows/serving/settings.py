"""Prefect's settings for a run from the command line: which server, no delays at the end, and a console that stays silent."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.events.worker import EventsWorker
from prefect.logging.configuration import ensure_logging_setup
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    temporary_settings,
)

from flows.serving.server import Temporary, in_flow_run

DRAIN_S = 5.0
"""Longest wait, in seconds, for the last task states to reach a server before the run ends."""
CALL_RETRIES = 3
"""Tries of a call to the temporary server, 2, 4 and 8 s apart: longer than its SQLite is ever busy, shorter than a user's
patience once it is gone (Prefect's default, 5, took 214 s to end a run whose server was killed)."""


@contextmanager
def command_settings(temporary: Temporary | None) -> Iterator[None]:
    """Prefect for a run from the command line: its settings, and its console silent."""
    with quiet_console(), _settings(temporary):
        yield


@contextmanager
def _settings(temporary: Temporary | None) -> Iterator[None]:
    """Prefect's settings for a run from the command line. Waits at the end until the last states were sent.

    Flow heartbeats are off: their thread makes every flow end a second late.
    """
    changed: dict[Any, Any] = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    if not in_flow_run():  # that of a flow which calls may be such a one
        changed |= {PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: False}
    if temporary is not None:
        changed |= {PREFECT_API_URL: temporary.url, PREFECT_LOGGING_TO_API_ENABLED: False}
        changed |= {PREFECT_CLIENT_MAX_RETRIES: CALL_RETRIES}
    with temporary_settings(changed), _no_proxy("127.0.0.1" if temporary is not None else None):
        try:
            yield
        finally:
            EventsWorker.drain_all(timeout=DRAIN_S, at_exit=False)


@contextmanager
def _no_proxy(host: str | None) -> Iterator[None]:
    """HTTP clients reach `host` directly, whatever proxy the environment names."""
    before = os.environ.get("no_proxy")
    listed = before if before is not None else os.environ.get("NO_PROXY", "")
    if host is None or host in listed.split(","):
        yield
        return
    os.environ["no_proxy"] = f"{listed},{host}".lstrip(",")
    try:
        yield
    finally:
        if before is None:
            del os.environ["no_proxy"]
        else:
            os.environ["no_proxy"] = before


@contextmanager
def quiet_console() -> Iterator[None]:
    """Prefect's own lines stay off the terminal (not off its server), unless PREFECT_LOGGING_LEVEL asks for them."""
    ensure_logging_setup()
    handlers = [
        handler
        for logger in (logging.root, *map(logging.getLogger, list(logging.root.manager.loggerDict)))
        for handler in logger.handlers
        if isinstance(handler, PrefectConsoleHandler) and "PREFECT_LOGGING_LEVEL" not in os.environ
    ]
    for handler in handlers:
        handler.addFilter(_not_prefects)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(_not_prefects)


def _not_prefects(record: logging.LogRecord) -> bool:
    return not record.name.startswith(("prefect", "EventsWorker", "APILogWorker"))
