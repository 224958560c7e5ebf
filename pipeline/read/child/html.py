"""HTML to its main text. Runs in a process of its own (`pipeline.read.child.decoder`), never in the run's.

`markup` reads the page, `content` finds its main text, `layout` writes that as plain text; each in time linear in the page. On
pages with gold text they find more of it, and less beside it, than Resiliparse and trafilatura (`make bench B=extraction`).
Scripts, styles, templates, comments and frames are never text.

The encoding is that of a byte order mark, else UTF-8 where the bytes are more than ASCII and UTF-8, whatever is said of them;
else that of the HTTP header or of a `<meta>`, the first in which they are text; else what Resiliparse detects. Bytes that are not
of a page's encoding become U+FFFD, as in a browser, because of real pages one in fifty has some; a page with more of them than
`MAX_UNDECODED` is refused.
"""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

from pipeline.read.child import content, layout, markup
from pipeline.read.lines import Unreadable

MAX_UNDECODED = 0.01
"""Largest share of characters that are U+FFFD; chosen on those pages, where a page of a wrong encoding has many times that."""

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([a-z0-9_-]{1,40})", re.IGNORECASE)
_META_WITHIN = 4_096
_AS_BROWSERS_DO = {"gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932", "big5": "big5hkscs", "iso8859-11": "cp874"}
"""Encodings that pages are said to be in → what they are in, which has more characters."""


def main_text(page: bytes, declared: str | None = None) -> str:
    """Main text of a page. `declared`: encoding that the HTTP header names. Raises Unreadable."""
    read = markup.read_page(decode(page, declared))
    found = content.main_text(read)
    return layout.lay_out(read, found.core, found.dropped)


def decode(page: bytes, declared: str | None = None) -> str:
    """The page as text. Raises Unreadable where too much of it is not of its encoding."""
    encodings, page = _encodings(page, declared)
    for encoding in encodings:
        with suppress(UnicodeDecodeError):
            return page.decode(encoding)
    text = page.decode(encodings[0], "replace")
    share = text.count("\ufffd") / max(len(text), 1)
    if share > MAX_UNDECODED:
        raise Unreadable("undecodable", f"{share:.1%} of the characters are not {encodings[0]}, the page's encoding")
    return text


def _encodings(page: bytes, declared: str | None) -> tuple[list[str], bytes]:
    """What the page may be written in, the likeliest first, and its bytes without their mark."""
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    for mark, name in _MARKS:
        if page.startswith(mark):
            return [name], page[len(mark) :]
    if not page.isascii() and _is_utf8(page):
        return ["utf-8"], page
    meta = _META.search(page, 0, _META_WITHIN)
    said = [map_encoding_to_html5(name, fallback_utf8=False) for name in (declared, meta[1].decode() if meta else None) if name]
    named = [_AS_BROWSERS_DO.get(name, name) for name in said if name]
    return named or ["utf-8" if page.isascii() else detect_encoding(page) or "utf-8"], page


def _is_utf8(page: bytes) -> bool:
    """Whether it is, but for a character that is cut off at its end."""
    try:
        page.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True
