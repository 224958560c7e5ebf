"""How much memory the decoding of one file may take beside the units of a run.

Invariant: no row depends on it. What needs more than `beside` is decoded while nothing else works; what needs more than `alone`,
too, is lost only where no run may have so much (`pipeline.read.child.decoder.MEMORY_BYTES`), and else ends the run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from pipeline.read.child.decoder import MEMORY_BYTES

BATCHES_BYTES = 160_000_000
"""What decoding takes of pages of some megabytes: batches of 8 MB, of which JSON takes 20 times as much."""


@dataclass(frozen=True)
class Room:
    """`beside`: bytes that a decoder may take while others work; `alone`: while none does, which is so within `nothing_else()`.
    `enough`: a `--memory` with which `alone` is all that any run may have."""

    beside: int = MEMORY_BYTES
    alone: int = MEMORY_BYTES
    enough: int = 0
    nothing_else: Callable[[], AbstractContextManager[None]] = nullcontext


ROOMY = Room()
"""Of whoever reads beside no run."""
