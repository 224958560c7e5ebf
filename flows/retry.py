"""Which errors may pass by themselves: network and storage errors do; wrong plans, broken contracts and full disks don't."""

from __future__ import annotations

import errno
import http.client
import ssl
import time
from collections.abc import Callable
from typing import Any, TypeVar

from pipeline.errors import CannotRead, WinnowError
from pipeline.machine.events import Event, OnEvent

Made = TypeVar("Made")

PERMANENT = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EISDIR,
    errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENOMEM,
}  # fmt: skip
"""Operating-system errors that another try seconds later meets again."""
NETWORK = ("aiohttp", "botocore", "httpx", "httpcore", "urllib3", "requests")
"""Packages whose connection errors are not all OSErrors."""
PASSING = (
    "Connect",
    "Timeout",
    "Disconnect",
    "IncompleteRead",
    "PayloadError",
    "ProtocolError",
    "ReadError",
    "ResponseStreaming",
)
"""Parts of the names of their errors that say the line broke or was slow."""
STATUSES = {408, 409, 425, 429, 500, 502, 503, 504}
"""HTTP statuses that another try may not meet (RFC 9110, RFC 6585). 409: S3's answer to two writers of one key."""
CODES = {
    "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "RequestTimeout",
    "InternalError", "ServiceUnavailable", "OperationAborted", "503", "500", "429",
}  # fmt: skip
"""Error codes of S3 that ask for another try (Amazon S3 API reference, "Error responses")."""
MOST_CAUSES = 10
BACK_OFF_S = 1.0
"""Seconds before the first retry; doubled each time. Chosen so that two retries outlast a dropped connection."""


def can_pass(error: BaseException) -> bool:
    """Whether another try may succeed. What a server answered counts more than the kind of the error."""
    if isinstance(error, CannotRead) and error.cause is not None:
        return can_pass(error.cause)
    if isinstance(error, WinnowError | ssl.SSLCertVerificationError):
        return False
    answered = _answer(error)
    if answered is not None:
        return answered
    if isinstance(error, OSError):
        return error.errno not in PERMANENT and not isinstance(error, FileNotFoundError | PermissionError | FileExistsError)
    if isinstance(error, http.client.IncompleteRead):
        return True
    names = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    return any(package in NETWORK and any(part in name for part in PASSING) for package, name in names)


def _answer(error: BaseException) -> bool | None:
    """Whether the server's answer, where the error or one that it came from holds one, may be another next time."""
    for _ in range(MOST_CAUSES):
        code, status = _code_and_status(error)
        if code in CODES or status in STATUSES:
            return True
        if code is not None or status is not None:
            return False
        if error.__cause__ is None:
            return None
        error = error.__cause__
    return None


def _code_and_status(error: BaseException) -> tuple[str | None, int | None]:
    """As botocore (`response` is a mapping), aiohttp (`status`), httpx and requests (`response.status_code`) hold them."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return response.get("Error", {}).get("Code"), status
    found = getattr(response, "status_code", None) or getattr(error, "status", None)
    return None, found if isinstance(found, int) else None


def tried(
    body: Callable[[], Made], *, retries: int, back_off_s: float, on_event: OnEvent, may: Callable[[], bool] = lambda: True
) -> Made:
    """A run; where storage or network failed, the same run again after `back_off_s` seconds, which double each time: what is
    done is found on disk. `may`: whether this failure may be tried again here."""
    for attempt in range(retries + 1):
        try:
            return body()
        except Exception as error:
            if attempt == retries or not may() or not can_pass(error):
                raise
            delay = back_off_s * 2**attempt
            said = f"{type(error).__name__}: {error}"[:300]
            on_event(Event("note", "run", note=f"{said}; the run goes on in {delay:.0f} s"))
            time.sleep(delay)
    raise AssertionError("unreachable")


def may_retry(_task: Any, _run: Any, state: Any) -> bool:
    """Prefect's question of a task that failed."""
    try:
        state.result()
    except Exception as error:
        return can_pass(error)
    return False
