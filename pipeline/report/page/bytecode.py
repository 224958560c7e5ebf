"""Templates as jinja2 compiled them, kept beside the compiled kernels of the user: compiling those of the report takes a tenth of
the CPU seconds of a small run.

Invariant: what is read back is what was written for the very source of the template (jinja2 compares its checksum, and the bytes
have a digest of their own); anything else is made anew, in silence, and nothing here fails a run.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from hashlib import sha256
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from filters import kernels

FOLDER = None if kernels.FOLDER is None else kernels.FOLDER / f"templates-{jinja2.__version__}"
"""None where the user set a folder for kernels."""
_DIGEST = sha256().digest_size


class Templates(jinja2.BytecodeCache):
    """The templates kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load_bytecode(self, bucket: Bucket) -> None:
        with contextlib.suppress(OSError):
            kept = (self._folder / bucket.key).read_bytes()
            if sha256(kept[_DIGEST:]).digest() == kept[:_DIGEST]:
                bucket.bytecode_from_string(kept[_DIGEST:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        made = bucket.bytecode_to_string()
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._folder / f".{bucket.key}-{secrets.token_hex(8)}"
            try:
                with temporary.open("xb") as file:
                    file.write(sha256(made).digest() + made)
                os.replace(temporary, self._folder / bucket.key)
            finally:
                temporary.unlink(missing_ok=True)


KEPT = None if FOLDER is None else Templates(FOLDER)
