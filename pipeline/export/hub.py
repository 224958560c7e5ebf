"""An output as a dataset on the Hugging Face Hub: the live shards of data/ and the card, in one commit, and nothing else.

Invariants: what goes is named by the newest manifests, never found by looking into folders, so that rejected/, quarantine/,
ledger/, index/ and .work/ cannot go; a shard is read and its sha256 compared before anything is asked of the server; shards there
that are no longer live go with the same commit, so that what was taken down here is taken down there. The token is the client's
own (HF_TOKEN, or `hf auth login`) and is never printed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Damaged, InputError, OutputError, UsageError
from pipeline.inspect.output import Output
from pipeline.machine.events import Event, OnEvent
from pipeline.store.hashing import has_content
from pipeline.text import numbers

CARD = "README.md"
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_SHARD = re.compile(r"data/train-[0-9]+-of-[0-9]+-g[0-9]+(-t[0-9]+)?\.parquet")
_CLIENTS = ("huggingface_hub", "httpx", "httpcore")
"""Packages, with those of later versions (httpx2), whose errors, besides RuntimeError, are the server's or the line's."""
_AT_ONCE = 50
"""Shards that are sent before the next ones: chosen so that what a killed upload sent is found there by the next one."""


@dataclass(frozen=True)
class Part:
    """A file that belongs to the dataset: its name there and here, its size and its sha256."""

    name: str
    path: Path
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Difference:
    """What an upload does: files that go there, files that are there already, files there that go away."""

    new: tuple[Part, ...]
    there: tuple[Part, ...]
    gone: tuple[str, ...]

    def __str__(self) -> str:
        size = numbers.size(sum(part.n_bytes for part in self.new))
        said = f"{numbers.counted(len(self.new), 'file')} to upload, {size}; {len(self.there):,} there already"
        return f"{said}; {len(self.gone):,} there go, since the output has them no longer" if self.gone else said


def parts(output: Output) -> tuple[Part, ...]:
    """The live shards of data/ in order, and the card. Raises UsageError for an object store, OutputError without a document."""
    if "://" in str(output.store.root):
        raise UsageError(f"{output.store.root}: an upload reads files of a disk; copy the output to one")
    shards = [record for made in output.live for record in made.files if record.path.startswith("data/") and record.rows]
    if not shards:
        raise OutputError(f"{output.store.root}: its data/ holds no document, so there is nothing to upload")
    folder = Path(str(output.store.root))
    found = [Part(one.path, folder / one.path, one.bytes, one.sha256) for one in shards]
    card = folder / CARD
    if not card.is_file():
        raise Damaged(f"{card}: gone; winnow doctor {folder} --repair makes it anew")
    data = card.read_bytes()
    return (*found, Part(CARD, card, len(data), hashlib.sha256(data).hexdigest()))


def check_name(repository: str) -> None:
    """Raises UsageError for what is no ORG/NAME."""
    if not _REPOSITORY.fullmatch(repository):
        raise UsageError(f"{repository}: expected ORG/NAME, such as my-org/curated-web")


def difference(wanted: tuple[Part, ...], there: dict[str, str]) -> Difference:
    """`there`: files of the repository with the sha256, or git's hash, of each. Raises OutputError where shards of others would
    have to go."""
    same = [part for part in wanted if part.name in there and there[part.name] in _hashes(part)]
    names = {part.name for part in wanted}
    gone = sorted(name for name in there if name.startswith("data/") and name not in names)
    if others := [name for name in gone if not _SHARD.fullmatch(name)]:
        raise OutputError(f"the repository holds {others[0]}, which no output of Winnow has: name another, or a new one")
    return Difference(tuple(part for part in wanted if part not in same), tuple(same), tuple(gone))


def _hashes(part: Part) -> tuple[str, ...]:
    """How the Hub may name the content: by its sha256, of small files as git does."""
    if part.name != CARD:
        return (part.sha256,)
    data = part.path.read_bytes()
    return part.sha256, hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def listed(repository: str, *, revision: str | None) -> dict[str, str] | None:
    """Files of the repository; None where there is no such repository or revision. Raises InputError where it cannot be told."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    from huggingface_hub.hf_api import RepoFile

    try:
        tree = list(HfApi().list_repo_tree(repository, repo_type="dataset", revision=revision, recursive=True))
    except GatedRepoError as error:
        raise _refused(repository, error) from error
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return None
    except Exception as error:
        raise _refused(repository, error) from error
    return {one.path: one.lfs.sha256 if one.lfs else one.blob_id for one in tree if isinstance(one, RepoFile)}


def upload(
    output: Output, repository: str, *, private: bool, revision: str | None, on_event: OnEvent
) -> tuple[Difference, str | None]:
    """What was done, and the address of the commit; None where all was there. Raises Damaged for a shard that is not the one of
    its manifest, InputError where the server refuses."""
    check_name(repository)
    wanted = parts(output)
    for part in wanted[:-1]:
        if not has_content(output.store, part.name, part.sha256):
            raise Damaged(f"{part.path}: not the file that the manifest names; winnow doctor {output.store.root} says more")
    there = listed(repository, revision=revision)
    found = difference(wanted, there or {})
    if there is not None and not found.new and not found.gone:
        return found, None
    on_event(Event("note", "run", note=str(found)))
    try:
        return found, _commit(repository, found, private=private, revision=revision, exists=there is not None)
    except Exception as error:
        if isinstance(error, OSError | RuntimeError) or type(error).__module__.startswith(_CLIENTS):
            raise _refused(repository, error) from error
        raise


def _commit(repository: str, found: Difference, *, private: bool, revision: str | None, exists: bool) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    where: dict[str, Any] = {"repo_type": "dataset", "revision": revision}
    if not exists:
        api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repository, branch=revision, repo_type="dataset", exist_ok=True)
    additions = [CommitOperationAdd(part.name, part.path) for part in found.new]
    for some in _slices(additions):
        api.preupload_lfs_files(repository, some, **where)
    made = api.create_commit(
        repository,
        [*additions, *(CommitOperationDelete(name) for name in found.gone)],
        commit_message="Upload what Winnow curated",
        **where,
    )
    return str(made.commit_url)


def _slices(additions: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(additions), _AT_ONCE):
        yield additions[start : start + _AT_ONCE]


def _refused(repository: str, error: Exception) -> InputError:
    said = " ".join(str(error).split())[:300]
    return InputError(
        f"{repository}: the Hub refuses ({said}); set HF_TOKEN to a token that may write there, or look whether it can be"
        " reached; the same command goes on"
    )
