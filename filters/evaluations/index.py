"""The evaluation sets that a plan names, ready to be looked for: those that Winnow ships, and the user's own.

evaluation_sets.npz holds words, weights and hashes, evaluation_sets.json beside it (`Card`) which sets they are, from where,
under what licence, and what was left out. Made by `python -m filters.evaluations` from the sets themselves.

Invariant: whatever the files hold, loading ends in ModelError or in tables in which every index is in range.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from filters.contract import Settings
from filters.evaluations import own as own_sets
from filters.evaluations.items import Compiled, Item, Rarity, compiled
from filters.evaluations.own import OwnSet
from filters.kernels import buffers
from filters.kernels.items import scan, tables
from filters.kernels.items.tables import Items, Seeds
from filters.models import ModelError, check_sha256

SHIPPED = Path(__file__).parent.parent / "model_files" / "evaluation_sets.npz"
_DTYPES = {
    "words": np.uint8,
    "weights": np.uint8,
    "starts": np.int32,
    "firsts": np.int32,
    "answers": np.uint32,
    "answer_words": np.uint8,
    "numbers": np.int32,
    "rarity_codes": np.uint32,
    "rarity_weights": np.uint8,
}
_MOST_BYTES = 1 << 27
HALF = 0.5
"""Coverage by which an item counts as found in what `findable` says."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(_Part):
    """Items that lie together, such as one subject of one split; an item is called `<name>/<number>`."""

    name: str
    items: int = Field(ge=0, description="that are in the index: those without words and copies of earlier items are not")


class ShippedSet(_Part):
    name: str
    licence: str
    sources: tuple[str, ...] = Field(description="repository@commit, and the paths there")
    given: int = Field(ge=0, description="items that the set has")
    findable: int = Field(ge=0, description="items that are found in a text which holds their question, options and answer")
    sections: tuple[Section, ...]

    @property
    def items(self) -> int:
        return sum(section.items for section in self.sections)


class LeftOut(_Part):
    name: str
    why: str


class Card(_Part):
    format: Literal[1]
    sha256: str
    sets: tuple[ShippedSet, ...]
    left_out: tuple[LeftOut, ...]


class Sets(Settings):
    """Which evaluation sets are looked for."""

    sets: Literal["all"] | tuple[str, ...] = Field(
        "all", description="sets that Winnow ships: all, or a list of names; [] for none (their names: docs/decontamination.md)"
    )
    own: tuple[OwnSet, ...] = Field((), description="evaluation sets of your own, files with one item a row")

    @field_validator("sets")
    @classmethod
    def _sorted(cls, sets: Literal["all"] | tuple[str, ...]) -> Literal["all"] | tuple[str, ...]:
        """Sorted and unique, so that plans which mean the same have the same recipe."""
        return sets if isinstance(sets, str) else tuple(sorted(set(sets)))


@dataclass(frozen=True)
class OwnCounts:
    """Items of a set of the user's: rows of its file; those without words in their question; copies of earlier ones; those that
    are found in a text that quotes them."""

    name: str
    given: int
    without_question: int
    copies: int
    findable: int

    def __str__(self) -> str:
        left = {
            "without a question": self.without_question,
            "copy" if self.copies == 1 else "copies": self.copies,
            "too short to be found, or of what many items say": self.given - self.without_question - self.copies - self.findable,
        }
        said = "; ".join(f"{n:,} {what}" for what, n in left.items() if n)
        return f"{self.name}: {self.findable:,} of {self.given:,} items can be found{f' ({said})' if said else ''}"


@dataclass(frozen=True)
class Index:
    items: Items
    seeds: Seeds
    groups: tuple[tuple[str, str], ...]  # set and section of each group of items
    ends: tuple[int, ...]  # of each group: the number of items up to its last
    numbers: np.ndarray  # int32: of each item in its section, or row of the user's file, from 0
    own: tuple[OwnCounts, ...] = ()  # the user's sets

    def named(self, item: int) -> tuple[str, str]:
        """`(set, item)` as evidence names them: the item by its place in the set."""
        name, section = self.groups[bisect_right(self.ends, item)]
        return name, f"{section}/{self.numbers[item]}" if section else str(self.numbers[item] + 1)


def files(params: Sets) -> tuple[Path, ...]:
    """The files that `load` reads. Raises ModelError for one of the user's that is not there."""
    shipped = (SHIPPED, card_path(SHIPPED)) if params.sets else ()
    own = tuple(Path(own.path).expanduser() for own in params.own)
    for path in own:
        if not path.is_file():
            what = "is a folder; name the file in it" if path.is_dir() else "no such file; give a JSONL or Parquet file"
            raise ModelError(f"{own_sets.KEY}: {path}: {what} with one evaluation item a row")
    return (*shipped, *own)


def load(params: Sets) -> Index:
    """Read once in a process, as long as the files stay the same. Raises ModelError."""
    stats = tuple((stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in files(params)))
    return _load(params.sets, params.own, stats)


@lru_cache(maxsize=4)
def _load(sets: Literal["all"] | tuple[str, ...], own_files: tuple[OwnSet, ...], stats: tuple[tuple[int, int], ...]) -> Index:
    shipped, rarity, groups, sizes, numbers = _shipped(sets)
    parts, read = [shipped], []
    for own in own_files:
        given = own_sets.read(own)
        made, _ = compiled(given, rarity)
        read.append((given, made))
        parts.append(made.items)
        groups.append((own.called, ""))
        sizes.append(len(made.kept))
        numbers.append(made.kept.astype(np.int32))
    items = joined(parts)
    if not len(items.words):
        raise ModelError("filters.decontaminate names no evaluation set: give `sets` or `own`, or switch it off")
    seeds = tables.seeds(items)
    counts = tuple(_counts(one, *what, items=items, seeds=seeds) for one, what in zip(own_files, read, strict=True))
    return Index(items, seeds, tuple(groups), tuple(accumulate(sizes)), np.concatenate(numbers), counts)


