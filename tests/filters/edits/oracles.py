"""The line edits in plain Python, one text at a time: what the kernels are held to, written after the published code.

`c4` follows datatrove 0.10.1 `filters/c4_filters.py` and, with `whole`, dolma 1.2.1 `taggers/c4.py`; `refinedweb` follows
mlfoundations/dclm `baselines/mappers/modifiers.py` in the order of `dclm_baseline_refinedweb.yaml`; `repeats` is ours.
"""

from __future__ import annotations

import re

from filters.kernels.lines import c4_lines, refinedweb_lines
from filters.kernels.lines.refinedweb_phrases import PHRASE_WORDS

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")


def c4(text: str, rules: c4_lines.LineRules) -> str:
    if rules.whole:
        pieces = text.split("\n")
        lines = [f"{line}\n" for line in pieces[:-1]] + pieces[-1:]
    else:
        lines = [line.strip() for line in text.splitlines()]
    kept = [made for line in lines if (made := c4_line(line, rules)) is not None]
    return "".join(kept) if rules.whole else "\n".join(kept).strip()


def c4_line(line: str, rules: c4_lines.LineRules) -> str | None:
    words = line.split()
    if rules.max_word_length and any(len(word) > rules.max_word_length for word in words):
        return None
    if rules.citations:
        line = CITATION.sub("", line)
    end = line.strip() if rules.whole else line
    marks = (".", "?", "!", '"') if rules.whole else (".", "?", "!", '"', "'")
    if rules.punctuation and (not end.endswith(marks) or (end.endswith("...") and not rules.whole)):
        return None
    if len(words) < rules.min_words:
        return None
    lower = line.lower()
    if "lorem ipsum" in lower:  # drops the document
        return line
    if rules.javascript and "javascript" in lower:
        return None
    if "{" in line:  # drops the document
        return line
    if rules.policy and any(phrase in lower for phrase in c4_lines.POLICY):
        return None
    return line


COUNTER = re.compile(rf"^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:{'|'.join(refinedweb_lines.COUNTED)})\W*$")


def refinedweb(text: str, rules: refinedweb_lines.LineRules) -> str:
    if rules.newlines:
        text = re.sub(r"\n{3,}", "\n\n", text)
    lines = [line for line in text.split("\n") if not line or sum(map(str.isupper, line)) / len(line) <= rules.max_capitals]
    # Of the line as it stands: DCLM strips the ends of the text first (said in filters/edits/refinedweb_lines.py).
    lines = [line for line in lines if not line or sum(map(str.isdigit, line)) / len(line) <= rules.max_digits]
    lines = [line for line in _strip(lines) if not (rules.counters and COUNTER.search(line.lower()))]
    lines = [line for line in _strip(lines) if len(line.split()) >= rules.min_words or not line]
    if rules.phrases:
        for pattern in (r"\s?(?:[iI][tT][eE][mM][sS] [iI][nN] [cC][aA][rR][tT])", r"\s?(?:[rR][eE][aA][dD] [mM][oO][rR][eE]...)$",
                        r"^(?:[sS][iI][gG][nN]-[iI][nN])\s?"):  # fmt: skip
            lines = _strip(_without(lines, re.compile(pattern)))
    return "\n".join(lines).strip()


def _strip(lines: list[str]) -> list[str]:
    return "\n".join(lines).strip().split("\n")


def _without(lines: list[str], pattern: re.Pattern[str]) -> list[str]:
    kept = []
    for line in lines:
        made = pattern.sub("", line) if len(line.split()) <= PHRASE_WORDS else line
        if len(line.split()) <= PHRASE_WORDS and line and not made.strip():
            continue
        kept.append(made)
    return kept


def repeats(text: str, min_chars: int) -> str:
    known: set[str] = set()
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    kept: list[str] = []
    gone = False
    while lines:
        if not lines[0].strip():
            kept += [] if gone else lines[:1]
            del lines[0]
            continue
        n = next((k for k, line in enumerate(lines) if not line.strip()), len(lines))
        paragraph, lines = lines[:n], lines[n:]
        block = "".join(paragraph).strip()
        gone = True
        if len(block) >= min_chars and block in known:
            continue
        if len(block) >= min_chars:
            known.add(block)
        for line in paragraph:
            if len(paragraph) > 1 and len(line.strip()) >= min_chars:
                if line.strip() in known:
                    continue
                known.add(line.strip())
            gone = False
            kept.append(line)
    return "".join(kept)
