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

import gzip
import io
import json
import os
import queue
import random
import resource
import signal
import struct
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
import pyarrow.parquet as pq
import zstandard

from filters import models
from filters.contract import TextBatch
from filters.kernels import buffers, minhash
from pipeline import final, plan_file, read, recipe
from pipeline.errors import WinnowError
from pipeline.read.inputs import InputFile, kind_of
from pipeline.schema import BAD_ROW, DOCUMENT
from pipeline.signals import run_filter, try_out
from tests.soak.common import Report
from tests.support import PROSE, ROOT, prose

READERS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "tsv", "txt", "html", "warc", "warc.gz", "parquet")
TARGETS = (*READERS, "model", "texts", "texts", "texts")
LIMIT_BYTES = 6_000_000_000
"""Private memory of the process, and of the decoders it starts: far above what these inputs of some kilobytes need."""
LIMIT_S = 20.0
"""CPU seconds, of the process and its decoders, without an end after which a case hangs: a case takes milliseconds, a new process
some seconds. Ten times as much of wall time hangs too: something waits for what never comes."""
EDITS = """edits={c4_lines: {}, refinedweb_lines: {}, repetition_within: {},
 pii: {email: true, ip: true, iban: true, card: true, phone: true}}"""
PIECES = [
    *(
        "\u2028",
        "\x85",
        "\r\n",
        "\u200d",
        "\ufeff",
        "e\u0301\u0301",
        "ﷺ",
        "\U0010ffff",
        "İ",
        "ﬁ",
        "ß",
        "\u0e01\u0e33",
        "กำ",
        "日本語。",
    ),
    *(
        "a.b@mail.example.org",
        "8.8.8.8",
        "2a00:1450:4001:81b::200e",
        "::ffff:8.8.4.4",
        "+49 (0)30 1234-5678",
        "4111 1111 1111 1111",
    ),
    *(
        "DE89 3704 0044 0532 0130 00",
        "javascript",
        "lorem ipsum",
        "{",
        "…",
        "•",
        "#",
        "\n\n",
        "\n",
        " ",
        "\t",
        "0",
        "@",
        ".",
        ":",
        "the ",
    ),
]


def page(body: str = PROSE) -> bytes:
    head = "<html><head><title>T</title><meta charset=utf-8></head>"
    return f"{head}<body><div><p>{body}</p><p>{body}</p></div></body></html>".encode()


