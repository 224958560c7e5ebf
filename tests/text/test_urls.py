"""URLs have one normal form, found by plain Python and kernel alike."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import warm
from filters.kernels.dedup import url_paths
from filters.kernels.dedup import urls as kernels
from pipeline.text import urls
from tests.support import examples
from tests.work import lines_run

_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_KEPT = set(_UNRESERVED + "!$&'()*+,;=:@/?%")


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def normal(url: str | None) -> str | None:
    """The normal form in plain Python."""
    url = re.sub(r"[\t\r\n]", "", (url or "").strip("".join(map(chr, range(0x21)))))
    found = re.match(r"(?is)https?:[/\\]*([^/\\?#]*)([^?#]*)(?:\?([^#]*))?", url)
    if not found:
        return None
    host = _host(found[1].rpartition("@")[2])
    return None if host is None else f"http://{host}{_path(found[2])}{_query(found[3] or '')}"


def _host(text: str) -> str | None:
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\x00-\x20\x7f#%/:<>?@\[\\\]^|]*)(?::([0-9]*))?", text, re.DOTALL)
    if not found or int(found[2] or 0) > 65535:
        return None
    host = re.sub("[A-Z]", lambda c: c[0].lower(), found[1]).rstrip(".")
    while host.startswith("www.") and host.count(".") >= 2:
        host = host[4:]
    port = "" if not found[2] or int(found[2]) in (80, 443) else f":{int(found[2])}"
    return host + port if host else None


def _escapes(text: str) -> str:
    def whole(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16))
        return char if char in _UNRESERVED else found[0].upper()

    text = re.sub("%(?![0-9a-fA-F]{2})", "%25", text)
    text = re.sub("%([0-9a-fA-F]{2})", whole, text)
    return "".join(c if c in _KEPT else "".join(f"%{byte:02X}" for byte in c.encode()) for c in text)


def _path(text: str) -> str:
    path = re.sub(r"(?i);jsessionid=[^/;]*", "", _escapes(text.replace("\\", "/")))
    out: list[str] = []
    for segment in path.removeprefix("/").split("/"):
        if segment == "..":
            out = out[:-1]
        elif segment != ".":
            out.append(segment)
    return "/" + "/".join(out).rstrip("/") if any(out) else "/"


def _query(text: str) -> str:
    kept = []
    for parameter in map(_escapes, text.split("&")):
        name = parameter.partition("=")[0].lower()
        if parameter and name not in urls.TRACKING and not name.startswith(urls.PREFIXES):
            kept.append(parameter)
    return "?" + "&".join(kept) if kept else ""


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("http://example.org", "http://example.org/"),
        ("HTTPS://WWW.Example.ORG/", "http://example.org/"),
        (" \x00http://example.org/a\n b\t ", "http://example.org/a%20b"),
        ("http:\\\\example.org\\a\\b?c\\d", "http://example.org/a/b?c%5Cd"),
        ("http:////example.org", "http://example.org/"),
        ("http://me:secret@p@example.org/", "http://example.org/"),
        ("http://example.org../", "http://example.org/"),
        ("http://www.www.example.org", "http://example.org/"),
        ("http://www.com/", "http://www.com/"),
        ("http://www2.example.org/", "http://www2.example.org/"),
        ("http://BÜCHER.example", "http://bÜcher.example/"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org:0443/", "http://example.org/"),
        ("http://example.org:/", "http://example.org/"),
        ("http://example.org:65535/", "http://example.org:65535/"),
        ("http://example.org:00/", "http://example.org:0/"),
        ("http://example.org/#top?a=1", "http://example.org/"),
        ("http://example.org/%7euser/%e9/é", "http://example.org/~user/%E9/%C3%A9"),
        ("http://example.org/100%/%%34%31", "http://example.org/100%25/%2541"),
        ("http://example.org/a/./b/../c/%2E%2e/d", "http://example.org/a/d"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a//../b", "http://example.org/a/b"),
        ("http://example.org/a//b//", "http://example.org/a//b"),
        ("http://example.org/a/..//", "http://example.org/"),
        ("http://example.org/a;JSESSIONID=1F;v=2/..;jsessionid=3/b", "http://example.org/b"),
        ("http://example.org?b=2&a=1", "http://example.org/?b=2&a=1"),
        ("http://example.org/?utm_source=x&a=1&UTM%5Fid=2&&gclid=3&fbclid", "http://example.org/?a=1"),
        ("http://example.org/?utm=1&gclids=2&=3&a=?/%26", "http://example.org/?utm=1&gclids=2&=3&a=?/%26"),
        ("http://example.org/?utm_source=x", "http://example.org/"),
        (None, None),
        ("", None),
        ("example.org/a", None),
        ("//example.org/a", None),
        ("ftp://example.org/a", None),
        ("httpss://example.org/", None),
        ("http", None),
        ("http://", None),
        ("http:///?a", None),
        ("http://.../", None),
        ("http://exa mple.org/", None),
        ("http://ex%41mple.org/", None),
        ("http://example.org:65536/", None),
        ("http://example.org:8o/", None),
        ("http://[::1/", None),
        ("http://[::1]a/", None),
        ("http://[]/", None),
        ("http://[::g]/", None),
    ],
)
def test_normal_forms(given_, expected):
    assert urls.normalised(pa.array([given_], pa.string())).to_pylist() == [expected]
    assert normal(given_) == expected


PIECE = st.sampled_from(
    [
        *[
            "http://",
            "HTTPS:",
            "https:\\\\",
            "www.",
            "WWW.",
            "example.org",
            "Ex.",
            "é",
            "中",
            "[::1]",
            ":80",
            ":443",
            ":8080",
            ":",
            "@",
        ],
        *[
            "/",
            "//",
            "/.",
            "/..",
            "..",
            ".",
            "\\",
            "%2e",
            "%2F",
            "%7e",
            "%",
            "%%",
            "%4",
            "41",
            "%e9",
            "%2541",
            ";jsessionid=",
            ";",
        ],
        *[
            "?",
            "&",
            "=",
            "#",
            "utm_",
            "utm_source=",
            "utm%5f",
            "gclid",
            "_ga",
            "a",
            "b=1",
            "s",
            " ",
            "\t",
            "\n",
            "\x00",
            "\x7f",
            "+",
        ],
    ]
)
MESS = st.lists(PIECE | st.text(max_size=3), max_size=14).map("".join)
URL = MESS | MESS.map("http://example.org".__add__) | MESS.map("https://www.example.org/a".__add__) | st.none()


@examples(4)
@given(st.lists(URL, max_size=6), st.integers(0, 6), st.integers(0, 6))
@example(["http://example.org/%%34%31"], 0, 1)
def test_kernel_equals_plain_python_on_any_slice_and_normal_forms_are_stable(items, start, length):
    column = pa.array(items, pa.string())
    made = urls.normalised(column)
    assert made.to_pylist() == [normal(url) for url in items]
    assert urls.normalised(made).to_pylist() == made.to_pylist()
    assert urls.normalised(column.slice(start, length)).to_pylist() == made.to_pylist()[start : start + length]
    assert urls.normalised(pa.chunked_array([column, column], pa.string())).to_pylist() == made.to_pylist() * 2
    made.validate(full=True)


def test_slices_of_work_change_nothing(monkeypatch):
    items = [f"https://www.example.org/{i}?utm_id={i}" for i in range(50)] + [None, "x" * 200, "http://example.org/é"]
    whole = urls.normalised(pa.array(items)), urls.url_keys(pa.array(items))
    monkeypatch.setattr(urls, "SLICE_BYTES", 90)
    assert urls.normalised(pa.array(items)) == whole[0]
    assert all((a == b).all() for a, b in zip(urls.url_keys(pa.array(items)), whole[1], strict=True))


@pytest.mark.parametrize("unit", ["/..", "/a/..", "%", "//", "&", "?", ";jsessionid=", "www.", "@", "%2e/", "utm_a&", "[", "é"])
def test_a_megabyte_of_anything_is_normalised_in_linear_time(unit):
    start = "http://a.b" + ("/" if unit not in ("www.", "@", "[") else "")
    urls.normalised(pa.array([start + unit * (1_000_000 // len(unit))]))  # quadratic work would take minutes
    some, twice = (pa.array([start + unit * (n // len(unit))]) for n in (2_000, 4_000))
    work = [lines_run(lambda column=column: urls.normalised(column), kernels, url_paths) for column in (some, twice)]
    assert 1.8 < work[1] / work[0] < 2.2


@given(st.lists(URL, max_size=6))
def test_keys_are_blake2b_of_the_normal_form(items):
    hi, lo, valid = urls.url_keys(pa.array(items, pa.string()))
    assert (hi.dtype, lo.dtype, valid.dtype) == (np.uint64, np.uint64, np.bool_)
    for url, high, low, ok in zip(items, hi, lo, valid, strict=True):
        form = normal(url)
        assert ok == (form is not None)
        digest = hashlib.blake2b(form.encode(), digest_size=16).digest() if form else bytes(16)
        assert high.astype("<u8").tobytes() + low.astype("<u8").tobytes() == digest
