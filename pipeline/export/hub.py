"""An output as a dataset repository of the Hugging Face Hub: what goes there, and what goes away there.

Invariants: only files that manifests name go, under names that only Winnow gives, with the sha256 that the manifest says; of
folders only data/, and ledger/ or signals/ where they are asked for; what Winnow gave a repository and the output does not hold
any more goes from it in the same commit; a repository of anything else is left alone. The token is HF_TOKEN, and stands in no
message. Nothing is asked of the Hub before the output was found fit to go.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Damaged, InputError, OutputError, RunFailed, UsageError
from pipeline.inspect.output import Output
from pipeline.output import manifest
from pipeline.output.numbering import name as manifest_name
from pipeline.report import publish

CARD, MARK = "README.md", "winnow.json"
OPTIONAL = ("ledger", "signals")
"""Folders that go where they are asked for: no text, but addresses, places and verdicts of every row that was read."""
_SHARD = re.compile(r"(data|ledger|signals|rejected|quarantine)/train-[0-9]{5}-of-[0-9]{5}-g[0-9]{4,}(-t[0-9]{4,})?\.parquet")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
_BESIDE = {".gitattributes", CARD, MARK}
"""What a new repository may hold, and ours always does."""


@dataclass(frozen=True)
class Upload:
    """`files`: where each lies, its sha256 and bytes, by its name there; `card`, `mark`: as they go."""

    files: dict[str, tuple[Path, str, int]]
    card: bytes
    mark: bytes

    @property
    def sizes(self) -> dict[str, int]:
        return {CARD: len(self.card), MARK: len(self.mark), **{name: size for name, (_, _, size) in self.files.items()}}


@dataclass(frozen=True)
class Uploaded:
    """`removed`: files that went from the repository; `commit` is None where it was as it should be."""

    commit: str | None
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """A dataset repository and a branch of it. `private`: it must be, and is made so."""

    repository: str
    revision: str
    private: bool

    def __post_init__(self) -> None:
        if not _REPOSITORY.fullmatch(self.repository):
            raise UsageError(f"export hub {self.repository}: expected ORG/NAME, a dataset repository")


def upload_of(output: Output, more: Collection[str] = ()) -> Upload:
    """Everything that goes. Raises OutputError where a check failed and nobody accepted it, or the output is not whole, Damaged
    where a file is not what its manifest says."""
    where, newest = output.store.root, manifest.load_all(output.store)[-1]  # of a take-down, where one was last
    for made in output.live:
        if made.failed_checks and not made.accepted:
            raise OutputError(
                f"{where}: generation {made.generation} failed {', '.join(made.failed_checks)}; look at report.html, then mend"
                " the plan and run with --replace, or run with --accept"
            )
    if (newest.takedown is not None and newest.takedown.pending) or not publish.is_current(output.store, newest):
        raise OutputError(f"{where}: its last run was killed while it committed; run it again, then export")
    files = dict(_files(output, ("data", *more)))
    if not any(name.startswith("data/") for name in files):
        raise InputError(f"{where}: its data/ holds no document, so there is nothing to upload")
    mark = {"manifest": newest.generation, "output": newest.output, "recipe_hash": newest.recipe_hash, "schema_version": 1}
    return Upload(files, output.store.read_bytes(CARD), json.dumps(mark, indent=1, sort_keys=True).encode() + b"\n")


def _files(output: Output, folders: Iterable[str]) -> Iterator[tuple[str, tuple[Path, str, int]]]:
    for record in (record for folder in folders for record in output.shards(folder)):
        if not _SHARD.fullmatch(record.path):
            raise Damaged(
                f"{manifest_name(output.newest.generation)}: names {record.path!r}, which is no shard; nothing was sent"
            )
        local = output.store.local_path(record.path)
        if local is None:
            raise OutputError(
                f"{output.store.root}: expected an output on a disk of this machine; copy it there, and export that"
            )
        if Path(local).is_symlink():
            raise Damaged(f"{local}: is a link, which no run makes; nothing was sent")
        yield record.path, (Path(local), record.sha256, record.bytes)


def verify(upload: Upload) -> None:
    """Raises Damaged where a file is not the one that its manifest names."""
    for path, sha256, _ in upload.files.values():
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise Damaged(
                    f"{path}: not what the run wrote (sha256 differs); `winnow doctor` says what to do; nothing was sent"
                )


def send(upload: Upload, place: Place) -> Uploaded:
    """One commit with all that is new, and without what is gone. Raises UsageError without a token, OutputError for a repository
    of something else, RunFailed where the Hub cannot be reached or refuses."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        raise UsageError("export hub: set HF_TOKEN to a token of the Hub that may write to the repository")
    verify(upload)
    import huggingface_hub  # heavy, and only this command needs it

    api = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)
    try:
        return _send(api, upload, place)
    except (OutputError, UsageError):
        raise
    except Exception as error:  # the library's own, and those of the HTTP library below it
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise RunFailed(
            f"{place.repository}: not uploaded ({type(error).__name__}: {said.replace(token, '(HF_TOKEN)')}); the same command"
            " goes on, and sends no file twice"
        ) from None


def _send(api: Any, upload: Upload, place: Place) -> Uploaded:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    head, there = _standing(api, place, upload.mark)
    gone = tuple(sorted(name for name in there if _SHARD.fullmatch(name) and name not in upload.files))
    made = api.create_commit(
        place.repository,
        [
            *(CommitOperationAdd(name, str(path)) for name, (path, _, _) in upload.files.items()),
            CommitOperationAdd(CARD, upload.card),
            CommitOperationAdd(MARK, upload.mark),
            *(CommitOperationDelete(name, is_folder=False) for name in gone),
        ],
        commit_message=f"Manifest {json.loads(upload.mark)['manifest']}",
        repo_type="dataset",
        revision=place.revision,
        parent_commit=head,
    )
    return Uploaded(None if made.oid == head else made.oid, gone)


def _standing(api: Any, place: Place, mark: bytes) -> tuple[str, set[str]]:
    """The commit of the branch, made if it is not there, and its files."""
    from huggingface_hub import errors

    known = {"repo_id": place.repository, "repo_type": "dataset"}
    try:
        info = api.repo_info(**known)
    except errors.RepositoryNotFoundError:
        api.create_repo(**known, private=place.private, exist_ok=True)
        info = api.repo_info(**known)
    if place.private and not info.private:
        raise OutputError(
            f"{place.repository}: --private, and the repository is public; make it private on the Hub, or name another"
        )
    if place.revision != "main":
        api.create_branch(**known, branch=place.revision, exist_ok=True)
    head = api.repo_info(**known, revision=place.revision).sha
    there = set(api.list_repo_files(**known, revision=head))
    other = sorted(there - _BESIDE)
    if MARK in there:
        found = Path(api.hf_hub_download(**known, filename=MARK, revision=head)).read_bytes()
        if _output(found) == _output(mark):
            return head, there
    elif not other:
        return head, there
    raise OutputError(
        f"{place.repository}: holds another dataset ({MARK if MARK in there else other[0]}), which would be removed; name a"
        " repository that is empty or not there"
    )


def _output(mark: bytes) -> object:
    try:
        found = json.loads(mark)
    except ValueError:
        return None
    return found.get("output") if isinstance(found, dict) else None
