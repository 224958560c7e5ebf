"""Files of other releases: what a newer one made is refused, with its name, before anything is made of it; older ones are read.

Each file that is read back says the version of its schema: JSON as `schema_version` (savings.json: `schema`), Parquet in its
metadata. A file without one was made before there were versions: that is version 1. The tables of an output (data/, ledger/, ...)
have one version, `recipe.versions.schema` of the manifest that names them.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata

from pipeline.errors import Damaged, NewerRelease

PACKAGE = "winnow-curation"


def refuse_newer(where: str, version: object, *, known: int, made_by: object = None) -> None:
    """Raise NewerRelease for a version above `known`, Damaged for none. `made_by`: the release, where the file says it."""
    if isinstance(version, str) and version.isascii() and version.isdigit() and len(version) < 10:
        version = int(version)  # Parquet's metadata are text
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise Damaged(f"{where}: {str(version)[:40]!r} is no version of a schema; restore the file")
    if version > known:
        release = f" {made_by[:40]}" if isinstance(made_by, str) and made_by else ""
        raise NewerRelease(
            f"{where}: made by a newer Winnow{release} (schema version {version}; this is {installed(PACKAGE)}, which reads up to"
            f" {known}): upgrade Winnow, or use the one that made it"
        )


@cache
def installed(package: str) -> str:
    """The version of a package. Read once: the whole of its metadata is parsed for it."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "source tree"
