"""A small run with work files of every kind, and the same facts of it that any run of its input must come to."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.store.local import LocalFolder
from tests.support import ROOT, digests, prose, write_rows

CHANGES = ("_rename", "create", "place", "remove")
"""Methods of a folder through which each change of it goes."""


def inputs(folder: Path) -> Path:
    """A file that is split and one that is streamed; near and exact duplicates, one row that cannot be read."""
    rows: list[dict[str, Any] | bytes] = [{"text": prose(k), "url": f"https://example.org/{k}"} for k in range(12)]
    rows += [{"text": prose(3) + " And so it went."}, {"text": prose(5)}, b"{broken"]
    write_rows(folder / "a.jsonl", rows)
    lines = b"".join(json.dumps({"text": prose(k)}).encode() + b"\n" for k in range(40, 52))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    return folder


def command(folder: Path | str, out: Path | str) -> tuple[str | Path, ...]:
    keys = {
        "source.unit_bytes": "5000",
        "source.max_bad_fraction": "0.5",
        "filters.gopher_quality.min_words": "20",
        "edits.pii.email": "true",
        "output.shard_bytes": "20000",
    }
    return ("minimal", "--input", folder, "--output", out, *(f for k, v in keys.items() for f in ("--set", f"{k}={v}")))


def promised(out: Path) -> dict[str, Any]:
    """What has to be the same: the bytes of each file, and what the manifest says of their rows."""
    manifest = json.loads((out / "manifest.json").read_text())
    return {
        "files": digests(out, ("data", "rejected", "ledger", "quarantine", "index")),
        "content": manifest["content_sha256"],
        "totals": manifest["totals"],
    }


def count_changes(monkeypatch: Any, fault: Callable[[int, str], None]) -> list[str]:
    """`fault(n, what)` is asked before the n-th change to a store, and may raise; gives the list of the changes."""
    seen: list[str] = []

    def watched(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(self: LocalFolder, *args: Any, **kwargs: Any) -> Any:
            what = " ".join(str(a).replace(self.root, "").lstrip("/") for a in args if isinstance(a, str))
            if "attempts/" not in what:  # they come by the clock
                seen.append(f"{name} {what}")
                fault(len(seen), seen[-1])
            return method(self, *args, **kwargs)

        return wrapper

    for name in CHANGES:
        monkeypatch.setattr(LocalFolder, name, watched(name, getattr(LocalFolder, name)))
    return seen


__all__ = ["ROOT", "command", "count_changes", "inputs", "promised"]
