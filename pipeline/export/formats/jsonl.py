"""JSON Lines: the columns of data/, a document a line, `metadata` as an object. For trainers that tokenise themselves."""

from __future__ import annotations

from pipeline.export.formats.contract import Format, Raw, nothing

FORMAT = Format("jsonl", ".jsonl", "trainers that tokenise themselves: a document a line", Raw, nothing, lines=True)
