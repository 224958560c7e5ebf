"""Input files that come, change, get other names and vanish; and what a run is due to read of them, without asking the product.

The model is `Book.due`: what live generations have read, by path and rows, beside what lies there now. A version of a file is its
name and its rows: equal rows in one format are equal bytes.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import synthetic

SOURCES = ("books", "news", "web")
KINDS = ("jsonl", "jsonl.gz", "parquet")
BAD = (b"not JSON", b'{"text": null}', b'{"text": 5}', b'{"text": "\xff"}')
"""Lines that go to quarantine; a Parquet file has a null in their place."""
PACKED = ".gz"
Row = tuple[int, str, int]
"""(generation, `source/file`, row): a row as it was read; a file that changed has its rows again."""


@dataclass(frozen=True)
class Version:
    """A file as it is at one time: its rows in order (None: unreadable)."""

    name: str
    texts: tuple[str | None, ...]

    @property
    def stem(self) -> str:
        """The name but for its packing."""
        return self.name.removesuffix(PACKED)

    @property
    def ending(self) -> str:
        return self.name.partition(".")[2]

    def rows(self, generation: int) -> list[Row]:
        return [(generation, self.name, number) for number in range(1, len(self.texts) + 1)]


@dataclass(frozen=True)
class Due:
    """What a run reads; `anew`: into one generation that replaces all others."""

    versions: tuple[Version, ...]
    anew: bool = False


@dataclass
class Book:
    """What an output must hold: the number of its newest manifest; versions by the live generation that read them, in order; and
    texts that were taken down."""

    number: int = 0
    arrived: list[tuple[int, Version]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def copy(self) -> Book:
        return Book(self.number, list(self.arrived), set(self.taken))

    def known(self) -> dict[str, list[Version]]:
        """By path, what was read of it, oldest first."""
        found: dict[str, list[Version]] = {}
        for _, version in self.arrived:
            found.setdefault(version.name, []).append(version)
        return found

    def texts(self) -> dict[Row, str | None]:
        """The text of each row that was read; None: unreadable."""
        return {
            row: text for number, version in self.arrived for row, text in zip(version.rows(number), version.texts, strict=True)
        }

    def due(self, there: dict[str, Version], on_changed: str) -> Due:
        """What a run reads of the files that are there."""
        known = self.known()
        absent = {name: versions[-1] for name, versions in known.items() if name not in there}
        changed = [version for name, version in there.items() if name in known and version not in known[name]]
        fresh = [version for name, version in there.items() if name not in known]
        before = {version: _moved(version, absent) for version in fresh}
        new = [version for version in fresh if before[version] is None]
        elsewhere = {old.name for old in before.values() if old is not None}
        if on_changed == "replace":
            left = {old.stem: old.name for old in absent.values() if old.name not in elsewhere}
            packed = [version for version in new if version.stem in left]  # packed otherwise, with other rows
            if changed or packed:
                elsewhere |= {left[version.stem] for version in packed}
                stay = [old for name, old in absent.items() if name not in elsewhere]
                return Due((*there.values(), *stay), anew=True)
        return Due((*new, *(changed if on_changed == "append" else ())))

    def mark(self, due: Due) -> None:
        """A run has read that, and committed."""
        self.number += 1
        if due.anew:
            self.arrived.clear()
        self.arrived += [(self.number, version) for version in due.versions]


def _moved(new: Version, absent: dict[str, Version]) -> Version | None:
    """The file, not there any more, that a new one has the rows of: under another name, or packed otherwise."""
    same = [old for old in absent.values() if old.texts == new.texts]
    renamed = [old for old in same if old.ending == new.ending]
    packed = [old for old in same if old.stem == new.stem]
    return (renamed or packed or [None])[-1]


@dataclass
class Folder:
    """What lies in the input folder."""

    root: Path
    there: dict[str, Version] = field(default_factory=dict)

    def put(self, version: Version) -> None:
        self.there[version.name] = version
        write(self.root / version.name, version.texts)

    def remove(self, name: str) -> Version:
        (self.root / name).unlink()
        return self.there.pop(name)

    def change(self, name: str, known: Sequence[Version], chosen: random.Random) -> bool:
        """New rows, rows without one of them, another order, or a state that was read: a file may change in any way. Returns
        whether it did."""
        before = self.there[name]
        texts = list(before.texts)
        how = chosen.choice(["more", "fewer", "order", "back"])
        if how == "more":
            texts += [f"{text} and {chosen.random()} more" for text in texts[:3] if text is not None]
        elif how == "fewer":
            texts = texts[1:] or texts
        elif how == "order":
            texts = texts[::-1]
        else:
            texts = list(chosen.choice(known).texts)
        self.put(Version(name, tuple(texts)))
        return self.there[name] != before

    def rename(self, name: str, number: int, *, used: Sequence[str], chosen: random.Random) -> None:
        """Another name, in any source; or the same rows packed otherwise. `used`: names that a run has read."""
        before = self.remove(name)
        packed = before.stem if before.name != before.stem else f"{before.name}{PACKED}"
        if before.ending != "parquet" and packed not in used and chosen.random() < 0.4:
            self.put(Version(packed, before.texts))
        else:
            self.put(Version(f"{chosen.choice(SOURCES)}/{number:03d}-moved.{before.ending}", before.texts))


def write(path: Path, texts: Sequence[str | None]) -> None:
    """The rows in the format that the name says; the same rows give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), path)
        return
    lines = [BAD[k % len(BAD)] if t is None else json.dumps({"text": t}).encode() for k, t in enumerate(texts)]
    data = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == PACKED else data)


def corpus(documents: int, chosen: random.Random, folder: Path) -> list[str | None]:
    """Texts with planted duplicates in any order, and some unreadable rows."""
    synthetic.write(folder, documents, seed=chosen.randrange(1000))
    lines = [line for file in sorted(folder.iterdir()) for line in file.read_bytes().splitlines()]
    texts: list[str | None] = [json.loads(line)["text"] for line in lines]
    texts += [None] * (documents // 100)
    chosen.shuffle(texts)
    return texts
