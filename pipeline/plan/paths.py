"""The paths that a plan names: absolute where a plan is kept for later, names alone where it is compared or shown to others.
The name of a model that Winnow ships is no path.

So a resolved plan works from any folder, the recipe does not depend on where a model lies (its sha256 is part of it), and a page
or card tells nothing of this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from filters.models import coverage
from pipeline.records.base import Json
from pipeline.store.places import absolute


def with_absolute_paths(plan: Json) -> Json:
    """A plan as plain data, its paths starting at the root of the disk. URLs stay as they are."""
    return _changed(plan, absolute, model=lambda name: name if coverage.is_name(name) else absolute(name))


def with_names_only(plan: Json) -> Json:
    """A plan as plain data, its paths without their folders. URLs stay as they are."""

    def name(path: str) -> str:
        return path if "://" in path else path.rstrip("/").rpartition("/")[2]

    return _changed(plan, name, model=name)


def _changed(value: Json, change: Callable[[str], str], *, model: Callable[[str], str]) -> Json:
    made = dict(value)
    for key, inner in (("source", "paths"), ("source", "base"), ("annotations", "path")):
        made |= {key: [_at(entry, inner, change) for entry in made[key]]} if made.get(key) else {}
    for part in ("filters", "edits"):
        if value.get(part):
            made[part] = {name: _own(_at(keys, "model", model), change) for name, keys in value[part].items()}
    for key, inner in (("output", "tokenizer"), ("compute", "targets")):
        made |= {key: _at(value[key], inner, change)} if value.get(key) else {}
    return made


def _own(keys: Any, change: Callable[[str], str]) -> Any:
    """The keys of a filter or an edit, with the paths of the user's files changed."""
    if not isinstance(keys, dict):
        return keys
    lists = {name: keys[name] for name in ("own", "snapshots", "domains") if isinstance(keys.get(name), list)}
    return keys | {name: [_at(entry, "path", change) for entry in entries] for name, entries in lists.items()}


def _at(entry: Any, key: str, change: Callable[[str], str]) -> Any:
    """A mapping with the path, or the paths, at `key` changed; anything else as it is."""
    found = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(found, str):
        return {**entry, key: change(found)}
    return {**entry, key: [change(path) for path in found]} if isinstance(found, list) else entry
