"""Exact-URL duplicates (`dedup.exact_url`): the normal form of a URL, and the 128-bit key that it is compared by.

**Normal form.** RFC 3986 section 6.2.2 (what is equal for every URI), 6.2.3 (for http) and part of 6.2.4 (what servers answer
alike); where browsers read more than the RFC allows, as the WHATWG URL Standard says ("WHATWG"). In this order:

1. C0 characters and spaces at the ends, and tabs, CR and LF anywhere, are removed (WHATWG, basic URL parser).
2. The scheme must be http or https, in any case; both become `http` (one page, served both ways). Slashes behind it may be any
   number, and a backslash before the query is a slash (WHATWG, special schemes).
3. User info is dropped. ASCII letters of the host become lower case; nothing else of it changes, so that IDNA and its tables
   stay out (`bücher.example` and `xn--bcher-kva.example` differ). Dots at its end go. A leading `www.` goes, as often as what
   is left still has a dot: sites answer alike with and without it, and crawls hold both; `www.com` stays.
4. The ports 80 and 443 go, under either scheme, since schemes are equal; another one stays, without leading zeros.
5. The fragment is dropped (it never reaches the server).
6. In path and query, `%xx` of an unreserved character (letters, digits, `-._~`) is decoded, other escapes get upper-case
   digits, and what a URI may not hold is escaped: `é` becomes `%C3%A9`, a `%` that begins no escape `%25`.
7. In the path, `;jsessionid=…` goes, then dot segments (5.2.4), then every slash at the end; an empty path is `/`.
8. In the query, parameters of `TRACKING` go (names compared after step 6, in any case), and empty ones; the order of the others
   is kept, because servers may give it a meaning, and a wrong match costs a document. An empty query goes with its `?`.

A null, an empty string, another scheme, no scheme, an empty or impossible host, and an impossible port have no normal form:
such documents take no part. The form of a form is itself (a property test).

What a URL duplicate is says CONTRIBUTING.md, "Duplicate, defined".
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.dedup import urls

VERSION = 1
"""Version of the normal form and the key: raise it when a URL gets another one."""

PREFIXES = ("utm_", "aspsessionid")
TRACKING = (
    *PREFIXES,
    *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "_ga", "_gl"),  # Google Ads and Analytics
    *("fbclid", "igshid", "msclkid", "twclid", "ttclid", "yclid"),  # Meta, Microsoft, Twitter, TikTok, Yandex
    *("mc_cid", "mc_eid", "phpsessid", "jsessionid"),  # Mailchimp; PHP's and Java's sessions
)
"""Query parameters that say where a visitor came from or which session it is, never which page; the first two are prefixes.
Chosen because each is the documented name of one product; names like `ref`, `sid` or `s` mean pages elsewhere."""

SLICE_BYTES = 1 << 22
"""URLs normalised at a time: bounds the scratch, three times as much."""


def _names() -> tuple[np.ndarray, np.ndarray, int]:
    offsets, data = buffers.views(pa.array(TRACKING, pa.large_string()))
    return offsets, data, len(PREFIXES)


_NAMES = _names()


def normalised(column: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """The normal form of each URL, null where it has none. `column`: string or large_string, nullable."""
    parts = [_slice(*part) for part in _slices(column)]
    return pa.concat_arrays(parts) if parts else pa.array([], pa.large_string())


def url_keys(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(hi uint64[n], lo uint64[n], valid bool[n])`: BLAKE2b-128 of each normal form as two little-endian words, `hi` first.

    Where `valid` is false the URL has no normal form and the words are zero.
    """
    keys, valid = [np.zeros((0, 2), np.uint64)], [np.zeros(0, np.bool_)]
    for offsets, data in _slices(column):
        starts, forms, ok = urls.normal(offsets, data, _NAMES)
        view = forms.data
        digests = b"".join(blake2b(view[a:b], digest_size=16).digest() for a, b in pairwise(starts.tolist()))
        made = np.frombuffer(digests, "<u8").reshape(-1, 2).copy()
        made[~ok] = 0
        keys.append(made)
        valid.append(ok)
    both = np.concatenate(keys)
    return np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1]), np.concatenate(valid)


def _slices(column: pa.Array | pa.ChunkedArray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Views of at most SLICE_BYTES each, or of one longer URL; nulls are empty."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    found = []
    for chunk in chunks:
        offsets, data = buffers.views(chunk.cast(pa.large_string()).fill_null(""))
        first = 0
        while first < len(chunk):
            stop = max(int(np.searchsorted(offsets, offsets[first] + SLICE_BYTES, "right")) - 1, first + 1)
            found.append((offsets[first : stop + 1], data))
            first = stop
    return found


def _slice(offsets: np.ndarray, data: np.ndarray) -> pa.LargeStringArray:
    starts, forms, ok = urls.normal(offsets, data, _NAMES)
    present = pa.py_buffer(np.packbits(ok, bitorder="little"))
    return pa.LargeStringArray.from_buffers(len(ok), pa.py_buffer(starts), pa.py_buffer(forms), present)
