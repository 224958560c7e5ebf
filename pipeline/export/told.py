"""What an export says: what each group gives, what was written, how it stands beside its output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from pipeline.errors import Damaged, OutputError
from pipeline.export.hub import Uploaded
from pipeline.export.mix import Share
from pipeline.export.since import Standing
from pipeline.records.exports_json import ExportedTokenizer, ExportRecipe, Exports
from pipeline.report.table import Part, Said, table
from pipeline.text import numbers

SHOWN = 20
_LINES = {
    "megatron": "--data-path {folder}/{name}",
    "datatrove": 'DatatroveFolderDataset("{folder}", seq_len=2048, filename_pattern="train-*.ds", token_size={width})',
    "npy": 'np.memmap("{folder}/{path}", dtype=np.{dtype}, mode="r")',
    "packed": 'load_dataset("parquet", data_files="{folder}/train-*.parquet")',
    "jsonl": 'load_dataset("json", data_files="{folder}/train-*.jsonl")',
}
"""The line that reads an export, by format."""


def plan(shares: Sequence[Share], *, unit: str, left_out: int, about: bool) -> Said:
    """What each group gives and how often it repeats. `about`: sizes are estimated."""
    total = sum(share.target for share in shares)
    rows = [
        (
            share.supply.group,
            numbers.count(share.weight),
            numbers.count(share.supply.documents),
            numbers.count(share.supply.size),
            numbers.count(share.target),
            numbers.share(share.target, total),
            epochs(share.target, share.supply.size),
        )
        for share in shares
    ]
    estimated = ", estimated" if about else ""
    head = ("group", ">weight", ">documents", f">{unit}{estimated}", ">gives", ">share", ">epochs")
    said: list[Part] = [table(head, rows), f"together {numbers.count(total)} {unit}"]
    return [*said, f"left out: {numbers.counted(left_out, 'document')} of groups without a weight"] if left_out else said


def epochs(target: int, size: int) -> str:
    """How often a group is read: hundredths, as a number of times."""
    hundredths = target * 100 // max(1, size)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def written(made: Exports, folder: str) -> Said:
    """What is there now, and the line that reads it."""
    rows = [(one.path, numbers.count(one.documents), numbers.count(one.size)) for one in made.shards[:SHOWN]]
    said: list[Part] = [table(("file", ">documents", f">{'tokens' if made.recipe.format != 'jsonl' else 'bytes'}"), rows)]
    if len(made.shards) > SHOWN:
        said.append(f"and {numbers.counted(len(made.shards) - SHOWN, 'more file', 'more files')}")
    if made.ended:
        said.append(f"note: {numbers.counted(made.ended, 'end-of-document token')} stand within documents")
    first = made.shards[0].path
    width, dtype = (4, "uint32") if made.tokenizer and made.tokenizer.dtype == "uint32" else (2, "uint16")
    line = _LINES[made.recipe.format].format(folder=folder, path=first, name=first.rpartition(".")[0], width=width, dtype=dtype)
    return [*said, f"read it: {line}", f"documents: {folder}/docs/; what it is made of: {folder}/exports.json"]


def refuse_other(where: str, beside: Standing, *, wanted: tuple[ExportRecipe, ExportedTokenizer | None]) -> None:
    """Raises OutputError where a finished export is not the one that is wanted, or its output has changed since, Damaged where
    files are gone."""
    made = beside.made
    anew = "name another folder, or remove this one"
    if not beside.same_output:
        raise OutputError(f"--to {where}: holds an export of another output; {anew}")
    different = list(_differences(made, *wanted))
    if different:
        raise OutputError(f"--to {where}: holds an export with other options ({'; '.join(different)}); {anew}")
    if beside.behind:
        raise OutputError(f"--to {where}: {_behind(beside)}; {anew}")
    if beside.damaged:
        raise Damaged(f"{where}/{beside.damaged[0]}: gone, or of another length than exports.json says; remove the folder")


def _differences(made: Exports, recipe: ExportRecipe, tokenizer: ExportedTokenizer | None) -> Iterator[str]:
    for before, now in ((_flat(made.recipe), _flat(recipe)), (_plain(made.tokenizer), _plain(tokenizer))):
        yield from (f"{name}: {before[name]}, now {now[name]}" for name in now if before[name] != now[name])


def _flat(recipe: ExportRecipe) -> dict[str, object]:
    """Keys of a recipe with those of its mix among them."""
    return recipe.model_dump(exclude={"mix"}) | {f"mix.{name}": value for name, value in recipe.mix.model_dump().items()}


def _plain(made: ExportedTokenizer | None) -> dict[str, object]:
    """A tokenizer is the same wherever its file lies."""
    return {"tokenizer": None if made is None else made.sha256[:12], "eos": None if made is None else made.eos}


def _behind(beside: Standing) -> str:
    """How an export is behind its output."""
    before, now = beside.made.output.manifest, beside.newest
    said = f"holds an export of manifest {before}, and the output is at {now}"
    if not beside.taken:
        return f"{said}; nothing that it holds was taken down since"
    return f"{said}; {numbers.counted(len(beside.taken), 'document')} that it holds were taken down since"


def standing_json(beside: Standing) -> str:
    found = {
        "behind": beside.behind,
        "damaged": list(beside.damaged),
        "manifest": beside.made.output.manifest,
        "newest": beside.newest,
        "same_output": beside.same_output,
        "taken": [asdict(one) for one in beside.taken],
    }
    return json.dumps(found, sort_keys=True)


def standing(beside: Standing, folder: str) -> Said:
    """An export as it stands beside its output."""
    made = beside.made
    total = numbers.counted(sum(one.documents for one in made.shards), "document")
    said: list[Part] = [f"{folder}: {total} in {numbers.counted(len(made.shards), 'shard')}, {made.recipe.format}"]
    if not beside.same_output:
        said.append("it is of another output")
    said += [f"gone, or of another length: {path}" for path in beside.damaged[:SHOWN]]
    said.append(_behind(beside) if beside.behind or beside.taken else f"the output is as it was (manifest {beside.newest})")
    if beside.taken:
        rows = [
            (one.shard, numbers.count(one.first), numbers.count(one.last), str(one.epoch), one.source_ref)
            for one in beside.taken[:SHOWN]
        ]
        said.append(table(("taken down: shard", ">first", ">last", ">epoch", "source_ref"), rows))
    if len(beside.taken) > SHOWN:
        said.append(f"and {numbers.count(len(beside.taken) - SHOWN)} more; --json names all")
    return said


def upload(sizes: Mapping[str, int]) -> Said:
    """What would go to the Hub: files and bytes of it."""
    rows = [(name, numbers.count(size)) for name, size in sizes.items()]
    return [
        table(("file", ">bytes"), rows),
        f"together {numbers.counted(len(rows), 'file')}, {numbers.count(sum(sizes.values()))} bytes",
    ]


def uploaded(made: Uploaded, repository: str) -> Said:
    """What the Hub has now."""
    if made.commit is None:
        return [f"{repository}: nothing is new"]
    said: list[Part] = [f"{repository}: commit {made.commit}", f'read it: load_dataset("{repository}", split="train")']
    if made.removed:
        gone = numbers.counted(len(made.removed), "file")
        said.append(f"removed there: {gone}; earlier commits still hold them until the history is squashed (docs/exports.md)")
    return said
