"""Inputs that one reader cuts into units, compressed or not; what a unit holds is parsed on any thread.

Invariant: units do not depend on the chunks that the bytes arrive in, and what was read is what the content's hash names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.read import archives
from pipeline.read.files import InputFile
from pipeline.read.lines import Chunks, Lines
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.units import CHUNK, Block, Unit, changed, named, new_digest, open_input, source_of

Cut = Callable[[Chunks, InputFile], Iterator[Lines]]
Parse = Callable[[Collector, Lines], None]


def stream(file: InputFile, cut: Cut, *, content: str) -> Iterator[Block]:
    """Units of a file, in order. Raises InputChanged at its end if it is not what `content` names."""
    digest = new_digest()
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
        for index, lines in enumerate(cut(chunks, file)):
            yield Block(Unit(file, content, index, lines.start, lines.stop, lines.first_row), lines, lines.rest)
        while source(CHUNK):
            pass
    if hashed and named(digest) != content:
        raise changed(file)


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
