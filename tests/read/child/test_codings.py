"""Bodies of HTTP: what codings are taken off, what is taken as it is, and what is no page."""

import gzip
import zlib
from functools import partial

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.read.child import codings, fields
from pipeline.read.lines import Unreadable
from tests.support import examples

PAGE = b"<!doctype html><p>" + "Many words of a page, größer. ".encode() * 60
TEXT = b"2024\nNothing but words.\n" * 9
LIMIT = 1_000_000


def raw_deflate(data: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(data) + made.flush()


def chunked(data: bytes, size: int = 100, *, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    parts = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x%s\r\n%s\r\n" % (len(part), extension, part) for part in parts) + b"0\r\n" + trailer + b"\r\n"


PACK = {
    "gzip": partial(gzip.compress, mtime=0),
    "x-gzip": partial(gzip.compress, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


@examples(0.4)
@given(
    st.binary(min_size=1, max_size=400),
    st.lists(st.sampled_from(sorted(PACK)), max_size=3),
    st.booleans(),
    st.integers(1, 50),
)
def test_what_was_coded_comes_back(data: bytes, content: list[str], is_chunked: bool, size: int) -> None:
    data = PAGE[:30] + data
    body = data
    for coding in content:
        body = PACK[coding](body)
    body = chunked(body, size) if is_chunked else body
    assert codings.decoded(body, ["chunked"] if is_chunked else [], content, limit=LIMIT) == data


@pytest.mark.parametrize(
    ("body", "transfer", "content", "expected"),
    [
        (raw_deflate(PAGE), [], ["deflate"], PAGE),
        (gzip.compress(PAGE, mtime=0) + b"junk", [], ["gzip"], PAGE),
        (gzip.compress(PAGE, mtime=0) * 2, [], ["gzip"], PAGE * 2),
        (gzip.compress(PAGE, mtime=0), ["gzip"], [], PAGE),
        (chunked(gzip.compress(PAGE, mtime=0)), ["gzip", "chunked"], [], PAGE),
        (chunked(PAGE, extension=b' ; name="a;b"', trailer=b"Expires: 0\r\n"), ["chunked"], [], PAGE),
        (chunked(PAGE).replace(b"\r\n", b"\n"), ["chunked"], [], PAGE),
        (gzip.compress(PAGE, mtime=0), [], [], PAGE),  # no header says so
        # A crawler took them off and left the header.
        (PAGE, ["chunked"], ["br"], PAGE),
        *((body, ["chunked"], [coding], body) for body in (PAGE, TEXT) for coding in ("gzip", "deflate", "br", "zstd")),
        *((PAGE, [], [coding], PAGE) for coding in ("identity", "none", "utf-8", "compress", "sdch")),
    ],
)
def test_bodies(body: bytes, transfer: list[str], content: list[str], expected: bytes) -> None:
    assert codings.decoded(body, transfer, content, limit=LIMIT) == expected


@pytest.mark.parametrize(
    ("body", "transfer", "content", "cause"),
    [
        *((pack(PAGE)[:-9], [], [coding], "body_truncated") for coding, pack in PACK.items()),
        (raw_deflate(PAGE)[:-9], [], ["deflate"], "body_truncated"),
        (chunked(PAGE)[:-30], ["chunked"], [], "body_truncated"),
        (chunked(PAGE)[:-5], ["chunked"], [], "body_truncated"),  # only the last chunk is missing
        (b"5\r\nhelloX5\r\nworld\r\n0\r\n\r\n", ["chunked"], [], "unreadable"),
        *((b"\x01\x02\xff\xfe" * 50, [], [coding], "unreadable") for coding in PACK),
        (b"\x01\x02\xff\xfe" * 50, [], ["compress"], "unreadable"),
        (PAGE, [], ["gzip"] * 9, "unreadable"),
    ],
)
def test_what_is_cut_short_or_no_such_thing_is_no_page(body: bytes, transfer: list[str], content: list[str], cause: str) -> None:
    with pytest.raises(Unreadable) as error:
        codings.decoded(body, transfer, content, limit=LIMIT)
    assert error.value.cause == cause


@pytest.mark.parametrize("coding", sorted(PACK))
def test_a_bomb_is_given_up_at_the_limit(coding: str) -> None:
    with pytest.raises(codings.TooLarge) as error:
        codings.decoded(PACK[coding](bytes(5_000_000)), [], [coding], limit=LIMIT)
    assert error.value.size <= (5_000_000 if coding == "zstd" else LIMIT + (1 << 20))
    with pytest.raises(codings.TooLarge):
        codings.decoded(bytes(LIMIT + 1), [], [], limit=LIMIT)


@pytest.mark.parametrize(("coding", "empty"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.compress(b""))])
def test_members_without_content_cost_linear_time(coding: str, empty: bytes) -> None:
    """With what each leaves of the body copied, these take minutes."""
    assert codings.decoded(empty * 100_000, [], [coding], limit=LIMIT) == b""


@pytest.mark.parametrize(
    ("data", "charset", "binary"),
    [
        (PAGE, None, False),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00", None, True),
        (b"a" * 99 + b"\x00", None, False),
        (b"a" * 98 + b"\x00\x00", None, True),
        ("text".encode("utf-16-le"), None, True),
        ("text".encode("utf-16-le"), "UTF-16LE", False),
        ("text".encode("utf-16"), None, False),
        ("日本".encode("iso-2022-jp"), None, False),
    ],
)
def test_binary_data_are_no_text(data: bytes, charset: str | None, binary: bool) -> None:
    assert codings.is_binary(data, charset) is binary


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nCONTENT-TYPE: a/b", {"content-type": "a/b"}),
        (b"WARC/1.0\nX:one\n two\n\tthree\nY :\t z ", {"x": "one two three", "y": "z"}),
        (b"WARC/1.0\r\nX:\r\n  folded", {"x": "folded"}),
        (b"H\nX: 1\nx: 2\nContent-Encoding: gzip\ncontent-encoding: br\n no", {"x": "1", "content-encoding": "gzip, br no"}),
        (
            b"H\n leading\nno colon\n: no name\nU: gr\xc3\xb6\xc3\x9fer\nL: gr\xf6\xdfer",
            {"": "no name", "u": "größer", "l": "größer"},
        ),
        (b"", {}),
    ],
)
def test_fields(header: bytes, expected: dict[str, str]) -> None:
    assert fields.parse(header) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Text/HTML; Charset="UTF-8"', ("text/html", "UTF-8")),
        ("text/html;charset=;charset=x", ("text/html", "x")),
        ("text/html; boundary=charset=no", ("text/html", None)),
        ("text/html, text/plain", ("text/html", None)),
        ("html", ("", None)),
        ("", ("", None)),
    ],
)
def test_media_types(value: str, expected: tuple[str, str | None]) -> None:
    assert fields.media_type(value) == expected
