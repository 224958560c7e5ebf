"""The lock of an output on an object store: numbered files that are created once, and a heartbeat.

`FOLDER/000007` is created by the run that takes the lock; the highest number is in force. Its holder writes it anew every
`HEARTBEAT_S`, and marks it when it is done. A run may create the next number where the highest is marked as released, or stale:
not written for `STALE_S` by the store's own clock, which is asked by writing a file and comparing the two times. Creating is
create-only, so of two runs that take over one succeeds.

Invariant: two runs never both believe that they hold it. A holder gives up when its own last heartbeat that was answered, and
found no higher number, began `GIVE_UP_S` ago; that is before any other run may call it stale, because the store's time of that
heartbeat is no earlier. Numbers are removed only below one that exists, so a run that creates a removed number finds a higher one
and steps back. What a run does while it falls behind all the same (a machine that slept in the middle of a request) is
create-only too: it commits nothing over another's commit (`pipeline.store.store`).
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pipeline.errors import OutputLocked
from pipeline.store.remote import Client

HEARTBEAT_S = 20.0
"""Chosen so that four may fail before the holder gives up, and a night costs some thousand requests."""
RETRY_S = 5.0
"""After a heartbeat that failed."""
GIVE_UP_S = 80.0
"""Age of the last good heartbeat at which a holder stops: below STALE_S by more than clocks drift, or times are rounded."""
STALE_S = 120.0
"""Chosen so that a crashed run keeps its successor waiting for two minutes only, while no live one is taken over."""
_TRIES = 8
"""Tries of taking the lock while others come and go."""


def now() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True)
class _State:
    """What a lock file says."""

    released: bool
    holder: str
    token: str


@dataclass(frozen=True)
class _Files:
    """The numbered files of the lock of `root`."""

    client: Client
    folder: str
    root: str

    def path(self, number: int) -> str:
        return f"{self.folder}/{number:06d}"

    def numbers(self) -> list[int]:
        try:
            names = [entry.name for entry in self.client.ls(self.folder)]
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isascii() and name.isdigit()]

    def highest(self) -> int:
        """0 where there is none."""
        return max(self.numbers(), default=0)

    def state(self, number: int) -> _State | None:
        """None where the file is not there any more."""
        try:
            data = self.client.get(self.path(number))
        except FileNotFoundError:
            return None
        try:
            found = json.loads(data)
            return _State(bool(found["released"]), str(found["holder"])[:200], str(found["token"]))
        except (ValueError, KeyError, TypeError):
            return _State(False, "an unreadable lock", "")

    def write(self, number: int, token: str, *, released: bool) -> None:
        self.client.put(self.path(number), _encode(token, released=released))

    def create(self, number: int, token: str) -> bool:
        """Whether the file is this run's: of those that create it, one succeeds."""
        try:
            self.client.put(self.path(number), _encode(token, released=False), create=True)
            return True
        except FileExistsError:
            try:  # an answer may be lost, and the client then asks again: the file is ours if it says so
                return f'"{token}"'.encode() in self.client.get(self.path(number))
            except FileNotFoundError:
                return False

    def times(self, number: int) -> tuple[datetime, datetime] | None:
        """By the store's clock: now, and when the file was written. None where it is not there any more."""
        asked = f"{self.folder}/now-{secrets.token_hex(8)}"
        self.client.put(asked, b"")
        try:
            at = self.client.modified(asked)  # first: what the holder writes from here on counts as later
            return at, self.client.modified(self.path(number))
        except FileNotFoundError:
            return None
        finally:
            self.client.rm(asked)


class Lease:
    """A lock that this run holds, kept by a thread of its own."""

    def __init__(self, files: _Files, *, number: int, token: str, begun: float) -> None:
        self._files, self._number, self._token = files, number, token
        self._good = begun
        self._lost = ""
        self._removed = False
        self._stop = threading.Event()
        self._beating = threading.Lock()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="lock")

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raises OutputLocked where this run may not be the holder any more; asks nobody."""
        if self._removed:
            return  # the run is over but for what it tidies up
        if not self._lost and now() - self._good > GIVE_UP_S:
            self._lost = f"the store has not answered this run for {now() - self._good:.0f} s"
        if self._lost:
            raise OutputLocked(
                f"{self._files.root}: this run lost its lock ({self._lost}) and stops before it changes anything more; the"
                " same command goes on from what is there"
            )

    def confirm(self) -> None:
        """`check`, after asking the store."""
        self._beat()
        self.check()

    def _keep(self) -> None:
        pause = HEARTBEAT_S
        while not self._stop.wait(pause) and not self._lost:
            try:
                self._beat()
                pause = HEARTBEAT_S
            except OSError:  # the next may be answered; `check` knows when the last one was
                pause = RETRY_S

    def _beat(self) -> None:
        with self._beating:
            begun = now()
            if self._stop.is_set():
                return
            self._files.write(self._number, self._token, released=False)
            highest = self._files.highest()
            if highest > self._number:
                taken = self._files.state(highest)
                self._lost = f"{taken.holder if taken else 'another run'} took it over, having heard nothing from this one"
            else:
                self._good = begun

    def release(self) -> None:
        """Let others take it. Where the store does not answer it becomes stale by itself."""
        self._end()
        if not self._lost and not self._removed:
            with contextlib.suppress(OSError):
                self._files.write(self._number, self._token, released=True)

    def remove(self) -> None:
        """Release it and leave no file of it behind."""
        self._end()
        if not self._lost:
            self._files.client.rm_below(self._files.folder)
            self._removed = True

    def _end(self) -> None:
        self._stop.set()
        with self._beating:
            pass
        if self._thread.is_alive():
            self._thread.join()


@contextlib.contextmanager
def held(client: Client, folder: str, *, root: str) -> Iterator[Lease]:
    """Hold the lock while the block runs. Raises OutputLocked where another run holds it."""
    lease = _taken(_Files(client, folder, root))
    lease.start()
    try:
        yield lease
    finally:
        lease.release()


def _taken(files: _Files) -> Lease:
    token = secrets.token_hex(8)
    for _ in range(_TRIES):
        highest = files.highest()
        if highest:
            state = files.state(highest)
            if state is None:  # removed meanwhile
                continue
            if not state.released:
                _refuse_live(files, highest, state)
        number, begun = highest + 1, now()
        if not files.create(number, token):
            continue
        others = [n for n in files.numbers() if n != number]
        if max(others, default=0) > number:
            files.client.rm(files.path(number))
            continue
        for old in others:
            files.client.rm(files.path(old))
        return Lease(files, number=number, token=token, begun=begun)
    raise OutputLocked(f"{files.root}: other runs are taking its lock right now; try again")


def _refuse_live(files: _Files, number: int, state: _State) -> None:
    """Raises OutputLocked unless the lock is stale."""
    times = files.times(number)
    if times is None:  # released and removed meanwhile: whoever wants it looks again
        return
    at, written = times
    stale = written + timedelta(seconds=STALE_S)
    age = max(0.0, (at - written).total_seconds())
    if at <= stale:
        raise OutputLocked(
            f"{files.root} is locked by a live run ({state.holder}), heard of {age:.0f} s ago;"
            f" wait for it, or choose another folder. If that run is dead, its lock ends at {_clock(stale)} (now {_clock(at)},"
            " by the store's clock)"
        )


def _encode(token: str, *, released: bool) -> bytes:
    said = {"released": released, "holder": f"process {os.getpid()} on {socket.gethostname()}", "token": token}
    return json.dumps(said, sort_keys=True).encode()


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%H:%M:%S UTC")
