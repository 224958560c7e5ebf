"""`python -m tests.faults.flips FILE BIT...`: reads a work table with each of these bits flipped, in a process that may die.

Prints one line a bit: `same`, `Damaged`, or what else came of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.errors import Damaged
from pipeline.store.store import open_store


def outcome(folder: Path, bit: int, whole: bytes) -> str:
    store = open_store(str(folder), create=False)
    expected = store.read_table("whole.parquet")
    flipped = bytearray(whole)
    flipped[bit // 8] ^= 1 << bit % 8
    (folder / "flipped.parquet").write_bytes(flipped)
    try:
        found = store.read_table("flipped.parquet")
        same = found.equals(expected) and found.schema.equals(expected.schema, check_metadata=True)
        return "same" if same else "other values"
    except Damaged:
        return "Damaged"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    file = Path(sys.argv[1])
    whole = file.read_bytes()
    for bit in map(int, sys.argv[2:]):
        print(bit, outcome(file.parent, bit, whole), flush=True)


if __name__ == "__main__":
    main()
