"""HTML to its main text. Runs in a process of its own (`pipeline.read.child.decoder`), never in the run's.

`markup` reads the page, `content` finds its main text, `layout` writes that as plain text; each in time linear in the page. On
pages with gold text they find more of it, and less beside it, than Resiliparse and trafilatura (`make bench B=extraction`).
Scripts, styles, templates, comments and frames are never text.

The encoding is that of a byte order mark, else of the HTTP header, else of a `<meta>`, else UTF-8 where the bytes are, else
what Resiliparse detects. Bytes that are not of a page's encoding become U+FFFD, as in a browser, because of real pages one in
fifty has some; a page with more of them than `MAX_UNDECODED` is refused.
"""

from __future__ import annotations

import codecs

from pipeline.read.child import content, layout, markup
from pipeline.read.lines import Unreadable

MAX_UNDECODED = 0.01
"""Largest share of characters that are U+FFFD; chosen on those pages, where a page of a wrong encoding has many times that."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def main_text(page: bytes, declared: str | None = None) -> str:
    """Main text of a page. `declared`: encoding that the HTTP header names. Raises Unreadable."""
    read = markup.read_page(decode(page, declared))
    found = content.main_text(read)
    return layout.lay_out(read, found.core, found.dropped)


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
