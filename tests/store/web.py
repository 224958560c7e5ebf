"""A web server on this machine that throttles, cuts and lies, as a table of faults says.

busy      answers `status` with `headers`, such as Retry-After
cut       half of the body comes, then the connection ends
longer    Content-Length says more than there is, then the connection ends
wrong     Content-Length and body are another file's
bytes     as many bytes, others
page      200, an error page; `headers` may say that it is none
away      sends on to `headers`
no range  gives the whole file, whatever part is asked for
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

PAGE = b"<!DOCTYPE html><html><body>Please reduce your request rate.</body></html>"


@dataclass
class Fault:
    """What requests by `method` for a path that holds `match` meet: `times` of them, after the first `after`."""

    kind: str
    match: str = ""
    method: str = "GET"
    times: int = 1_000_000
    after: int = 0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    met: int = 0


@dataclass
class Server:
    """`files`: by path, without a slash in front. `asked`: what was asked for, in order; `open_most`: connections at a time;
    `connections`: in all."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    etags: bool = True
    asked: list[str] = field(default_factory=list)
    open_now: int = 0
    open_most: int = 0
    connections: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connected(self, change: int) -> None:
        with self.lock:
            self.open_now += change
            self.connections += change > 0
            self.open_most = max(self.open_most, self.open_now)

    def counts(self) -> Counter[str]:
        """Requests by method and last part of the path."""
        return Counter(f"{line.split()[0]} {line.split()[1].rpartition('/')[2]}" for line in self.asked)

    def meets(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.method in (method, "ANY") and fault.match in path:
                    fault.met += 1
                    if fault.after < fault.met <= fault.after + fault.times:
                        return fault
        return None


@contextmanager
def served(files: dict[str, bytes]) -> Iterator[Server]:
    """A server of these files."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            made.connected(1)

        def finish(self) -> None:
            super().finish()
            made.connected(-1)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            _answer(made, self)

        def do_GET(self) -> None:
            _answer(made, self)

    direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, mock.patch.dict(os.environ, direct):
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that leave
        made = Server(f"http://127.0.0.1:{server.server_port}/", dict(files))
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield made
        finally:
            server.shutdown()


def _answer(server: Server, handler: BaseHTTPRequestHandler) -> None:
    with server.lock:
        server.asked.append(f"{handler.command} {handler.path} {handler.headers.get('Range', '')}".strip())
    path = handler.path.partition("?")[0].lstrip("/")
    fault = server.meets(handler.command, path)
    kind = fault.kind if fault else ""
    if fault and kind in ("busy", "away"):
        status = 302 if kind == "away" else fault.status
        _send(handler, status, b"no", fault.headers)
        return
    if fault and kind == "page":
        _send(handler, 200, PAGE, {"Content-Type": "text/html; charset=utf-8", **fault.headers})
        return
    if path not in server.files:
        _send(handler, 404, b"not here", {})
        return
    body = server.files[path]
    headers = {"Content-Type": "application/octet-stream"}
    if server.etags:
        headers["ETag"] = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    if kind == "wrong":
        body = body[: len(body) // 3]
    if kind == "bytes":
        body = bytes(byte ^ 1 for byte in body)
    status, part = 200, body
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
    if asked and kind not in ("no range", "wrong"):
        first, last = int(asked[1]), min(int(asked[2]), len(body) - 1)
        status, part = 206, body[first : last + 1]
        headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    length = len(part) + (1_000 if kind == "longer" else 0)
    _send(handler, status, part[: len(part) // 2] if kind == "cut" else part, {**headers, "Content-Length": str(length)})
    if kind in ("cut", "longer"):
        handler.close_connection = True


def _send(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
