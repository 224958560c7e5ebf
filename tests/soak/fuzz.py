"""Damaged input by the thousand: readers, model files and kernels, each case in a process with limits.

    python -m tests.soak.fuzz FOLDER SEED SECONDS FIRST [STOP]        (the process itself: a JSON line before and after each case)

Case n of a seed is the same whenever it is tried: a valid input, up to six changes to it (bits, bytes, numbers, cuts, blocks
left out, doubled, taken from another input), and, for what is compressed, either the archive changed or what is in it. A reader
must give documents and bad rows, each row once, as schemas say, in valid UTF-8; or a WinnowError. A model must be ModelError, or
predict finite scores. Filters must keep the contract (rows, schema, no NaN; `filters.contract.check`), edits must give texts,
signatures and shingles their shapes. Anything else is a failure: another exception, a signal, LIMIT_BYTES of memory, LIMIT_S
without an end. The input of a failure is kept, and named. Texts are in valid UTF-8, as readers give them: kernels rely on it.
"""

from __future__ import annotations

import json
import os
import queue
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from filters import models
from filters.contract import TextBatch
from filters.kernels import buffers
from filters.kernels.dedup import minhash
from pipeline import read
from pipeline.errors import WinnowError
from pipeline.plan import load, recipe
from pipeline.read.files import InputFile, kind_of
from pipeline.schema import BAD_ROW, DOCUMENT
from pipeline.stages.unit.signals import run_filter, try_out
from pipeline.text import final
from tests.soak.common import Report
from tests.soak.damage import READERS, TARGETS, input_of
from tests.support import PROSE, ROOT

LIMIT_BYTES = 6_000_000_000
"""Private memory of the process, and of the decoders it starts: far above what these inputs of some kilobytes need."""
LIMIT_S = 20.0
"""CPU seconds, of the process and its decoders, without an end after which a case hangs: a case takes milliseconds, a new process
some seconds. Ten times as much of wall time hangs too: something waits for what never comes."""
EDITS = """edits={c4_lines: {}, refinedweb_lines: {}, repetition_within: {},
 pii: {email: true, ip: true, iban: true, card: true, phone: true}}"""


def try_reader(path: Path, unit_bytes: int) -> str:
    kind, compression = kind_of(path.name) or ("", None)
    file = InputFile(
        source="s", priority=0, url=str(path), path=f"in/{path.name}", format=kind, compression=compression,
        size=path.stat().st_size, text="text", id="id", unit_bytes=unit_bytes, max_row_bytes=2_000, max_bad_fraction=1.0,
    )  # fmt: skip
    made = read.units_of(file)
    parts = [read.read(unit) for unit in made.units or ()]
    if made.units is None:
        parts = [read.read_block(block) for block in read.stream(file, made.content)]
    rows: list[int] = []
    for part in parts:
        for table, schema in ((part.documents, DOCUMENT), (part.bad, BAD_ROW)):
            assert table.schema.equals(schema), table.schema
            table.validate(full=True)
        assert part.documents["text"].null_count == 0
        rows += part.documents["row"].to_pylist() + part.bad["row"].to_pylist()
    assert len(set(rows)) == len(rows), f"rows twice: {sorted(rows)[:20]}"
    return "rows" if rows else "no rows"


def try_model(path: Path) -> str:
    try:
        model = models.load_model(path)
    except models.ModelError:
        return "refused"
    offsets, data = buffers.views(pa.array([PROSE, "w1 w2 w37 the", "日本語", ""], pa.large_string()))
    labels, scores, _, _ = model.judge(data, models.whole(offsets))
    assert np.isfinite(scores).all() and labels.min() >= -1 and labels.max() < len(model.labels)
    return "predicts"


@cache
def everything() -> recipe.Recipe:
    """Every filter and every edit, but `robots`, which looks at addresses and needs a list of them."""
    from filters import FILTERS

    switched = [f"filters.{item.name}={{}}" for item in FILTERS if item.name != "robots"]
    return recipe.resolve(load.load_plan("default", inputs=["."], assignments=[*switched, " ".join(EDITS.split())]).plan)


def try_texts(data: bytes) -> str:
    """All edits, then all filters, on a slice with an offset; signatures and shingles of what came out."""
    made = everything()
    texts = ["before", *(part.decode(errors="replace") for part in data.split(b"\xff")), "behind"]
    source = pa.array(texts, pa.large_string())[1:-1]
    n = len(source)
    edited = final.finish(source, made.steps)
    assert edited.num_rows == n
    edited.validate(full=True)
    text = final.texts(source, edited)
    text.validate(full=True)
    batch = TextBatch(text, TextBatch(source))
    columns: dict[str, pa.Array] = {}
    for item in made.filters:
        signals = run_filter(item, made.known, batch if item.reads == "final" else batch.source, columns=columns)
        columns |= dict(zip(signals.schema.names, signals.columns, strict=True))
    offsets, raw = batch.buffers
    permutations = tuple(np.arange(1, 33, dtype=np.uint32) * k for k in (3, 7))
    words, least = minhash.signatures(offsets, raw, ngram=5, permutations=permutations, family="default")
    assert words.shape == (n,) and least.shape == (n, 32) and words.min(initial=0) >= 0
    assert minhash.band_keys(least, bands=4, rows=8).shape == (n, 4)
    starts, hashes = minhash.shingles(offsets, raw, ngram=5)
    assert starts.shape == (n + 1,) and starts[-1] == len(hashes) and (np.diff(starts) >= 0).all()
    assert len(final.text_hashes(text)) == n
    return "columns"


