"""Inputs that one reader cuts into units, compressed or not; what a unit holds is parsed on any thread.

Invariant: units do not depend on the chunks that the bytes arrive in, and what was read is what the content's hash names.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from pipeline.read import archives, likeness
from pipeline.read.files import InputFile
from pipeline.read.lines import Chunks, Lines
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.units import CHUNK, Block, Unit, changed, named, new_digest, open_input, source_of

Cut = Callable[[Chunks, InputFile], Iterator[Lines]]
Parse = Callable[[Collector, Lines], None]


def stream(file: InputFile, cut: Cut, *, content: str) -> Generator[Block, None, str]:
    """Units of a file, in order; returns the identity of what a packed file unpacks to (`likeness`), if it was read to its end.

    Raises InputChanged at its end if it is not what `content` names.
    """
    digest, unpacked = new_digest(), likeness.Unpacked()
    hashed = content != file.identity  # else the store says when it changes
    with open_input(file) as handle:
        read = source_of(file, handle)

        def source(n: int) -> bytes:
            data = read(n)
            if hashed:
                digest.update(data)
            return data

        # Behind lost bytes a line or a WARC record is found again; whether a quote is open in CSV, or a bracket in JSON, is not.
        resumes = file.format in ("jsonl", "warc")
        chunks = archives.decoded(source, file.compression, size=file.size, resumes=resumes, encoding=file.encoding)
        for index, lines in enumerate(cut(unpacked.followed(chunks) if file.compression else chunks, file)):
            yield Block(Unit(file, content, index, lines.start, lines.stop, lines.first_row), lines, lines.rest)
        while source(CHUNK):
            pass
    if hashed and named(digest) != content:
        raise changed(file)
    return unpacked.identity


def read_block(block: Block, parse: Parse) -> UnitRows:
    """Rows of a block that `stream` gave."""
    collector = Collector(block.unit.file)
    assert isinstance(block.data, Lines)
    for refused in block.data.refused:
        collector.refuse(refused)
    parse(collector, block.data)
    if block.rest:
        collector.refuse(block.rest)
    return collector.finish()
