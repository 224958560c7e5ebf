"""Valid inputs of every format, and seeded damage to them: what the fuzzer tries (`tests.soak.fuzz`)."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from filters import models
from tests.support import PROSE, prose

READERS = ("jsonl", "jsonl.gz", "jsonl.zst", "csv", "tsv", "txt", "html", "warc", "warc.gz", "parquet")
TARGETS = (*READERS, "model", "texts", "texts", "texts")
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
