"""`python -m tests.faults.limited BYTES ARGUMENTS...`: the command, whose memory may grow by BYTES once it reads a unit."""

from __future__ import annotations

import resource
import sys
from typing import Any

from pipeline.run import spans


def main() -> int:
    more, inner = int(sys.argv[1]), spans.annotate

    def limited(*args: Any, **named: Any) -> Any:
        with open("/proc/self/status", encoding="ascii") as status:
            held = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
        resource.setrlimit(resource.RLIMIT_DATA, (held + more, resource.RLIM_INFINITY))
        return inner(*args, **named)

    spans.annotate = limited
    from flows.curate import main as curate

    return curate(sys.argv[2:])


if __name__ == "__main__":
    raise SystemExit(main())
