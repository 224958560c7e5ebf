"""The calls of the Hub's API that an upload makes, on loopback: one repository, commits as dictionaries of files."""

from __future__ import annotations

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote, urlsplit


class HubServer(BaseHTTPRequestHandler):
    """`commits`: files of each, by name; `stored`: large files by sha256; `sent`: of which by upload; `fail`: the next commits
    that are refused."""

    commits: list[dict[str, bytes]]
    stored: dict[str, bytes]
    sent: list[str]
    tokens: set[str]
    state: dict[str, Any]

    def _reply(self, body: object = None, *, status: int = 200, raw: bytes | None = None, **headers: str) -> None:
        data = raw if raw is not None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def sha(self) -> str:
        return f"{len(self.commits):040x}"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.tokens.add(self.headers.get("Authorization", ""))
        if not self.state["there"]:
            self._reply({"error": "Repository not found"}, status=404, X_Error_Code="RepoNotFound")
        elif "/tree/" in path:
            files = self.commits[-1]
            self._reply([{"type": "file", "path": n, "size": len(d), "oid": "0"} for n, d in files.items()])
        elif "/resolve/" in path:
            data = self.commits[-1][path.partition("/resolve/")[2].partition("/")[2]]
            self._reply(raw=data, ETag=f'"{hashlib.sha256(data).hexdigest()}"', X_Repo_Commit=self.sha())
        else:
            self._reply({"id": "org/data", "sha": self.sha(), "private": self.state["private"], "siblings": []})

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        data = self._body()
        digest = hashlib.sha256(data).hexdigest()
        self.stored[digest] = data
        self.sent.append(digest)
        self._reply({})

    def do_POST(self) -> None:
        path, body = unquote(urlsplit(self.path).path), self._body()
        if path.endswith("/api/repos/create"):
            self.state.update(
                there=True,
                private=json.loads(body).get("visibility") == "private",
            )
            self.commits.append({".gitattributes": b"*.parquet filter=lfs\n"})
            self._reply({"url": f"http://{self.headers['Host']}/datasets/org/data"})
        elif path.endswith("/validate-yaml"):
            self._reply({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            self._reply({"files": [self._mode(one["path"]) for one in json.loads(body)["files"]]})
        elif path.endswith("/objects/batch"):
            self._reply({"objects": [self._object(one) for one in json.loads(body)["objects"]]})
        elif "/commit/" in path:
            self._commit(body)
        else:
            self._reply({"error": path}, status=404)

    def _mode(self, name: str) -> dict[str, object]:
        now, large = self.commits[-1].get(name), name.endswith(".parquet")
        git = None if now is None else hashlib.sha1(b"blob %d\0" % len(now) + now).hexdigest()
        oid = hashlib.sha256(now).hexdigest() if large and now is not None else git
        return {"path": name, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def _object(self, one: dict[str, Any]) -> dict[str, Any]:
        link = {"href": f"http://{self.headers['Host']}/put/{one['oid']}"}
        return {**one, **({} if one["oid"] in self.stored else {"actions": {"upload": link}})}

    def _commit(self, body: bytes) -> None:
        if self.state["fail"]:
            self.state["fail"] -= 1
            self._reply({"error": f"no, {self.headers['Authorization']}"}, status=403)
            return
        files = dict(self.commits[-1])
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                assert value["parentCommit"] == self.sha()
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        self.commits.append(files)
        url = f"http://{self.headers['Host']}/datasets/org/data/commit/{self.sha()}"
        self._reply({"success": True, "commitOid": self.sha(), "commitUrl": url})

    def log_message(self, *_: object) -> None:
        pass
