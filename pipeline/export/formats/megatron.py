"""Megatron's indexed dataset: NAME.bin, tokens end to end, and NAME.idx, where each document begins.

NAME.idx, little-endian: `MMIDIDX\\0\\0`, version 1 (uint64), code of the token's type (uint8), sequences (uint64), entries of the
last array (uint64), then int32 lengths in tokens, int64 places in bytes, and int64 numbers of the sequence that each document
begins with, from 0, with one entry more than there are documents. A document is one sequence here.
Source: megatron/core/datasets/indexed_dataset.py of Megatron-LM (`_IndexWriter`, `DType`); no code of it is used.

Invariant: NAME.idx is written last, and only beside a NAME.bin of the length that it says.
"""

from __future__ import annotations

import struct

import numpy as np

from pipeline.errors import RunFailed
from pipeline.export.formats.contract import Format, Raw, WholeShard

_HEADER = struct.Struct("<9sQBQQ")
_CODES = {2: 8, 4: 4}
"""Bytes of a token → uint16 or int32: there is no uint32, and no id needs the sign."""
_LONGEST = 2**31 - 1
_BATCH = 1 << 20


def _index(shard: WholeShard) -> None:
    shard.check_size()
    count, width = shard.documents, shard.dtype.itemsize
    with shard.folder.open(f"{shard.name}.idx") as file:
        file.write(_HEADER.pack(b"MMIDIDX\0\0", 1, _CODES[width], count, count + 1))
        for first, last in shard.table("first", "last"):
            lengths = last - first + 1
            if lengths.max() > _LONGEST:
                raise RunFailed(f"{shard.path}: a document of {lengths.max():,} tokens; Megatron takes {_LONGEST:,} at most")
            file.write(lengths.astype("<i4").tobytes())
        for (first,) in shard.table("first"):
            file.write((first * width).astype("<i8").tobytes())
        for start in range(0, count + 1, _BATCH):
            file.write(np.arange(start, min(start + _BATCH, count + 1), dtype="<i8").tobytes())


FORMAT = Format("megatron", ".bin", "Megatron-LM, NeMo, GPT-NeoX: .bin and .idx", Raw, _index)
