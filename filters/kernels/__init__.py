"""Kernels: compiled loops over Arrow text, each of which equals a named piece of plain Python.

A kernel takes `offsets` and `data` (`buffers.views`), tables, and outputs that the caller has allocated; it releases the
interpreter lock, allocates nothing that grows with the text, and reads no byte outside `data[offsets[0]:offsets[n]]`.
`warm.warm()` compiles or loads all of them.

Compiled code is cached in `$XDG_CACHE_HOME/winnow/kernels-<digest of these sources>` (default `~/.cache`), so that the
install folder may be read-only, and so that a change to a kernel that others call never meets old machine code: numba itself
looks at the file of the outermost kernel only. `cache` removes folders that are no longer used. `NUMBA_CACHE_DIR`, where it is
set, is left alone.
"""

from pathlib import Path

from filters.kernels import cache
from filters.kernels.absent import absent

# numba imports both where they are there: yaml to read a .numba_config.yaml of the current folder (which a run is to owe nothing
# to), scipy for linear algebra (which no kernel does).
with absent("yaml"), absent("scipy"):
    from numba.core import config

_HERE = Path(__file__).parent
DIGEST = cache.digest(_HERE, _HERE.parent / "data" / "spacy_english.json")  # kernels hold its tables
"""Digest of the sources of this package, in hexadecimal."""
FOLDER: Path | None = None
"""Folder of the compiled kernels; None where the user set another one."""
if not config.CACHE_DIR:  # type: ignore[attr-defined]
    FOLDER = cache.folder(DIGEST)
    _HELD = cache.hold(FOLDER)
    config.CACHE_DIR = str(FOLDER)  # type: ignore[attr-defined]