def attempt(number: int, seed: int, folder: Path) -> tuple[str, Path, Callable[[], str]]:
    """Target, file and test of a case; its file is written."""
    target = TARGETS[number % len(TARGETS)]
    chosen = random.Random(f"{seed}-{number}")
    data = input_of(target, chosen)
    path = folder / f"case-{number}.{target}"
    path.write_bytes(data)
    if target in READERS:
        unit_bytes = chosen.choice([100, 1_000, 64_000_000])
        return target, path, lambda: try_reader(path, unit_bytes)
    return target, path, (lambda: try_model(path)) if target == "model" else (lambda: try_texts(data))


def cases(folder: Path, seed: int, numbers: Iterator[int]) -> None:
    """The process: each case is named before it is tried, so that one that kills the process is known."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try_out(everything())
    try_texts(PROSE.encode())
    for number in numbers:
        target, path, test = attempt(number, seed, folder)
        print(json.dumps({"begin": number, "target": target}), flush=True)
        try:
            outcome = test()
        except WinnowError as error:
            outcome = "refused" if str(error) else "an error without a message"
        except BaseException as error:
            outcome = f"{type(error).__name__}: {str(error)[:300]}"
        if outcome in ("rows", "no rows", "refused", "predicts", "columns"):
            path.unlink()
        print(json.dumps({"end": number, "outcome": outcome}), flush=True)
    read.close()


GOOD = frozenset({"rows", "no rows", "refused", "predicts", "columns"})


def go(*, seed: int, seconds: float = 300, most: int | None = None, log: Callable[[str], None] = lambda _: None) -> Report:
    """Cases for so long, `most` at most."""
    report = Report(f"Fuzzing (seed {seed})")
    kept = Path(tempfile.mkdtemp(prefix="winnow-fuzz-"))
    counts: Counter[tuple[str, str]] = Counter()
    start, number = time.monotonic(), 0
    while time.monotonic() - start < seconds and (most is None or number < most):
        number = _process(kept, seed, number, start + seconds, most, counts, report)
        log(f"{number} cases, {len(report.failures)} failures")
    for target in dict.fromkeys(TARGETS):
        found = {outcome: n for (of, outcome), n in sorted(counts.items()) if of == target}
        report.say(f"{target}: {sum(found.values())} ({', '.join(f'{n} {outcome}' for outcome, n in found.items())})")
    took = time.monotonic() - start
    report.say(f"{number} executions in {took:.0f} s, {len(report.failures)} failures")
    if report.failures:
        report.say(f"inputs that failed are in {kept}")
    else:
        for left in kept.iterdir():
            left.unlink()
        kept.rmdir()
    return report


def _process(
    folder: Path, seed: int, first: int, end: float, most: int | None, counts: Counter[tuple[str, str]], report: Report
) -> int:
    """One process, until the time is up or a case ends it; the number of the next case."""
    arguments = [str(folder), str(seed), str(end - time.monotonic()), str(first), *([] if most is None else [str(most)])]
    command = [sys.executable, "-m", "tests.soak.fuzz", *arguments]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    lines: queue.Queue[str] = queue.Queue()

    def pump() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line)
        lines.put("")

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    number, target = first, "start"
    since, used = time.monotonic(), None
    while True:
        try:
            line = lines.get(timeout=1)
        except queue.Empty:
            used = _cpu_s(child.pid) if used is None else used
            compiles = target == "start"
            if time.monotonic() - since < 10 * LIMIT_S * (1 + compiles) and (compiles or _cpu_s(child.pid) - used < LIMIT_S):
                continue
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            counts[target, "failed"] += 1
            report.fail(f"{target} {number}: no end within {LIMIT_S:.0f} CPU seconds ({folder}/case-{number}.{target})")
            return number + 1
        if not line:
            break
        said = json.loads(line)
        if "begin" in said:
            number, target = said["begin"], said["target"]
            continue
        outcome = said["outcome"]
        if outcome not in GOOD:
            report.fail(f"{target} {number}: {outcome} ({folder}/case-{number}.{target})")
        counts[target, outcome if outcome in GOOD else "failed"] += 1
        number, since, used = number + 1, time.monotonic(), None
    if child.wait():
        counts[target, "failed"] += 1
        report.fail(f"{target} {number}: the process ended with {child.returncode} ({folder}/case-{number}.{target})")
        return number + 1
    return number


def _cpu_s(pid: int) -> float:
    """User and system CPU seconds of a process and those below it; 0 of one that has ended."""
    used = 0.0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children()):
            with suppress(psutil.Error):
                times = process.cpu_times()
                used += times.user + times.system
    return used


def _numbers(seconds: float, first: int, stop: int | None) -> Iterator[int]:
    end = time.monotonic() + seconds
    number = first
    while time.monotonic() < end and (stop is None or number < stop):
        yield number
        number += 1


if __name__ == "__main__":
    folder_, seed_, seconds_, first_, *stop_ = sys.argv[1:]
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    cases(Path(folder_), int(seed_), _numbers(float(seconds_), int(first_), int(stop_[0]) if stop_ else None))
