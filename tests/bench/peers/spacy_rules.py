"""Writes filters/data/spacy_english.json from an installed spaCy: run it with the interpreter of the datatrove environment.

    ~/.cache/winnow/bench-datatrove/bin/python tests/bench/peers/spacy_rules.py

Everything is read from spaCy's `lang/char_classes.py`, `lang/punctuation.py`, `lang/tokenizer_exceptions.py` and
`lang/en/tokenizer_exceptions.py`; nothing is fitted to text.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import spacy
from spacy.lang import char_classes
from spacy.lang.en.tokenizer_exceptions import TOKENIZER_EXCEPTIONS
from spacy.symbols import ORTH

TARGET = Path(__file__).resolve().parents[3] / "filters" / "data" / "spacy_english.json"


def spans(members: str) -> str:
    """The code points of a character class of a pattern, in hexadecimal: `first-last`, `/2` where every other one is meant."""
    found = re.compile(f"[{members}]")
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000 and found.match(chr(point))]
    parts, at = [], 0
    while at < len(points):
        best = (1, 1)
        for step in (1, 2):
            last = at
            while last + 1 < len(points) and points[last + 1] - points[last] == step:
                last += 1
            best = max(best, (last - at + 1, -step))
        count, step = best[0], abs(best[1])
        if step == 2 and count < 3:
            count = 1
        first = f"{points[at]:04X}"
        parts.append(first if count == 1 else f"{first}-{points[at + count - 1]:04X}" + ("/2" if step == 2 else ""))
        at += count
    return " ".join(parts)


def unescaped(items: list[str]) -> list[str]:
    return [item.replace("\\", "") for item in items if item]


def main() -> None:
    # White space and what holds it are no words to datatrove, which strips tokens and drops empty ones.
    exceptions = {text: [token[ORTH] for token in rule] for text, rule in TOKENIZER_EXCEPTIONS.items() if text.split() == [text]}
    cuts = spacy.blank("en").tokenizer
    affixed = {text for text in exceptions if cuts.find_prefix(text) or cuts.find_infix(text) or cuts.find_suffix(text)}
    rules = {
        "source": f"spaCy {spacy.__version__} (MIT licence, github.com/explosion/spaCy), spacy/lang: char_classes.py, "
        "tokenizer_exceptions.py, en/tokenizer_exceptions.py. Classes are code points in hexadecimal, first-last, /2 for every "
        "other one. An exception is the text that it stands for, with a space wherever it is cut; affixed ones "
        "hold a prefix, suffix or infix.",
        "alpha": spans(char_classes.ALPHA),
        "lower": spans(char_classes.ALPHA_LOWER),
        "upper": spans(char_classes.ALPHA_UPPER),
        "icons": spans(char_classes.ICONS),
        "punctuation": unescaped(char_classes.LIST_PUNCT),
        "quotes": unescaped(char_classes.LIST_QUOTES),
        "currency": unescaped(char_classes.LIST_CURRENCY),
        "units": unescaped(char_classes.LIST_UNITS),
        "exceptions": sorted(" ".join(tokens) for text, tokens in exceptions.items() if text not in affixed),
        "affixed_exceptions": sorted(" ".join(exceptions[text]) for text in affixed),
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in rules.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
