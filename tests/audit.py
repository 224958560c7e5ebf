"""`python -m tests.audit`: the licence of everything that Winnow needs, and of what its extras need that is installed here.

Status 1 where an installation without extras has a package that may be used under the GPL or AGPL alone. LGPL is named and
allowed: such a package is imported as it is installed. So is a package with a choice (Artistic or GPL).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement

PACKAGE = "winnow-curation"
_GPL = re.compile(r"\bA?GPL|General Public License", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL|Lesser General Public|Library or Lesser", re.IGNORECASE)


def needed(package: str, extras: Iterable[str] = ()) -> set[str]:
    """Names of the packages that a package needs, of those that are installed, and of those that they need."""
    found: set[str] = set()
    waiting = [(package, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            used = marker is None or any(marker.evaluate({"extra": extra}) for extra in (*wanted, ""))
            if used and requirement.name.lower() not in found:
                found.add(requirement.name.lower())
                waiting.append((requirement.name, frozenset(requirement.extras)))
    return found


def licences(package: str) -> tuple[str, ...]:
    """The licences that a package may be used under: of its SPDX expression, of its classifiers, or as its author wrote."""
    about = metadata.metadata(package)
    if expression := about.get("License-Expression"):
        return tuple(part.strip("() ") for part in re.split(r"\bOR\b", expression))
    classified = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    return tuple(c for c in classified if c != "OSI Approved") or ((about.get("License") or "?").splitlines()[0][:60],)


def under_gpl_alone(given: Iterable[str]) -> bool:
    return all(_GPL.search(licence) and not _LESSER.search(licence) for licence in given)


def main() -> int:
    """Print a line for each package; the status."""
    extras = metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    core = needed(PACKAGE)
    status = 0
    for where, names in (("", core), *((extra, needed(PACKAGE, [extra]) - core) for extra in extras)):
        for name in sorted(names):
            try:
                given = licences(name)
            except metadata.PackageNotFoundError:
                continue
            refused = under_gpl_alone(given)
            status |= refused and not where
            note = "GPL" if refused else "LGPL" if any(map(_LESSER.search, given)) else ""
            print(f"{name:30} {metadata.version(name):14} {' or '.join(given):60} {where:12} {note}".rstrip())
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
