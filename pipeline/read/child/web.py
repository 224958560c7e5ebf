"""Raw WARC records and HTML files to records. Runs in a process of its own (`pipeline.read.child.decoder`), never in the run's.

A WARC record's target URI is `url`, its WARC-Date is `date`, and its WARC-Record-ID stands in the plan's id column. A
`response` or `resource` gives the main text of its HTML, or its plain text; a `conversion` its text. What is neither has no
text (it is dropped as `empty`, and its metadata says `content_type`). An HTTP status other than 200 is in metadata.
Crawlers decode bodies and keep the headers: a body that is not chunked though its header says so is not, and one that is not
compressed as it says is taken as it is if it begins like HTML; else it is a bad row.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from pipeline.read.child import html
from pipeline.read.lines import QuarantinedRow, Unreadable, too_large
from pipeline.read.rows import Collector

if TYPE_CHECKING:
    from pipeline.records.base import Json

_FLUSH_BYTES = 4_000_000
_HTML = ("text/html", "application/xhtml+xml")
_PLAIN = ("text/plain",)
_CHUNK = re.compile(rb"[0-9a-fA-F]{1,8}[ \t]*(;[^\n]*)?\r?\n")
"""How a chunked body begins."""


def add_records(collector: Collector, handle: BinaryIO, kind: str, *, records: list[tuple[int, int]]) -> None:
    """Add `kind` (warc or html) records: the number of each, and how many of the handle's bytes it has."""
    waiting = 0
    for row, size in records:
        raw = handle.read(size)
        try:
            if kind == "html":
                collector.add(row, {collector.file.text: html.main_text(raw)}, raw)
            else:
                collector.add(row, _warc(raw, collector), raw)
        except Unreadable as error:
            collector.refuse(QuarantinedRow(row, error.cause, error.detail, size, raw))
        except _TooLarge as error:
            collector.refuse(too_large(row, error.size, raw, limit=collector.file.max_row_bytes))
        waiting += size
        if waiting >= _FLUSH_BYTES:
            collector.flush()
            waiting = 0


class _TooLarge(Exception):
    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def _warc(raw: bytes, collector: Collector) -> Json:
    from fastwarc.warc import WarcRecord

    file = collector.file
    try:
        record = WarcRecord.from_reader(io.BytesIO(raw), quirks_mode=True)
        headers = record.headers
        url = (headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")
        made: Json = {"url": url or None, "date": headers.get("WARC-Date")}
        text, about = _text(raw, record, file.max_row_bytes)
    except OSError as error:
        raise Unreadable("unreadable", f"WARC record: {str(error)[:200]}") from error
    made |= about
    made.setdefault(file.id, headers.get("WARC-Record-ID"))
    return {**made, file.text: text}


def _text(raw: bytes, record: Any, limit: int) -> tuple[str, Json]:
    """Text of a record, and what metadata says about it."""
    about: Json = {}
    charset = None
    if record.is_http:
        body, record = _http(raw, record, limit)
        content_type, charset = record.http_content_type, record.http_charset
        status = record.http_headers.status_code if record.http_headers else None
        if status not in (None, 200):
            about["http_status"] = status
    else:
        named = (record.headers.get("Content-Type") or "").lower()
        content_type, _, parameters = named.partition(";")
        charset = parameters.partition("charset=")[2].strip("\"' ") or None
        body = record.reader.read() if record.reader else b""
        if language := record.headers.get("WARC-Identified-Content-Language"):
            about["content_language"] = language
    content_type = (content_type or "").strip().lower() or (_HTML[0] if _begins_like_html(body) else "")
    if content_type in _HTML:
        return html.main_text(body, charset), about
    if content_type in _PLAIN:
        return html.decode(body, charset), about
    return "", about | {"content_type": content_type or "unknown"}


def _http(raw: bytes, record: Any, limit: int) -> tuple[bytes, Any]:
    """The decoded body, and the record with its HTTP header parsed. Of what is no text the body is not looked at."""
    from fastwarc.warc import WarcRecord

    record.parse_http(auto_decode="none", quirks_mode=True)
    if (record.http_content_type or _HTML[0]).strip().lower() not in (*_HTML, *_PLAIN):
        return b"", record
    coded = record.reader.read() if record.reader else b""
    ways: tuple[Literal["all", "content"], ...] = ("all",) if _CHUNK.match(coded) else ("all", "content")
    for way in ways:
        again = WarcRecord.from_reader(io.BytesIO(raw), quirks_mode=True)
        try:
            again.parse_http(auto_decode=way, quirks_mode=True)
            body = again.reader.read(limit + 1) if again.reader else b""
            break
        except OSError:
            if way == ways[-1]:
                if not _begins_like_html(coded):
                    raise
                body = coded
    if len(body) > limit:
        raise _TooLarge(len(body))
    return body, record


def _begins_like_html(body: bytes) -> bool:
    begin = body[:1024].lstrip().lower()
    return begin.startswith((b"<!doctype html", b"<html", b"<head", b"<!--", b"<body", b"<meta", b"<div", b"<p>", b"<script"))
