"""Files on web servers, in the form in which `pipeline.read` asks an fsspec file system for them.

Invariants: a file is as long as the server said when it was looked up, and of one content, as far as its strong ETag tells: an
answer that says otherwise is an error (EBUSY: the file changed). A transfer that is cut goes on behind its last byte. A web page
in place of a file that is none (an error page with status 200) is no content of it.

Source: RFC 9110, sections 8.8 (ETag: a strong one names the bytes), 14 (ranges).
"""

from __future__ import annotations

import contextlib
import errno
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pipeline.store.http_host import Again, Host, Lie, Patience, host_of, origin_of
from pipeline.store.ranges import Ranges

if TYPE_CHECKING:
    import httpx

PROGRESS = 1 << 16
"""Bytes that count as progress of a transfer that is cut again and again; a quarter of what is missing does too."""
SLOWEST = 1_000
"""Bytes a second, over more than `PATIENT_S`: what comes slower counts as cut."""
PATIENT_S = 60.0
_PAGES = (".html", ".htm", ".xhtml", "")
_NEVER_PAGES = (".gz", ".zst", ".bz2", ".xz", ".lz4", ".warc", ".wet", ".parquet", ".arrow", ".jsonl", ".json")
"""Endings of files of which none begins as a page does, whatever the server calls it."""
_PAGE = re.compile(rb"\s*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


@dataclass(frozen=True)
class Web:
    """What `pipeline.read` asks of a file system; paths are addresses."""

    def info(self, url: str) -> dict[str, Any]:
        """Name, type, size and ETag of a file. Raises FileNotFoundError; OSError where its size is not told."""
        host = host_of(origin_of(url))

        def asked() -> dict[str, Any]:
            answer = host.ask("HEAD", url, {})
            answer.close()
            _refuse_page(url, answer)
            size = answer.headers.get("Content-Length", "")
            if not size.isdigit():
                raise OSError(errno.EINVAL, "the server does not say how large the file is; fetch it and name its path", url)
            return {"name": url, "type": "file", "size": int(size), "ETag": answer.headers.get("ETag", "")}

        return host.tried(url, asked)

    def isfile(self, url: str) -> bool:
        try:
            return bool(self.info(url))
        except FileNotFoundError:
            return False

    def isdir(self, url: str) -> bool:
        return False

    def open(self, url: str, mode: str = "rb", *, block_size: int, cache_type: str, known: Known) -> WebFile:
        """To read it from its beginning in blocks, or, with `cache_type` none, where it is asked for. Nothing is asked yet."""
        return WebFile(url, known, ahead=0 if cache_type == "none" else block_size)


@dataclass(frozen=True)
class Known:
    """What the server said of a file when it was looked up. `identity`: of its content, where it said one (`identity_of`)."""

    size: int
    identity: str


def identity_of(etag: str) -> str:
    """Identity of the bytes that an ETag names; empty of a weak one, and where there is none."""
    text = re.sub(r"[^A-Za-z0-9+/=._-]", "", etag)
    return f"http:{text}" if text and etag.startswith('"') else ""


@dataclass
class Cache:
    """Where `pipeline.read.units` counts and checks what is fetched."""

    fetcher: Callable[[int, int], bytes]


class WebFile(Ranges):
    """A file of a web server. One thread at a time."""

    def __init__(self, url: str, known: Known, *, ahead: int) -> None:
        super().__init__(known.size)
        self._ahead = ahead
        self._transfer = Transfer(url, known, whole=bool(ahead))
        self.cache = Cache(self._transfer.fetch)

    def read(self, size: int | None = -1) -> bytes:
        stop = self.size if size is None or size < 0 else min(self.size, self._position + size)
        made = b""
        while self._position < stop:
            at = self._position - self._start
            if not 0 <= at < len(self._held):
                self._start, at = self._position, 0
                self._held = self.cache.fetcher(self._start, max(stop, min(self.size, self._start + self._ahead)))
            part = self._held[at : at + stop - self._position]
            made = made + part if made else part
            self._position += len(part)
        return made

    def asked(self) -> int:
        """Requests so far."""
        return self._transfer.requests

    def close(self) -> None:
        self._transfer.end()
        super().close()


class Transfer:
    """The bytes of a file. `whole`: they are asked for one after the other, in one answer; else in an answer for each range."""

    def __init__(self, url: str, known: Known, *, whole: bool) -> None:
        self._url, self._known, self._size, self._whole = url, known, known.size, whole
        self._host: Host = host_of(origin_of(url))
        self.requests = 0
        self._answer: httpx.Response | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._held = b""
        self._at = 0  # of the next byte of the answer
        self._waited = 0.0
        self._came = 0

    def fetch(self, start: int, stop: int) -> bytes:
        """Bytes start:stop. Raises OSError where they do not come, whatever is tried; EBUSY where the file is another one."""
        made = bytearray()
        patience = Patience(self._host, self._url)
        progress = 0
        while len(made) < stop - start:
            try:
                made += self._some(start + len(made), stop)
            except Again as again:
                self.end()
                if len(made) - progress >= min(PROGRESS, (stop - start - progress) / 4):
                    patience.progressed()
                progress = len(made)
                patience.failed(again)
        return bytes(made)

    def end(self) -> None:
        """Close the answer that is open."""
        answer, self._answer, self._held = self._answer, None, b""
        if answer is not None:
            answer.close()

    def _some(self, start: int, stop: int) -> bytes:
        import httpx

        if self._answer is None or self._at != start:
            self.end()
            self._open(start, self._size if self._whole else stop)
        while not self._held:
            self._held = self._next()
        data, self._held = self._held[: stop - start], self._held[stop - start :]
        self._at += len(data)
        if self._at >= (self._size if self._whole else stop):
            with contextlib.suppress(httpx.TransportError, httpx.StreamError):
                next(self._pieces, b"")  # the answer's end, so that the connection is used again
            self.end()
        return data

    def _next(self) -> bytes:
        import httpx

        begun = time.monotonic()
        try:
            piece = next(self._pieces, b"")
        except (httpx.TransportError, httpx.StreamError) as error:
            raise Again(f"the transfer broke off at byte {self._at} of {self._size}") from error
        self._waited += time.monotonic() - begun
        self._came += len(piece)
        if not piece:
            raise Again(f"the transfer ended at byte {self._at} of {self._size}")
        if self._waited > PATIENT_S and self._came < SLOWEST * self._waited:
            raise Again(f"less than {SLOWEST} bytes came in a second")
        return piece

    def _open(self, start: int, stop: int) -> None:
        """Ask for bytes start:stop, and check that the answer is about the file that was looked up."""
        self.requests += 1
        some = {"Range": f"bytes={start}-{stop - 1}"}
        answer = self._host.ask("GET", self._url, {} if (start, stop) == (0, self._size) else some)
        self._answer, self._at, self._waited, self._came = answer, start, 0.0, 0
        skip = self._check(answer, start)
        self._pieces = answer.iter_raw()
        if not start or skip:
            self._held = self._next()
            _refuse_beginning(self._url, self._held)
            self._held, skip = self._held[skip:], skip - min(skip, len(self._held))
        while skip:  # past the beginning of the file, where the server sends no parts
            piece = self._next()
            self._held, skip = piece[skip:], skip - min(skip, len(piece))

    def _check(self, answer: httpx.Response, start: int) -> int:
        """How many bytes stand before `start` in the answer."""
        _refuse_page(self._url, answer)
        identity = identity_of(answer.headers.get("ETag", ""))
        if self._known.identity and identity and identity != self._known.identity:
            raise OSError(errno.EBUSY, "the file is another one now", self._url)
        if answer.status_code == 206:
            found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != start:
                raise Lie(f"the server sends another part of the file than was asked for, from byte {start} on")
            said, first = int(found[3]), 0
        else:
            length = answer.headers.get("Content-Length", "")
            said, first = int(length) if length.isdigit() else self._size, start
        if said != self._size:
            told = f"the server said that the file has {self._size} bytes, and sends it with {said}"
            if identity and identity == self._known.identity:
                raise Lie(told)
            raise OSError(errno.EBUSY, told, self._url)
        return first


def _refuse_page(url: str, answer: httpx.Response) -> None:
    """Raises Lie for a web page where the name declares something else."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    ending = _ending(url)
    if kind in ("text/html", "application/xhtml+xml") and ending not in _PAGES:
        raise Lie(f"the server sends a web page ({kind}) in place of a {ending} file")


def _refuse_beginning(url: str, data: bytes) -> None:
    """The same, where the server does not call it a page."""
    ending = _ending(url)
    if ending in _NEVER_PAGES and _PAGE.match(data):
        raise Lie(f"the server sends a web page in place of a {ending} file")


def _ending(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).suffix.lower()
