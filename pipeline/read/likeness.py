"""Whether a file begins with, or unpacks to, what was read before: identities of parts of it, as `units.identify` has them."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.read import archives
from pipeline.read.files import InputFile
from pipeline.read.lines import Chunks, Unreadable
from pipeline.read.units import CHUNK, named, new_digest, open_input, source_of


class Unpacked:
    """What chunks of a packed file, which pass through `followed`, unpack to."""

    def __init__(self) -> None:
        self._digest, self._size, self._whole = new_digest(), 0, False

    def followed(self, chunks: Chunks) -> Iterator[bytes | Unreadable]:
        whole = True
        for chunk in chunks:
            if isinstance(chunk, Unreadable):
                whole = False
            else:
                self._digest.update(chunk)
                self._size += len(chunk)
            yield chunk
        self._whole = whole

    @property
    def identity(self) -> str:
        """Size and hash; empty unless the chunks came to their end, and none of them was damaged."""
        return of_plain(self._size, named(self._digest)) if self._whole else ""


def of_plain(size: int, content: str) -> str:
    """What a file that is not packed unpacks to."""
    return f"{size} {content}"


def of_beginning(file: InputFile, size: int) -> str:
    """The identity that a file of its first `size` bytes has; empty where it is shorter."""
    digest, left = new_digest(), size
    with open_input(file) as handle:
        source = source_of(file, handle)
        while left and (data := source(min(CHUNK, left))):
            digest.update(data)
            left -= len(data)
    return "" if left else named(digest)


def of_packed(file: InputFile) -> str:
    """What a packed file unpacks to; empty where it cannot be read to its end."""
    found = Unpacked()
    try:
        with open_input(file) as handle:
            chunks = archives.decoded(source_of(file, handle), file.compression, resumes=False, encoding=file.encoding)
            for _ in found.followed(chunks):
                pass
    except Unreadable:
        return ""
    return found.identity
