"""HTML files, WARC and WET to rows; decoded in another process (`pipeline.read.child.supervisor`).

Invariant: the rows of a unit do not depend on what other records do: the record that a decoder had asked for last when it
died is a bad row, and the records before and behind it are asked for anew.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, replace

from pipeline.read.child.decoder import Request
from pipeline.read.child.supervisor import DecoderDied, ask, gathered
from pipeline.read.files import InputFile
from pipeline.read.lines import Lines, QuarantinedRow
from pipeline.read.rows import Collector, UnitRows, together
from pipeline.read.units import Block

STILL_CPU_S = 30.0
"""CPU seconds that a record may take: one of `max_row_bytes` takes four."""

Records = Sequence[tuple[int, bytes]]
"""Row and raw bytes of each."""


def read_block(block: Block) -> UnitRows:
    """Rows of a block of WARC records."""
    lines = block.data
    assert isinstance(lines, Lines)
    records = [(row, piece) for row, piece in enumerate(lines.pieces, lines.first_row) if piece]
    refused = _refused(block.unit.file, [*lines.refused, *filter(None, [block.rest])])
    return replace(together([refused, read(block.unit.file, records)]), passed=lines.passed)


def read(file: InputFile, records: Records) -> UnitRows:
    """Rows of raw records, in order."""
    parts, refused, todo = [], [], [records]
    while todo:
        some = todo.pop()
        if not some:
            continue
        handle = _Watched(b"".join(raw for _, raw in some))
        try:
            parts.append(_asked(file, handle, some))
        except DecoderDied as error:
            fault = handle.number([(row, len(raw)) for row, raw in some])
            row, raw = some[fault]
            refused.append(QuarantinedRow(row, "decoder_died", str(error), len(raw), raw))
            todo += [some[fault + 1 :], some[:fault]]
    return together([*parts, _refused(file, refused)])


def _asked(file: InputFile, handle: _Watched, records: Records) -> UnitRows:
    """What a decoder makes of the records, whose bytes `handle` holds. Raises DecoderDied."""
    sent = {name: value for name, value in asdict(replace(file, url="")).items() if name != "traffic"}
    request: Request = {"ask": "web", "kind": file.format, "file": sent, "records": [(row, len(raw)) for row, raw in records]}
    return gathered(file, ask(file, handle, request, still_cpu_s=STILL_CPU_S))


class _Watched(io.BytesIO):
    """Knows where it was read last."""

    at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0:
            self.at = offset
        return super().seek(offset, whence)

    def number(self, sizes: Sequence[tuple[int, int]]) -> int:
        """Which record was asked for last."""
        end = 0
        for i, (_, size) in enumerate(sizes):
            end += size
            if self.at < end:
                return i
        return len(sizes) - 1


def _refused(file: InputFile, refused: Sequence[QuarantinedRow]) -> UnitRows:
    collector = Collector(file)
    for one in refused:
        collector.refuse(one)
    return collector.finish()
