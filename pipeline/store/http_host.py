"""One web server: few connections to it, and how long it is left alone where it asks for that.

Invariants: no more than `CONNECTIONS` are open at a time; an answer that says "busy" holds back every request of this process to
that server; what is asked for again is asked after a pause that doubles, with jitter, or after as long as `Retry-After` says; an
address is never left for that of another server. Bodies come as they are stored: nothing is unpacked on the way.

Sources: RFC 9110 (statuses, `Retry-After`, redirects); Common Crawl answers 403 to clients that ask too often, and 503 SlowDown
where its store does (commoncrawl/cc-downloader, issue 29).
"""

from __future__ import annotations

import errno
import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from pipeline.errors import InputError

if TYPE_CHECKING:
    import httpx

SCHEMES = ("https", "http")
CONNECTIONS = 8
"""Chosen below the ten of cc-downloader, Common Crawl's own client, because Common Crawl refuses clients that open many."""
TRIES = 8
"""With pauses of 1, 2, 4 … 60 s: two minutes, which a server that is asked too often needs."""
TRIES_OF_A_STRANGER = 3
"""Of a server that cannot be reached, or refuses (403), and has answered nothing yet: a wrong address is the likelier cause."""
TRIES_OF_A_LIE = 3
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
LONGEST_ASKED_S = 120.0
"""Seconds of `Retry-After` that are waited for; a run that should wait longer ends, and can be resumed."""
TIMEOUT_S = 60.0
BUSY = (403, 408, 425, 429, 500, 502, 503, 504)
MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)

Made = TypeVar("Made")


class Again(Exception):
    """What was asked for may come next time. `pause`: seconds that the server asks for; `status`: what it answered, if it did."""

    def __init__(self, said: str, *, status: int = 0, pause: float | None = None) -> None:
        super().__init__(said)
        self.status, self.pause = status, pause


class Lie(Again):
    """An answer that is not about the file that was asked for: waiting seldom mends it, so it is asked for twice more at once."""


class Host:
    """A server, by scheme, name and port. Any thread may ask."""

    def __init__(self, origin: str) -> None:
        import httpx

        self._origin = origin
        self._client = httpx.Client(
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            timeout=httpx.Timeout(TIMEOUT_S, pool=None),
            headers={"User-Agent": f"winnow-curation/{version('winnow-curation')}", "Accept-Encoding": "identity"},
        )
        self._lock = threading.Lock()
        self._alone_until = 0.0  # by the monotonic clock
        self.has_answered = False

    def ask(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Response:
        """The answer, 200 or 206, its body not read yet, which the caller closes. One try: raises Again;
        FileNotFoundError; OSError for any other refusal; InputError for a redirect to another server."""
        self._wait()
        answer = self._asked(method, url, headers)
        if answer.status_code in (200, 206):
            self.has_answered = True
            return answer
        answer.close()
        raise _refusal(url, answer)

    def _asked(self, method: str, url: str, headers: Mapping[str, str]) -> httpx.Response:
        import httpx

        for _ in range(MOST_REDIRECTS + 1):
            try:
                answer = self._client.send(self._client.build_request(method, url, headers=dict(headers)), stream=True)
                if method == "HEAD":
                    answer.read()  # of nothing: a connection is used again once an answer was read to its end
            except httpx.TransportError as error:
                raise Again(_failed(error)) from error
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise InputError(f"{url}: no address ({error})") from error
            if answer.status_code not in _REDIRECTS:
                return answer
            url = self._redirected(url, answer)
        raise OSError(errno.ELOOP, f"more than {MOST_REDIRECTS} redirects", url)

    def _redirected(self, url: str, answer: httpx.Response) -> str:
        answer.close()
        target = urljoin(url, str(answer.headers.get("Location", "")))
        if not _same_server(self._origin, origin_of(target)):
            other = urlsplit(target).netloc.rpartition("@")[2][:200] or "nowhere"
            raise InputError(
                f"{url}: the server sends on to another one, {other}, which nobody asked for; if the file lies there, name its"
                " address itself"
            )
        return target

    def tried(self, what: str, attempt: Callable[[], Made]) -> Made:
        """What `attempt` gives, which is made again where it raises Again. Raises OSError where it does so too often."""
        patience = Patience(self, what)
        while True:
            try:
                return attempt()
            except Again as again:
                patience.failed(again)

    def leave_alone(self, seconds: float) -> None:
        """Ask nothing for so long."""
        with self._lock:
            self._alone_until = max(self._alone_until, time.monotonic() + seconds)

    def _wait(self) -> None:
        while (left := self._alone_until - time.monotonic()) > 0:
            time.sleep(left)


class Patience:
    """How often one file was asked for in vain, since the last time that some of it came."""

    def __init__(self, host: Host, url: str) -> None:
        self._host, self._url, self._failures = host, url, 0

    def progressed(self) -> None:
        self._failures = 0

    def failed(self, again: Again) -> None:
        """Wait for the next try. Raises OSError where it was the last."""
        self._failures += 1
        stranger = again.status in (0, 403) and not self._host.has_answered
        most = TRIES_OF_A_LIE if isinstance(again, Lie) else TRIES_OF_A_STRANGER if stranger else TRIES
        if self._failures >= most:
            raise OSError(_number(again), f"{again} ({self._failures} tries){_advice(again.status)}", self._url)
        if again.pause is not None and again.pause > LONGEST_ASKED_S:
            message = f"{again}; it asks to be left alone for {again.pause:.0f} s: run the same command again after that"
            raise OSError(errno.EACCES, message, self._url)
        pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._failures - 1)) * random.uniform(0.5, 1.0)
        pause = max(pause, again.pause or 0.0)
        if again.status:
            self._host.leave_alone(pause)
        else:
            time.sleep(pause)


