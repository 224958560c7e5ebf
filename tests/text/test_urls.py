"""URLs have one normal form: that of the WHATWG URL Standard, without what names no page."""

from __future__ import annotations

import hashlib
import time

import ada_url
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from pipeline.text import urls
from tests.support import examples


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("http://example.org", "http://example.org/"),
        ("HTTPS://WWW.Example.ORG/", "http://example.org/"),
        (" \x00http://example.org/a\n b\t ", "http://example.org/a%20b"),
        ("http:\\\\example.org\\a\\b?c\\d", "http://example.org/a/b?c%5Cd"),
        ("http:////example.org", "http://example.org/"),
        ("http:///?a", None),
        ("http://me:secret@p@example.org/", "http://example.org/"),
        ("http://example.org./", "http://example.org/"),
        ("http://example.org../", None),
        ("http://0x7f../", None),
        ("http://www.www.example.org", "http://example.org/"),
        ("http://www.com/", "http://www.com/"),
        ("http://www.com.:80/", "http://www.com/"),
        ("http://www.www.com/", "http://www.com/"),
        ("http://www2.example.org/", "http://www2.example.org/"),
        ("http://BÜCHER.example", "http://xn--bcher-kva.example/"),
        ("http://xn--bcher-kva.example", "http://xn--bcher-kva.example/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://[2001:db8:0:0::1]", "http://[2001:db8::1]/"),
        ("http://ex%41mple.org/", "http://example.org/"),
        ("http://example.org:80", "http://example.org/"),
        ("http://example.org:0443/", "http://example.org/"),
        ("https://example.org:80/", "http://example.org/"),
        ("http://example.org:8080/", "http://example.org:8080/"),
        ("http://example.org:/", "http://example.org/"),
        ("http://example.org:65535/", "http://example.org:65535/"),
        ("http://example.org:00/", "http://example.org:0/"),
        ("http://example.org/#top?a=1", "http://example.org/"),
        ("http://example.org/?a=1#top", "http://example.org/?a=1"),
        ("http://example.org/%7euser/%e9/é", "http://example.org/~user/%E9/%C3%A9"),
        ("http://example.org/a|b?c|d'e", "http://example.org/a%7Cb?c%7Cd%27e"),
        ("http://example.org/100%/%%34%31", "http://example.org/100%25/%2541"),
        ("http://example.org/a/./b/../c/%2E%2e/d", "http://example.org/a/d"),
        ("http://example.org/../../a", "http://example.org/a"),
        ("http://example.org/a//../b", "http://example.org/a/b"),
        ("http://example.org/a//b//", "http://example.org/a//b"),
        ("http://example.org/a/..//", "http://example.org/"),
        ("http://example.org/a;JSESSIONID=1F;v=2/..;jsessionid=3/b", "http://example.org/b"),
        ("http://example.org/a;j%73essionid=1", "http://example.org/a"),
        ("http://example.org?b=2&a=1", "http://example.org/?b=2&a=1"),
        ("http://example.org/?utm_source=x&a=1&UTM%5Fid=2&&gclid=3&fbclid", "http://example.org/?a=1"),
        ("http://example.org/?utm=1&gclids=2&=3&a=?/%26", "http://example.org/?utm=1&gclids=2&=3&a=?/%26"),
        ("http://example.org/?utm_source=x", "http://example.org/"),
        ("", None),
        ("example.org/a", None),
        ("//example.org/a", None),
        ("ftp://example.org/a", None),
        ("httpss://example.org/", None),
        ("http", None),
        ("http://", None),
        ("http://.../", None),
        ("http://./", None),
        ("http://exa mple.org/", None),
        ("http://example.org:65536/", None),
        ("http://example.org:8o/", None),
        ("http://[::1/", None),
        ("http://[::1]a/", None),
        ("http://[]/", None),
        ("http://[::g]/", None),
    ],
)
def test_normal_forms(given_: str, expected: str | None) -> None:
    assert urls.normal(given_) == expected


