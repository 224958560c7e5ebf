"""HTML to its main text. Runs in a process of its own (`pipeline.read.child.decoder`), never in the run's.

Resiliparse extracts: on 400 pages with gold text this gave F1 0.805 of 4-grams at 33 MB per CPU-second, trafilatura 0.765 at
3.7 (`python -m tests.bench.formats --peers`). Scripts, styles, templates, comments and frames are never text.

The encoding is that of a byte order mark, else of the HTTP header, else of a `<meta>`, else UTF-8 where the bytes are, else
what Resiliparse detects. Bytes that are not of a page's encoding become U+FFFD, as in a browser, because of real pages one in
fifty has some; a page with more of them than `MAX_UNDECODED` is refused, and so is one that would take a parser quadratic time.
"""

from __future__ import annotations

import codecs
import re

from pipeline.read.lines import Unreadable

MAX_UNDECODED = 0.01
"""Largest share of characters that are U+FFFD; chosen on those pages, where a page of a wrong encoding has many times that."""
MAX_DEPTH = 4_096
"""Elements within each other: parsing 10,000 takes two seconds, and four times that for twice as many. Browsers stop at 512."""
MAX_ATTRIBUTES = 10_000
"""Attributes of one tag: 20,000 take a second, and four times that for twice as many."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_NO_TEXT = ("iframe", "noembed", "noframes", "template", "title", "svg", "math")
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_LEFT_OPEN = frozenset(
    re.findall(
        r"\w+",
        "area base br col embed hr img input link meta param source track wbr p li dd dt option optgroup tr td th tbody thead"
        " tfoot rt rp colgroup html head body",
    )
)
_LOOK_BACK = 64
"""Open elements among which an end tag looks for its own."""


def main_text(page: bytes, declared: str | None = None) -> str:
    """Main text of a page. `declared`: encoding that the HTTP header names. Raises Unreadable."""
    from resiliparse.extract.html2text import extract_plain_text

    text = decode(page, declared)
    if why := _costly(text):
        raise Unreadable("html_too_costly", why)
    try:
        return extract_plain_text(
            text, preserve_formatting=True, main_content=True, list_bullets=False, alt_texts=False, skip_elements=_NO_TEXT
        )
    except (ValueError, RuntimeError) as error:  # HTMLParserException
        raise Unreadable("unreadable", f"HTML: {str(error)[:200]}") from error


def decode(page: bytes, declared: str | None = None) -> str:
    """The page as text. Raises Unreadable where too much of it is not of its encoding."""
    encoding, page = _encoding(page, declared)
    try:
        return page.decode(encoding)
    except UnicodeDecodeError:
        text = page.decode(encoding, "replace")
    share = text.count("\ufffd") / max(len(text), 1)
    if share > MAX_UNDECODED:
        raise Unreadable("undecodable", f"{share:.1%} of the characters are not {encoding}, the page's encoding")
    return text


def _encoding(page: bytes, declared: str | None) -> tuple[str, bytes]:
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    for mark, name in _MARKS:
        if page.startswith(mark):
            return name, page[len(mark) :]
    if declared and (known := map_encoding_to_html5(declared, fallback_utf8=False)):
        return known, page
    named = detect_encoding(page, from_html_meta=True)
    if named and named != detect_encoding(page):  # a <meta> says so
        return named, page
    try:
        page.decode("utf-8")
        return "utf-8", page
    except UnicodeDecodeError:
        return named or "utf-8", page


def _costly(page: str) -> str | None:
    """Why a parser would take quadratic time, if it would; what escapes this is left to the decoder's limit of CPU time."""
    if page.count("<") > MAX_DEPTH and _depth(page) > MAX_DEPTH:
        return f"more than {MAX_DEPTH} elements within each other"
    for piece in page.split(">"):
        if len(piece) > 2 * MAX_ATTRIBUTES and len(piece[piece.rfind("<") + 1 :].split()) > MAX_ATTRIBUTES and "<" in piece:
            return f"a tag with more than {MAX_ATTRIBUTES} attributes"
    return None


def _depth(page: str) -> int:
    """About how deep elements are within each other; those that HTML closes by itself are not counted."""
    opened: list[str] = []
    most = 0
    for slash, written in _TAG.findall(page):
        name = written.lower()
        if not slash:
            if name not in _LEFT_OPEN:
                opened.append(name)
                most = max(most, len(opened))
        elif name in (recent := opened[-_LOOK_BACK:]):
            del opened[len(opened) - 1 - recent[::-1].index(name) :]
    return most
