"""Cases that take several runs: an input that changes between two of them, and odd names of outputs under every command."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cases.expect import seen
from tests.cases.runs import Ran, command, curate
from tests.support import prose, write_rows

ODD = ("[out]", "~out", "o u t", "öut文", "out#1", "out%20x", "-out", "o'u\"t", "out*", "out?")


@dataclass(frozen=True)
class Told:
    """What came of a story."""

    case: str
    name: str
    about: str
    saw: str
    ok: bool


def _second(change: Callable[[Path], Path], folder: Path, *given: str) -> Ran:
    """What a second run into one output does after `change` to its input, a folder of one file."""
    source, out = folder / "in", folder / "out"
    write_rows(source / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(4)])
    first = curate("minimal", "--input", source, given=source, out=out)
    assert first.code == 0, first.printed
    source = change(source)
    return curate("minimal", "--input", source, *given, given=source, out=out)


def _touch(source: Path) -> Path:
    os.utime(source / "a.jsonl", (1, 1))
    return source


def _grow(source: Path) -> Path:
    write_rows(source / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(5)])
    return source


def _edit(source: Path) -> Path:
    rows = [{"id": f"d{k}", "text": prose(k) + (" Corrected now." if k == 1 else "")} for k in range(4)]
    write_rows(source / "a.jsonl", [*rows])
    return source


def _delete(source: Path) -> Path:
    (source / "a.jsonl").rename(source / "b.jsonl")
    write_rows(source / "b.jsonl", [{"id": "e", "text": prose(9)}])
    return source


def _rename(source: Path) -> Path:
    return source.rename(source.parent / "renamed")


def _recompress(source: Path) -> Path:
    (source / "a.jsonl.gz").write_bytes(gzip.compress((source / "a.jsonl").read_bytes()))
    (source / "a.jsonl").unlink()
    return source


def _distinct(ran: Ran) -> bool:
    return len(set(ran.texts)) == len(ran.texts)


def _says(ran: Ran, *words: str) -> bool:
    return ran.code >= 0 and all(word.lower() in ran.printed.lower() for word in words)


INCREMENTS: tuple[tuple[str, Callable[[Path], Path], tuple[str, ...], str, Callable[[Ran], bool]], ...] = (
    ("touch", _touch, (), "nothing new", lambda r: r.code == 0 and _says(r, "nothing new") and len(r.texts) == 4),
    (
        "grow",
        _grow,
        (),
        "refused, naming a.jsonl and on_changed",
        lambda r: r.code in (1, 2) and _says(r, "a.jsonl", "on_changed"),
    ),
    ("grow", _grow, ("on_changed=append",), "5 texts, each once", lambda r: r.code == 0 and len(r.texts) == 5 and _distinct(r)),
    (
        "edit",
        _edit,
        (),
        "refused, naming a.jsonl and on_changed",
        lambda r: r.code in (1, 2) and _says(r, "a.jsonl", "on_changed"),
    ),
    (
        "edit",
        _edit,
        ("on_changed=append",),
        "new text wins, or told that it may lose",
        lambda r: r.code == 0 and _distinct(r) and (any("Corrected" in t for t in r.texts) or _says(r, "a.jsonl", "replace")),
    ),
    (
        "edit",
        _edit,
        ("on_changed=replace",),
        "new text wins, the old one goes",
        lambda r: r.code == 0 and len(r.texts) == 4 and sum("Corrected" in t for t in r.texts) == 1,
    ),
    ("delete", _delete, (), "told that a.jsonl is gone", lambda r: r.code == 0 and _says(r, "a.jsonl") and _distinct(r)),
    ("rename", _rename, (), "4 texts, each once", lambda r: r.code == 0 and len(r.texts) == 4 and _distinct(r)),
    ("recompress", _recompress, (), "4 texts, each once", lambda r: r.code == 0 and len(r.texts) == 4 and _distinct(r)),
)


def increments(folder: Path) -> list[Told]:
    """Each change of an input is told apart, and no text is twice in data/."""
    found = []
    for k, (name, change, given, about, holds) in enumerate(INCREMENTS):
        (folder / str(k)).mkdir()
        ran = _second(change, folder / str(k), *(part for value in given for part in ("--set", value)))
        found.append(Told("incremental", " ".join((name, *given)), about, seen(ran), holds(ran)))
    return found


def _asks(out: str, keys: Path) -> list[tuple[str, list[str]]]:
    """Commands of `flows.inspect` on an output, in an order in which each leaves the next something to do."""
    return [
        (name, [name, f"--output={out}", *given])
        for name, given in (
            ("why", ["d1"]),
            ("compare", [f"./{out}"]),
            ("takedown", ["--keys", str(keys), "--yes"]),
        )
    ]


def places(folder: Path) -> list[Told]:
    """Every command works on an output of any name, from another current folder and by a relative path."""
    from flows.inspect import main

    found, before = [], Path.cwd()
    source = folder / "in"
    write_rows(source / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(4)])
    keys = folder / "keys"
    keys.write_text("d1\n", "utf-8")
    os.chdir(folder)
    try:
        for name in ODD:
            ran = curate("minimal", "--input", "in", given=source, out=folder / name)
            found.append(Told("paths", f"curate --output {name}", "4 kept", seen(ran), ran.code == 0 and len(ran.texts) == 4))
            for about, arguments in _asks(name, keys):
                code, printed = command(main, *arguments)
                last = printed.strip().splitlines()[-1:] or [""]
                found.append(
                    Told("paths", f"inspect {about} --output {name}", "exit 0", f"exit {code}: {last[0][:90]}", code == 0)
                )
    finally:
        os.chdir(before)
    return found


def one_name(case: Path, out: Path) -> Told:
    """Two files of one name in two folders are told apart."""
    given = case / "t"
    ran = curate("none", "--input", given / "a" / "train", given / "b" / "train", given=given, out=out)
    refs = {row["source_ref"] for row in ran.rows("data")}
    return Told("paths", "a/train and b/train", "4 kept, told apart", seen(ran), ran.code == 0 and len(refs) == 4)