HOSTS = [
    "www.",
    "WWW.",
    "example.org",
    "Ex.",
    "é",
    "中",
    "ß",
    "xn--a",
    "[::1]",
    "127.1",
    "0x7f",
    ".",
    "@",
    ":80",
    ":443",
    ":8080",
    ":",
]
PATHS = ["/", "//", "/.", "/..", "..", "\\", "%2e", "%2F", "%7e", "%", "%%", "%4", "41", "%e9", "%2541", ";jsessionid=", ";", "|"]
QUERIES = [
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
    "'",
]
PIECE = st.sampled_from(["http://", "HTTPS:", "https:\\\\", *HOSTS, *PATHS, *QUERIES])
MESS = st.lists(PIECE | st.text(max_size=3), max_size=14).map("".join)
URL = MESS | MESS.map("http://example.org".__add__) | MESS.map("https://www.example.org/a".__add__) | MESS.map("http://".__add__)


@examples(4)
@given(URL)
@example("http://example.org/%%34%31")
@example("http://example.org/a/..;jsessionid=1/b")
@example("http://www.0x7f../")
def test_the_form_of_a_form_is_itself_and_that_of_what_a_browser_would_ask_for(url: str) -> None:
    form = urls.normal(url)
    assert form is None or urls.normal(form) == form
    if ada_url.check_url(url):
        assert urls.normal(ada_url.normalize_url(url)) == form


@examples(2)
@given(
    MESS.map("http://example.org/a".__add__),
    st.sampled_from(["#x", "?utm_id=1", "?&", "?gclid=a&&fbclid", "/", "//?#", ";JSessionId=0"]),
)
def test_what_names_no_page_changes_no_form(url: str, more: str) -> None:
    assume("?" not in url and "#" not in url)
    form = urls.normal(url)
    assert urls.normal(url.rstrip("".join(map(chr, range(0x21)))) + more) == form
    assert urls.normal(url.replace("http://", "https://me@www.", 1)) == form


@pytest.mark.parametrize(
    "unit",
    ["/..", "/a/..", "%", "//", "&", "?", ";jsessionid=", "www.", "@", "a:@", "%2e/", "utm_a&", "[", "é", "中", "0x", "xn--a."],
)
@pytest.mark.parametrize("start", ["http://", "http://a.b/", "http://a.b/?"])
def test_half_a_megabyte_of_anything_is_normalised_in_linear_time(start: str, unit: str) -> None:
    begin = time.thread_time()
    urls.normal(start + unit * (500_000 // len(unit)))  # quadratic work would take minutes
    assert time.thread_time() - begin < 2.5


def test_a_host_of_many_characters_is_refused_before_its_punycode_takes_quadratic_time() -> None:
    begin = time.thread_time()
    assert urls.normal(f"http://{''.join(map(chr, range(0x4E00, 0x9E00)))}.org/") is None
    assert time.thread_time() - begin < 1


@given(st.lists(URL | st.none(), max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_keys_are_blake2b_of_the_normal_form_on_any_slice(items: list[str | None], start: int, length: int) -> None:
    column = pa.array(items, pa.string())
    for rows, expected in ((column, items), (column.slice(start, length), items[start : start + length])):
        hi, lo, valid = urls.url_keys(pa.chunked_array([rows]))
        assert (hi.dtype, lo.dtype, valid.dtype) == (np.uint64, np.uint64, np.bool_)
        assert len(hi) == len(lo) == len(valid) == len(expected)
        for url, high, low, ok in zip(expected, hi, lo, valid, strict=True):
            form = urls.normal(url) if url else None
            assert ok == (form is not None)
            digest = hashlib.blake2b(form.encode(), digest_size=16).digest() if form else bytes(16)
            assert high.astype("<u8").tobytes() + low.astype("<u8").tobytes() == digest
