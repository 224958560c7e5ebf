"""README.md of the output: a dataset card that the Hugging Face Hub and `datasets` understand.

Invariants: `load_dataset(OUT)` sees exactly the data shards of committed generations, because the card lists them one by one
(a folder or a pattern would take in shards whose commit never came); rejected/, ledger/ and quarantine/ are in no config;
nothing from outside is markup (strings are code spans without backticks, or escaped). YAML strings are quoted, since the Hub
reads YAML 1.1, where a bare `no` (Norwegian) is false. Source: https://huggingface.co/docs/hub/datasets-cards.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline import schema
from pipeline.records.metrics_json import Metrics
from pipeline.records.savings_json import Savings
from pipeline.report.compute import statement
from pipeline.report.compute.statement import Statement
from pipeline.text import numbers
from pipeline.text.markdown import LONGEST, block, code, escaped, table
from pipeline.text.visible import visible

COLUMNS = {
    "id": "The input's id, or 32 hex digits of a hash of `source_ref` where it had none. Ids may repeat.",
    "text": "The document, after normalisation and the plan's edits.",
    "url": "Where the document came from, if the input said so.",
    "date": "Its date as the input gave it.",
    "source": "Name of the input that it was read from.",
    "source_ref": "File and row that it was read from; unique within a generation.",
    "language": "Language code; null where the language filter was off.",
    "language_script": "Script of the text (ISO 15924), such as Latn.",
    "language_score": "Confidence in `language`, 0 to 1.",
    "quality_score": "Score of the quality model, 0 to 1.",
    "toxicity_score": "Score of the toxicity model, 0 to 1; higher is more toxic.",
    "n_bytes": "UTF-8 bytes of `text`.",
    "token_count": "Tokens of `text` by the plan's tokenizer; null without one.",
    "minhash_cluster_size": "Documents that this one stands for, itself included, as of its generation.",
    "metadata": "JSON object of the input's other columns, keys sorted.",
}

COUNTED = "Sources that hold a copy of this document, its own included, as of its generation."
"""What `source_count` is, where the plan asks for it."""

_SIZES = [f"{number}{unit}" for unit in "KMB" for number in (1, 10, 100)] + ["1T"]
_NOT_LANGUAGES = {"mis", "mul", "und", "zxx"}
"""ISO 639-3's codes for undetermined and the like; no language of a dataset."""


