"""What a deployment may read and write: only what lies below its roots, after symbolic links are resolved.

The roots come from the environment of the process that runs the flow (`WINNOW_ROOTS`: folders and URLs joined by `:`), not
from a parameter: whoever fills in the form must not be able to widen them. An input's links are resolved when the run starts.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import InputError, OutputError, PlanError, UsageError
from pipeline.read.crawls import SCHEME as CRAWLS
from pipeline.read.listings import is_listing
from pipeline.read.tree import wildcard_free
from pipeline.store import places
from pipeline.store.secrets import refuse_secrets

if TYPE_CHECKING:
    from pipeline.plan.load import LoadedPlan

VARIABLE = "WINNOW_ROOTS"
WILDCARDS = "*?[{"


def configured() -> tuple[str, ...]:
    """The roots of this process; empty: no bounds."""
    return tuple(absolute(root) for root in re.split(r":(?!//)", os.environ.get(VARIABLE, "")) if root)


def check_plan(plan: str | None, bounds: Sequence[str]) -> None:
    """Raises PlanError where the plan is a file outside `bounds`; before it is read."""
    _inside(plan_files(plan), bounds, what="plan", error=PlanError)


def check(loaded: LoadedPlan, *, output: str, work: str | None, bounds: Sequence[str], matched: bool = True) -> None:
    """Raises a UsageError that names the first path outside `bounds`. Without bounds everything is allowed.

    `matched`: also look at the files that the plan's patterns match now, links resolved.
    """
    written = written_by(output, work)
    if not bounds:
        return
    _inside(written, bounds, what="output", error=OutputError)
    _inside(read_by(loaded), bounds, what="input", error=InputError)
    if matched:
        from pipeline.read.expansion import expand

        _inside((file.url for file in expand(loaded.plan.source).files), bounds, what="input", error=InputError)


def check_overrides(overrides: Mapping[str, object], bounds: Sequence[str]) -> None:
    """Raises PlanError where a key is none, or names plugins: which code runs is said by a plan below the roots."""
    strange = [key for key in overrides if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", key)]
    if strange:
        raise PlanError(f"overrides: {strange[0]!r} is no key of a plan; expected one such as dedup.threshold")
    if bounds and any(key.split(".")[0] == "plugins" for key in overrides):
        raise PlanError("plugins cannot be set by an override of a deployment; name them in its plan")
    for value in overrides.values():
        refuse_secrets(json.dumps(value))


def plan_files(plan: str | None) -> list[str]:
    """The plan as a path, where it is a file and not a preset's name."""
    return [plan] if plan is not None and (plan.endswith((".yaml", ".yml")) or Path(plan).is_file()) else []


def fixed_part(pattern: str) -> str:
    """The folder that a path or glob starts from: all that its files lie in."""
    if "://" in pattern and not pattern.startswith("file://"):
        scheme, _, rest = pattern.partition("://")
        free = list(itertools.takewhile(lambda part: not any(c in part for c in WILDCARDS), rest.split("/")))
        return f"{scheme}://{'/'.join(free)}" if free and not scheme.startswith("http") else pattern
    full = places.absolute(pattern)
    parts = full.split("/")
    return full if os.path.exists(full) else "/".join(parts[: wildcard_free(parts, os.path.isdir)]) or "/"


def written_by(output: str, work: str | None) -> list[str]:
    """Raises OutputError, without repeating it, for a URL that holds a secret."""
    found = [output] if work is None else [output, work]
    for path in found:
        refuse_secrets(path, what="output", error=OutputError)
    return found


def read_by(loaded: LoadedPlan) -> list[str]:
    """The folders and files that a plan names: where its inputs lie, and what it needs beside them."""
    plan = loaded.plan
    found = [fixed_part(path) for source in plan.source for path in source.paths if not path.startswith(CRAWLS)]
    found += [source.base for source in plan.source if any(path.startswith(CRAWLS) or is_listing(path) for path in source.paths)]
    found += [annotation.path for annotation in plan.annotations]
    found += plan.own_files()
    found += [plan.output.tokenizer] if plan.output.tokenizer else []
    for name in type(plan.filters).model_fields:
        model = getattr(getattr(plan.filters, name), "model", None)
        found += [model] if isinstance(model, str) and (os.sep in model or os.path.exists(model)) else []
    return found


def _inside(paths: Iterable[str], bounds: Sequence[str], *, what: str, error: type[UsageError]) -> None:
    for path in paths:
        resolved = absolute(path)
        if bounds and not any(resolved == root or resolved.startswith(root.rstrip("/") + "/") for root in bounds):
            raise error(
                f"{what} {path} lies outside the roots of this deployment ({', '.join(bounds)}); see --root of winnow deploy"
            )


def absolute(path: str) -> str:
    """An absolute path without links; a URL as it is, unless it climbs."""
    if "://" in path and not path.startswith("file://"):
        return "" if ".." in path.split("/") else path
    return os.path.realpath(places.absolute(path))
