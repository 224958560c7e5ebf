"""`python -m tests.hostile`: every hostile file, with the figures."""

import sys

from tests.hostile import suite

if __name__ == "__main__":
    report = suite.go(log=print)
    report.show()
    sys.exit(1 if report.failures else 0)
