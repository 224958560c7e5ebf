"""The tokenizer of a plan or an export: a path, or `hf://ORG/NAME[@REVISION]`, whose tokenizer.json is fetched
through the Hub's client and its cache (`filters.models.places`).

Invariant: what counts is the sha256 of the file, which is in the recipe; which revision of a repository it came from is written
into the output's plan, and decides nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from filters.models import ModelError
from filters.models.places import SCHEME, find_model_file
from pipeline.errors import PlanError
from pipeline.store.places import absolute

_REPOSITORY = re.compile(r"(hf://[^/@]+/[^/@]+)(?:@([^/]+))?(/.+)?")
_COMMIT = re.compile(r"/snapshots/([0-9a-f]{40})/")


def find(name: str) -> Path:
    """The file, fetched if it is on the Hub and not in the cache. Raises PlanError where it cannot be had."""
    if not name.startswith(SCHEME):
        path = Path(absolute(name))
        if not path.is_file():
            raise PlanError(f"output.tokenizer: {path} does not exist; give the path of a tokenizer.json, or hf://ORG/NAME")
        return path
    try:
        return of_hub(name)
    except ModelError as error:
        raise PlanError(f"output.tokenizer: {error}") from error


def of_hub(name: str) -> Path:
    """The file that `hf://ORG/NAME[@REVISION][/FILE]` means, in the Hub's cache. Raises ModelError."""
    parts = _REPOSITORY.fullmatch(name)
    return find_model_file(name if parts is None or parts[3] else f"{name}/tokenizer.json")


def pinned(name: str) -> str:
    """The name with the commit that it means now."""
    return pinned_at(name, find(name)) if _REPOSITORY.fullmatch(name) else name


def pinned_at(name: str, path: Path) -> str:
    """The name with the commit that its file was found in."""
    parts = _REPOSITORY.fullmatch(name)
    commit = _COMMIT.search(str(path)) if parts else None
    return f"{parts[1]}@{commit[1]}{parts[3] or ''}" if parts and commit else name


def unpinned(name: str) -> str:
    """The name without a revision, as the recipe has it."""
    parts = _REPOSITORY.fullmatch(name)
    return f"{parts[1]}{parts[3] or ''}" if parts else name
