"""`python -m pipeline.read.child.decoder`: decodes Parquet, WARC and HTML for one run, which started it, until that closes its
standard input.

What comes from outside is decoded here, so that a file that crashes the decoder, or lets it grow, costs a row group or a
record and not the run (design 8c). It opens no file: it asks the run for bytes. Frames in both directions are a letter, a
length of eight bytes and that many bytes. To here: `?` a request (JSON), `b` bytes that were asked for. From here: `r` a read
(JSON: offset, length), `d` documents and `q` bad rows (a record batch without its schema; texts not normalised yet), `k` all rows
before this one have been given (JSON: its number, and whether a row group ends there), `o` what was replaced (JSON: column, kind,
values each), `g` the row groups (JSON), `u` the file cannot be read (JSON: cause, detail), `x` a bug (text), `e` the end of an
answer.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Required, TypedDict

from pipeline.read.files import InputFile

if TYPE_CHECKING:
    from pipeline.records.base import Json

MEMORY_BYTES = 1_400_000_000
"""Most that decoding may take beyond what the process starts with, whatever a run may hold: what `--memory 2GB`, the default,
leaves beside a unit. A page and its dictionary are decoded as a whole: 1,024 rows of half a megabyte take it, which pyarrow
writes as one page."""
OUT_OF_MEMORY = 3
"""Exit status where that did not suffice."""
_HEAD = struct.Struct("<cQ")


class Request(TypedDict, total=False):
    """What is asked for: the row groups, the rows of `start:stop` of them, or those of `web` records.

    `size`: bytes of the file; `file`: an InputFile's fields; `limits`: those of `decoding.Limits`; `kind`: warc or wet, or html;
    `records`: number and bytes of each; `memory`: bytes that decoding may take, MEMORY_BYTES where it is missing.
    """

    ask: Required[Literal["groups", "rows", "web"]]
    size: int
    file: Json
    start: int
    stop: int
    first_row: int
    limits: dict[str, int]
    kind: str
    records: list[tuple[int, int]]
    memory: int


def send(stream: BinaryIO, kind: bytes, data: Any) -> None:
    """Write a frame."""
    stream.write(_HEAD.pack(kind, len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[bytes, bytearray]:
    """Read a frame; EOFError where the other side ended."""
    kind, size = _HEAD.unpack(exactly(stream, _HEAD.size))
    return kind, exactly(stream, size)


def exactly(stream: BinaryIO, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        n = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not n:
            raise EOFError
        done += n
    return data


class WithoutPandas:
    """An import finder: pyarrow finds no pandas, with which it would read nanoseconds otherwise (`filters.kernels.absent` does
    this for runs, and imports every kernel)."""

    @staticmethod
    def find_spec(name: str, path: Any, target: Any = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not wanted here", name=name)


class RemoteFile(io.RawIOBase):
    """The file that is decoded: each read is asked of the run."""

    def __init__(self, size: int, to: BinaryIO, answers: BinaryIO) -> None:
        self._size, self._to, self._answers = size, to, answers
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        size = max(0, self._size - self._at if size is None or size < 0 else min(size, self._size - self._at))
        send(self._to, b"r", json.dumps([self._at, size]).encode())
        kind, data = receive(self._answers)
        assert kind == b"b", kind
        self._at += len(data)
        return bytes(data)


def answer(request: Request, to: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request: `groups`, the rows of `start:stop` of them, or those of `web` records."""
    import pyarrow as pa

    from pipeline.read.child import parquet, web
    from pipeline.read.lines import Unreadable
    from pipeline.read.rows import Collector
    from pipeline.schema import DOCUMENT

    def give(table: pa.Table) -> None:
        for batch in table.combine_chunks().to_batches():
            send(to, b"d" if table.schema == DOCUMENT else b"q", batch.serialize())

    def checked(row: int, *, ends: bool) -> None:
        collector.flush()
        send(to, b"k", json.dumps([row, ends]).encode())

    handle: Any = RemoteFile(request["size"], to, answers)
    try:
        if request["ask"] == "groups":
            send(to, b"g", json.dumps(parquet.groups(handle)).encode())
        else:
            collector = Collector(InputFile(**request["file"]), sink=give)
            if request["ask"] == "web":
                web.add_records(collector, handle, request["kind"], records=request["records"])
            else:
                first_row, groups = request["first_row"], parquet.groups(handle)
                file = parquet.opened(handle, parquet.Limits(**request["limits"]))
                for index in range(request["start"], request["stop"]):
                    for row in parquet.add_group(collector, file, index, first_row=first_row):
                        checked(row, ends=False)
                    first_row += groups[index][0]
                    checked(first_row, ends=True)
            if replaced := collector.finish().replaced:
                send(to, b"o", json.dumps(replaced).encode())
    except Unreadable as error:
        send(to, b"u", json.dumps([error.cause, error.detail]).encode())
    send(to, b"e", b"")


def held_memory() -> int:
    """Bytes of private memory."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))


def limit_memory(held: int, more: int) -> None:
    """Private memory may grow to `more` than `held` bytes."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = held + more
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def main() -> None:
    """Answer requests until standard input ends."""
    import traceback

    sys.meta_path.insert(0, WithoutPandas())  # type: ignore[arg-type]
    import pyarrow.parquet  # noqa: F401  before the limit: what it maps is no decoding

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group of processes; the run decides
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers, to = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)  # whatever a library prints is no frame
    held = held_memory()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _, data = receive(answers)
            request = json.loads(data)
            limit_memory(held, min(request.get("memory", MEMORY_BYTES), MEMORY_BYTES))
            try:
                answer(request, to, answers)
            except (EOFError, BrokenPipeError):
                raise
            except MemoryError:
                os._exit(OUT_OF_MEMORY)
            except Exception:
                send(to, b"x", traceback.format_exc(limit=-4).encode("utf-8", "backslashreplace"))
    os._exit(0)  # without libraries' clean-up, in which a damaged heap would crash


if __name__ == "__main__":
    main()
