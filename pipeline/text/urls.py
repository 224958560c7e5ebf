"""Exact-URL duplicates (`dedup.exact_url`): the normal form of a URL, and the 128-bit key that it is compared by.

**Normal form.** What the WHATWG URL Standard makes of the URL, read by Ada, so that what browsers take for one address is one:
white space, slashes, user names, IP addresses, international host names (`bücher.example` is `xn--bcher-kva.example`), dot
segments. Then, by RFC 3986 sections 6.2.2 to 6.2.4 and what servers answer alike, in this order:

1. The scheme must be http or https; both become `http` (one page, served both ways). So the ports 80 and 443 go under either.
2. User info and fragment are dropped: neither names a page.
3. A dot at the end of the host goes; more than one make it impossible. A leading `www.` goes, as often as what is left still has
   a dot: sites answer alike with and without it, and crawls hold both; `www.com` stays.
4. In path and query, `%xx` of an unreserved character (letters, digits, `-._~`) is decoded, other escapes get upper-case
   digits, and what a URI may not hold is escaped: `|` becomes `%7C`, a `%` that begins no escape `%25`.
5. In the path, `;jsessionid=…` goes, then every slash at the end; an empty path is `/`.
6. In the query, parameters of `TRACKING` go (names compared after step 4, in any case), and empty ones; the order of the others
   is kept, because servers may give it a meaning, and a wrong match costs a document. An empty query goes with its `?`.

A null, another scheme, and what the standard refuses (no scheme, an impossible host or port) have no normal form: such
documents take no part. The form of a form is itself (a property test).

What a URL duplicate is says CONTRIBUTING.md, "Duplicate, defined". A kernel of our own read 700,000 URLs a CPU-second; this
reads 150,000, 2 % of the CPU time of a run of `minimal` (`make bench B=urls`).
"""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np
import pyarrow as pa

VERSION = 2
"""Version of the normal form and the key: raise it when a URL gets another one."""

PREFIXES = ("utm_", "aspsessionid")
TRACKING = frozenset(
    (
        *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "_ga", "_gl"),  # Google Ads and Analytics
        *("fbclid", "igshid", "msclkid", "twclid", "ttclid", "yclid"),  # Meta, Microsoft, Twitter, TikTok, Yandex
        *("mc_cid", "mc_eid", "phpsessid", "jsessionid"),  # Mailchimp; PHP's and Java's sessions
    )
)
"""Query parameters that say where a visitor came from or which session it is, never which page; and how names of more of them
begin. Chosen because each is the documented name of one product; names like `ref`, `sid` or `s` mean pages elsewhere."""

_HREF = re.compile(
    r"https?://(?:[^/@]*@)?(?:(?:www\.)+(?=[^/:]*\.[^/:]))?(\[[^]]*\]|[^/:]*?)\.?(?::(?:80|443)(?=/))?(:[0-9]+)?(/[^#]*)"
)
"""Host, port, and the rest but for the fragment, of a URL as the standard writes one."""
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPES = re.compile(r"%([0-9A-Fa-f]{2})?|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]")
_SESSION = re.compile(r"(?i);jsessionid=[^/;]*")


def normal(url: str) -> str | None:
    """The normal form; None where there is none."""
    from ada_url import normalize_url  # 15 ms, which runs without `exact_url` do without

    try:
        found = _HREF.match(normalize_url(url))
    except ValueError:
        return None
    if found is None or not found[1] or found[1][-1] == ".":
        return None
    path, _, query = _ESCAPES.sub(_escape, found[3]).partition("?")
    bare = _SESSION.sub("", path) if ";" in path else path
    form = f"http://{found[1]}{found[2] or ''}{bare.rstrip('/') or '/'}"
    if kept := "&".join(parameter for parameter in query.split("&") if parameter and not _tracks(parameter)):
        form = f"{form}?{kept}"
    return form if bare == path else normal(form)  # `..;jsessionid=1` has become a dot segment


def _escape(found: re.Match[str]) -> str:
    if found[1] is None:
        return f"%{ord(found[0]):02X}"
    char = chr(int(found[1], 16))
    return char if char in _UNRESERVED else found[0].upper()


def _tracks(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name in TRACKING or name.startswith(PREFIXES)


def url_keys(column: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(hi uint64[n], lo uint64[n], valid bool[n])`: BLAKE2b-128 of each normal form as two little-endian words, `hi` first.

    Where `valid` is false the URL has no normal form and the words are zero. `column`: string or large_string, nullable.
    """
    forms = [normal(url) if url else None for url in column.to_pylist()]
    digests = (blake2b(form.encode(), digest_size=16).digest() if form else bytes(16) for form in forms)
    both = np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)
    return (
        np.ascontiguousarray(both[:, 0]),
        np.ascontiguousarray(both[:, 1]),
        np.array([form is not None for form in forms], bool),
    )
