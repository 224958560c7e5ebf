"""The inputs of a run beside those that an output has read: what is new, and what became of the others.

An input is its path and its bytes, never a time: a file that was only touched is the one that was read. Told apart are a file
that grew (it begins with what was read), one that changed otherwise, one that is not there any more, one that has another name or
folder, and one that was packed anew. Invariant: no text is read twice into an output but where a file changed under
`on_changed: append`, and there dedup finds it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.errors import InputChanged, InputError
from pipeline.output.manifest import InputRecord, Manifest, live
from pipeline.read.files import own_path
from pipeline.read.likeness import of_plain
from pipeline.read.memory import is_named_by_content
from pipeline.records.inputs import SourceSettings

CHANGED, GREW, GONE, MOVED = "changed since it was read", "grew since it was read", "no longer there", "moved, not read again"
REPACKED = "packed anew"
TOLD = (CHANGED, GREW, GONE, MOVED, REPACKED)
"""How the notes of `compare` begin; behind the first colon stands the file."""
MOST_NAMES = 100
"""Names in an error about changed inputs: all that a person reads."""
PACKED = (".gz", ".zst", ".bz2", ".xz", ".lz4")
_OLD_STAYS = (
    "where a document was corrected, its old version stays, and dedup may drop the new one as its near duplicate; with"
    " on_changed: replace the new one wins"
)


class Files(Protocol):
    """Looks into the files of this run."""

    def begins(self, record: InputRecord, size: int) -> str:
        """The identity of a file of its first `size` bytes; empty where that cannot be known."""
        ...

    def unpacked(self, record: InputRecord) -> str:
        """What a packed file unpacks to, as `InputRecord.unpacked`; empty where it cannot be read to its end."""
        ...


@dataclass(frozen=True)
class Asked:
    """What a run asks for: its inputs, the settings of their sources, `on_changed`, and whether the plan has dedup."""

    inputs: Sequence[InputRecord]
    sources: dict[str, SourceSettings]
    on_changed: str
    dedup: bool
    files: Files


@dataclass(frozen=True)
class Compared:
    """`read`: paths that the run reads. `replaced`: where the output is made anew, the records, as they were read, of files that
    changed; `elsewhere`: and paths that were read whose bytes have another name now. `notes` are for the user."""

    read: frozenset[str]
    notes: tuple[str, ...]
    replaced: tuple[InputRecord, ...] = ()
    elsewhere: frozenset[str] = frozenset()


def known_inputs(manifests: list[Manifest]) -> dict[str, set[tuple[int, str]]]:
    """By path, size and content of every input that a live generation has read."""
    known: dict[str, set[tuple[int, str]]] = {}
    for record in _records(manifests):
        known.setdefault(record.path, set()).add((record.size, record.content))
    return known


def owners(manifests: list[Manifest]) -> dict[str, str]:
    """By path, the source of every input that a live generation has read."""
    return {record.path: record.source for record in _records(manifests)}


def _records(manifests: list[Manifest]) -> list[InputRecord]:
    return [record for manifest in live(manifests) for record in manifest.inputs]


def compare(manifests: list[Manifest], asked: Asked) -> Compared:
    """Raises InputError where a file has another source, InputChanged where files changed and the plan says nothing of it."""
    known = known_inputs(manifests)
    newest = {record.path: record for record in _records(manifests)}
    _check_sources(newest, asked.inputs)
    fresh = [record for record in asked.inputs if record.path not in known]
    changed = [
        r
        for r in asked.inputs
        if r.path in known and (r.size, r.content) not in known[r.path] and not is_named_by_content(r.path)
    ]
    same = {r.path for r in changed if _unpacks_alike(newest[r.path], r, asked.files)}
    changed = [record for record in changed if record.path not in same]
    there = {record.path for record in asked.inputs}
    absent = [record for path, record in newest.items() if path not in there]
    moved = _moved(fresh, absent, asked, settings=live(manifests)[-1].sources if manifests else {})
    notes = [f"{MOVED}: {path}, which holds what was read as {old.path}" for path, old in moved.items()]
    notes += [f"{REPACKED}, not read again: {path}" for path in sorted(same)]
    repacked = _repacked(fresh, absent, moved)
    if asked.on_changed == "replace" or not asked.dedup:  # else dedup finds what stayed the same
        newest |= repacked
        changed += [record for record in fresh if record.path in repacked]
    else:
        notes += [f"{REPACKED}, read again: {path}, in place of {old.path}" for path, old in repacked.items()]
    grew = {r.path for r in changed if _grew(r, newest[r.path], asked.files)}
    of_moved = {old.path for old in (*moved.values(), *repacked.values())}
    sources = {record.source for record in asked.inputs}
    lost = (r.path for r in absent if r.source in sources and not is_named_by_content(r.path))
    gone = sorted(path for path in lost if path not in of_moved)
    notes += [f"{GONE} (its rows stay in the output): {path}" for path in gone]
    if not changed:
        return Compared(frozenset(r.path for r in fresh if r.path not in moved), tuple(notes))
    if asked.on_changed == "fail" or (asked.on_changed == "append" and not asked.dedup):
        raise InputChanged(_refusal(changed, grew, newest, on_changed=asked.on_changed))
    done = {"append": "read again", "replace": "read again in place of what was read", "ignore": "ignored"}[asked.on_changed]
    told = [f"{GREW if r.path in grew else CHANGED}, {done}: {r.path}" for r in changed]
    if asked.on_changed == "replace":
        replaced = tuple(newest[record.path] for record in changed)
        return Compared(frozenset(there), (*told, *(n for n in notes if not n.startswith(MOVED))), replaced, frozenset(of_moved))
    read = {record.path for record in (fresh if asked.on_changed == "ignore" else [*fresh, *changed])} - set(moved)
    corrected = asked.on_changed == "append" and len(grew) < len(changed)
    return Compared(frozenset(read), (*told, *notes, *([_OLD_STAYS] if corrected else [])))


def _check_sources(newest: dict[str, InputRecord], inputs: Sequence[InputRecord]) -> None:
    """A file of another source's path is that one under another name of the source where nobody asks for the old source, and the
    bytes are the same (`pipeline.read.expansion.told_apart`)."""
    asked = {record.source for record in inputs}
    for new in inputs:
        old = newest.get(own_path(new.path))
        if old is not None and old.source not in asked and (old.size, old.content) == (new.size, new.content):
            raise InputError(
                f"{old.path} was read as source {old.source} and is now of {new.source}: its rows would be there twice; use the"
                " old name, or --replace"
            )


def _moved(
    fresh: Sequence[InputRecord], absent: Sequence[InputRecord], asked: Asked, *, settings: dict[str, SourceSettings]
) -> dict[str, InputRecord]:
    """By path of a new file, the one that was read, and is not among the inputs, of whose rows it has the very same."""
    by_content = {(old.content, _ending(old.path)): old for old in absent}
    by_name = {_unpacked_name(old.path): old for old in absent}
    found: dict[str, InputRecord] = {}
    for new in fresh:
        old = by_content.get((new.content, _ending(new.path)))
        if old is None:
            other = by_name.get(_unpacked_name(new.path))
            old = other if other is not None and _unpacks_alike(other, new, asked.files) else None
        if old is not None and _read_alike(settings.get(old.source), asked.sources.get(new.source)):
            found[new.path] = old
    return found


def _repacked(
    fresh: Sequence[InputRecord], absent: Sequence[InputRecord], moved: dict[str, InputRecord]
) -> dict[str, InputRecord]:
    """Likewise for a file of the same name but for its packing, of which nobody knows whether it has the same rows."""
    by_name = {_unpacked_name(old.path): old for old in absent if old.path not in {found.path for found in moved.values()}}
    named = {new.path: by_name.get(_unpacked_name(new.path)) for new in fresh if new.path not in moved}
    return {path: old for path, old in named.items() if old is not None}


def _read_alike(old: SourceSettings | None, new: SourceSettings | None) -> bool:
    if old is None or new is None:
        return False
    return (old.text, old.id, old.named_by, old.max_row_bytes) == (new.text, new.id, new.named_by, new.max_row_bytes)


def _unpacks_alike(old: InputRecord, new: InputRecord, files: Files) -> bool:
    """Whether a file that is packed otherwise has the bytes that were read. Only a file that may have them is read for this."""
    before = old.unpacked if _is_packed(old) else of_plain(old.size, old.content)
    if not before or not (_is_packed(old) or _is_packed(new)):
        return False
    return before == (files.unpacked(new) if _is_packed(new) else of_plain(new.size, new.content))


def _is_packed(record: InputRecord) -> bool:
    return record.path.lower().endswith(PACKED)


def _grew(new: InputRecord, old: InputRecord, files: Files) -> bool:
    return new.size > old.size and files.begins(new, old.size) == old.content


def _refusal(changed: Sequence[InputRecord], grew: set[str], newest: dict[str, InputRecord], *, on_changed: str) -> str:
    lines = []
    for record in changed[:MOST_NAMES]:
        what = "grew, and begins as it was" if record.path in grew else "changed"
        what += ", or was packed anew" if what == "changed" and record.path.lower().endswith(PACKED) else ""
        lines.append(f"  {record.path}: {what} ({newest[record.path].size:,} → {record.size:,} bytes)")
    number = len(changed)
    lines += [f"  and {number - MOST_NAMES:,} more"] if number > MOST_NAMES else []
    counted = f"{number:,} inputs changed since they were read" if number > 1 else "an input changed since it was read"
    append = f"it is read again beside what was read; {_OLD_STAYS}"
    if on_changed == "append":
        append = "not in this plan: dedup is off, so that what stayed the same would be there twice"
    return "\n".join(
        [
            f"{counted}; nothing was published, and the output is as it was:",
            *lines,
            "restore what changed, or say in the plan what to do, such as --set on_changed=replace:",
            "  replace: what was read of it gives way to what it holds now",
            f"  append: {append}",
            "  ignore: what was read of it stays",
            "--replace makes the output anew from the inputs of this run alone",
        ]
    )


def _ending(path: str) -> str:
    """What the name of a file says of its format, and of how it is packed."""
    stem, ending = os.path.splitext(path.lower())
    return os.path.splitext(stem)[1] + ending if ending in PACKED else ending


def _unpacked_name(path: str) -> str:
    return next((path[: -len(ending)] for ending in PACKED if path.lower().endswith(ending)), path)
