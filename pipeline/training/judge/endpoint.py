"""One question to an OpenAI-compatible endpoint: how often it is asked again, how long it may take, what it may know and say.

Invariants: the key stands in the header of the request and nowhere else: no message, log, exception, file or address has it, nor
anything that the endpoint said besides a checked answer and two counts of tokens, since an endpoint may send back what it got. A
redirect is not followed. An answer takes at most DEADLINE_S and MOST_BYTES, however slowly it comes.
"""

from __future__ import annotations

import asyncio
import email.utils
import ipaddress
import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from pipeline.errors import RunFailed, UsageError
from pipeline.machine.schedule import Stopped
from pipeline.records.base import Json
from pipeline.store.secrets import refuse_secrets
from pipeline.training.judge import question
from pipeline.training.judge.question import Answer

TRIES = 6
WAIT_S, LONGEST_WAIT_S = 1.0, 120.0
"""Seconds before the second try; each later one waits up to twice as long. A server that asks for more than the longest ends the
run, which resumes."""
QUIET_S, DEADLINE_S = 60.0, 180.0
"""Seconds that an answer may pause, and take in all."""
MOST_BYTES = 1 << 20
_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529)
_MEANING = {
    400: "it does not take the request: see --model, and --body for the fields that this server wants",
    401: "it does not take the key: see --api-key-env",
    403: "the key may not do this",
    404: "there is nothing there: --endpoint is the address that ends in /v1, and --model a model of this server",
}


@dataclass(frozen=True)
class Said:
    """What came back: an answer or None where it was not of the form, and the tokens that the endpoint counted."""

    answer: Answer | None
    tokens_in: int = 0
    tokens_out: int = 0


@dataclass
class Endpoint:
    """Where questions go. `body`: fields beside model and messages. Threads share it: what one is told to wait, all wait."""

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    body: Json = field(default_factory=dict)
    sleep: Callable[[float], object] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)
    _settings: dict[str, Any] = field(init=False, repr=False)
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        here = _is_here(urlsplit(self.url).hostname or "")
        # httpx tells each request at level INFO, httpcore its headers at level DEBUG.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        headers = {"accept-encoding": "identity", "user-agent": "winnow"} | (
            {"authorization": f"Bearer {self.key}"} if self.key else {}
        )
        self._settings = {
            "headers": headers,
            "timeout": httpx.Timeout(QUIET_S),
            "follow_redirects": False,
            "trust_env": not here,
            "verify": httpx.create_ssl_context(trust_env=not here),
        }

    def stop(self) -> None:
        """Ask nothing more: who waits for another try ends with Stopped."""
        self._stopped.set()

    def ask(self, text: str) -> Said:
        """Ask about a text. Raises RunFailed where the endpoint gives no answer, of whatever form."""
        cause = ""
        for attempt in range(TRIES):
            self._wait(attempt)
            try:
                status, retry_after, data = self._post(text)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, TimeoutError) as error:
                cause = type(error).__name__  # its text may hold what was sent
                continue
            except Exception as error:
                raise RunFailed(f"{self._named()}: the request cannot be sent ({type(error).__name__})") from None
            if status == 200 and data is not None:
                return _read(data)
            cause = f"status {status}" if status != 200 else f"an answer of more than {MOST_BYTES:,} bytes"
            if status in _AGAIN:
                self._told(retry_after)
            elif status != 200:
                raise RunFailed(
                    f"{self._named()} answers with {cause}: {_MEANING.get(status, 'nothing that can be used')}"
                ) from None
        raise RunFailed(
            f"{self._named()}: no answer after {TRIES} tries ({cause}); what was answered is kept, and the same command goes on"
        ) from None

    def _named(self) -> str:
        return f"the endpoint {urlsplit(self.url).hostname}"

    def _wait(self, attempt: int) -> None:
        longest = min(LONGEST_WAIT_S, WAIT_S * 2.0 ** (attempt - 1)) if attempt else 0.0
        with self._lock:
            rest = self._until - time.monotonic()
        pause = max(rest, longest * (0.5 + random.random() / 2))
        if pause > 0:
            (self.sleep or self._stopped.wait)(pause)
        if self._stopped.is_set():
            raise Stopped

    def _told(self, retry_after: str | None) -> None:
        seconds = seconds_of(retry_after)
        if seconds > LONGEST_WAIT_S:
            raise RunFailed(
                f"{self._named()} asks to wait {seconds:.0f} s; what was answered is kept, and the same command goes on then"
            ) from None
        with self._lock:
            self._until = max(self._until, time.monotonic() + seconds)

    def _post(self, text: str) -> tuple[int, str | None, bytes | None]:
        """Status, Retry-After, and the body, None where it is too long."""
        made: Json = {"model": self.model, "temperature": 0, "max_tokens": question.ANSWER_TOKENS, **self.body}
        made = {name: value for name, value in made.items() if value is not None} | {"messages": question.messages(text)}
        return asyncio.run(self._posted(made))

    async def _posted(self, made: Json) -> tuple[int, str | None, bytes | None]:
        # A limit for each read would begin anew with each byte, of a header too.
        data = bytearray()
        async with (
            asyncio.timeout(DEADLINE_S),
            httpx.AsyncClient(**self._settings) as client,
            client.stream("POST", self.url, json=made) as response,
        ):
            async for part in response.aiter_raw():
                data += part
                if len(data) > MOST_BYTES:
                    return response.status_code, None, None
            return response.status_code, response.headers.get("retry-after"), bytes(data)


def connect(url: str, model: str, *, key_from: str | None, body: str | None) -> Endpoint:
    """The endpoint that a user names. Raises UsageError, without repeating a secret."""
    refuse_secrets(url, what="endpoint", error=UsageError)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError("--endpoint: expected an address such as https://api.example/v1") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise UsageError("--endpoint: expected an address such as https://api.example/v1, without a query")
    key = _key(key_from)
    if key and parts.scheme == "http" and not _is_here(host):
        raise UsageError("--endpoint: a key goes over https, or to this machine; http would show it to the network")
    path = url.rstrip("/")
    return Endpoint(path if path.endswith("/chat/completions") else f"{path}/chat/completions", model, key, _body(body))


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    found = os.environ.get(name)
    if not found:
        raise UsageError(f"--api-key-env {name}: the environment has no such variable, or an empty one")
    if not all("!" <= c <= "~" for c in found):  # a header could not hold it, and the error would say it
        raise UsageError(f"--api-key-env {name}: the variable's value is no key (it has spaces, line breaks or other characters)")
    return found


def _body(given: str | None) -> Json:
    if given is None:
        return {}
    try:
        found = json.loads(given)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or {"messages", "model", "stream", "n"} & found.keys():
        raise UsageError("--body: expected a JSON object of fields beside model and messages, without stream and n")
    return found


def seconds_of(retry_after: str | None) -> float:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3: a number or a date); 0 where there is none."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0


def _read(data: bytes) -> Said:
    try:
        found: Any = json.loads(data)
        content = found["choices"][0]["message"]["content"]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return Said(None)
    used = found.get("usage")
    counts = [used.get(name) if isinstance(used, dict) else 0 for name in ("prompt_tokens", "completion_tokens")]
    tokens = [n if isinstance(n, int) and 0 <= n < 1 << 40 else 0 for n in counts]
    return Said(question.answer(content) if isinstance(content, str) else None, *tokens)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
