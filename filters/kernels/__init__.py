"""Kernels: compiled loops over Arrow text, each of which equals a named piece of plain Python.

A kernel takes `offsets` and `data` (`buffers.views`), tables, and outputs that the caller has allocated; it releases the
interpreter lock, allocates nothing that grows with the text, and reads no byte outside `data[offsets[0]:offsets[n]]`.
`warm.warm()` compiles or loads all of them.

Compiled code is cached in `$XDG_CACHE_HOME/winnow/kernels-<digest of these sources>` (default `~/.cache`), so that the
install folder may be read-only, and so that a change to a kernel that others call never meets old machine code: numba itself
looks at the file of the outermost kernel only. `NUMBA_CACHE_DIR`, where it is set, is left alone.
"""

import os
from hashlib import blake2b
from pathlib import Path

from numba.core import config


def _digest() -> str:
    digest = blake2b(digest_size=8)
    here = Path(__file__).parent
    for source in sorted([*here.rglob("*.py"), here.parent / "data" / "spacy_english.json"]):  # kernels hold its tables
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _cache_folder() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return str(Path(home) / "winnow" / f"kernels-{DIGEST}")


DIGEST = _digest()
"""Of the sources of this package, in hexadecimal."""
if not config.CACHE_DIR:  # type: ignore[attr-defined]
    config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]
