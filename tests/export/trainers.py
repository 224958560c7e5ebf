"""What trainers' own libraries read of exports, as JSON: `python trainers.py FOLDER`, in an environment that has them.

FOLDER has an export in each format, by its name. Prints the documents of the first shard of each as lists of tokens, by format;
of Parquet its sequences, as torch tensors that `datasets` would hand on."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any


def megatron(prefix: str) -> list[list[int]]:
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    found = {kind: IndexedDataset(prefix, mmap=kind) for kind in (True, False)}
    read = {kind: [made[n].tolist() for n in range(len(made))] for kind, made in found.items()}
    assert read[True] == read[False], "mapped, and through the file reader"
    assert found[True].document_indices.tolist() == list(range(len(read[True]) + 1))
    return read[True]


def datatrove(folder: str, width: int) -> dict[str, Any]:
    from datatrove.utils.dataset import DatatroveFolderDataset

    made = DatatroveFolderDataset(folder, seq_len=31, filename_pattern="train-*.ds", token_size=width, return_positions=True)
    rows = [made[n] for n in range(len(made))]
    return {"tokens": [row["input_ids"].tolist() for row in rows], "positions": [row["positions"].tolist() for row in rows]}


def npy(path: str, dtype: str) -> list[int]:
    import numpy as np
    import torch

    return torch.from_numpy(np.memmap(path, dtype=dtype, mode="r").astype(np.int64)).tolist()


def packed(path: str) -> list[list[int]]:
    import pyarrow.parquet as pq
    import torch

    return [torch.tensor(row).tolist() for row in pq.read_table(path)["input_ids"].to_pylist()]


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    card = {what: json.loads((folder / what / "exports.json").read_text("utf-8")) for what in ("megatron", "npy")}
    dtype = card["npy"]["tokenizer"]["dtype"]
    first = card["megatron"]["shards"][0]["path"].removesuffix(".bin")
    found = {
        "megatron": megatron(str(folder / "megatron" / first)),
        "datatrove": datatrove(str(folder / "datatrove"), int(dtype.removeprefix("uint")) // 8),
        "npy": npy(str(folder / "npy" / f"{first}.npy"), dtype),
        "packed": packed(str(folder / "packed" / f"{first}.parquet")),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
