"""Whether a file begins with, or unpacks to, what was read before: identities of parts of it, as `units.identify` has them."""

from __future__ import annotations

from pipeline.read import archives
from pipeline.read.files import InputFile
from pipeline.read.lines import Unreadable
from pipeline.read.units import CHUNK, named, new_digest, open_input, source_of


def of_beginning(file: InputFile, size: int) -> str:
    """The identity that a file of its first `size` bytes has; empty where it is shorter."""
    digest, left = new_digest(), size
    with open_input(file) as handle:
        source = source_of(file, handle)
        while left and (data := source(min(CHUNK, left))):
            digest.update(data)
            left -= len(data)
    return "" if left else named(digest)


def of_unpacked(file: InputFile, size: int) -> str:
    """The identity that a file of what it unpacks to has; empty where that has not `size` bytes, or cannot be read to its end."""
    digest, left = new_digest(), size
    try:
        with open_input(file) as handle:
            for data in archives.decoded(source_of(file, handle), file.compression):
                digest.update(data)
                left -= len(data)
                if left < 0:
                    break
    except Unreadable:
        return ""
    return "" if left else named(digest)
