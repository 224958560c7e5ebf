"""datatrove 0.10.1: what each rule of its Gopher, C4 and FineWeb filters decides of each document, and what they cost.

A filter stops at a document's first failure, so each rule is asked alone: its filter is made with the other rules off. Words
and sentences are cut once a document for that (the filters' own functions, remembered). Costs are taken apart from that, on
the first documents, with the filters as a pipeline calls them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

LANGUAGES = {"en": "eng", "de": "deu", "fr": "fra", "es": "spa", "ru": "rus", "tr": "tur", "it": "ita", "pt": "por", "nl": "nld"}
LANGUAGES |= {"sv": "swe", "pl": "pol", "fi": "fin", "uk": "ukr"}
"""Others are cut as English, as FineWeb does; Chinese and Japanese need packages of their own."""
EXAMPLES = 6
QUALITY = ("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length", "max_symbol_word_ratio")
QUALITY += ("max_bullet_lines_ratio", "max_ellipsis_lines_ratio", "max_non_alpha_words_ratio", "min_stop_words")
FINEWEB = {"line_punct_thr": -1.0, "short_line_thr": 2.0, "char_duplicates_ratio": 2.0, "new_line_ratio": float("inf")}


def rules(language: str) -> dict[str, Callable[[Document], bool]]:
    """Rule → a function that says whether the document fails it."""
    made: dict[str, Callable[[Document], bool]] = {}

    def add(name: str, filter_: object, reason: str | None = None) -> None:
        def fails(document: Document) -> bool:
            answer = filter_.filter(document)  # type: ignore[attr-defined]
            kept, why = answer if isinstance(answer, tuple) else (answer, None)
            return not kept and (reason is None or why == reason)

        made[name] = fails

    off = dict.fromkeys(QUALITY)
    defaults = {name: getattr(GopherQualityFilter(), name) for name in QUALITY}
    for name in QUALITY:
        one = GopherQualityFilter(**{**off, name: defaults[name]}, language=language)
        if name != "max_symbol_word_ratio":
            add(f"quality.{name}", one)
    add("quality.hashes", _Symbols(language, "#"))
    add("quality.ellipses", _Symbols(language, "..."))
    none = {"dup_line_frac": None, "dup_para_frac": None, "dup_line_char_frac": None, "dup_para_char_frac": None}
    nothing = {**none, "top_n_grams": (), "dup_n_grams": (), "language": language}
    for name, limit in {"dup_line_frac": 0.3, "dup_para_frac": 0.3, "dup_line_char_frac": 0.2, "dup_para_char_frac": 0.2}.items():
        add(f"repetition.{name}", GopherRepetitionFilter(**{**nothing, name: limit}))
    for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16)):
        add(f"repetition.top_{n}", GopherRepetitionFilter(**{**nothing, "top_n_grams": ((n, limit),)}))
    for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1)):
        add(f"repetition.dup_{n}", GopherRepetitionFilter(**{**nothing, "dup_n_grams": ((n, limit),)}))
    for name, value in {
        "line_punct_thr": 0.12,
        "short_line_thr": 0.67,
        "char_duplicates_ratio": 0.01,
        "new_line_ratio": 0.3,
    }.items():
        add(f"fineweb.{name}", FineWebQualityFilter(**{**FINEWEB, name: value}, language=language))
    add("c4.lorem_ipsum", C4QualityFilter(min_num_sentences=-1, filter_curly_bracket=False, language=language))
    add("c4.curly_bracket", C4QualityFilter(min_num_sentences=-1, filter_lorem_ipsum=False, language=language))
    add("c4.sentences", C4QualityFilter(filter_lorem_ipsum=False, filter_curly_bracket=False, language=language))
    return made


class _Symbols:
    """One of the two ratios that share a threshold: the other symbol is taken out of the text before the filter counts."""

    def __init__(self, language: str, symbol: str) -> None:
        self.symbol = symbol
        self.one = GopherQualityFilter(**{**dict.fromkeys(QUALITY), "max_symbol_word_ratio": 0.1}, language=language)

    def filter(self, document: Document) -> bool | tuple[bool, str]:
        answer = self.one.filter(document)
        if answer is True or answer[1] == ("gopher_too_many_hashes" if self.symbol == "#" else "gopher_too_many_ellipsis"):
            return answer
        if self.symbol == "#":  # hashes are looked at first: the other failure means that these pass
            return True
        n = len(gopher_quality_filter.split_into_words(document.text, self.one.language))
        return (document.text.count("...") + document.text.count("…")) / n <= 0.1, "gopher_too_many_ellipsis"


def remember() -> None:
    """Each document is cut into words and sentences once, whatever filter asks."""
    for module in (c4_filters, fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
        for name in ("split_into_words", "split_into_sentences"):
            if hasattr(module, name):
                setattr(module, name, REMEMBERED[name])


def _remembered() -> dict[str, Callable[..., list[str]]]:
    words = lru_cache(maxsize=2)(gopher_quality_filter.split_into_words)
    sentences = lru_cache(maxsize=100_000)(c4_filters.split_into_sentences)
    return {"split_into_words": words, "split_into_sentences": sentences}


REMEMBERED = _remembered()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("input", type=Path, help="JSONL with id, language and text")
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--timed-bytes", type=int, default=4_000_000, help="of text, for the costs")
    chosen = options.parse_args()
    rows = [json.loads(line) for line in chosen.input.read_text("utf-8").splitlines() if line]
    cost = costs(rows, chosen.timed_bytes)
    remember()
    by_language: dict[str, dict[str, Callable[[Document], bool]]] = {}
    answers = []
    for row in rows:
        language = LANGUAGES.get(row["language"], "eng")
        if language not in by_language:
            by_language[language] = rules(language)
        REMEMBERED["split_into_sentences"].cache_clear()  # type: ignore[attr-defined]
        fails = {}
        for name, rule in by_language[language].items():
            fails[name] = bool(rule(Document(text=row["text"], id=row["id"])))
        edited = Document(text=row["text"], id=row["id"])
        kept = C4QualityFilter(min_num_sentences=-1, language=language).filter(edited)
        digest = blake2b(edited.text.encode(), digest_size=8).hexdigest() if kept is True else None
        answers.append({"id": row["id"], "fails": fails, "c4_text": digest, "words": apart(row["text"], language)})
    chosen.output.write_text(json.dumps({"rows": answers, "cost": cost}))


def apart(text: str, language: str) -> list[list[str]]:
    """The most frequent words that only the language's tokeniser finds, and those that only the English one does."""
    if language == "eng":
        return [[], []]
    own, english = (Counter(gopher_quality_filter.split_into_words(text, name)) for name in (language, "eng"))
    return [[word for word, _ in left.most_common(EXAMPLES)] for left in (own - english, english - own)]


def costs(rows: list[dict[str, str]], limit: int) -> dict[str, float]:
    """CPU-seconds of the four filters over the first documents, with their words and sentences cut by each as in a pipeline."""
    filters = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(filter_no_terminal_punct=False)]
    filters.append(FineWebQualityFilter())
    for filter_ in filters:
        filter_.filter(Document(text="A first text, so that models are loaded. " * 20, id=""))
    size = 0
    start = time.process_time()
    for row in rows:
        for filter_ in filters:
            filter_.filter(Document(text=row["text"], id=row["id"]))
        size += len(row["text"].encode())
        if size >= limit:
            break
    return {"bytes": size, "cpu_s": time.process_time() - start}


if __name__ == "__main__":
    main()
