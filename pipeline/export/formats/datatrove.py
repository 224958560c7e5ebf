"""datatrove's tokenised file, which nanotron reads: NAME.ds, tokens end to end; NAME.ds.index, the end of each document in
tokens, uint64; NAME.ds.metadata, three lines: tokenizer and bytes of a token, tokens, and their number for people.

Source: datatrove/pipeline/tokens/tokenizer.py (`TokenizedFile`); no code of it is used.
"""

from __future__ import annotations

from pipeline.export.formats.contract import Format, Raw, WholeShard
from pipeline.text import numbers


def _index(shard: WholeShard) -> None:
    shard.check_size()
    with shard.folder.open(f"{shard.path}.index") as file:
        for (last,) in shard.table("last"):
            file.write((last + 1).astype("<u8").tobytes())
    name = shard.tokenizer.name if shard.tokenizer else ""
    said = f"{name}|{shard.dtype.itemsize}\n{shard.size}\n{numbers.short(shard.size)}"
    with shard.folder.open(f"{shard.path}.metadata") as file:
        file.write(said.encode("utf-8", "backslashreplace"))


FORMAT = Format("datatrove", ".ds", "datatrove, nanotron: .ds with its index", Raw, _index)
