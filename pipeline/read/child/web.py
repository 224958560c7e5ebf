"""Raw WARC records and HTML files to records. Runs in a process of its own (`pipeline.read.child.decoder`), never in the run's.

A WARC record's target URI is `url`, its WARC-Date is `date`, and its WARC-Record-ID stands in the plan's id column. A
`response` or `resource` gives the main text of its HTML, or its plain text; a `conversion` its text. Where no content type is
given the bytes are looked at. What is neither is no text, and is refused by its type (`lines.not_text`). An HTTP status other
than 200 is in metadata, and so is why a crawler stored less than there was (WARC-Truncated).
A body that is cut short, cannot be decoded or is no text is a bad row: never what is left of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from pipeline.read.child import codings, fields, html
from pipeline.read.lines import QuarantinedRow, Unreadable, not_text, too_large
from pipeline.read.rows import Collector

if TYPE_CHECKING:
    from pipeline.records.base import Json

_FLUSH_BYTES = 4_000_000
_HTML = ("text/html", "application/xhtml+xml")
_PLAIN = ("text/plain",)
_HTTP = ("application/http", "message/http")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?!\d)")
_NUMBER = re.compile(r"[0-9]{1,15}")
_ENDS = re.compile(rb"</html>\s*\Z", re.IGNORECASE)
_NO_BODY = (204, 304)
"""Statuses of answers without a body, whatever their Content-Length."""


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
        except codings.TooLarge as error:
            collector.refuse(too_large(row, error.size, raw, limit=collector.file.max_row_bytes))
        waiting += size
        if waiting >= _FLUSH_BYTES:
            collector.flush()
            waiting = 0


def _warc(raw: bytes, collector: Collector) -> Json:
    file = collector.file
    head, block = fields.split(raw)
    about = fields.parse(head)
    url = about.get("warc-target-uri", "").removeprefix("<").removesuffix(">").strip()
    made: Json = {"url": url or None, "date": about.get("warc-date")}
    if language := about.get("warc-identified-content-language"):
        made["content_language"] = language
    if truncated := about.get("warc-truncated"):
        made["warc_truncated"] = truncated
    text = _text(block, about, made, limit=file.max_row_bytes)
    made.setdefault(file.id, about.get("warc-record-id"))
    return {**made, file.text: text}


def _text(block: bytes, about: fields.Fields, made: Json, *, limit: int) -> str:
    """Text of a record's block; what metadata says about it goes to `made`."""
    type_, charset = fields.media_type(about.get("content-type", ""))
    status = _STATUS.match(block)
    if status and (type_ in _HTTP or about.get("warc-type", "").lower() == "response"):
        head, block = fields.split(block)
        http = fields.parse(head)
        if int(status[1]) != 200:
            made["http_status"] = int(status[1])
        type_, charset = fields.media_type(http.get("content-type", ""))
        if not type_ or type_ in (*_HTML, *_PLAIN):  # of what is no text the body is not looked at
            block = _body(block, http, status=int(status[1]), limit=limit)
    elif type_ in _HTTP:
        type_ = ""
    type_ = type_ or _looks_like(block)
    if type_ not in (*_HTML, *_PLAIN):
        raise Unreadable(not_text(type_), f"a record of type {type_[:100]}")
    if codings.is_binary(block, charset):
        raise Unreadable("undecodable", f"the bytes are no text, though they are called {type_}")
    return html.main_text(block, charset) if type_ in _HTML else html.decode(block, charset)


def _looks_like(block: bytes) -> str:
    """Content type of bytes that are called nothing; `unknown` for what is no text."""
    if codings.begins_like_html(block):
        return _HTML[0]
    return _PLAIN[0] if codings.is_text(block) else "unknown"


def _body(body: bytes, http: fields.Fields, *, status: int, limit: int) -> bytes:
    """The decoded body. Raises Unreadable where it is not all there."""
    transfer, content = fields.listed(http, "transfer-encoding"), fields.listed(http, "content-encoding")
    length = http.get("content-length", "").split(",")[0].strip()
    made = codings.decoded(body, transfer, content, limit=limit)
    # Codings tell by themselves whether a body is whole; one that a crawler decoded has another length than its header says.
    counts = made is body and "chunked" not in transfer and content in ([], ["identity"]) and status not in _NO_BODY
    missing = int(length) - len(body) if counts and _NUMBER.fullmatch(length) else 0
    if missing > 2 or (missing > 0 and not _ENDS.search(body, len(body) - 40)):  # 2: tools lose the line break behind a page
        raise Unreadable("body_truncated", f"HTTP: {len(body)} bytes of a body; its Content-Length is {int(length)}")
    return made