def host_of(origin: str) -> Host:
    """The server that all requests of this process to it go through."""
    with _ONE_AT_A_TIME:  # else threads that ask at once would each make their own
        return _made(origin)


_made = cache(Host)
_ONE_AT_A_TIME = threading.Lock()


def origin_of(url: str) -> str:
    """Scheme, name and port of an address. Raises InputError where it is none."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"{url}: no address ({error})") from error
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


def _same_server(one: str, other: str) -> bool:
    """Also where a server sends on from http to https."""
    return one == other or (one.startswith("http://") and other == one.replace("http://", "https://", 1))


def _failed(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return f"the connection failed ({said[:200]})"


def _refusal(url: str, answer: httpx.Response) -> Exception:
    status = answer.status_code
    if status in (404, 410):
        return FileNotFoundError(errno.ENOENT, "no such file", url)
    if status in BUSY:
        return Again(f"the server answers {status}", status=status, pause=_asked_pause(answer.headers.get("Retry-After", "")))
    if status == 416:  # it is shorter now
        return OSError(errno.EBUSY, "the file is another one now", url)
    return OSError(errno.EACCES, f"the server answers {status}{_advice(status)}", url)


def _asked_pause(field: str) -> float | None:
    """Seconds of a `Retry-After`, which is a number or a date; None where it says neither."""
    if field.strip().isdigit():
        return float(field.strip()[:9])
    try:
        then = parsedate_to_datetime(field)
    except ValueError:
        return None
    return max(0.0, (then - datetime.now(UTC)).total_seconds()) if then.tzinfo else None


def _number(again: Again) -> int:
    """Of what does not pass by itself another than of what may (`flows.retry`)."""
    return errno.EINVAL if isinstance(again, Lie) else errno.EACCES if again.status == 403 else errno.EREMOTEIO


def _advice(status: int) -> str:
    if status == 403:
        return "; it refuses this address, or was asked too often: check the address, or run the same command again in an hour"
    return "; it asks for credentials: fetch the file by other means and name its path" if status == 401 else ""
