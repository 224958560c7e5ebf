"""The processes in which files from outside are decoded, as the run sees them.

Invariants: a decoder that dies of a signal of its own (SIGSEGV, SIGABRT, …), of its memory limit or of standing still is the
fault of what it decoded (`DecoderDied`); one that was killed from outside is not, and ends the run, which resumes. Errors of
the disk or network arise here, where the file is read, and are not the decoder's. Decoders are kept for the next
request until `close`; no more run at a time than there are readers.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

import psutil
import pyarrow as pa

from pipeline.errors import BrokenContract, RunFailed
from pipeline.read.child import decoder
from pipeline.read.files import InputFile
from pipeline.read.rows import Replaced, UnitRows, joined, normalised
from pipeline.read.units import cannot_read, changed, note_local
from pipeline.schema import BAD_ROW, DOCUMENT
from pipeline.text import numbers

COMMAND = (sys.executable, "-m", "pipeline.read.child.decoder")
STILL_CPU_S = 120.0
"""CPU seconds without an answer after which a decoder is taken to go round in circles; chosen because a batch takes well
under one. CPU time, so that a slow disk or a busy machine condemns no file."""
_OWN_SIGNALS = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP}
_LOOK_S = 5.0


Frame = tuple[bytes, bytearray | pa.Buffer]
"""Kind and content (`pipeline.read.child.decoder`)."""


class DecoderDied(Exception):
    """A decoder died of what it decoded; the text says how."""


class OutOfMemory(DecoderDied):
    """It needed more memory than it was allowed."""


_idle: queue.LifoQueue[subprocess.Popen[bytes]] = queue.LifoQueue()
"""Decoders that wait for work; processes outlive runs no more than `close` lets them."""


def close() -> None:
    """End the decoders that wait for work."""
    with suppress(queue.Empty):
        while True:
            _end(_idle.get_nowait())


def _taken() -> subprocess.Popen[bytes]:
    with suppress(queue.Empty):
        while (found := _idle.get_nowait()).poll() is not None:
            _end(found)
        return found
    return _started()


def _started() -> subprocess.Popen[bytes]:
    # The modules of this process. Arrow's memory from malloc: its default, mimalloc, reserves a gigabyte at once, which the
    # decoder's limit counts. 120 MB of text in Parquet took 1,040 MB of private memory with it, 150 with malloc, at one speed.
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    extra = {"PYTHONPATH": paths, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0, env={**os.environ, **extra}
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill and reap it; it holds nothing that could be lost."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            pipe.close()  # type: ignore[union-attr]


def ask(
    file: InputFile, handle: BinaryIO, request: decoder.Request, *, still_cpu_s: float | None = None
) -> Iterator[tuple[bytes, bytearray]]:
    """Frames of the answer (`pipeline.read.child.decoder`), reads apart, which `handle` answers. `still_cpu_s`: its own
    `STILL_CPU_S`. Raises DecoderDied, RunFailed."""
    process = _taken()
    to: Any = process.stdin
    try:
        size = handle.seek(0, os.SEEK_END)
        decoder.send(to, b"?", json.dumps({**request, "size": size}).encode())
        kind = b""
        while kind != b"e":
            _wait(process, STILL_CPU_S if still_cpu_s is None else still_cpu_s)
            kind, data = decoder.receive(process.stdout)  # type: ignore[arg-type]
            if kind == b"r":
                decoder.send(to, b"b", _read(file, handle, json.loads(data)))
            elif kind == b"x":
                raise BrokenContract(f"{file.path}: decoding failed, which is a bug:\n{data.decode()}")
            elif kind != b"e":
                yield kind, data
    except BaseException as error:
        _end(process)
        if isinstance(error, EOFError | BrokenPipeError):
            raise _why(file, process.returncode, request.get("memory", decoder.MEMORY_BYTES)) from error
        raise
    _idle.put(process)


def _read(file: InputFile, handle: BinaryIO, piece: list[int]) -> bytes:
    offset, size = piece
    try:
        handle.seek(offset)
        parts = []
        while size and (part := handle.read(size)):
            parts.append(part)
            size -= len(part)
            note_local(file, len(part))
    except OSError as error:
        raise cannot_read(file, error) from error
    if size:
        raise changed(file)
    return b"".join(parts)


def _wait(process: subprocess.Popen[bytes], still_cpu_s: float) -> None:
    """Until it says something. Raises DecoderDied if it works on without doing so."""
    start = None
    assert process.stdout is not None
    while not select.select([process.stdout], [], [], _LOOK_S)[0]:
        with suppress(psutil.Error):
            used = psutil.Process(process.pid).cpu_times()
            start = used.user + used.system if start is None else start
            if used.user + used.system - start > still_cpu_s:
                raise DecoderDied(f"the decoder worked {still_cpu_s:.0f} s without an end")


def _why(file: InputFile, status: int, memory: int) -> Exception:
    # orjson dies of SIGSEGV where it gets no memory.
    if status == decoder.OUT_OF_MEMORY or (memory < decoder.MEMORY_BYTES and -status in _OWN_SIGNALS):
        return OutOfMemory(f"decoding takes more than {numbers.size(memory)} of memory")
    if -status in _OWN_SIGNALS:
        return DecoderDied(f"the decoder died of {signal.Signals(-status).name}")
    return RunFailed(f"{file.path}: its decoder was killed from outside (status {status}); the same command resumes the run")


def gathered(file: InputFile, frames: Iterable[Frame]) -> UnitRows:
    """The documents and bad rows of an answer, texts normalised."""
    documents, bad = [], []
    replaced: Replaced = ()
    for kind, data in frames:
        if kind == b"o":
            replaced = replaced_of(data)
            continue
        batch = _batch(file, data, DOCUMENT if kind == b"d" else BAD_ROW)
        if kind == b"d":
            columns = [normalised(c) if f.name == "text" else c for f, c in zip(DOCUMENT, batch.columns, strict=True)]
            documents.append(pa.RecordBatch.from_arrays(columns, schema=DOCUMENT))
        else:
            bad.append(batch)
    return UnitRows(joined(documents, DOCUMENT), joined(bad, BAD_ROW), replaced=replaced)


def replaced_of(data: bytearray | pa.Buffer) -> Replaced:
    """What an `o` frame says."""
    return tuple((str(column), str(why), int(n)) for column, why, n in json.loads(data))


def _batch(file: InputFile, data: bytearray | pa.Buffer, schema: pa.Schema) -> pa.RecordBatch:
    """A batch that a decoder gave, looked through: its process may have been damaged by what it decoded."""
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(data), schema)
        batch.validate(full=True)
    except MemoryError:  # an ArrowException too, and ours
        raise
    except pa.ArrowException as error:
        raise BrokenContract(f"{file.path}: its decoder gave a table that is not valid ({error})") from error
    return batch