def render(
    metrics: Metrics,
    *,
    files_by_folder: dict[str, list[str]],
    languages: list[str],
    name: str,
    plan_yaml: str,
    licence: str | None,
    counts_sources: bool = False,
    items: Sequence[str] = (),
    savings: Savings | None = None,
) -> str:
    """The card. `files_by_folder`: folder → paths relative to OUT, of every live generation, as the manifests name them.

    `languages`: codes of kept documents, others than two- and three-letter ones are passed over; `plan_yaml`: the plan to
    show; `licence`: the Hub's identifier, if the user gave one; `counts_sources`: data/ has `source_count`; `items`: what became
    of the items of evaluation sets that were found, as parts of a sentence, empty where none was looked for; `savings`: what
    savings.json holds, None before it was measured.
    """
    parts = [
        _front_matter(metrics, files_by_folder["data"], languages, name=name, licence=licence),
        _introduction(metrics, name),
        _loading(files_by_folder),
        _funnel(metrics),
        _compute(statement.of(metrics, savings, out=name)),
        _columns(counts_sources),
        _limits(metrics, items),
        _recipe(metrics, plan_yaml),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(metrics: Metrics, data: list[str], languages: list[str], *, name: str, licence: str | None) -> str:
    codes = sorted({code for code in languages if code and re.fullmatch("[a-z]{2,3}", code)} - _NOT_LANGUAGES)
    lines = ["---", f"pretty_name: {_quoted(name)}"]
    if licence is not None:
        lines.append(f"license: {_quoted(licence)}")
    if codes:
        lines += ["language:", *(f"- {_quoted(code)}" for code in codes)]
    lines += ["size_categories:", f"- {_quoted(size_category(metrics.all_generations.kept))}"]
    lines += ["configs:", '- config_name: "default"', "  data_files:", '  - split: "train"']
    lines += ["    path:", *(f"    - {_quoted(path)}" for path in data)] if data else ["    path: []"]
    return "\n".join([*lines, "---"])


def size_category(documents: int) -> str:
    """The Hub's word for a number of rows."""
    at = max(0, len(str(documents)) - 3)  # thousands begin with four digits
    if at >= len(_SIZES):
        return "n>1T"
    return f"{_SIZES[at - 1]}<n<{_SIZES[at]}" if at else "n<1K"


def _introduction(metrics: Metrics, name: str) -> str:
    total = metrics.all_generations
    generations = f"generation{'s' if len(metrics.live) != 1 else ''} {', '.join(str(g) for g in metrics.live)}"
    return (
        f"# {escaped(name)}\n\n"
        f"{numbers.count(total.kept)} of {numbers.counted(total.read, 'document')}, curated by Winnow with the plan"
        f" {code(metrics.plan_name)} (recipe {code(metrics.recipe_hash)}), {generations}."
        " What was dropped is in `rejected/`, why is in `ledger/`, rows that could not be read are in `quarantine/`;"
        " none of these belongs to the dataset, nor into a copy that is published: `winnow export hub` uploads `data/` and this"
        " card alone. Charts and costs are in `report.html`, which quotes documents, numbers in `metrics.json`."
    )


def _loading(files_by_folder: dict[str, list[str]]) -> str:
    shards = numbers.count(len(files_by_folder["data"]))
    return (
        "## Loading\n\n"
        "```python\n"
        "from datasets import load_dataset\n\n"
        'dataset = load_dataset("PATH OR HUB NAME", split="train").shuffle(seed=0)\n'
        "```\n\n"
        f"The `default` config lists the committed shards one by one ({shards} now). A reader that"
        " takes `data/*.parquet` instead may see a generation that is being written, or one that was replaced."
    )


def _funnel(metrics: Metrics) -> str:
    read = metrics.totals.read
    rows = [
        (code(line.label), numbers.count(line.documents), numbers.share(abs(line.documents), read), numbers.size(line.bytes))
        for line in metrics.funnel
    ]
    head = [f"## What was removed in generation {metrics.generation}", ""]
    notes = ["", "Bytes are as read; those of the final text as written. A document counts for the first rule that it failed."]
    return "\n".join([*head, *table(("step", ">documents", ">share of read", ">bytes"), rows), *notes])


def _compute(closing: Statement) -> str:
    own = [said for said in closing.sentences() if said != closing.finding]
    lines = ["## Compute", "", *(f"- {said}" for said in own), *([f"- {escaped(closing.finding)}"] if closing.finding else [])]
    if closing.command:
        todo = code(closing.command, limit=LONGEST)
        lines += ["", f"{closing.todo}, in the folder that holds this one: {todo}"]
    return "\n".join(lines)


def _columns(counts_sources: bool) -> str:
    rows = [(f"`{f.name}`", f"{f.type}{' or null' if f.nullable else ''}", COLUMNS[f.name]) for f in schema.DATA]
    rows += [(f"`{schema.SOURCE_COUNT.name}`", str(schema.SOURCE_COUNT.type), COUNTED)] if counts_sources else []
    return "\n".join(["## Columns", "", *table(("column", "type", "what it is"), rows)])


def _limits(metrics: Metrics, items: Sequence[str]) -> str:
    dedup = (
        "Duplicates were not looked for."
        if metrics.duplicates is None
        else ("Near duplicates are found by MinHash, which misses some pairs; `report.html` has the detection table.")
    )
    lines = [
        "Shards are in archive order, not shuffled: shuffle before training.",
        "A score is null where its filter was off, its model does not cover the language, or the document was dropped before"
        " that tier.",
        "`minhash_cluster_size` is as of the document's generation and does not grow with later ones.",
        dedup,
        "Masks cover only what the plan names (such as e-mail and IP addresses): other personal data may be left.",
        _evaluations(items),
        "Rules and models err: `rejected/` and `ledger/` show every decision.",
        "Fewer bytes are not a compute saving by themselves: that is measured at equal quality, see Compute.",
    ]
    return "\n".join(["## Limits", "", *(f"- {line}" for line in lines)])


def _evaluations(items: Sequence[str]) -> str:
    if not items:
        return "Items of evaluation sets were not looked for."
    became = " and ".join(items)
    return f"Items of evaluation sets were looked for by their words, and {became}: rephrased and translated ones are not found."


def _recipe(metrics: Metrics, plan_yaml: str) -> str:
    versions = ", ".join(f"{code(package)} {code(version)}" for package, version in metrics.versions.items())
    return f"## Recipe\n\n{block(plan_yaml, 'yaml')}\n\nMade with {versions} on {code(metrics.architecture)}."


def _quoted(text: str) -> str:
    """A YAML double-quoted string."""
    return '"' + visible(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