def archive() -> bytes:
    """A WARC of a page, a text, an encoded page and a record that is none."""
    made = b""
    packed = gzip.compress(page(), mtime=0)
    bodies = [
        ("response", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + page()),
        ("response", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n\r\n" + packed),
        ("response", b"HTTP/1.1 404 No\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        ("conversion", PROSE.encode()),
        ("request", b"GET / HTTP/1.1\r\n\r\n"),
    ]
    for number, (kind, body) in enumerate(bodies):
        type_ = "text/plain" if kind == "conversion" else "application/http"
        head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://x.org/{number}\r\nWARC-Date: 2020-01-01T00:00:00Z\r\n"
        head += f"WARC-Record-ID: <urn:uuid:{number}>\r\nContent-Type: {type_}\r\nContent-Length: {len(body)}\r\n\r\n"
        made += head.encode() + body + b"\r\n\r\n"
    return made


def small_model() -> bytes:
    """A dense supervised model of 40 words, 3 labels and 20 buckets, in fastText 0.9.3's layout."""
    words = [f"w{k}" for k in range(38)] + ["the", "</s>"]
    labels = [f"__label__{k}" for k in "abc"]
    made = struct.pack("<ii12id", 793712314, 12, 4, 5, 5, 1, 5, 2, 3, 3, 20, 2, 3, 100, 1e-4)
    made += struct.pack("<iiiqq", 43, 40, 3, 1000, -1)
    for k, word in enumerate(words + labels):
        made += word.encode() + b"\0" + struct.pack("<qb", 50 - k, int(k >= 40))
    numbers = np.random.default_rng(1).normal(size=(63, 4)).astype("<f4")
    made += b"\0" + struct.pack("<qq", 60, 4) + numbers[:60].tobytes()
    return made + b"\0" + struct.pack("<qq", 3, 4) + numbers[60:].tobytes()


@cache
def seeds(target: str) -> tuple[bytes, ...]:
    """Valid inputs of a target, packed formats unpacked."""
    rows = [{"id": str(k), "text": prose(k)[:300], "n": k, "deep": {"a": [1, None], "b": "é"}} for k in range(8)]
    match target.removesuffix(".gz").removesuffix(".zst"):
        case "jsonl":
            lines = [json.dumps(row, ensure_ascii=bool(k % 2)) for k, row in enumerate(rows)]
            return ("\n".join(lines).encode() + b"\n", b'{"text": "a\\ud83d\\ude00 \\u00e9"}\n\n{"text":"b","id":7,"x":1e400}\n')
        case "csv":
            return (b"id,text,n\n" + b"".join(b'%d,"%s, ""q""\r\nmore",1\n' % (k, prose(k)[:80].encode()) for k in range(6)),)
        case "tsv":
            return (b"id\ttext\n" + b"".join(b"%d\t%s\n" % (k, prose(k)[:80].encode()) for k in range(6)),)
        case "txt":
            return (PROSE.encode(), PROSE.encode("utf-16"))
        case "html":
            return (page(), page("<ul><li>a<li>b</ul><table><tr><td>c</table>&amp;&#x1f600;&bogus;" * 5))
        case "warc":
            return (archive(),)
        case "model":
            shipped = Path(models.__file__).parent.parent / "model_files" / "quality_en.ftz"
            return (small_model(), small_model(), small_model(), shipped.read_bytes())
        case "parquet":
            return tuple(_parquet(rows, compression) for compression in ("snappy", "zstd", "none"))
    samples = [PROSE, prose(3), "", " ".join(PIECES), "片" * 40 + "。" + "ก" * 40, PROSE * 12, "a b c d e " * 60, "x" * 3000]
    return tuple(sample.encode() for sample in samples)


def _parquet(rows: list[dict], compression: str) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer, compression=compression, row_group_size=3)
    return buffer.getvalue()


def changed(data: bytes, others: tuple[bytes, ...], chosen: random.Random, *, most: int = 6) -> bytes:
    """Up to `most` changes, seldom none; half of them near an end, where headers and footers are."""
    made = bytearray(data)
    for _ in range(chosen.randint(0, most)):
        where = chosen.choice([len(made), len(made), min(len(made), 200), -min(len(made), 600)])
        at = chosen.randrange(where) if where > 0 else len(made) + chosen.randrange(where, 0) if where < 0 else 0
        size = chosen.choice([1, 4, 16, 100, 1000])
        match chosen.randrange(9):
            case 0 if made:
                made[at] ^= 1 << chosen.randrange(8)
            case 1 if made:
                made[at] = chosen.choice([0, 10, 13, 34, 44, 92, 127, 128, 255, chosen.randrange(256)])
            case 2:
                value = chosen.choice([0, 1, -1, 2**31 - 1, -(2**31), 2**16, 2**24, chosen.randrange(2**31)])
                made[at : at + 4] = struct.pack("<i", value)
            case 3:
                made[at : at + 8] = struct.pack("<q", chosen.choice([0, -1, 2**62, -(2**63), 2**33, chosen.randrange(2**40)]))
            case 4:
                del made[at:]
            case 5:
                del made[at : at + size]
            case 6:
                made[at:at] = made[at : at + size] * chosen.choice([1, 2, 30])
            case 7:
                other = chosen.choice(others)
                start = chosen.randrange(len(other) + 1)
                made[at:at] = other[start : start + size]
            case _:
                made[at:at] = chosen.choice(PIECES).encode(chosen.choice(["utf-8", "utf-8", "utf-16-le"]))
    return bytes(made)


def input_of(target: str, chosen: random.Random) -> bytes:
    """The bytes of a case; of `texts`, some texts with bytes 255 between them, which UTF-8 has not."""
    valid = seeds(target)
    if target == "texts":
        count = chosen.randint(1, 12)
        return b"\xff".join(changed(chosen.choice(valid), valid, chosen).replace(b"\xff", b"") for _ in range(count))
    good = chosen.choice(valid)
    pack = {"gz": lambda data: gzip.compress(data, 1, mtime=0), "zst": zstandard.ZstdCompressor(1).compress}.get(
        target.split(".")[-1]
    )
    if pack is None:
        return changed(good, valid, chosen, most=2 if target == "model" else 6)
    return pack(changed(good, valid, chosen)) if chosen.random() < 0.5 else changed(pack(good), (pack(valid[0]),), chosen)


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
        model = models.load(path)
    except models.ModelError:
        return "refused"
    offsets, data = buffers.views(pa.array([PROSE, "w1 w2 w37 the", "日本語", ""], pa.large_string()))
    labels, scores = model.predict(data, models.whole(offsets), k=2)
    assert np.isfinite(scores).all() and labels.min() >= -1 and labels.max() < len(model.labels)
    return "predicts"


@cache
def everything() -> recipe.Recipe:
    """Every filter and every edit."""
    from filters import FILTERS

    switched = [f"filters.{item.name}={{}}" for item in FILTERS]
    return recipe.resolve(plan_file.load("default", inputs=["."], assignments=[*switched, " ".join(EDITS.split())]).plan)


def try_texts(data: bytes) -> str:
    """All edits, then all filters, on a slice with an offset; signatures and shingles of what came out."""
    made = everything()
    texts = ["before", *(part.decode(errors="replace") for part in data.split(b"\xff")), "behind"]
    source = pa.array(texts, pa.large_string())[1:-1]
    n = len(source)
    edited = final.finish(source, made.steps)
    assert edited.num_rows == n
    edited.validate(full=True)
    text = final.final_of(source, edited["final_text"])
    text.validate(full=True)
    batch = TextBatch(text, TextBatch(source))
    columns: dict[str, pa.Array] = {}
    for item in made.filters:
        signals = run_filter(item, made.known, batch if item.reads == "final" else batch.source, columns)
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
