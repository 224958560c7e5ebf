"""A work directory: what a run keeps in it, and which output it belongs to.

It belongs to one output: to another it would hand facts without what was taken down there, and tables of other generations. An
output has an id, drawn by its first run, in `.winnow-output` and in each manifest; the marker of a work directory has that id and
where the output lay. Moving, copying and restoring outputs stays free:

- the output at that place may always use it: it is the same one, or was restored or made anew there;
- an output with that id may use it where none is left at that place (it was moved), or where it lies in the output as `.work`
  (both were copied together);
- every other output is refused: another one, or a copy while the original is there.

Facts, judgements and generations have keys, and the stamp of take-downs says of what a directory was cleaned
(`pipeline.takedown.clean`): so what is in it is right for every state of its output, an old one that was restored too.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence

from pipeline.errors import Damaged, OutputError, WinnowError
from pipeline.output.folders import LOCK, MARKER, OUTPUT_MARKER, STAMP
from pipeline.output.manifest import Manifest
from pipeline.output.releases import refuse_newer
from pipeline.records.base import Record
from pipeline.store.store import Store, open_output

SCHEMA_VERSION = 1
WHAT = "a work directory of Winnow: may be removed while no run goes on"
FOLDERS = ("documents", "facts", "generations", "judgements", "streams", "staging", "savings", "cluster", "unfinished", "lists")


class Marker(Record):
    """`.winnow-output`: the folder is an output, also before its first generation; `.winnow-work`: it is a work directory.

    `output`: the id of the output, or of the one that the work directory belongs to; `at`: where that lay. Empty: of none yet.
    """

    what: str
    schema_version: int = SCHEMA_VERSION
    output: str = ""
    at: str = ""


def empty(work: Store) -> None:
    """Remove what runs keep in a work directory, and nothing else."""
    for folder in FOLDERS:
        work.remove(folder)
    work.remove(STAMP)


def id_of(out: Store, manifests: Sequence[Manifest]) -> str:
    """The output's id; empty where it has none yet, or an earlier release made it."""
    known = next((made.output for made in reversed(manifests) if made.output), "")
    if known or not out.has(OUTPUT_MARKER):
        return known
    return _marker(out, OUTPUT_MARKER).output


def identify(out: Store, manifests: Sequence[Manifest]) -> str:
    """The output's id, drawn where it has none; before the first generation it is written down. The output must be held."""
    made = Marker(what="an output of Winnow", output=id_of(out, manifests) or secrets.token_hex(16))
    if not manifests and not out.has(OUTPUT_MARKER):
        out.write_bytes(OUTPUT_MARKER, _encoded(made), durable=True)
    return made.output


def is_output(out: Store, entries: Sequence[str]) -> bool:
    """Whether a run may write into the folder: an output, nothing at all, or what a run had before its marker."""
    return OUTPUT_MARKER in entries or bool(out.names("manifests")) or {LOCK, ".work"}.issuperset(entries)


def refuse_no_output(out: Store) -> None:
    """Raise OutputError for a folder of something else."""
    if not is_output(out, out.entries("")):
        raise OutputError(f"{out.root} is not empty and is not an output of Winnow; choose another --output")


def refuse_within(out: Store, work: Store) -> None:
    """Raise OutputError where one of the two would be a folder of the other, but for `.work` and for variants that a measurement
    curates in it."""
    if work.root == out.root or (out.holds(work.root) and not _lies_in(work, out)):
        raise OutputError(f"{work.root}: a work directory cannot lie in the output, but as .work; choose another --work")
    if work.holds(out.root) and not is_variant(out, work):
        raise OutputError(f"{out.root} lies in the work directory {work.root}; choose another --work")


def is_variant(out: Store, work: Store) -> bool:
    """Whether it is an output that a measurement curates within the work directory of the output that it measures."""
    return out.root.startswith(f"{work.root}/savings/")


def mark(work: Store) -> None:
    """Make an empty folder, or one that is marked, a work directory. Raises OutputError for a folder of something else."""
    refuse_foreign(work)
    work.private("")


def refuse_foreign(work: Store) -> None:
    """Raise OutputError for a folder of something else."""
    if set(work.entries("")) - {LOCK} and not work.has(MARKER):
        raise OutputError(f"{work.root} is not empty and is not a work directory of Winnow; choose another --work")


def bind(work: Store, out: Store, identity: str) -> None:
    """Give the work directory to the output. Both must be held. Raises OutputError where it belongs to another."""
    variant = is_variant(out, work)
    made = Marker(what=WHAT) if variant else Marker(what=WHAT, output=identity, at=_place(out))
    if not variant:
        refuse_other(work, out, identity)
    if not work.has(MARKER) or (not variant and _marker(work, MARKER) != made):
        work.write_bytes(MARKER, _encoded(made))


def refuse_other(work: Store, out: Store, identity: str, *, reading: bool = False) -> None:
    """Raise OutputError where the work directory belongs to another output. `reading`: a copy may look into the original's."""
    if belongs(work, out, identity):
        return
    found = _marker(work, MARKER)
    if reading and found.output == identity:
        return
    copy = "; this one is a copy of it" if found.output == identity else ""
    raise OutputError(
        f"{work.root} is the work directory of another output, {found.at}{copy}: choose another --work for {out.root}, or remove"
        " it if that output is gone (facts are then computed again)"
    )


def belongs(work: Store, out: Store, identity: str) -> bool:
    """Whether the output may use the work directory; so it may where that has no marker or an older one."""
    if not work.has(MARKER):
        return True
    found = _marker(work, MARKER)
    if not found.output or found.at == _place(out):
        return True
    return found.output == identity and (_lies_in(work, out) or not _is_at(found.at, identity))


def _lies_in(work: Store, out: Store) -> bool:
    """Whether it is the folder `.work` of the output itself, and no link to another."""
    return work.root == out.path(".work") and (
        work.remote or os.path.realpath(work.root) == f"{os.path.realpath(out.root)}/.work"
    )


def _place(out: Store) -> str:
    """Where an output lies, as a marker says it; a path that is not UTF-8 is found again, but not looked at."""
    return out.root.encode("utf-8", "backslashreplace").decode()


def _is_at(place: str, identity: str) -> bool:
    """Whether the output with this id is at a place; not where nothing can be seen there."""
    try:
        other = open_output(place, create=False)
        if other.has(OUTPUT_MARKER):
            return _marker(other, OUTPUT_MARKER).output == identity
        names = other.names("manifests")
        found = other.read_json(f"manifests/{names[-1]}") if names else None
        return isinstance(found, dict) and found.get("output") == identity
    except (WinnowError, OSError):
        return False


def _marker(store: Store, name: str) -> Marker:
    data, where = store.read_bytes(name), store.path(name)
    if data.strip() == WHAT.encode():  # as Winnow 0.1 wrote it
        return Marker(what=WHAT)
    try:
        found = json.loads(data)
        if isinstance(found, dict):
            refuse_newer(where, found.get("schema_version", 1), known=SCHEMA_VERSION)
        return Marker.model_validate(found)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{where}: not what Winnow wrote; remove it and run the same command") from error


def _encoded(made: Marker) -> bytes:
    return made.model_dump_json(indent=1).encode() + b"\n"
