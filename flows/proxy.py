"""The old name of `python -m flows.savings`, for one release."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flows import savings


def main(argv: Sequence[str] | None = None) -> int:
    """Says what it is called now, and does it."""
    print("winnow: flows.proxy is called flows.savings now; this name goes with the next release", file=sys.stderr)
    return savings.main(argv)


if __name__ == "__main__":
    raise SystemExit(main())
