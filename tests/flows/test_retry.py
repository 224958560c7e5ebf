"""What is tried again: errors of storage and network, told by their kind, and by what a server answered."""

from __future__ import annotations

import errno
import http.client
import pickle
import ssl
from typing import Any

import httpx
import pytest

from flows.retry import can_pass
from pipeline.errors import BadRows, CannotRead, CheckFailed, InputChanged, OutputLocked, PlanError


def made(package: str, name: str, **attributes: Any) -> Exception:
    """An error as `package` raises it, without the package."""
    error = type(name, (Exception,), {"__module__": f"{package}.exceptions"})("it said so")
    for attribute, value in attributes.items():
        setattr(error, attribute, value)
    return error


def boto(code: str, status: int) -> Exception:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return made("botocore", "ClientError", response=response)


def http_status(status: int) -> Exception:
    request = httpx.Request("GET", "https://example.org")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status, request=request))


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def read(cause: Exception) -> CannotRead:
    """As it arrives from another process: without its `__cause__`."""
    error = CannotRead("a.jsonl: reading failed")
    error.cause = cause
    return pickle.loads(pickle.dumps(error))


PASSES = [
    read(OSError(errno.EIO, "disk")),
    read(ConnectionResetError("reset")),
    ConnectionResetError("reset"),
    TimeoutError("slow"),
    OSError(errno.EIO, "remote"),
    OSError(errno.ESTALE, "stale handle"),
    boto("SlowDown", 503),
    boto("InternalError", 500),
    boto("RequestTimeout", 400),
    boto("ThrottlingException", 400),
    made("botocore", "EndpointConnectionError"),
    made("botocore", "ReadTimeoutError"),
    made("botocore", "ConnectionClosedError"),
    made("botocore", "IncompleteReadError"),
    made("botocore", "ResponseStreamingError"),
    made("aiohttp", "ServerDisconnectedError"),
    made("aiohttp", "ClientPayloadError"),
    made("aiohttp", "ClientResponseError", status=503),
    made("aiohttp", "ClientResponseError", status=429),
    http_status(429),
    http_status(502),
    httpx.ReadError("cut"),
    httpx.RemoteProtocolError("cut"),
    httpx.ConnectTimeout("slow"),
    http.client.IncompleteRead(b"half"),
    caused(OSError(errno.EIO, "translated"), boto("SlowDown", 503)),
]
STAYS = [
    read(PermissionError(errno.EACCES, "closed")),
    FileNotFoundError(errno.ENOENT, "gone"),
    PermissionError(errno.EACCES, "closed"),
    OSError(errno.ENOSPC, "full"),
    OSError(errno.EROFS, "read-only"),
    ssl.SSLCertVerificationError(1, "self-signed"),
    boto("AccessDenied", 403),
    boto("NoSuchBucket", 404),
    boto("InvalidAccessKeyId", 403),
    boto("PreconditionFailed", 412),
    made("botocore", "NoCredentialsError"),
    made("botocore", "ParamValidationError"),
    made("aiohttp", "ClientResponseError", status=403),
    made("aiohttp", "ClientResponseError", status=404),
    http_status(401),
    http_status(404),
    caused(OSError(errno.EIO, "translated"), boto("AccessDenied", 403)),
    PlanError("key"),
    BadRows("rows"),
    CheckFailed("share"),
    InputChanged("a.jsonl"),
    OutputLocked("held"),
    ValueError("bug"),
    MemoryError(),
]


def shown(error: Exception) -> str:
    return f"{type(error).__module__}.{type(error).__name__}-{getattr(error, 'response', None) or error}"[:70]


@pytest.mark.parametrize("error", PASSES, ids=shown)
def test_what_can_pass_is_tried_again(error: Exception) -> None:
    assert can_pass(error)


@pytest.mark.parametrize("error", STAYS, ids=shown)
def test_what_cannot_pass_is_not(error: Exception) -> None:
    assert not can_pass(error)
