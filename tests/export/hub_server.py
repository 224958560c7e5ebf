"""A stand-in for the Hub's API on loopback: one dataset repository, as far as an upload asks for it.

Source: huggingface_hub 2.4, `_commit_api.py`, `lfs.py`, `hf_api.py` (routes and bodies), and git-lfs's batch API.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Hub:
    """`files`: of the repository by path, None where there is none. `stored`: large files by sha256, committed or not.
    `commits`: paths that each wrote and took away. `refuses`: a status for every request; `breaks_after`: large files that are
    taken before the server is gone."""

    address: str = ""
    files: dict[str, bytes] | None = None
    stored: dict[str, bytes] = field(default_factory=dict)
    commits: list[tuple[list[str], list[str]]] = field(default_factory=list)
    private: bool | None = None
    sent: int = 0
    refuses: int = 0
    breaks_after: int | None = None
    tokens: set[str] = field(default_factory=set)

    def commit(self, lines: list[dict[str, Any]]) -> None:
        assert self.files is not None
        wrote, gone = [], []
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
                wrote.append(value["path"])
            elif line["key"] == "lfsFile":
                self.files[value["path"]] = self.stored[value["oid"]]
                wrote.append(value["path"])
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]
                gone.append(value["path"])
        self.commits.append((sorted(wrote), sorted(gone)))


def _tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    made = []
    for path, data in sorted(files.items()):
        one = {"type": "file", "path": path, "size": len(data)}
        one["oid"] = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if path.endswith(".parquet"):
            one["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        made.append(one)
    return made


@contextmanager
def served() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def _begin(self) -> bytes:
            hub.tokens.add(self.headers.get("Authorization", ""))
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _say(self, status: int, value: Any = None, **headers: str) -> None:
            data = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Length": str(len(data)), "Content-Type": "application/json", **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)

        def _missing(self) -> None:
            self._say(404, {"error": "Repository not found"}, **{"X-Error-Code": "RepoNotFound"})

        def do_GET(self) -> None:
            self._begin()
            if hub.refuses:
                self._say(hub.refuses, {"error": "no"})
            elif hub.files is None:
                self._missing()
            else:
                self._say(200, _tree(hub.files))

        def do_PUT(self) -> None:
            data = self._begin()
            if hub.breaks_after is not None and hub.sent >= hub.breaks_after:
                self._say(400, {"error": "gone"})
                return
            hub.stored[self.path.rpartition("/")[2]] = data
            hub.sent += 1
            self._say(200)

        def do_POST(self) -> None:
            raw = self._begin()
            if hub.refuses:
                self._say(hub.refuses, {"error": "no"})
            elif self.path == "/api/repos/create":
                hub.files, hub.private = {}, json.loads(raw).get("private") or json.loads(raw).get("visibility") == "private"
                self._say(200, {"url": f"{hub.address}/datasets/org/name"})
            elif self.path == "/api/validate-yaml":
                self._say(200, {"errors": [], "warnings": []})
            elif hub.files is None:
                self._missing()
            elif "/preupload/" in self.path:
                asked = json.loads(raw)["files"]
                modes = {one["path"]: "lfs" if one["path"].endswith(".parquet") else "regular" for one in asked}
                files = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
                self._say(200, {"files": files})
            elif self.path.endswith("/objects/batch"):
                objects = []
                for one in json.loads(raw)["objects"]:
                    done = one["oid"] in hub.stored
                    action = {"upload": {"href": f"{hub.address}/store/{one['oid']}"}}
                    objects.append(one if done else {**one, "actions": action})
                self._say(200, {"transfer": "basic", "objects": objects})
            else:
                hub.commit([json.loads(line) for line in raw.splitlines() if line.strip()])
                url = f"{hub.address}/datasets/org/name/commit/{len(hub.commits):040x}"
                self._say(200, {"success": True, "commitOid": f"{len(hub.commits):040x}", "commitUrl": url})

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()
