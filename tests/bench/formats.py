"""`python -m tests.bench.formats [--peers]`: MB of input per CPU-second, by format, over real text, decoders included.

`--peers`: quality and speed of main-text extraction, by the F1 of word 4-grams against the gold texts, Resiliparse beside
trafilatura where that is installed. Needs WINNOW_EVAL_DATA (real text that is not part of the project).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import re
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
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


def peers() -> None:
    from pipeline.read.child import html

    with gzip.open(DATA / "webpages.gold.jsonl.gz", "rt", encoding="utf-8") as handle:
        gold = {row["url"]: row["text"] for row in map(json.loads, handle)}
    texts = [(url, page, html.decode(page)) for url, page in pages()[:400] if _decodes(html, page)]
    extractors: dict[str, Callable[[bytes, str], str | None]] = {"winnow": lambda page, text: html.main_text(page)}
    try:
        import trafilatura

        extractors["trafilatura"] = lambda page, text: trafilatura.extract(text)
    except ImportError as error:
        print(f"trafilatura is not here: {error}")
    for name, extract in extractors.items():
        start = time.process_time()
        made = [extract(page, text) or "" for _, page, text in texts]
        used = time.process_time() - start
        scores = [_f1(text, gold[url]) for text, (url, _, _) in zip(made, texts, strict=True) if url in gold]
        size = sum(len(page) for _, page, _ in texts) / 1e6
        print(f"{name:12} F1 {sum(scores) / len(scores):.3f} of {len(scores)} pages, {size / used:.1f} MB per CPU-second")


def _decodes(html: object, page: bytes) -> bool:
    try:
        html.decode(page)  # type: ignore[attr-defined]
    except Exception:
        return False
    return True


def _f1(text: str, gold: str) -> float:
    one, other = (
        Counter(zip(*(words[i:] for i in range(4)), strict=False)) for words in map(re.compile(r"\w+").findall, (text, gold))
    )
    both = 2 * sum((one & other).values())
    return both / (sum(one.values()) + sum(other.values()) or 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", action="store_true")
    warm.warm_stages()
    if parser.parse_args().peers:
        peers()
    else:
        formats()


if __name__ == "__main__":
    main()
