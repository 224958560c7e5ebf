"""Serves the page of `flows.inspect browse` on the loopback address until it is interrupted."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.inspect.output import open_output_of
from pipeline.inspect.page.app import application
from pipeline.inspect.page.guard import new_token

HOST = "127.0.0.1"


def browse(folder: str, *, port: int, work: str | None, save_plan: str | None, trust: bool) -> None:
    """Print the page's address and answer until Ctrl-C. `port` 0: a free one. Raises UsageError, InputError."""
    import uvicorn

    output = open_output_of(folder, trust=trust)
    assert output.plan, "of an output that is not trusted: refused now, and not by the page"
    plan = Path(save_plan).expanduser() if save_plan else None
    if plan is not None and plan.exists():
        raise UsageError(f"--save-plan {save_plan}: is there already; name a new file")
    listening = _listen(port)
    port = listening.getsockname()[1]
    token = new_token()
    app = application(output, token=token, port=port, work=work, save_plan=plan)
    settings = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="critical",  # what goes wrong is said by the page, harmless to a terminal
        access_log=False,  # the token stands in every path
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    print(f"http://{HOST}:{port}/{token}/", flush=True)
    print("only this machine can open it, with that token; Ctrl-C ends it", file=sys.stderr, flush=True)
    try:
        uvicorn.Server(settings).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        listening.close()


def _listen(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen()  # who has read the address is answered, if a moment later
    except (OSError, OverflowError) as error:
        made.close()
        raise UsageError(
            f"--port {port}: cannot be listened on ({getattr(error, 'strerror', None) or error}); name another"
        ) from error
    return made
