"""`python -m tests.bench.help_cpu [--rounds N]`: CPU seconds that `winnow COMMAND --help` takes, and completion at a key press.

Medians of N processes each. Target: 100 ms. That help imports nothing heavy is held by tests/cli/test_command.py.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys

from flows import command

TARGET_S = 0.1
ENTRY = "from flows.command import entry; entry()"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    asked = [["--help"], *([name, "--help"] for name in command.COMMANDS), ["completion", "words", "--", "inspect", ""]]
    slow = False
    for arguments in asked:
        took = statistics.median(_cpu_s(arguments) for _ in range(rounds))
        slow = slow or took > TARGET_S
        print(f"{1000 * took:4.0f} ms  winnow {' '.join(arguments)}")
    print(f"target {1000 * TARGET_S:.0f} ms: {'MISSED' if slow else 'met'}")
    return int(slow)


def _cpu_s(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", ENTRY, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