def _counts(own: OwnSet, given: Sequence[Item], made: Compiled, *, items: Items, seeds: Seeds) -> OwnCounts:
    """Raises ModelError where nothing of the set can be found."""
    found = int(findable([given[i] for i in made.kept], items, seeds).sum())
    counts = OwnCounts(own.called, len(given), made.wordless, len(given) - made.wordless - len(made.kept), found)
    if not found:
        raise ModelError(f"{own_sets.KEY}: {own.path}: {counts}; name the columns that hold question, options and answer")
    return counts


def findable(given: Sequence[Item], items: Items, seeds: Seeds) -> np.ndarray:
    """bool: items that are found, by half of them, in a text that holds them as they are: question, options, answer."""
    texts = ["\n".join((one.question, *one.options, *filter(None, (one.answer,)))) for one in given]
    found = scan.find(*buffers.views(pa.array(texts, pa.large_string())), items, seeds)
    return found.coverage > HALF


def card_path(path: Path) -> Path:
    return path.with_suffix(".json")


def card(path: Path = SHIPPED) -> Card:
    """Raises ModelError."""
    place = card_path(path)
    try:
        return Card.model_validate_json(place.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(f"{place}: expected the card of {path.name}, format 1; {error}") from error


def _shipped(
    chosen: Literal["all"] | Sequence[str],
) -> tuple[Items, Rarity, list[tuple[str, str]], list[int], list[np.ndarray]]:
    """Items of these sets, the rarity of words, set and section of each group of items, how many it has, and their numbers."""
    described = card()
    names = [one.name for one in described.sets]
    if not isinstance(chosen, str) and (unknown := sorted(set(chosen) - set(names))):
        raise ModelError(f"filters.decontaminate.sets: no set {', '.join(unknown)}; Winnow ships {', '.join(names)}")
    arrays = _arrays(SHIPPED, described)
    rarity = Rarity(arrays["rarity_codes"], arrays["rarity_weights"])
    items = Items(*(arrays[name] for name in Items._fields))
    groups, sizes, wanted = [], [], []
    for one in described.sets:
        taken = chosen == "all" or one.name in chosen
        wanted.append(np.full(one.items, taken))
        groups += [(one.name, section.name) for section in one.sections if taken]
        sizes += [section.items for section in one.sections if taken]
    kept = np.concatenate(wanted) if wanted else np.zeros(0, bool)
    return subset(items, kept), rarity, groups, sizes, [arrays["numbers"][kept]]


def _arrays(path: Path, described: Card) -> dict[str, np.ndarray]:
    """The arrays of the file, of the right kinds and lengths, indices in range."""
    try:
        data = path.read_bytes()
        check_sha256(path, data, described.sha256)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MOST_BYTES:
                raise ModelError(f"{path}: more than {_MOST_BYTES >> 20} MiB of arrays; install Winnow again")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in _DTYPES}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path}: damaged ({error}); install Winnow again") from error
    items, words = len(arrays["answers"]), len(arrays["words"])
    segments = len(arrays["starts"]) - 1
    sound = (
        all(array.ndim == 1 and array.dtype == _DTYPES[name] for name, array in arrays.items())
        and (len(arrays["firsts"]), len(arrays["answer_words"]), len(arrays["numbers"])) == (items + 1, items, items)
        and (len(arrays["weights"]), len(arrays["rarity_weights"])) == (words, len(arrays["rarity_codes"]))
        and _ascends(arrays["starts"], words, step=0)
        and _ascends(arrays["firsts"], segments, step=1)
        and sum(one.items for one in described.sets) == items
    )
    if not sound or not (np.diff(arrays["starts"][arrays["firsts"]]) <= tables.MOST_WORDS).all():
        raise ModelError(f"{path}: arrays that do not fit each other; install Winnow again")
    return arrays


def _ascends(array: np.ndarray, end: int, *, step: int) -> bool:
    return len(array) > 0 and array[0] == 0 and array[-1] == end and bool((np.diff(array) >= step).all())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def subset(items: Items, wanted: np.ndarray) -> Items:
    """The items where `wanted` is true."""
    segments = np.repeat(wanted, np.diff(items.firsts))
    sizes = np.diff(items.starts)
    words = np.repeat(segments, sizes)
    return Items(
        items.words[words],
        items.weights[words],
        np.append(0, np.cumsum(sizes[segments])).astype(np.int32),
        np.append(0, np.cumsum(np.diff(items.firsts)[wanted])).astype(np.int32),
        items.answers[wanted],
        items.answer_words[wanted],
    )


def joined(parts: Sequence[Items]) -> Items:
    """The items of all parts, one part after the other."""
    words = np.append(0, np.cumsum([len(part.words) for part in parts]))
    segments = np.append(0, np.cumsum([len(part.starts) - 1 for part in parts]))
    return Items(
        np.concatenate([part.words for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([[0], *(part.starts[1:] + at for part, at in zip(parts, words[:-1], strict=True))]).astype(np.int32),
        np.concatenate([[0], *(part.firsts[1:] + at for part, at in zip(parts, segments[:-1], strict=True))]).astype(np.int32),
        np.concatenate([part.answers for part in parts]),
        np.concatenate([part.answer_words for part in parts]),
    )
