"""The keys under which results of a run's stages are stored.

A **fact**'s key holds the unit's content, the text view, the keys of the columns it needs, the function's name and version,
its params and the sha256 of its model files; no threshold. A **judgement**'s key holds the recipe and the keys of its
inputs. What exists under its key is done: resume needs nothing else (law 3).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def key(*parts: Any) -> str:
    """32 hex digits of BLAKE2b-128 over the parts' canonical JSON."""
    data = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(data.encode("ascii"), digest_size=16).hexdigest()
