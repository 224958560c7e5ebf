"""spaCy 3.8's tokeniser for English in plain Python: the oracle of `filters.kernels.words.spacy_cuts`.

The patterns are those of `lang/punctuation.py`, `lang/en/punctuation.py` and `lang/tokenizer_exceptions.py` (URL_PATTERN), over
the classes of filters/data/spacy_english.json; the loops are those of `tokenizer.pyx`. What differs is said in `spacy_cuts`.
"""

from __future__ import annotations

import re
from itertools import pairwise

from filters.kernels.words.spacy_cuts import LONGEST_PIECE
from filters.kernels.words.spacy_rules import EXCEPTIONS, RULES, UNITS


def _class(name: str) -> str:
    """The members of a class, as they stand in brackets."""
    spans = (re.fullmatch(r"(\w+)(?:-(\w+))?(?:/(\d))?", span) for span in RULES[name].split())
    points = ((int(s[1], 16), int(s[2] or s[1], 16), int(s[3] or 1)) for s in spans if s)
    parts = []
    for first, last, step in points:
        if step == 1:
            parts.append(f"\\U{first:08X}-\\U{last:08X}")
        else:
            parts += [f"\\U{point:08X}" for point in range(first, last + 1, step)]
    return "".join(parts)


A, AL, AU, ICONS = (_class(name) for name in ("alpha", "lower", "upper", "icons"))
LIST_PUNCT, LIST_QUOTES, LIST_CURRENCY = ([re.escape(item) for item in RULES[n]] for n in ("punctuation", "quotes", "currency"))
LIST_ELLIPSES, LIST_ICONS = [r"\.\.+", "…"], [f"[{ICONS}]"]
PUNCT, CURRENCY, UNIT = "|".join(LIST_PUNCT), "|".join(LIST_CURRENCY), "|".join(map(re.escape, UNITS))
Q, HYPHENS = "".join(LIST_QUOTES), "-|–|—|--|---|——|~"

PREFIXES = ["§", "%", "=", "—", "–", r"\+(?![0-9])", *LIST_PUNCT, *LIST_ELLIPSES, *LIST_QUOTES, *LIST_CURRENCY, *LIST_ICONS]
SUFFIXES = [*LIST_PUNCT, *LIST_ELLIPSES, *LIST_QUOTES, *LIST_ICONS, "'s", "'S", "’s", "’S", "—", "–"]
SUFFIXES += [
    r"(?<=[0-9])\+",
    r"(?<=°[FfCcKk])\.",
    rf"(?<=[0-9])(?:{CURRENCY})",
    rf"(?<=[0-9])(?:{UNIT})",
    rf"(?<=[0-9{AL}%²\-\+{PUNCT}(?:{Q})])\.",
    rf"(?<=[{AU}][{AU}])\.",
]
INFIXES = [
    *LIST_ELLIPSES,
    *LIST_ICONS,
    r"(?<=[0-9])[+\-\*^](?=[0-9-])",
    rf"(?<=[{AL}{Q}])\.(?=[{AU}{Q}])",
    rf"(?<=[{A}]),(?=[{A}])",
    rf"(?<=[{A}0-9])(?:{HYPHENS})(?=[{A}])",
    rf"(?<=[{A}0-9])[:<>=/](?=[{A}])",
]
PREFIX = re.compile("|".join(f"^{part}" for part in PREFIXES))
SUFFIX = re.compile("|".join(f"{part}$" for part in SUFFIXES))
INFIX = re.compile("|".join(INFIXES))
HOST = "A-Za-z0-9\u00a1-\uffff"
URL = re.compile(
    r"^(?:(?:[\w\+\-\.]{2,})://)?(?:\S+(?::\S*)?@)?(?:"
    r"(?!(?:10|127)(?:\.[0-9]{1,3}){3})(?!(?:169\.254|192\.168)(?:\.[0-9]{1,3}){2})(?!172\.(?:1[6-9]|2[0-9]|3[0-1])(?:\.[0-9]{1,3}){2})"
    r"(?:[1-9][0-9]?|1[0-9][0-9]|2[01][0-9]|22[0-3])(?:\.(?:1?[0-9]{1,2}|2[0-4][0-9]|25[0-5])){2}"
    r"(?:\.(?:[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-4]))"
    rf"|(?:(?:[{HOST}][{HOST}_-]{{0,62}})?[{HOST}]\.)+(?:[{AL}]{{2,63}}))(?::[0-9]{{2,5}})?(?:[/?#]\S*)?$"
)
SPECIAL = {exception.replace(" ", ""): exception.split(" ") for exception in EXCEPTIONS}
AFFIXED = {text for text in SPECIAL if PREFIX.search(text) or SUFFIX.search(text) or INFIX.search(text)}


def cut(text: str) -> list[str]:
    """The tokens of a text."""
    return [token for piece in text.split() for part in _short(piece) for token in _joined(_cut(part))]


def _short(piece: str) -> list[str]:
    """The piece, in parts of LONGEST_PIECE bytes where it is longer."""
    parts, size = [""], 0
    for char in piece:
        size += len(char.encode())
        if size > LONGEST_PIECE:
            parts, size = [*parts, ""], len(char.encode())
        parts[-1] += char
    return parts


def _cut(string: str) -> list[str]:
    """`_split_affixes` and `_attach_tokens`."""
    prefixes, suffixes = [], []
    while string and string not in SPECIAL:
        found = PREFIX.search(string)
        before = len(found[0]) if found else 0
        if before and string[before:] in SPECIAL:
            prefixes.append(string[:before])
            string = string[before:]
            break
        found = SUFFIX.search(string[before:])
        after = len(found[0]) if found else 0
        if after and string[:-after] in SPECIAL:
            suffixes.append(string[-after:])
            string = string[:-after]
            break
        if not before and not after:
            break
        if before:
            prefixes.append(string[:before])
        if after:
            suffixes.append(string[-after:])
        string = string[before : len(string) - after]
    return [*prefixes, *_middle(string), *reversed(suffixes)]


def _middle(string: str) -> list[str]:
    if string in SPECIAL:
        return SPECIAL[string]
    if not string or URL.match(string):
        return [string] if string else []
    ends = [end for found in INFIX.finditer(string) if found.start() for end in found.span()]
    return [string[a:b] for a, b in pairwise([0, *ends, len(string)]) if a < b]


def _joined(tokens: list[str]) -> list[str]:
    """`_apply_special_cases`: the exceptions that came apart, the longest first; a token takes part once, taken or not."""
    spans = [
        (a, b) for a in range(len(tokens)) for b in range(a + 2, min(a + 7, len(tokens)) + 1) if "".join(tokens[a:b]) in AFFIXED
    ]
    seen: set[int] = set()
    chosen = {}
    for a, b in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        if a not in seen and b - 1 not in seen:
            chosen[a] = b
        seen |= set(range(a, b))
    found, at = [], 0
    while at < len(tokens):
        end = chosen.get(at, at + 1)
        found += SPECIAL["".join(tokens[at:end])] if at in chosen else [tokens[at]]
        at = end
    return found
