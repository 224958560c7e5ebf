"""dolma 1.2.1: what its taggers gopher_v1 and c4_v1 say of each document, and what they cost."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from dolma.core.data_types import Document
from dolma.taggers.c4 import C4Tagger
from dolma.taggers.gopher import GopherTagger

LIMITS = {
    "word_count": (50, 100_000),
    "median_word_length": (3, 10),
    "symbol_to_word_ratio": (None, 0.1),
    "fraction_of_words_with_alpha_character": (0.8, None),
    "required_word_count": (2, None),
    "fraction_of_lines_starting_with_bullet_point": (None, 0.9),
    "fraction_of_lines_ending_with_ellipsis": (None, 0.3),
    "fraction_of_duplicate_lines": (None, 0.3),
    "fraction_of_characters_in_duplicate_lines": (None, 0.3),
    **{f"fraction_of_characters_in_most_common_{n}grams": (None, limit) for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16))},
    **{
        f"fraction_of_characters_in_duplicate_{n}grams": (None, limit)
        for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1))
    },
}
"""configs/dolma-v1_6/mixing/cc-head.yaml: excluded below the first, above the second; n-grams named as the tagger names them."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("input", type=Path, help="JSONL with id and text")
    options.add_argument("--output", type=Path, required=True)
    chosen = options.parse_args()
    documents = []
    for line in chosen.input.read_text("utf-8").splitlines():
        given = json.loads(line)
        documents.append(Document(source="parity", id=given["id"], text=given["text"]))
    gopher, c4 = GopherTagger(), C4Tagger()
    start = time.process_time()
    tagged = [(gopher.predict(document), c4.predict(document)) for document in documents]
    cost = {"bytes": sum(len(d.text.encode()) for d in documents), "cpu_s": time.process_time() - start}
    rows = [row(d, *results) for d, results in zip(documents, tagged, strict=True)]
    chosen.output.write_text(json.dumps({"rows": rows, "cost": cost}))


def row(document: Document, gopher: object, c4: object) -> dict[str, object]:
    """The exclusions that the configuration makes of the tagger's figures, and C4's marks."""
    scores = {span.type: span.score for span in gopher.spans}  # type: ignore[attr-defined]
    fails = {}
    for name, (low, high) in LIMITS.items():
        value = scores.get(name)
        if low is not None:
            fails[f"gopher.{name}.low"] = value is not None and value < low
        if high is not None:
            fails[f"gopher.{name}.high"] = value is not None and value > high
    kinds = [span.type for span in c4.spans]  # type: ignore[attr-defined]
    for name in ("has_javascript", "has_lorem_ipsum", "has_curly_brace"):
        fails[f"c4.{name}"] = name in kinds
    counts = {name: kinds.count(name) for name in ("lines_with_no_ending_punctuation", "lines_with_too_few_words")}
    return {"id": document.id, "fails": fails, "values": scores, "counts": counts}


if __name__ == "__main__":
    main()
