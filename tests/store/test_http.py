"""Files of a web server that throttles, cuts and lies: their bytes, or an error that names what is wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from flows.retry import can_pass
from pipeline.errors import InputError
from pipeline.store import http_host
from pipeline.store.http_file import Known, Web, WebFile, identity_of
from pipeline.store.http_host import CONNECTIONS, TRIES, TRIES_OF_A_STRANGER
from tests.store.web import PAGE, Fault, Server, served

DATA = random.Random(1).randbytes(300_000)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_host, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(http_host, "LONGEST_PAUSE_S", 0.002)


FILES = {"a.bin": DATA, "b/c.gz": b"short"}


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with served(FILES) as made:
        Web().info(made.address + "a.bin")
        yield made


@pytest.fixture
def server(running: Server) -> Server:
    running.files, running.faults, running.etags, running.asked = dict(FILES), [], True, []
    return running


def opened(server: Server, name: str = "a.bin", *, ahead: int = 1 << 17) -> WebFile:
    info = Web().info(server.address + name)
    return Web().open(
        server.address + name,
        block_size=ahead,
        cache_type="readahead" if ahead else "none",
        known=Known(info["size"], identity_of(info["ETag"])),
    )


def test_a_file_comes_in_one_answer_and_ranges_each_in_their_own(server: Server) -> None:
    with opened(server) as whole:
        assert (whole.read(10), whole.read()) == (DATA[:10], DATA[10:])
    assert server.asked == ["HEAD /a.bin", "GET /a.bin"] and whole.asked() == 1
    with opened(server, ahead=0) as parts:
        parts.seek(-7, 2)
        assert (parts.read(7), parts.read(7), parts.seek(5), parts.read(3)) == (DATA[-7:], b"", 5, DATA[5:8])
    assert server.asked[3:] == [f"GET /a.bin bytes={len(DATA) - 7}-{len(DATA) - 1}", "GET /a.bin bytes=5-7"]


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("busy", times=3)],
        [Fault("busy", times=2, status=429), Fault("busy", times=2, status=403, after=1, method="ANY")],
        [Fault("cut", times=5)],
        [Fault("cut", times=2), Fault("no range")],
        [Fault("longer", times=1)],
        [Fault("wrong", times=2)],
        [Fault("page", times=2)],
        [Fault("page", method="HEAD", times=1)],
    ],
    ids=lambda faults: "+".join(fault.kind for fault in faults),
)
@pytest.mark.parametrize("ahead", [1 << 17, 0])
def test_what_passes_leaves_the_bytes_as_they_are(server: Server, faults: list[Fault], ahead: int) -> None:
    server.faults = faults
    with opened(server, ahead=ahead) as file:
        assert file.read(200_000) + file.read() == DATA


@pytest.mark.parametrize(
    ("fault", "etags", "error", "words"),
    [
        (Fault("busy"), True, OSError, rf"answers 503 \({TRIES} tries\)"),
        (Fault("busy", status=403), True, OSError, r"answers 403 .*was asked too often: .*the same command again in an hour"),
        (Fault("busy", status=401), True, OSError, "answers 401; it asks for credentials"),
        (Fault("busy", status=404), True, FileNotFoundError, "no such file"),
        (Fault("busy", status=416), True, OSError, "another one now"),
        (Fault("busy", headers={"Retry-After": "86400"}), True, OSError, "left alone for 86400 s: run the same command again"),
        (Fault("wrong"), True, OSError, rf"the file has {len(DATA)} bytes, and sends it with {len(DATA) // 3}"),
        (Fault("wrong"), False, OSError, rf"the file has {len(DATA)} bytes, and sends it with {len(DATA) // 3}"),
        (Fault("longer"), True, OSError, rf"the file has {len(DATA)} bytes, and sends it with {len(DATA) + 1000}"),
        (Fault("page"), True, OSError, r"sends a web page \(text/html\) in place of a .bin file"),
        (Fault("away", headers={"Location": "http://169.254.169.254/latest"}), True, InputError, "another one, 169.254.169.254"),
        (Fault("away", headers={"Location": "file:///etc/passwd"}), True, InputError, "another one, nowhere"),
        (Fault("away", headers={"Location": "/a.bin"}), True, OSError, "more than 5 redirects"),
    ],
)
def test_what_stays_is_an_error_that_says_what_is_wrong(
    server: Server, fault: Fault, etags: bool, error: type[Exception], words: str
) -> None:
    server.etags = etags
    file = opened(server)
    server.faults = [fault]
    with pytest.raises(error, match=words), file:
        file.read()


def test_a_lie_is_asked_for_again_twice_and_ends_the_run(server: Server) -> None:
    """What another try meets again: a run with `--retries` does not begin anew for it."""
    file = opened(server)
    server.faults = [Fault("page")]
    with pytest.raises(OSError, match=r"in place of a .bin file \(3 tries\)") as raised, file:
        file.read()
    assert not can_pass(raised.value)


def test_a_file_that_became_another_one_is_told_by_its_etag(server: Server) -> None:
    file = opened(server)
    server.files["a.bin"] = DATA[::-1]
    with pytest.raises(OSError, match="another one now"), file:
        file.read()


@pytest.mark.parametrize("ahead", [1 << 17, 0])
def test_a_page_that_is_not_called_one_is_no_archive(server: Server, ahead: int) -> None:
    server.files |= {"a.wet.gz": PAGE, "a.txt": PAGE}
    with opened(server, "a.txt", ahead=ahead) as text:
        assert text.read() == PAGE
    with (
        pytest.raises(OSError, match=r"sends a web page in place of a \.gz file"),
        opened(server, "a.wet.gz", ahead=ahead) as file,
    ):
        file.read()


def test_a_redirect_on_the_same_server_is_followed(server: Server) -> None:
    server.faults = [Fault("away", match="old", method="ANY", headers={"Location": "/b/c.gz"})]
    assert Web().info(server.address + "old.gz")["size"] == 5


def test_a_stranger_that_refuses_is_asked_less_often() -> None:
    with served({}) as server:
        server.faults = [Fault("busy", method="ANY", status=403)]
        with pytest.raises(OSError, match=rf"\({TRIES_OF_A_STRANGER} tries\)"):
            Web().info(server.address + "a.bin")
        assert len(server.asked) == TRIES_OF_A_STRANGER


def test_no_more_connections_than_allowed_and_each_is_used_again() -> None:
    with served(FILES) as server, ThreadPoolExecutor(4 * CONNECTIONS) as pool:
        list(pool.map(lambda _: opened(server).read(), range(40)))
        assert 1 < server.open_most <= CONNECTIONS and server.connections <= 2 * CONNECTIONS


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now, self.slept = time.monotonic() + 10, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def host(server: Server) -> Iterator[http_host.Host]:
    """Afterwards nobody waits: the time of a test passes otherwise."""
    made = http_host.host_of(server.address.rstrip("/"))
    yield made
    made._alone_until = 0.0


def test_pauses_double_and_hold_back_all_who_ask_and_a_server_may_ask_for_more(
    server: Server, host: http_host.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(http_host, "time", clock)
    monkeypatch.setattr(http_host, "FIRST_PAUSE_S", 1.0)
    monkeypatch.setattr(http_host, "LONGEST_PAUSE_S", 4.0)
    server.faults = [Fault("busy", method="HEAD", times=5)]
    Web().info(server.address + "a.bin")
    for slept, most in zip(clock.slept, [1, 2, 4, 4, 4], strict=True):
        assert most / 2 <= slept <= most
    clock.slept.clear()
    server.faults = [Fault("busy", method="HEAD", times=1, headers={"Retry-After": "30"})]
    with pytest.raises(http_host.Again):
        host.ask("HEAD", server.address + "a.bin", {})
    server.faults = [Fault("busy", method="HEAD", times=1, headers={"Retry-After": "30"})]
    Web().info(server.address + "a.bin")
    assert clock.slept == [30]
    host.leave_alone(50)
    Web().info(server.address + "b/c.gz")  # another file of the same server waits too
    assert clock.slept == [30, 50]


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("120", 120, 120),
        (" 0 ", 0, 0),
        ("-1", None, None),
        ("soon", None, None),
        ("", None, None),
        ("9" * 400, 999_999_999, 999_999_999),
        pytest.param(format_datetime(datetime.now(UTC) + timedelta(hours=10), usegmt=True), 1, 36_000, id="in ten hours"),
        pytest.param(format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True), 0, 0, id="a day ago"),
        ("Wed, 32 Foo 2026 99:99:99 GMT", None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(field: str, least: float | None, most: float | None) -> None:
    found = http_host._asked_pause(field)
    assert found is None if least is None or most is None else found is not None and least <= found <= most


@pytest.mark.parametrize(
    ("etag", "identity"),
    [('"abc-1"', "http:abc-1"), ('W/"abc"', ""), ("", ""), ("abc", ""), ('""', ""), ('"a b\x01"', "http:ab")],
)
def test_only_a_strong_etag_names_the_bytes(etag: str, identity: str) -> None:
    assert identity_of(etag) == identity


def test_what_is_not_there(server: Server) -> None:
    with served({}) as gone:
        pass
    with pytest.raises(OSError, match=r"the connection failed .*\(3 tries\)"):
        Web().info(gone.address + "a.bin")
    with pytest.raises(InputError, match="no address"):
        Web().info("http://[::1/a.bin")
    assert not Web().isfile(server.address + "nothing.bin")
