"""UTF-16 and UTF-32, in which Windows programs write CSV and JSON: told by their first bytes, and turned into UTF-8.

Invariant: a lone surrogate stays one, in bytes that are not valid UTF-8, so that it is the fault of its row alone.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from pipeline.read.lines import Chunks, Loss, Unreadable

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # in front of UTF-16's, which is how it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
"""Which of the first four bytes are zero where the first two characters are ASCII (RFC 4627, section 3)."""


def encoding_of(head: bytes) -> str:
    """The encoding of text that begins with `head`, if it is UTF-16 or UTF-32; else empty."""
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), "")
    return marked or (_ZEROS.get(tuple(byte == 0 for byte in head[:4]), "") if len(head) >= 4 else "")


def transcoded(chunks: Chunks, encoding: str) -> Iterator[bytes]:
    """The chunks as UTF-8. Raises Unreadable where they break off within a character, or hold what is none."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    try:
        for chunk in chunks:
            assert isinstance(chunk, bytes)  # behind lost bytes nobody knows where a character begins
            if text := decoder.decode(chunk):
                yield text.encode("utf-8", "surrogatepass")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        cut = error.end >= len(error.object)
        cause = "file_truncated" if cut else "invalid_utf8"
        detail = f"not {encoding.upper()}, as which the file begins: {error.reason}"
        raise Unreadable(cause, detail, Loss(cut=cut)) from error
