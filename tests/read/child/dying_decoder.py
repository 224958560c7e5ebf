"""A decoder that fails on files which hold the word KILL-ME, as a broken one would: `python -m tests.read.child.dying_decoder
HOW`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from pipeline.read.child import decoder, parquet


def fail(how: str) -> None:
    if how == "memory":
        hoard = []
        while True:
            hoard.append(b"x" * 10_000_000)
    if how == "circles":
        while True:
            pass
    if how == "bug":
        raise ZeroDivisionError("a bug of ours")
    os.kill(os.getpid(), getattr(signal, how))


def main() -> None:
    how, add_batch = sys.argv[1], parquet.add_batch

    def marked(collector: Any, batch: Any, first_row: int) -> None:
        if "KILL-ME" in str(batch["text"].to_pylist()):
            fail(how)
        add_batch(collector, batch, first_row)

    parquet.add_batch = marked
    decoder.main()


if __name__ == "__main__":
    main()
