"""`make bench B=tricks` (`python -m tests.bench.tricks [NAME ...] [--rounds N]`): what each trick with the interpreter saves.

For each, the same command with it and without it, in turn, `--rounds` times: medians of CPU seconds of all its processes and of
seconds by the clock, and of what the trick saves of both. A trick stays where it saves 3 % or 0.1 s of CPU (the clock of a busy
machine says little). "Without" is a `sitecustomize` that every process of the command runs first: it imports what the trick keeps
out, or makes its calls do nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import prose, write_rows

_IDLE = """import gc, sys
def _but(name, real):
    return lambda: None if sys._getframe(1).f_code.co_name == name else real()
for _call in ("disable", "freeze"):
    setattr(gc, _call, _but({name!r}, getattr(gc, _call)))
"""
_TAKEN_APART = "import os, sys; os._exit = sys.exit"
_REFRESHED = """from numba.core import caching
_load = caching.Cache._load_overload
caching.Cache._load_overload = lambda own, signature, context: (context.refresh(), _load(own, signature, context))[1]
"""
_PARSED = """from filters.kernels.overloads import _Loaded
_end = _Loaded._finalize_final_module
_Loaded._finalize_final_module = lambda own: (own._get_module_for_linking(), _end(own))[1]
"""
_COMPILED = "import jinja2; jinja2.BytecodeCache.get_bucket = lambda own, *it: jinja2.bccache.Bucket(it[0], '', '')"
ENTRY = "from flows.curate import ended, main; ended(main(own_process=True))"
START = ("--inline", "--workers", "1")
"""A run that finds nothing new: what every start costs. Without --inline it is one with Prefect and its server."""
LEAST_S, LEAST_SHARE = 0.1, 0.03


@dataclass(frozen=True)
class Trick:
    """`without`: Python that undoes it; `environment`: variables that do; `again`: the command is a whole run, not a start."""

    place: str
    without: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = START
    again: bool = False


TRICKS = {
    "no-pandas": Trick("filters/kernels/absent.py", "import pandas"),
    "no-scipy": Trick("filters/kernels/linking.py", "import scipy.linalg"),
    "no-yaml": Trick("filters/kernels/__init__.py", "import scipy, yaml"),
    "no-refresh": Trick("filters/kernels/overloads.py", _REFRESHED),
    "no-bitcode": Trick("filters/kernels/overloads.py", _PARSED),
    "templates": Trick("pipeline/report/page/bytecode.py", _COMPILED, arguments=("minimal", *START), again=True),
    "gc-at-start": Trick("flows/curate.py", _IDLE.format(name="_carry_out")),
    "end": Trick("flows/curate.py", _TAKEN_APART, arguments=("--workers", "1")),
    "one-thread": Trick("flows/curate.py", environment={"OPENBLAS_NUM_THREADS": "2"}),
    "gc-of-server": Trick("flows/serving/server.py", _IDLE.format(name="_serve"), arguments=("--workers", "1")),
    "malloc": Trick(
        "pipeline/machine/resources.py",
        environment={"ARROW_DEFAULT_MEMORY_POOL": "mimalloc"},
        arguments=("minimal", *START),
        again=True,
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRICKS))
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    missed = False
    print(f"{'trick':13} {'CPU s with':>11} {'without':>8} {'saved':>7} {'clock s':>9} {'without':>8} {'saved':>7}", flush=True)
    for name in asked.names or TRICKS:
        with tempfile.TemporaryDirectory() as folder:
            missed |= not _show(name, _rounds(TRICKS[name], Path(folder), asked.rounds))
    return int(missed)


def _rounds(trick: Trick, folder: Path, rounds: int) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """`(CPU seconds, seconds)` with the trick and without it, of each round."""
    (folder / "without").mkdir()
    (folder / "without" / "sitecustomize.py").write_text(trick.without)
    texts = [" ".join(prose(i * 40 + j) for j in range(40)) for i in range(500)]
    write_rows(folder / "in" / "a.jsonl", [{"text": f"{k} {texts[k % 500]}"} for k in range(1000 if trick.again else 100)])
    plain = os.environ | {"PYTHONPATH": os.getcwd()}
    bare = plain | trick.environment | {"PYTHONPATH": f"{folder / 'without'}:{os.getcwd()}"}
    command = [sys.executable, "-c", ENTRY, *trick.arguments, "--input", str(folder / "in"), "--output", str(folder / "out")]
    command += ["--fresh"] if trick.again else []
    _seconds(command, plain)
    _seconds(command, bare)
    return [(_seconds(command, plain), _seconds(command, bare)) for _ in range(rounds)]


def _seconds(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    before, start = os.times(), time.monotonic()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.monotonic() - start


def _show(name: str, found: list[tuple[tuple[float, float], tuple[float, float]]]) -> bool:
    """Print a trick's line; whether it earns its place."""
    line, earned = f"{name:13}", False
    for at in (0, 1):
        own, other = (statistics.median(pair[side][at] for pair in found) for side in (0, 1))
        saved = statistics.median(without[at] - with_[at] for with_, without in found)
        line += f" {own:{11 if at == 0 else 9}.2f} {other:8.2f} {saved:+7.2f}"
        earned |= at == 0 and (saved >= LEAST_S or saved >= LEAST_SHARE * other)
    print(f"{line}  {'stays' if earned else 'saves too little'} ({TRICKS[name].place})", flush=True)
    return earned


if __name__ == "__main__":
    sys.exit(main())
