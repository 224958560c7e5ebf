"""Model files by path and from the Hub: what a name means, what is fetched from where, and what an error says."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import pytest

from filters import language, models
from filters.models import places

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = b"a model"
FILES = {"/org/lid/resolve/main/model.bin", "/org/lid/resolve/v2/deep/model.bin"}


class Hub(BaseHTTPRequestHandler):
    """The Hub's resolve endpoint, as far as hf_hub_download asks for it."""

    asked: list[str]

    def _answer(self, *, body: bool) -> None:
        self.asked.append(self.path)
        if self.path in FILES:
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(MODEL).hexdigest()}"')
            self.send_header("Content-Length", str(len(MODEL)))
            self.end_headers()
            if body:
                self.wfile.write(MODEL)
            return
        code = "EntryNotFound" if self.path.startswith("/org/lid/resolve/main") else "RevisionNotFound"
        code = code if self.path.startswith("/org/lid/") else "GatedRepo" if "gated" in self.path else "RepoNotFound"
        self.send_response(403 if code == "GatedRepo" else 404)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    handler = type("Handler", (Hub,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield handler
    server.shutdown()
    server.server_close()


def test_a_path_is_itself_and_nothing_is_looked_up(hub: type[Hub]) -> None:
    for name in ("model.bin", "/a/b.ftz", "hf/org/x.bin", "../x"):
        assert places.find_model_file(name) == Path(name)
    assert hub.asked == []


@pytest.mark.parametrize("name", ["hf://org/lid/model.bin", "hf://org/lid@main/model.bin", "hf://org/lid@v2/deep/model.bin"])
def test_a_file_of_the_hub_is_fetched_once(hub: type[Hub], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = places.find_model_file(name)
    assert found.read_bytes() == MODEL
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    before = len(hub.asked)
    assert places.find_model_file(name) == found and len(hub.asked) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf://org/lid/other.bin", "no such file or revision"),
        ("hf://org/lid@gone/model.bin", "no such file or revision"),
        ("hf://org/none/model.bin", "no such repository"),
        ("hf://org/gated/model.bin", "HF_TOKEN"),
    ],
)
def test_what_the_hub_refuses_is_said(hub: type[Hub], name: str, message: str) -> None:
    with pytest.raises(models.ModelError, match=message) as error:
        places.find_model_file(name)
    assert name in str(error.value)


def test_without_a_network_the_message_says_what_to_do(hub: type[Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    name = "hf://org/lid/model.bin"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(models.ModelError, match=r"not in the cache; download it by hand .* `hf download org/lid model\.bin`"):
        places.find_model_file(name)


def test_any_error_of_the_http_library_is_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: object, **__: object) -> None:
        raise RuntimeError("connection cut\nmore")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", cut)
    with pytest.raises(models.ModelError, match=r"not fetched \(RuntimeError: connection cut\); download it by hand"):
        places.find_model_file("hf://org/lid/model.bin")


@pytest.mark.parametrize(
    "name",
    ["hf://", "hf://org", "hf://org/lid", "hf://org/lid/", "hf://datasets/org/lid/x.bin", "hf://spaces/org/x.bin", "hf://org/lid/../x",
     "hf://org/lid@/x.bin", "hf://org/lid@a b/x.bin", "hf:///lid/x.bin", "hf://-org/lid/x.bin"],
)  # fmt: skip
def test_other_forms_are_refused_without_asking(hub: type[Hub], name: str) -> None:
    with pytest.raises(models.ModelError, match="expected a file of a model repository"):
        places.find_model_file(name)
    assert hub.asked == []


def test_the_language_filter_reads_a_model_of_the_hub(hub: type[Hub]) -> None:
    params = language.FILTER.params(model="hf://org/lid/model.bin")
    (path,) = language.FILTER.files(params)
    assert path.read_bytes() == MODEL
    with pytest.raises(models.ModelError, match="magic number"):
        language.FILTER.load(params)
