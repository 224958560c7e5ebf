"""Faults of the S3 server of `tests.store.s3`, in its own process: what a file next to it asks for, request by request.

busy          503 SlowDown, as S3 answers where it is asked too often; nothing was done
slow          the answer comes `seconds` later
cut request   the connection ends in the middle of what the client sends; nothing was done
cut answer    the request was carried out, and the connection ends in the middle of the answer
clock         403 RequestTimeTooSkewed, as S3 answers clients whose clock is a quarter of an hour off
"""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_ERRORS = {
    "busy": ("503 Slow Down", "SlowDown", "Please reduce your request rate."),
    "clock": (
        "403 Forbidden",
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
}


@dataclass(frozen=True)
class Outage:
    """Of the requests by these `methods` (all by default) whose path holds `match`, the first `burst` of every `every`."""

    kind: str
    every: int = 1
    burst: int = 1
    methods: tuple[str, ...] = ()
    match: str = ""
    seconds: float = 0.0

    def write(self, file: Path) -> None:
        new = file.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(file)


class Outages:
    """What `file` asks for; `hit(kind)` is called for every request that meets it."""

    def __init__(self, file: Path, hit: Callable[[str], None]) -> None:
        self._file, self._hit = file, hit
        self._seen = 0
        self._lock = threading.Lock()

    def of(self, method: str, path: str) -> Outage | None:
        """What this request meets."""
        try:
            found = Outage(**json.loads(self._file.read_text()))
        except FileNotFoundError:
            return None
        if (found.methods and method not in found.methods) or found.match not in path:
            return None
        with self._lock:
            self._seen += 1
            if self._seen % found.every >= found.burst % found.every and found.every > 1:
                return None
        self._hit(f"{found.kind}: {method} {path}")
        return found

    def met(self, handler: Any, answer: Callable[[], None]) -> None:
        """Carry out the request of a handler of werkzeug's, `answer`, or what is made of it."""
        outage = self.of(handler.command, handler.path)
        if outage is None:
            answer()
        elif outage.kind == "slow":
            time.sleep(outage.seconds)
            answer()
        elif outage.kind in _ERRORS:
            _read(handler, 1.0)
            _refuse(handler, outage.kind)
        elif outage.kind == "cut request":
            _read(handler, 0.5)
            _cut(handler)
        elif outage.kind == "cut answer":
            whole, handler.wfile = handler.wfile, io.BytesIO()
            answer()
            said = handler.wfile.getvalue()
            handler.wfile = whole
            whole.write(said[: len(said) // 2])
            whole.flush()
            _cut(handler)


def _read(handler: Any, share: float) -> None:
    """That share of what the client sends."""
    handler.rfile.read(int(int(handler.headers.get("Content-Length") or 0) * share))


def _refuse(handler: Any, kind: str) -> None:
    status, code, message = _ERRORS[kind]
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    body = "" if handler.command == "HEAD" else body
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    handler.wfile.write((head + body).encode())
    handler.close_connection = True


def _cut(handler: Any) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)
