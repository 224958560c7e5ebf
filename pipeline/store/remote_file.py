"""A file of an object store: read by ranges, or written as one upload.

Invariant: an upload gives the file its name when all of it has arrived, or never.
"""

from __future__ import annotations

import contextlib
import errno
import tempfile
import uuid
from typing import Any

from pipeline.store.ranges import Ranges
from pipeline.store.remote import FLAT, STREAMED, Client, asked, is_conflict

PART_BYTES = 16 << 20
"""Bytes of one part of an upload: chosen because S3 allows 10,000 parts, which makes 160 GB, and a writer holds one or two."""
WHOLE_BYTES = 1 << 20
"""Files up to this size are fetched whole: chosen because a second request costs as much time as a megabyte."""
AHEAD_BYTES = 8 << 20
"""Fetched ahead where a file is read from its beginning in small pieces; chosen so that latency is a tenth of the time."""


class RangeFile(Ranges):
    """A file of a store, read by ranges; each fetch is one request, of `ahead` bytes at least. One thread at a time."""

    def __init__(self, client: Client, path: str, size: int, *, ahead: int) -> None:
        super().__init__(size)
        self._client, self._path, self._ahead = client, path, ahead

    def read(self, size: int | None = -1) -> bytes:
        stop = self.size if size is None or size < 0 else min(self.size, self._position + size)
        if stop <= self._position:
            return b""
        if not self._start <= self._position <= stop <= self._start + len(self._held):
            self._fetch(stop)
        data = self._held[self._position - self._start : stop - self._start]
        self._position = stop
        return data

    def _fetch(self, stop: int) -> None:
        start, end = self._position, self._start + len(self._held)
        if self.size <= WHOLE_BYTES:
            start, stop = 0, self.size
        elif self._ahead and start == end:
            stop = min(self.size, max(stop, start + self._ahead))
        # What is held of the range is fetched again: such overlaps are rare, and short.
        self._start, self._held = start, self._client.get(self._path, start, stop)
        if len(self._held) != stop - start:
            raise OSError(errno.EREMOTEIO, f"{len(self._held)} bytes came where {stop - start} were asked for", self._path)


class Upload:
    """A write-only file that gets its name in `finish`, whole or not at all. `create`: FileExistsError if the name is taken."""

    def __init__(self, client: Client, path: str, *, create: bool = False) -> None:
        self._client, self._path, self._create = client, path, create
        self._buffer = bytearray()  # of the next part
        self._parts: Any = None  # the client's file, once a part was sent
        self._spooled: tempfile.SpooledTemporaryFile[bytes] | None = None  # all of it, for clients that know no parts
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._size += len(view)
        if self._client.scheme in STREAMED:
            self._buffer += view
            while len(self._buffer) > PART_BYTES:
                self._send(PART_BYTES)
        else:
            if self._spooled is None:
                self._spooled = tempfile.SpooledTemporaryFile(PART_BYTES)  # noqa: SIM115 (closed in `discard`)
            self._spooled.write(view)
        return len(view)

    def _send(self, n_bytes: int) -> None:
        with asked(self._path):
            if self._parts is None:
                self._client.traffic.count(requests=1)
                mode = "xb" if self._create else "wb"
                self._parts = self._client.fs.open(self._path, mode, block_size=PART_BYTES, autocommit=False)
            self._client.traffic.count(requests=1, written=n_bytes)
            part = bytes(memoryview(self._buffer)[:n_bytes])
            del self._buffer[:n_bytes]
            self._parts.write(part)

    def finish(self) -> None:
        """Give the file its name."""
        if self._client.scheme not in FLAT:
            self._finish_by_rename()
        elif self._parts is None:
            self._client.put(self._path, self._whole(), create=self._create)
        else:
            if self._buffer:
                self._send(len(self._buffer))
            self._client.traffic.count(requests=1)
            try:
                with asked(self._path):
                    self._parts.close()
                    self._parts.commit()
            except OSError as error:
                if self._create and is_conflict(error):
                    raise FileExistsError(errno.EEXIST, "there already", self._path) from error
                raise
            self._parts = None
        self.discard()

    def _finish_by_rename(self) -> None:
        """For stores with folders (SFTP and the like), which show a file while it grows."""
        folder, _, name = self._path.rpartition("/")
        temporary = f"{folder}/.tmp-{uuid.uuid4().hex}-{name}"
        if self._create and self._client.look(self._path) is not None:
            raise FileExistsError(errno.EEXIST, "there already", self._path)
        self._client.put(temporary, self._whole())
        with asked(self._path):
            self._client.fs.mv(temporary, self._path)

    def _whole(self) -> bytes:
        if self._spooled is None:
            return bytes(self._buffer)
        self._spooled.seek(0)
        return self._spooled.read()

    def discard(self) -> None:
        """Forget what was written. Parts that lie in the store already have no name; its own rules remove them."""
        parts, self._parts = self._parts, None
        self._buffer = bytearray()
        self.closed = True
        if self._spooled is not None:
            self._spooled.close()
        if parts is not None:
            with contextlib.suppress(Exception):  # whatever ended the upload is raised already; this only tidies up
                parts.discard()
            parts.closed = True  # else its destructor would finish the upload

    def flush(self) -> None:
        """Nothing is on its way that `finish` would not wait for."""

    def tell(self) -> int:
        return self._size

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        """The name is given by `finish`, not by this."""
