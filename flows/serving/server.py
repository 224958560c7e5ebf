"""Prefect's API server for one run: a child process that ends with the run, whatever ends the run.

The history is that of the user's profile (`~/.prefect`): `prefect server start` shows past runs. Where its database cannot be
used (no home to write to, made by a later Prefect), it is one in memory. `configured()` names the server that the user chose;
then nothing is started.

Prefect 3.8 starts such a server by itself, with the flow run. Ours stays because that one (`make bench B=prefect_server`: the
sample, medians of five rounds in turn, on 2 busy cores, load 19)
- takes 95 s to ours' 36, and 19.2 s of CPU to 12.4: it begins when it is needed, and the client imports the server as well;
- goes on for ever once the run was killed (one process left; ours: none), and ends 24 s after Ctrl-C, which it gets too (2 s);
- ends the run where the home cannot be written or a later Prefect made the database (exit 1; ours: 0).
It showed no notice and told nobody, as ours, with the settings of `of_prefect` there; two first runs at a time worked with both.

The child is this file, run by path: `python -P server.py SOCKET` (-P: modules beside it must not hide the standard
library's). Only the child, and `configured()`, import Prefect.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

READY = b"ready\n"
END_S = 5.0
"""Longest wait for the last task states to reach the database."""
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
IN_MEMORY = "sqlite+aiosqlite:///:memory:"
ENVIRONMENT = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_UI_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "0",
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "1",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "0",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "0",  # the memo would keep the user's own server from registering them
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "0",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "0",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
}


def configured() -> str | None:
    """The API URL that PREFECT_API_URL, the active profile or a settings file in this folder names, else None."""
    if os.environ.get("PREFECT_API_URL"):
        return os.environ["PREFECT_API_URL"]
    if "prefect.context" not in sys.modules and not _may_be_configured():
        return None
    from prefect.settings import get_current_settings

    return get_current_settings().api.url


def in_flow_run() -> bool:
    """Whether a flow of Prefect's calls, and no task of it: what runs then is a part of it, on its server."""
    context = sys.modules.get("prefect.context")  # nobody's flow runs where nobody imported it
    return context is not None and context.FlowRunContext.get() is not None and context.TaskRunContext.get() is None


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


class Temporary:
    """A server that starts in the background. `start`, then `wait` until it answers at `url`; `stop` ends it."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `stop`)
        self._ready = False

    def start(self) -> Temporary:
        """Start the child and return at once; `url` is known from here on."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(listener.fileno())],
                pass_fds=(listener.fileno(),),
                stdin=subprocess.PIPE,  # closed by the end of this process, whatever ends it
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={**os.environ, **ENVIRONMENT},
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
        self._log.seek(0)
        text = self._log.read().decode("utf-8", "replace").strip()[-2000:]
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
        """End the child, once it has written what it was told."""
        process, self._process = self._process, None
        if process is None:
            return
        if not self._ready:
            process.kill()  # nothing was told yet; a migration that it began is rolled back
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
        self._log.close()

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


def _serve(listener: socket.socket) -> None:
    """The child: an API server on `listener` until the parent's end."""
    gc.disable()  # until it serves: collections take 1.5 of the 5.6 CPU-seconds that its imports need (`make bench B=tricks`)
    import uvicorn

    serving: list[uvicorn.Server] = []

    def end_with_parent() -> None:
        os.read(0, 1)
        for server in serving:
            server.should_exit = True
            time.sleep(END_S)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, PREFECT_SERVER_API_BASE_PATH, temporary_settings

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                serving.append(self)
                gc.freeze()
                gc.enable()
                os.write(1, READY)

    with temporary_settings(restore_defaults={PREFECT_SERVER_API_AUTH_STRING, PREFECT_SERVER_API_BASE_PATH}):
        server = Server(uvicorn.Config(create_app(), log_level="error", lifespan="on"))
        try:
            server.run(sockets=[listener])
        except SystemExit:  # it did not start
            if os.environ.get(DATABASE) == IN_MEMORY:
                raise
            os.execve(sys.executable, [sys.executable, "-P", *sys.argv], {**os.environ, DATABASE: IN_MEMORY})


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
