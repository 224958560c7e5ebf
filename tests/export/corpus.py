"""An output of several shards and sources, and a tokenizer: made once, read by all tests of this folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from flows import export
from tests.support import curate, prose, write_rows

EOS = "<|endoftext|>"
DOCUMENTS = {"web": 70, "books": 24, "code": 16}
ODD = {
    "web": {
        3: f"A text that says {EOS} in its midst, and {EOS}",
        5: "🦊 ひらがな \u202e",
        7: 'Quotes " and \\ and, commas\nand lines.',
    },
    "books": {2: "x"},
}
"""Texts of a source by number, in place of prose."""


def text(source: str, number: int) -> str:
    start = {"web": 0, "books": 1000, "code": 2000}[source]
    return ODD.get(source, {}).get(number) or " ".join(prose(start + number).split()[: 20 + 37 * number % 140])


def make(folder: Path) -> None:
    """`folder/out`: six shards of three sources; `folder/tokenizer.json`: with one special token."""
    plan = ["extends: none@1", "output: {shard_bytes: 12kB}", "source:"]
    for source, count in DOCUMENTS.items():
        rows = [
            {
                "id": f"{source},\n{n}" if n == 1 else f"{source}-{n}",
                "text": text(source, n),
                "kind": "ab"[n % 2],
                "level": n % 3,
                "big": 10**30,
            }
            for n in range(count)
        ]
        write_rows(folder / source / f"{source}.jsonl", rows)
        plan.append(f"- {{paths: ['{folder / source}'], name: {source}}}")
    (folder / "plan.yaml").write_text("\n".join(plan))
    curate(folder / "plan.yaml", "--output", folder / "out")
    shutil.rmtree(folder / "out" / ".work")
    train([text(source, n) for source in DOCUMENTS for n in range(16)]).save(str(folder / "tokenizer.json"))


def copied(made: Path, to: Path) -> Path:
    """The output as a test's own, without exports.jsonl: other processes write into the shared one which exports it has."""
    return Path(shutil.copytree(made / "out", to, ignore=shutil.ignore_patterns(".tmp-*", "exports.jsonl")))


def train(texts: list[str], *, vocabulary: int = 420, special: tuple[str, ...] = (EOS,)) -> Any:
    """A tokenizer of byte pairs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    return made


def of_bytes() -> Any:
    """A tokenizer whose tokens are single bytes: nothing of it is trained."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(models.BPE({one: n for n, one in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens([EOS])
    return made


def run(*arguments: str | Path) -> int:
    """`winnow export ARGUMENTS`; its exit code."""
    try:
        return export.main([*map(str, arguments)])
    except SystemExit as ended:
        return int(ended.code or 0)


def card(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "exports.json").read_text("utf-8"))


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def documents(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    """Rows of all tables of documents of a split, shard by shard."""
    paths = sorted((folder / "docs").glob(f"{split}-*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def expected() -> Iterator[tuple[str, str]]:
    """source_ref and text of every document of the output."""
    for source, count in DOCUMENTS.items():
        yield from ((f"{source}/{source}.jsonl#{n + 1}", text(source, n)) for n in range(count))
