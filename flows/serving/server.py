"""Prefect's API server for one run: a child process that ends with the run, whatever ends the run.

`temporary()` listens on a free loopback port with a home and a database of its own, copied from a template that the first
start leaves in the cache folder, so that runs do not disturb each other and later starts need no migration. The child ends
when it is told to, or when its parent is gone (SIGKILL included), and takes its home with it. `configured()` names the
server that the user chose; then nothing is started and PREFECT_HOME is left alone.

The child is this file, run by path: `python -P server.py SOCKET PARENT` (-P: modules beside it must not hide the standard
library's). Only the child, and `configured()`, import Prefect.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib.metadata
import os
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

READY = b"ready\n"
LOG = "server.log"
DATABASE = "prefect.db"
PARENT_POLL_S = 0.5
"""Seconds between looks at the parent: a run that was killed leaves its server for at most this long."""
ENVIRONMENT = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_UI_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "0",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "0",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "0",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
    "DO_NOT_TRACK": "1",
}


def configured() -> str | None:
    """The API URL that PREFECT_API_URL, the active profile or a settings file in this folder names, else None."""
    if os.environ.get("PREFECT_API_URL"):
        return os.environ["PREFECT_API_URL"]
    if "prefect.context" not in sys.modules and not _may_be_configured():
        return None
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def _may_be_configured() -> bool:
    """Whether anything is there that could name a server; spares a second of imports where nothing is."""
    home = Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()
    profiles = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    signs: list[tuple[Path, str]] = [(profiles, "api_url"), (Path(".env"), "prefect_api_url")]
    signs += [(Path("prefect.toml"), "url"), (Path("pyproject.toml"), "[tool.prefect")]
    return any(_contains(file, sign) for file, sign in signs)


def _contains(file: Path, sign: str) -> bool:
    try:
        return sign in file.expanduser().read_text("utf-8", "replace").lower()
    except OSError:
        return False


def cache_folder() -> Path:
    """Where the templates of this version of Prefect live; its database differs from that of other versions."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return base / "winnow" / f"prefect-{importlib.metadata.version('prefect')}"


class Temporary:
    """A server that starts in the background. `start`, then `wait` until it answers at `url`; `stop` ends it."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.home = Path()
        self._ready = False

    def start(self) -> Temporary:
        """Start the child and return at once; `url` is known from here on."""
        self.home = Path(tempfile.mkdtemp(prefix="run-", dir=_folder_for_homes()))
        with socket.socket() as listener, open(self.home / LOG, "wb") as log:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(listener.fileno()), str(os.getpid())],
                pass_fds=(listener.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.home,
                env=_child_environment(self.home),
                start_new_session=True,
            )
        return self

    @property
    def ready(self) -> bool:
        return self._ready or self._answers(0)

    def wait(self, timeout: float = 120) -> None:
        """Block until the server answers. Raises RunFailed, with the end of its log, where it does not."""
        if self._ready or self._answers(timeout):
            return
        from pipeline.errors import RunFailed

        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(1)  # its end is seen a moment after that of its output
        happened = f"did not answer within {timeout:.0f} s" if self.alive else "ended while it started"
        text = (self.home / LOG).read_text("utf-8", "replace").strip()[-2000:]
        advice = "the same command with --inline needs no server" + (f"\n{text}" if text else "")
        raise RunFailed(f"Prefect's temporary server {happened}; {advice}")

    def _answers(self, timeout: float) -> bool:
        if self._process is None or self._process.stdout is None:
            return False
        if select.select([self._process.stdout], [], [], timeout)[0]:
            self._ready = self._process.stdout.readline() == READY
        return self._ready

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End the child and remove its home. Nothing in it is worth keeping."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
            shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Temporary:
        return self.start() if self._process is None else self

    def __exit__(self, *_: object) -> None:
        self.stop()


def temporary() -> Temporary:
    """A server for this run; not started yet."""
    return Temporary()


@contextlib.contextmanager
def for_this_run() -> Iterator[Temporary | None]:
    """A temporary server, starting in the background, or None where the user configured one."""
    if configured() is not None:
        yield None
        return
    with temporary() as server:
        yield server


def _folder_for_homes() -> str | None:
    """The cache folder, swept of homes whose server is gone; None (the system's temporary folder) if it can't be used."""
    folder = cache_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = tempfile.mkdtemp(prefix=".probe-", dir=folder)
        os.rmdir(probe)
    except OSError:
        return None
    with contextlib.suppress(OSError):  # another run sweeps too
        for home in folder.glob("run-*"):
            if time.time() - home.stat().st_mtime > 300 and not _held(home):
                shutil.rmtree(home, ignore_errors=True)
    return str(folder)


def _held(home: Path) -> bool:
    """Whether a living server has the lock on its log."""
    try:
        with open(home / LOG, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _child_environment(home: Path) -> dict[str, str]:
    """Ours, without the user's Prefect settings: they are meant for another server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**kept, **ENVIRONMENT, "PREFECT_HOME": str(home)}


def _serve(listener: socket.socket, home: Path) -> None:
    """The child: an API server on `listener` until a signal or the parent's end."""
    gc.disable()  # until it serves: collections take a quarter of the 4 s that the imports need
    template = cache_folder() / "template.db"
    copied = _copy(template, home / DATABASE)
    try:
        import uvicorn
        from prefect.server.api.server import create_app

        class Server(uvicorn.Server):
            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                yield

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets=sockets)
                if not copied:
                    _leave_template(home / DATABASE, template)
                gc.freeze()
                gc.enable()
                os.write(1, READY)

        Server(uvicorn.Config(create_app(), log_level="error", lifespan="on")).run(sockets=[listener])
    except BaseException:
        template.unlink(missing_ok=True)
        raise


def _copy(template: Path, database: Path) -> bool:
    try:
        shutil.copyfile(template, database)
    except OSError:
        return False
    return True


def _leave_template(database: Path, template: Path) -> None:
    """A copy of the migrated, empty database for later starts; whole or absent."""
    unfinished = database.with_suffix(".template")
    with contextlib.suppress(OSError, sqlite3.Error):
        with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        os.replace(unfinished, template)


def _end_with(parent: int, home: Path) -> None:
    """End this process, and remove its home, on SIGTERM and when `parent` is gone."""

    def end(*_: Any) -> None:
        shutil.rmtree(home, ignore_errors=True)
        os._exit(0)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        end()

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, daemon=True).start()


def _main() -> None:
    home = Path(os.environ["PREFECT_HOME"])
    with open(home / LOG, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _end_with(int(sys.argv[2]), home)
        _serve(socket.socket(fileno=int(sys.argv[1])), home)


if __name__ == "__main__":
    _main()
