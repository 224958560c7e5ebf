"""`python -m tests.bench.formats`: MB of input per CPU-second, by format, over real text, decoders included.

Needs WINNOW_EVAL_DATA (real text that is not part of the project).
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import resource
import tempfile
from dataclasses import replace
from pathlib import Path

from filters.kernels import warm
from pipeline import read
from pipeline.read.expansion import expand
from pipeline.read.files import InputFile
from pipeline.read.source import Source

DATA = Path(os.environ.get("WINNOW_EVAL_DATA", "")) / "warc"


def cpu() -> float:
    """CPU seconds of this process and of the children that it ended."""
    read.close()
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def rows(file: InputFile) -> int:
    made = read.units_of(file)
    if made.units is None:
        parts = (read.read_block(block) for block in read.stream(file, made.content))
        return sum(part.documents.num_rows for part in parts)
    return sum(read.read(unit).documents.num_rows for unit in made.units)


def pages() -> list[tuple[str, bytes]]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    with open(DATA / "webpages.warc.gz", "rb") as handle:
        found = ArchiveIterator(handle, record_types=WarcRecordType.response, parse_http=True)
        return [(record.headers["WARC-Target-URI"], record.reader.read()) for record in found]


def formats() -> None:
    with gzip.open(DATA.parent / "dedup_eval" / "page_revisions.jsonl.gz", "rt", encoding="utf-8") as handle:
        records = [json.loads(line) for line in handle]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with open(root / "a.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        for name, delimiter in (("a.csv", ","), ("a.tsv", "\t")):
            with open(root / name, "w", encoding="utf-8", newline="") as out:
                writer = csv.writer(out, delimiter=delimiter)
                writer.writerow(["id", "text", "url"])
                writer.writerows([record["id"], record["text"], record.get("url")] for record in records)
        (root / "a.txt").write_text("\n".join(record["text"] for record in records), encoding="utf-8")
        (root / "a.warc").write_bytes(gzip.decompress((DATA / "webpages.warc.gz").read_bytes()))
        (root / "a.wet").write_bytes(
            b"".join(
                f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                + text
                + b"\r\n\r\n"
                for text in (record["text"].encode() for record in records)
            )
        )
        (root / "pages").mkdir()
        for i, (_, page) in enumerate(pages()[:200]):
            (root / "pages" / f"{i}.html").write_bytes(page)
        for kind in ("jsonl", "csv", "tsv", "txt", "warc", "wet", "html"):
            files = [file for file in expand([Source(paths=(folder,))]).files if file.url.endswith(f".{kind}")]
            size = sum(file.size for file in files)
            start = cpu()
            n = sum(rows(replace(file, max_row_bytes=1 << 30)) for file in files)
            used = cpu() - start
            print(f"{kind:6} {size / 1e6:6.1f} MB {n:5} rows  {size / 1e6 / used:6.1f} MB per CPU-second", flush=True)


def main() -> None:
    warm.warm_stages()
    formats()


if __name__ == "__main__":
    main()
