"""URLs have one normal form, found by plain Python and kernel alike; and what a URL duplicate is, as an oracle.

`oracle` is the definition of `dedup.exact_url` together with exact and near duplicates, word by word; `generation` shows that
the index described in `pipeline/dedup/urls.py` is enough for law 4.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
import re
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.kernels import blake2, buffers, warm
from pipeline.dedup import urls

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


@settings(max_examples=600, deadline=None)
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
    """Quadratic work would take minutes."""
    url = "http://a.b" + ("/" if unit not in ("www.", "@", "[") else "") + unit * (1_000_000 // len(unit))
    urls.normalised(pa.array([url]))


@settings(max_examples=100, deadline=None)
@given(st.lists(URL, max_size=6))
def test_keys_are_blake2b_of_the_normal_form(items):
    hi, lo, valid = urls.url_keys(pa.array(items, pa.string()))
    assert (hi.dtype, lo.dtype, valid.dtype) == (np.uint64, np.uint64, np.bool_)
    for url, high, low, ok in zip(items, hi, lo, valid, strict=True):
        form = normal(url)
        assert ok == (form is not None)
        digest = hashlib.blake2b(form.encode(), digest_size=16).digest() if form else bytes(16)
        assert high.astype("<u8").tobytes() + low.astype("<u8").tobytes() == digest


def test_digests_equal_hashlib_around_the_block_size():
    rows = ["x" * size for size in (0, 1, 7, 8, 127, 128, 129, 255, 256, 257, 5000)]
    made = blake2.digests(*buffers.views(pa.array(rows, pa.large_string())))
    assert [row.astype("<u8").tobytes() for row in made] == [hashlib.blake2b(r.encode(), digest_size=16).digest() for r in rows]


KEPT, EXACT, NEAR, URL_SEEN = "kept", "exact_duplicate", "near_duplicate", "duplicate_url"


@dataclass(frozen=True)
class Doc:
    """A document as dedup sees it. Equal `text` means equal in everything but scope and URL."""

    text: int
    shingles: frozenset[int] = frozenset()
    keys: tuple[int, ...] = ()  # one a band; none: too short for near dedup
    url: int | None = None
    scope: int = 0


@dataclass(frozen=True)
class Fate:
    fate: str
    survivor: int = -1
    similarity: float | None = None


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / (len(a | b) or 1)


def oracle(docs: list[Doc], threshold: float, cap: int) -> list[Fate]:
    """Fates of documents in priority order: the definition."""
    fates: list[Fate] = []
    places: dict[tuple[int, int, int], list[int]] = {}
    for i, d in enumerate(docs):
        earlier = [j for j in range(i) if docs[j].scope == d.scope]
        same_text = [j for j in earlier if docs[j].text == d.text]
        same_url = [j for j in earlier if d.url is not None and docs[j].url == d.url]
        revisits = {j for j in same_text if any(docs[k].url == docs[j].url is not None for k in earlier if k < j)}
        certain_copy = bool(set(same_text) - revisits)
        candidates = set()
        for band, key in enumerate(() if certain_copy else d.keys):
            bucket = places.setdefault((d.scope, band, key), [])
            candidates |= set(bucket)
            if len(bucket) < cap:
                bucket.append(i)
        fates.append(_fate(docs, fates, i, same_text, same_url, candidates, threshold))
    return fates


def _fate(docs, fates, i, same_text, same_url, candidates, threshold) -> Fate:
    for j in same_text:
        if fates[j].fate == KEPT:
            return Fate(EXACT, j, 1.0)
        if fates[j].fate == NEAR:
            return Fate(EXACT, fates[j].survivor, fates[j].similarity)
    for j in same_url:
        if fates[j].fate == KEPT:
            return Fate(URL_SEEN, j)
    found = [(jaccard(docs[i].shingles, docs[j].shingles), -j) for j in candidates if fates[j].fate == KEPT]
    most = max(found, default=(0.0, 0))
    return Fate(NEAR, -most[1], most[0]) if found and most[0] >= threshold else Fate(KEPT)


@dataclass
class Known:
    """All that later generations need of earlier ones (see the docstring of `pipeline.dedup.urls`). Keys begin with the scope."""

    owners: dict[tuple[int, int], int] = field(default_factory=dict)  # URL → the document kept with it
    seen: set[tuple[int, int]] = field(default_factory=set)  # every URL
    represented: dict[tuple[int, int], tuple[int, float]] = field(default_factory=dict)  # text → survivor, similarity
    settled: set[tuple[int, int]] = field(default_factory=set)  # texts that a document which is no revisit had
    places: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)  # the kept document, or -1
    shingles: dict[int, frozenset[int]] = field(default_factory=dict)  # of kept documents


def generation(docs: list[Doc], first: int, known: Known, threshold: float, cap: int) -> list[Fate]:
    """Fates of the documents numbered from `first`, from the index alone, which takes them up. In one walk."""
    fates = []
    for number, d in enumerate(docs, first):
        text, url = (d.scope, d.text), None if d.url is None else (d.scope, d.url)
        certain_copy, revisit = text in known.settled, url in known.seen
        candidates, taken = set(), []
        for band, key in enumerate(() if certain_copy else d.keys):
            bucket = known.places.setdefault((d.scope, band, key), [])
            candidates |= {j for j in bucket if j >= 0}
            if len(bucket) < cap:
                taken.append(bucket)
        found = max(((jaccard(d.shingles, known.shingles[j]), -j) for j in candidates), default=(0.0, 0))
        if text in known.represented:
            fate = Fate(EXACT, *known.represented[text])
        elif url in known.owners:
            fate = Fate(URL_SEEN, known.owners[url])
        elif candidates and found[0] >= threshold:
            fate = Fate(NEAR, -found[1], found[0])
            known.represented[text] = (-found[1], found[0])
        else:
            fate = Fate(KEPT)
            known.represented[text] = (number, 1.0)
            known.shingles[number] = d.shingles
            known.owners |= {url: number} if url else {}
        for bucket in taken:
            bucket.append(number if fate.fate == KEPT else -1)
        known.settled |= set() if revisit else {text}
        known.seen |= {url} if url else set()
        fates.append(fate)
    return fates


@st.composite
def corpora(draw) -> list[Doc]:
    """Clusters, copies, revisits with the same and with another text, short documents; few URLs, few keys, few scopes."""
    chosen = random.Random(draw(st.integers(0, 2**32)))
    scopes, addresses, keys = draw(st.integers(1, 2)), draw(st.integers(1, 8)), draw(st.integers(1, 3))
    docs: list[Doc] = []
    for text in range(draw(st.integers(0, 30))):
        kind, url = chosen.random(), chosen.choice([None, *range(addresses)])
        old = chosen.choice(docs) if docs else None
        if old and kind < 0.3:
            made = old
        elif old and kind < 0.6:
            shingles = old.shingles ^ frozenset(chosen.sample(range(12), chosen.randint(0, 2)))
            made = Doc(text, shingles or frozenset({0}), tuple(k if chosen.random() < 0.8 else 0 for k in old.keys))
        else:
            shingles = frozenset(chosen.sample(range(12), chosen.randint(1, 5)))
            made = Doc(text, shingles, tuple(chosen.randrange(keys) for _ in range(2)))
        if kind > 0.95:
            made = Doc(text)
        docs.append(dataclasses.replace(made, url=url, scope=chosen.randrange(scopes)))
    return docs


THRESHOLDS, CAPS = st.sampled_from([0.3, 0.5, 0.8, 1.0]), st.sampled_from([1, 2, 64])


@settings(max_examples=300, deadline=None)
@given(corpora(), THRESHOLDS, CAPS, st.lists(st.integers(0, 30), max_size=3))
def test_the_described_index_is_enough_for_increments_to_equal_one_run(docs, threshold, cap, cuts):
    edges = [0, *sorted(min(cut, len(docs)) for cut in cuts), len(docs)]
    known, fates = Known(), []
    for a, b in pairwise(edges):
        fates += generation(docs[a:b], a, known, threshold, cap)
    assert fates == oracle(docs, threshold, cap)


@settings(max_examples=300, deadline=None)
@given(corpora(), THRESHOLDS, CAPS)
def test_who_is_dropped_duplicates_a_kept_document_and_no_two_kept_ones_share_a_text_or_a_url(docs, threshold, cap):
    fates = oracle(docs, threshold, cap)
    for d, fate in zip(docs, fates, strict=True):
        if fate.fate != KEPT:
            survivor = docs[fate.survivor]
            assert fates[fate.survivor].fate == KEPT and survivor.scope == d.scope
            alike = survivor.text == d.text or jaccard(survivor.shingles, d.shingles) >= threshold
            assert survivor.url == d.url is not None if fate.fate == URL_SEEN else alike
    kept = [d for d, fate in zip(docs, fates, strict=True) if fate.fate == KEPT]
    assert len({(d.scope, d.text) for d in kept}) == len(kept)
    assert len({(d.scope, d.url) for d in kept if d.url is not None}) == sum(d.url is not None for d in kept)


def fates_of(*docs: Doc) -> list[str]:
    return [fate.fate for fate in oracle(list(docs), 0.8, 64)]


def test_a_page_behind_an_address_that_once_gave_an_error_page_is_kept():
    error, page = Doc(1, url=1), Doc(2, url=2)
    assert fates_of(error, dataclasses.replace(error, url=2), page) == [KEPT, EXACT, KEPT]


def test_a_copy_elsewhere_of_a_version_whose_address_was_taken_is_kept():
    old, new = Doc(1, url=1), Doc(2, url=1)
    assert fates_of(old, new, dataclasses.replace(new, url=2)) == [KEPT, URL_SEEN, KEPT]


def test_a_third_version_of_a_page_is_a_duplicate_of_the_first():
    assert fates_of(Doc(1, url=1), Doc(2, url=1), Doc(3, url=1)) == [KEPT, URL_SEEN, URL_SEEN]


def test_the_same_page_unchanged_is_an_exact_duplicate_with_its_similarity():
    assert oracle([Doc(1, url=1), Doc(1, url=1)], 0.8, 64)[1] == Fate(EXACT, 0, 1.0)


def test_addresses_are_compared_within_a_scope():
    assert fates_of(Doc(1, url=1), Doc(2, url=1, scope=1)) == [KEPT, KEPT]
