"""The webhook: what it is told of each end of a run, and that it can't hurt one."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.states import Cancelling, Completed, Crashed, Failed

from flows.serving import notify
from pipeline.errors import CheckFailed, InputError, UsageError

RUN: Any = SimpleNamespace(name="calm-\u202elion", id="5f16d86c-e32e-4938-82d4-fb5731c45e75")
FLOW: Any = SimpleNamespace(name="curate")


class Webhook:
    """A real one, on loopback."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.status, self.delay_s = 200, 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                time.sleep(outer.delay_s)
                outer.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(outer.status)
                self.send_header("location", "http://127.0.0.1:9/")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/services/T0/secret"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Webhook]:
    made = Webhook()
    monkeypatch.setenv(notify.VARIABLE, made.url)
    monkeypatch.setattr(notify, "flow_run_logger", lambda *_: logging.getLogger("told"))
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize(
    ("state", "event", "message"),
    [
        (
            Completed(data={"generation": 3, "documents": {"read": 1200, "kept": 2}}),
            "completed",
            "generation 3: 1,200 read, 2 kept",
        ),
        (Completed(data={"generation": None, "documents": {"read": 5}}), "completed", "nothing new"),
        (
            Failed(data=CheckFailed("nothing was published:\n  max_drop_share 100 %")),
            "refused",
            "nothing was published:; max_drop",
        ),
        (Failed(data=InputError("s3://u:word@b/x?sig=abc is gone")), "failed", "s3://b/x is gone"),
        (Failed(data=InputError("https://u:word@host/x is gone")), "failed", "https://host/x is gone"),
        (Crashed(message="killed \x1b[31m"), "crashed", "killed [U+001B][31m"),
        (Cancelling(message="asked to"), "cancelled", "asked to"),
    ],
)
def test_each_end_is_told_in_one_small_object(webhook: Webhook, state: Any, event: str, message: str) -> None:
    notify.tell_webhook(FLOW, RUN, state)
    (got,) = webhook.got
    assert got["event"] == event
    assert got["message"].startswith(message)
    assert got["flow_run"] == "calm-[U+202E]lion"
    assert "word" not in json.dumps(got) and "abc" not in json.dumps(got)
    assert len(json.dumps(got)) < 4000


@pytest.mark.parametrize("fault", ["status", "redirect", "slow", "gone"])
def test_a_webhook_that_fails_fails_no_run_and_its_address_is_not_logged(
    webhook: Webhook, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "TIMEOUT_S", 0.2)
    webhook.status = {"status": 500, "redirect": 307}.get(fault, 200)
    webhook.delay_s = 1 if fault == "slow" else 0
    if fault == "gone":
        webhook.server.server_close()
    begin = time.monotonic()
    with caplog.at_level("WARNING", logger="told"):
        notify.tell_webhook(FLOW, RUN, Completed(data={"generation": 1}))
    assert time.monotonic() - begin < 1
    assert "the webhook was not told" in caplog.text
    assert "secret" not in caplog.text


def test_its_address_is_not_logged_where_all_that_libraries_say_is(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="httpx"):
        notify.tell_webhook(FLOW, RUN, Completed(data={"generation": 1}))
    assert len(webhook.got) == 1
    assert "secret" not in caplog.text
    assert not logging.getLogger("httpx").filters


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/y",
        "http://example.org/",
        "http://169.254.169.254/",
        "https://user:word@host/",
        "https:///no-host",
        "nothing",
        "http://[::1",
    ],
)
def test_addresses_that_are_none_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        notify.check(url)
    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://hooks.example/T/B?x=1", "http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:80/"]
)
def test_https_and_this_machine_are_taken(url: str) -> None:
    assert notify.check(url) is None  # and no error


def test_without_an_address_the_flow_has_no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(notify.VARIABLE, raising=False)
    assert notify.hooks() is None
    monkeypatch.setenv(notify.VARIABLE, "https://hooks.example/")
    assert notify.hooks() == [notify.tell_webhook]
