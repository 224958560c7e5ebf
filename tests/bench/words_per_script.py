"""How many characters of a script without spaces say as much as one English word: the figures of `gopher_quality.CHARS_PER_WORD`.

The Universal Declaration of Human Rights is one text in all languages, and `lid_eval` has its articles as paragraphs, whose ids
name the translation and the article (`udhr:<translation>:<article>`), and clauses of 20 to 200 characters as sentences
(`<article>:<number>`). For each script: its letters and marks in a translation, summed over the passages that English has too /
`len(text.split())` of these in English. A passage is a whole article, or a clause of an article that the two do not share;
articles that were cut at 1,500 characters are left out. Kana is what is left of Japanese words after Han at its own figure.

Spread: the figures of single passages at the 10th and the 90th percentile, the figures of single translations, and the figure
by French, German and Russian words.

    python -m tests.bench.words_per_script
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from pathlib import Path

import pyarrow as pa

from filters.gopher_quality import CHARS_PER_WORD
from filters.kernels import buffers
from filters.kernels.words import facts
from tests.bench.throughput import DEFAULT_DATA

SCRIPTS = {
    "han": ("cmn_hans", "cmn_hant", "cmn_hans_nanjing", "cmn_hans_tianjin", "cmn_hans_beijing"),
    "kana": ("jpn", "jpn_tokyo", "jpn_osaka"),
    "thai": ("tha", "tha2"),
    "lao": ("lao",),
    "khmer": ("khm",),
    "myanmar": ("mya",),
    "tibetan": ("bod", "dzo"),
}
ENGLISH, OTHERS = "eng", {"French": "fra", "German": "deu_1996", "Russian": "rus"}
CUT = 1500  # characters at which lid_eval cuts an article


def articles(data: Path) -> dict[str, dict[str, str]]:
    """Text by translation and article (or clause) of the Declaration."""
    found: dict[str, dict[str, str]] = {}
    with gzip.open(data / "lid_eval" / "lid.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            if row["source"] == "udhr" and len(row["text"]) < CUT:
                _, translation, *part = row["id"].split(":")
                found.setdefault(translation, {})[":".join(part)] = row["text"]
    return found


def counts(texts: list[str]) -> facts.TextFacts:
    return facts.text_facts(*buffers.views(pa.array(texts, pa.large_string())))


def chars(script: str, texts: list[str]) -> list[float]:
    """Characters of the script in each text; of kana, after Han has taken its words, per word that is left."""
    return getattr(counts(texts), f"n_{script}").tolist()


def pairs(found: dict[str, dict[str, str]], translation: str, other: str) -> list[tuple[str, str]]:
    """Each passage of a translation, with the same one in another."""
    own, theirs = found.get(translation, {}), found.get(other, {})
    shared = own.keys() & theirs.keys()
    whole = {part for part in shared if ":" not in part}
    return [(own[part], theirs[part]) for part in sorted(shared) if part in whole or part.partition(":")[0] not in whole]


def figure(script: str, both: list[tuple[str, str]]) -> tuple[float, list[float]]:
    """`(characters a word, the same of each article)`; kana: after Han at CHARS_PER_WORD."""
    own, words = chars(script, [text for text, _ in both]), [float(len(text.split())) for _, text in both]
    if script == "kana":
        words = [n - han / CHARS_PER_WORD["han"] for n, han in zip(words, chars("han", [text for text, _ in both]), strict=True)]
    return sum(own) / sum(words), [n / m for n, m in zip(own, words, strict=True) if m > 0]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    if not (chosen.data / "lid_eval").is_dir():
        raise SystemExit(f"no {chosen.data / 'lid_eval'}: set WINNOW_EVAL_DATA to a folder with lid_eval/lid.jsonl.gz")
    found = articles(chosen.data)
    for script, translations in SCRIPTS.items():
        by_translation = {name: pairs(found, name, ENGLISH) for name in translations}
        both = [pair for some in by_translation.values() for pair in some]
        here, each = figure(script, both)
        size, words = sum(chars(script, [text for text, _ in both])), sum(len(text.split()) for _, text in both)
        each = sorted(each)
        low, high = each[len(each) // 10], each[-1 - len(each) // 10]
        print(
            f"{script:<8} {here:5.2f} a word (in use {CHARS_PER_WORD[script]}): {size:.0f} characters / {words:,} English words",
            end="",
        )
        print(f" in {len(both)} passages; passages {low:.2f} to {high:.2f}")
        single = ", ".join(f"{name} {figure(script, some)[0]:.2f}" for name, some in by_translation.items() if some)
        others = []
        for language, name in OTHERS.items():
            same = [pair for own in translations for pair in pairs(found, own, name)]
            others.append(f"{language} {figure(script, same)[0]:.2f}")
        print(f"         {single}; by {', '.join(others)}")


if __name__ == "__main__":
    main()
