"""What happens to inputs, work directory and output between two nights, and on which nights: all of it follows from the seed."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import OutputError
from tests.soak.series import WORKERS, Series, curate

Killed = Callable[[int | str, Path, Sequence[str]], tuple[int, str]]
"""`tests.killed.ready`: runs a command that kills itself at its n-th change to a store."""
POINTS = 150
"""About as many changes to stores as a night makes."""
STRAYS = ("{0}.bak", "{1} (copy).json", "old-{0}", "{1}.sync-conflict-20261201-010203-ABCDEFG.json", "{0}~", "{1}.JSON", "1.json")


def schedule(nights: int, shares: Mapping[str, float], chosen: random.Random) -> dict[int, list[str]]:
    """Events by night: each kind has its share of the nights, and one at least."""
    made: dict[int, list[str]] = {}
    for kind, share in shares.items():
        for night in chosen.sample(range(5, nights + 1), max(1, round(share * nights))):
            made.setdefault(night, []).append(kind)
            if kind == "restore":
                made.setdefault(max(3, night - chosen.randint(1, 8)), []).append("backup")
    return made


def change(series: Series, _: int) -> None:
    known = series.book.known()
    earlier = sorted(known.keys() & series.folder.there.keys())
    for name in series.chosen.sample(earlier, min(len(earlier), series.chosen.randint(1, 2))):
        series.counts["files changed in place"] += series.folder.change(name, known[name], series.chosen)


def rename(series: Series, night: int) -> None:
    if there := sorted(series.folder.there):
        name = series.chosen.choice(there)
        series.folder.rename(name, night, used=list(series.book.known()), chosen=series.chosen)
        series.counts["renamed or packed otherwise"] += 1


def vanish(series: Series, _: int) -> None:
    if len(series.folder.there) > 3:
        series.folder.remove(series.chosen.choice(sorted(series.folder.there)))
        series.counts["vanished"] += 1


def take_down(series: Series, _: int) -> None:
    series.take_down()
    series.counts["take-downs"] += 1


def other_work(series: Series, night: int) -> None:
    """A new work directory, or one that was used before."""
    earlier = [None, *sorted(series.base.glob("work-*"))]
    new = series.chosen.random() < 0.7
    series.work = series.base / f"work-{night:03d}" if new else series.chosen.choice(earlier)
    series.forgot = True
    series.counts["other work directories"] += 1


def move(series: Series, night: int) -> None:
    there = series.base / f"out-{night:03d}"
    series.out.rename(there)
    series.out = there
    series.counts["moved"] += 1


def copy(series: Series, night: int) -> None:
    """Go on with a copy. While the original is there a work directory outside both stays its own."""
    before, series.out = series.out, series.base / f"out-{night:03d}"
    shutil.copytree(before, series.out, symlinks=True)
    if series.work is not None and series.work.exists():
        try:
            curate(series.plan(), series.options())
            series.fail("a copy was let into the work directory of its original")
        except OutputError:
            series.counts["copies refused the original's work directory"] += 1
    shutil.rmtree(before)
    series.counts["copied"] += 1


def backup(series: Series, _: int) -> None:
    shutil.rmtree(series.base / "backup", ignore_errors=True)
    shutil.copytree(series.out, series.base / "backup", symlinks=True)
    series.saved = (series.book.copy(), set(series.strays))


def restore(series: Series, _: int) -> None:
    """The output as it was some nights ago, in its place; inputs are as they are now."""
    shutil.rmtree(series.out)
    shutil.copytree(series.base / "backup", series.out, symlinks=True)
    book, strays = series.saved
    series.book, series.strays = book.copy(), set(strays)
    series.forgot = True
    series.counts["restored"] += 1


def stray(series: Series, _: int) -> None:
    """A copy of a manifest beside it, as editors and synchronised folders leave them; now and then one goes."""
    folder = series.out / "manifests"
    if series.strays and series.chosen.random() < 0.4:
        gone = series.chosen.choice(sorted(series.strays))
        (folder / gone).unlink()
        series.strays.discard(gone)
    number = f"{series.chosen.randint(1, series.book.number):06d}"
    name = series.chosen.choice(STRAYS).format(f"{number}.json", number)
    shutil.copy(folder / f"{number}.json", folder / name)
    series.strays.add(name)
    series.counts["strays"] += 1


def kill(series: Series, killed: Killed) -> None:
    """The night's run is begun by a process that is killed."""
    work = [] if series.work is None else ["--work", str(series.work)]
    command = [str(series.plan()), "--output", str(series.out), "--inline", "--workers", str(WORKERS), *work]
    status, said = killed(series.chosen.randint(1, POINTS), series.base / "unused", command)
    series.counts["runs killed" if status == -signal.SIGKILL else "runs that ended before their kill"] += 1
    if status not in (0, -signal.SIGKILL):
        series.fail(f"a run that was to be killed ended with {status}: {said.strip()[-300:]}")


BETWEEN: dict[str, Callable[[Series, int], None]] = {
    "backup": backup,
    "restore": restore,
    "move": move,
    "copy": copy,
    "work": other_work,
    "stray": stray,
    "takedown": take_down,
    "change": change,
    "rename": rename,
    "vanish": vanish,
}
"""In this order where a night has several."""


def night(series: Series, number: int, events: Sequence[str], *, killed: Killed | None = None) -> None:
    """What happens, then the run, which may be killed, or be one with --replace, --clean or `on_changed: replace`."""
    for kind, happens in BETWEEN.items():
        if kind in events:
            happens(series, number)
    draw = series.chosen.random()
    series.on_changed = "replace" if "anew" in events else "append" if draw < 0.6 else "ignore"
    begun = "kill" in events and killed is not None and "replace" not in events
    if begun and killed is not None:
        kill(series, killed)
    before = len({generation for generation, _ in series.book.arrived})
    series.night(replace="replace" in events, clean="clean" in events, begun=begun)
    series.counts["--clean"] += "clean" in events
    series.counts["--replace"] += "replace" in events
    if len({generation for generation, _ in series.book.arrived}) < before and "replace" not in events:
        series.counts["made anew for changed files"] += 1
