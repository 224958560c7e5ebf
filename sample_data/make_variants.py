"""Make the sample input from the originals: rows with variants of known fate in three files, and `fates.json`.

Invariant: the same originals give the same rows, byte for byte before compression. Every variant is checked against its
intention (exact, near or apart), and every expected fate is found by comparing all pairs of rows in plain Python, without
the kernels, hashes or bands that the pipeline uses, so that the pipeline can be tested against it. The definitions are
those of CONTRIBUTING.md, "Duplicate, defined".

    python sample_data/make_variants.py            rewrite input/ and fates.json
    python sample_data/make_variants.py --check    write nothing; exit 1 if what is there differs
"""

from __future__ import annotations

import argparse
import gzip
import io
import itertools
import json
import math
import random
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
WEB, BOOKS, NEWS = "web.jsonl.gz", "books.parquet", "news.jsonl.gz"
SEED = 20260101

THRESHOLD = 0.8
FORBIDDEN = (0.72, 0.86)
"""No pair of rows may be as similar as this, so that no expected fate hangs on the recall of a signature scheme."""
CHAIN_ENDS = (0.72, 0.78)
"""The one exception: where A~B and B~C are at least 0.86, A and C cannot be below 0.72 (1 - Jaccard is a metric)."""

BY_MODELS = ("toxicity", "quality", "spam")
"""Fates that models should find: they err, so a test counts how often."""
NOT_JUDGED_HERE = ("repetition", *BY_MODELS)
"""Fates that this script cannot check, and that get no variants."""
RULE_FATES = (
    "too_few_words",
    "mean_word_length",
    "symbols",
    "bullets",
    "ellipsis_lines",
    "few_letters",
    "few_stop_words",
)

# ---------------------------------------------------------------------------------------------- definitions

_OWN_WORD = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"(?=\w)[{_OWN_WORD}]|(?:(?![{_OWN_WORD}])\w)+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f]")
_SENTENCE_END = re.compile(r'(?<=[.!?؟।])(["”»)]?)\s+(?=\S)|(?<=[。！？])(?=[^」』\s])')


def source_text(text: str) -> str:
    """LF line ends, no leading BOM, no C0 controls but tab and newline, NFC."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))


def exact_key(text: str) -> str:
    return re.sub(r"\s+", " ", source_text(text)).strip()


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(source_text(text).lower())
    return frozenset(zip(*(words[i:] for i in range(5)), strict=False))


def similarity(a: str, b: str) -> float:
    one, two = shingles(a), shingles(b)
    return len(one & two) / len(one | two) if one | two else 0.0


def gopher_fate(text: str, *, english: bool = True) -> str | None:
    """The first Gopher quality rule (Rae et al. 2021, A1.1) that a text fails, in the order of RULE_FATES.

    For scripts that separate words by spaces; the stop words are for English alone.
    """
    words, lines = text.split(), [line.strip() for line in text.splitlines() if line.strip()]
    if not words:
        return "empty"
    ellipses = text.count("...") + text.count("…")
    bullets = sum(line.startswith(("•", "-")) for line in lines)
    ends = sum(line.endswith(("...", "…")) for line in lines)
    letters = sum(any(c.isalpha() for c in word) for word in words)
    stop = ("the", "be", "to", "of", "and", "that", "have", "with")
    failed = (
        len(words) < 50 or len(words) > 100_000,
        not 3 <= sum(map(len, words)) / len(words) <= 10,
        max(text.count("#"), ellipses) / len(words) > 0.1,
        bullets / len(lines) > 0.9,
        ends / len(lines) > 0.3,
        letters / len(words) < 0.8,
        english and sum(bool({s, s.title(), s.upper()} & set(words)) for s in stop) < 2,
    )
    return next((fate for fate, fails in zip(RULE_FATES, failed, strict=True) if fails), None)


# ------------------------------------------------------------------------------------------------- originals


@dataclass(frozen=True, kw_only=True)
class Original:
    id: str
    lang: str
    script: str
    kind: str
    fate: str
    text: str
    url: str | None = None
    date: str | None = None
    note: str | None = None


def read_originals() -> list[Original]:
    yaml = YAML(typ="safe", pure=True)
    originals = []
    for path in sorted((HERE / "originals").glob("*.yaml")):
        originals += [_judged(Original(**entry)) for entry in yaml.load(path.read_text(encoding="utf-8"))]
    repeated = [name for name, n in Counter(o.id for o in originals).items() if n > 1]
    assert not repeated, f"ids used twice: {repeated}"
    return originals


def _judged(original: Original) -> Original:
    """The original, its stated fate checked where this script can; a rule of today goes before a filter to come."""
    assert original.fate in ("kept", "empty", *NOT_JUDGED_HERE, *RULE_FATES), f"{original.id}: fate {original.fate}"
    assert original.text == original.text.lstrip() or original.fate == "empty", f"{original.id}: starts with white space"
    if original.lang != "en" and original.script not in ("Latn", "Cyrl", "Grek"):
        return original
    found = gopher_fate(original.text, english=original.lang == "en")
    if found and original.fate in NOT_JUDGED_HERE:
        return replace(original, fate=found)
    stated = None if original.fate in ("kept", *NOT_JUDGED_HERE) else original.fate
    assert found == stated, f"{original.id}: {found}, not {stated}"
    return original


# -------------------------------------------------------------------------------------------------- variants
# A maker takes (original, rng, strength) and returns a text, or None where it has nothing to change. Strength 0 is the
# strongest edit; the caller weakens it until the variant is as similar as it should be.


def _pairs(words: str) -> dict[str, str]:
    return dict(word.split("/") for word in words.split())


_SYNONYMS = _pairs(
    """
    small/little large/big began/started quite/rather often/frequently nearly/almost people/persons house/home
    answer/reply found/discovered asked/inquired shop/store street/road evening/night morning/dawn old/aged
    small/tiny good/fine many/numerous whole/entire quick/fast stop/halt keep/hold piece/bit firm/solid
    children/youngsters wall/partition cold/chilly hot/warm long/lengthy year/season town/city village/hamlet
    work/labour made/built bread/loaves paper/sheet stone/rock said/remarked last/final should/ought
    because/since where/wherever never/seldom always/invariably day/date thing/object side/edge
    minutes/moments hour/while three/four two/five five/six ten/eleven twenty/thirty
    """
)
_NAMES = _pairs(
    """
    Monday/Tuesday Tuesday/Friday Wednesday/Monday Thursday/Saturday Friday/Sunday Saturday/Thursday
    Sunday/Wednesday
    January/March February/May April/September June/November July/February August/October October/January
    November/April December/July
    Marta/Greta Ferrin/Alder Odile/Simone Penhale/Tolland Hallow/Mercer Anna/Clara Boris/Edwin
    Osgathorpe/Winterbourne Helena/Matilda Tomasz/Leopold Bartholomew/Cornelius Amberley/Fanshawe Brook/Quarry
    Ines/Paloma Fernbridge/Oakmarket Cordelia/Philippa Anselm/Godfrey Trewick/Lorimer Westerfold/Eastermere
    Edda/Runa Marwick/Tolbeck Ellery/Halloran Rosalind/Beatrix Achterberg/Vanderlinde Hollingdale/Thornaby
    Piers/Rupert Skerray/Inverlune Tarn/Kelp Brannock/Cathaway Iseult/Morwenna Farnaby/Hawksworth
    Copper/Silver Marlhaven/Saltcombe Granary/Tannery Corrin/Gannet Wilfred/Ambrose Mill/Forge Arle/Wend
    Harbour/Castle Admiral/Colonel Sell/Combe
    """
)
_FRAMES = (
    ("Home > Reading room > Page of the week\n\n", "\n\nPrinted from the reading room. Back to the list"),
    ("You are here: archive, entry 4211\n\n", "\n\nShare this entry with a friend"),
    ("Saved copy of an older page\n\n", "\n\nEnd of the saved copy. Next entry in the list"),
)


def _joiner(text: str, positions: dict[int, str | None]) -> str:
    """`text` with the white-space separated tokens at `positions` replaced; None deletes one with the space after it."""
    parts = re.split(r"(\s+)", text)
    for position, new in positions.items():
        parts[2 * position] = "" if new is None else new
        if new is None and 2 * position + 1 < len(parts):
            parts[2 * position + 1] = ""
    return "".join(parts)


def sentences(text: str) -> list[str]:
    """The sentences with the white space that follows them: joined they are the text."""
    cuts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(cuts) if b > a]


def exact_copy(original: Original, rng: random.Random, strength: int) -> str:
    return original.text


def whitespace_copy(original: Original, rng: random.Random, strength: int) -> str | None:
    spaces = re.sub(r" +", lambda match: rng.choice((" ", " ", "  ", "\t", " \n")), original.text)
    return "\n " + spaces + rng.choice(("", "\n\n", "  \n"))


def rewrapped(original: Original, rng: random.Random, strength: int) -> str | None:
    lines: list[str] = []
    line = ""
    for word in original.text.split():
        if line and len(line) + len(word) > 58:
            lines, line = [*lines, line], ""
        line = f"{line} {word}" if line else word
    text = "\n".join([*lines, line])
    return text if text != original.text else None


def crlf_copy(original: Original, rng: random.Random, strength: int) -> str | None:
    return "\ufeff" + original.text.replace("\n", "\r\n") if "\n" in original.text else None


def control_copy(original: Original, rng: random.Random, strength: int) -> str | None:
    middle = len(original.text) // 2
    return original.text[:middle] + "\x00\x08" + original.text[middle:] + "\x1f"


def nbsp_copy(original: Original, rng: random.Random, strength: int) -> str | None:
    return original.text.replace(" ", "\u00a0", 5) if " " in original.text else None


def nfd_copy(original: Original, rng: random.Random, strength: int) -> str | None:
    text = unicodedata.normalize("NFD", original.text)
    return text if text != original.text else None


def _some_characters_less(text: str, rng: random.Random, n: int) -> str:
    """Letters left out, with their marks, of a text whose script writes no spaces."""
    places = [m.start() for m in re.finditer(r"[\u0e01-\u0e2e\u3041-\u30fe\u4e00-\u9fff]", text)]
    for place in sorted(rng.sample(places, n), reverse=True):
        after = place + 1
        while after < len(text) and unicodedata.category(text[after]) == "Mn":
            after += 1
        text = text[:place] + text[after:]
    return text


def light_edit(original: Original, rng: random.Random, strength: int) -> str | None:
    """A few words replaced; where the word list has nothing for the text, left out."""
    n = max(1, 4 - strength)
    tokens = original.text.split()
    if re.search(rf"[{_OWN_WORD}]", original.text) and len(tokens) * 8 < len(original.text):
        return _some_characters_less(original.text, rng, n)
    known = [i for i, token in enumerate(tokens) if original.lang == "en" and token in _SYNONYMS]
    if len(known) >= n:
        return _joiner(original.text, {i: _SYNONYMS[tokens[i]] for i in rng.sample(known, n)})
    plain = [i for i, token in enumerate(tokens[:-1]) if token.isalpha() and not token.istitle()]
    return _joiner(original.text, dict.fromkeys(rng.sample(plain, n)))


def truncated(original: Original, rng: random.Random, strength: int) -> str | None:
    """The last sentence is missing, or only begun, as in a page cut off by a crawler's limit."""
    if strength == 0:
        return "".join(sentences(original.text)[:-1]).rstrip() or None
    return original.text[: -math.ceil(len(original.text) * (0.13 - 0.02 * strength))].rstrip()


def framed(original: Original, rng: random.Random, strength: int) -> str | None:
    before, after = _FRAMES[strength % len(_FRAMES)]
    return before + original.text + after


def names_and_dates(original: Original, rng: random.Random, strength: int) -> str | None:
    """Other names, weekdays, months and numbers, from the first on, as many as the strength lets through."""
    found = [m for m in re.finditer(r"[A-Z]\w+|\d+", original.text) if m.group() in _NAMES or m.group().isdigit()]
    found = found[: max(0, 12 - strength)]
    text = original.text
    for match in reversed(found):
        old = match.group()
        new = _NAMES.get(old) or str(int(old) + 1 if int(old) > 99 else (int(old) % 9) + 1)
        text = text[: match.start()] + new + text[match.end() :]
    return text if found else None


def punctuation_copy(original: Original, rng: random.Random, strength: int) -> str | None:
    """Other case and punctuation, the same words in the same order: similarity 1, but no exact duplicate."""
    first, *rest = sentences(original.text)
    text = first.upper() + "".join(rest)
    text = re.sub(r",(?= )|;(?= )", lambda match: rng.choice(("", " –", match.group())), text)
    text = re.sub(r'(?<!\S)"', "“", text).replace('"', "”").replace("'", "’")
    return text if text.lower() != original.text.lower() else None


def reordered(original: Original, rng: random.Random, strength: int) -> str | None:
    paragraphs = original.text.split("\n\n")
    return "\n\n".join(paragraphs[1:] + paragraphs[:1]) if len(paragraphs) > 1 else None


def heavy_edit(original: Original, rng: random.Random, strength: int) -> str | None:
    """Many words left out all over the text: still about the same, no longer a duplicate."""
    tokens = original.text.split()
    plain = [i for i, token in enumerate(tokens[:-1]) if token.isalpha()]
    step = 9 + strength
    places = [next((i for i in plain if i >= start), None) for start in range(3, len(tokens), step)]
    changes = {i: (_SYNONYMS.get(tokens[i]) if original.lang == "en" else None) for i in places if i is not None}
    return _joiner(original.text, changes)


def abridged(original: Original, rng: random.Random, strength: int) -> str | None:
    """Every third sentence left out."""
    kept = [s for i, s in enumerate(sentences(original.text)) if i % 3 != (strength + 1) % 3]
    return "".join(kept).rstrip()


Maker = Callable[[Original, random.Random, int], "str | None"]
EXACT: tuple[Maker, ...] = (
    exact_copy,
    whitespace_copy,
    nfd_copy,
    rewrapped,
    crlf_copy,
    exact_copy,
    control_copy,
    nfd_copy,
    nbsp_copy,
)
NEAR: tuple[Maker, ...] = (light_edit, framed, truncated, light_edit, punctuation_copy, framed, reordered)
NEAR_ANY_LANGUAGE: tuple[Maker, ...] = (light_edit, truncated, reordered)
APART: tuple[Maker, ...] = (heavy_edit, abridged)

CHAINS = ("en-story-bus-seventeen", "en-encyc-lichen")
"""A, B (a sentence of A left out), C (another one left out of B): A~B~C, A not ~ C. B is dropped for A, C stays."""
HUBS = ("en-review-novel",)
"""A and C each lack another sentence of B, the longest: both are dropped for B, although A is not ~ C."""


@dataclass(kw_only=True)
class Row:
    text: str
    origin: Original
    variant: str
    base: str | None = None
    intention: str = "original"
    file: str = ""
    record: dict[str, object] = field(default_factory=dict)
    ref: str = ""


def _clear(pair: float) -> bool:
    return not FORBIDDEN[0] <= pair < FORBIDDEN[1]


def _suits(text: str, intention: str, original: Original, family: list[Row]) -> bool:
    pairs = [similarity(text, row.text) for row in family]
    near = similarity(text, original.text)
    right = {
        "exact": exact_key(text) == exact_key(original.text),
        "near": near >= FORBIDDEN[1] and exact_key(text) != exact_key(original.text),
        "apart": near < FORBIDDEN[0],
    }[intention]
    long_enough = original.lang != "en" or original.fate != "kept" or gopher_fate(source_text(text)) is None
    others = {exact_key(row.text) for row in family}
    return right and long_enough and all(map(_clear, pairs)) and (intention == "exact" or exact_key(text) not in others)


def _vary(makers: tuple[Maker, ...], intention: str, original: Original, family: list[Row], rng: random.Random) -> Row | None:
    """The first variant, over makers and falling strengths, that is as similar as intended; None where none is."""
    for maker in makers:
        for strength in range(12):
            text = maker(original, rng, strength)
            if text is not None and text.strip() and _suits(text, intention, original, family):
                return Row(text=text, origin=original, variant=maker.__name__, base=original.text, intention=intention)
    return None


def _turned(makers: tuple[Maker, ...], start: int) -> tuple[Maker, ...]:
    start %= len(makers)
    return makers[start:] + makers[:start]


def _chain(original: Original, *, hub: bool) -> list[Row]:
    """Rows that make the chain or hub out of whole sentences, the first pair of them that has the similarities."""
    parts = sentences(original.text)
    for i in range(len(parts)):
        for j in range(len(parts)):
            one = "".join(parts[:i] + parts[i + 1 :])
            other = "".join(p for k, p in enumerate(parts) if (k != j if hub else k not in (i, j)))
            middle, ends = (original.text, (one, other)) if hub else (one, (original.text, other))
            near = min(similarity(middle, end) for end in ends)
            if i != j and near >= FORBIDDEN[1] and CHAIN_ENDS[0] <= similarity(*ends) < CHAIN_ENDS[1]:
                names = ("hub_spoke", "hub_spoke") if hub else ("chain_middle", "chain_end")
                return [
                    Row(text=text.rstrip(), origin=original, variant=name, base=original.text, intention="chain")
                    for text, name in zip((one, other), names, strict=True)
                ]
    raise AssertionError(f"{original.id}: no two sentences make a chain")


def _family(original: Original, index: int, rng: random.Random) -> list[Row]:
    """The original's row and those of its variants."""
    rows = [Row(text=original.text, origin=original, variant="original")]
    if original.fate in NOT_JUDGED_HERE or original.fate == "empty":
        return rows
    wanted: list[tuple[tuple[Maker, ...], str]] = []
    if original.id in CHAINS or original.id in HUBS:
        return rows + _chain(original, hub=original.id in HUBS)
    if original.fate != "kept":
        wanted = [((exact_copy,), "exact")] if index % 3 == 0 else []
    elif original.kind in ("pii", "near_miss"):
        wanted = [((exact_copy,), "exact")] if index % 2 else []
    elif original.lang != "en":
        makers = NEAR_ANY_LANGUAGE if len(original.text.split()) > 40 else NEAR_ANY_LANGUAGE[:1]
        wanted = [(_turned(EXACT, index // 2), "exact")] if index % 2 else [(_turned(makers, index // 2), "near")]
        if index % 4 == 3:
            wanted.append((_turned(makers, index // 4), "near"))
        if index % 5 == 0 and len(original.text.split()) > 85:
            wanted.append((_turned(APART, index // 5), "apart"))
    else:
        makers = (names_and_dates, *NEAR) if original.kind in ("news", "minutes", "letter") else _turned(NEAR, index)
        wanted = [(_turned(EXACT, index), "exact"), (makers, "near")]
        if index % 3 == 0:
            wanted.append(((punctuation_copy, reordered), "near"))
        if index % 2 == 0:
            wanted.append((_turned(APART, index // 2), "apart"))
    for makers, intention in wanted:
        row = _vary(makers, intention, original, rows, rng)
        rows += [row] if row else []
    near = [row for row in rows if row.intention == "near"]
    if near and index % 9 == 0:
        text = near[-1].text
        rows.append(Row(text=text, origin=original, variant="exact_copy_of_variant", base=text, intention="exact"))
    return rows


# ------------------------------------------------------------------------------------------------ files and rows

_HOSTILE = (
    ("malformed_json", b'{"id": "w-broken", "text": "A line that was cut off in the middle of the str'),
    ("null_text", b'{"id": "w-null", "text": null, "url": "https://web.example/null"}'),
    ("number_text", b'{"id": "w-number", "text": 20170412, "genre": "table"}'),
    ("missing_text", b'{"id": "w-missing", "body": "The text is here, under a name that nobody has asked for."}'),
    ("invalid_utf8", b'{"id": "w-latin1", "text": "The caf\xe9 by the station is written here in another encoding."}'),
    ("lone_surrogate", b'{"id": "w-surrogate", "text": "Half of a pair \\ud800 has lost the other half on its way."}'),
)
_WITHOUT_ID = ("malformed_json", "invalid_utf8", "lone_surrogate")
"""Rows that not every JSON reader can take an id from: `fates.json` gives them none."""
_BLANK_LINES = (b"", b"", b"  \t")


def _place(row: Row, index: int, rng: random.Random) -> str:
    if row.variant != "original":
        return rng.choices((WEB, NEWS, BOOKS), (35, 50, 15))[0]
    if row.origin.lang == "en":
        if row.origin.kind in ("story", "poem", "essay"):
            return BOOKS if index % 2 else WEB
        return NEWS if row.origin.kind == "news" and index % 2 else WEB
    return (BOOKS, NEWS, WEB)[index % 3]


def _record(row: Row, number: int, rng: random.Random) -> dict[str, object]:
    """A row as its file holds it; extra columns end in the output's metadata."""
    site = {WEB: "web", NEWS: "news", BOOKS: "books"}[row.file]
    url, date = row.origin.url, row.origin.date
    if row.variant != "original" or (url is None and rng.random() < 0.4):
        url = f"https://{site}{rng.randrange(1, 9)}.example/{rng.randrange(2010, 2026)}/{number}"
    if date is None and rng.random() < 0.4:
        date = f"20{rng.randrange(10, 26)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
    record: dict[str, object] = {"text": row.text}
    if rng.random() < 0.8:
        record = {"id": 700_000 + number if row.file == NEWS else f"{site[0]}-{number:04}", **record}
    record |= {key: value for key, value in (("url", url), ("date", date)) if value is not None}
    if rng.random() < 0.5:
        record["lang_hint"] = row.origin.lang
    if row.file == BOOKS:
        edition = {"year": rng.randrange(1990, 2026), "series": rng.choice(("blue", "green", None))}
        return record | {"pages": rng.randrange(1, 40), "edition": edition}
    if row.file == NEWS and rng.random() < 0.5:
        record["section"] = rng.choice(("local", "weekend", "letters"))
    if row.file == WEB and rng.random() < 0.3:
        record["crawl"] = {"status": 200, "headers": {"content-type": "text/html", "age": rng.randrange(1000)}, "hops": [1, 2]}
    if row.file == WEB and rng.random() < 0.3:
        record |= {"genre": rng.choice(("page", "post", "unknown")), "rating": rng.randrange(10) / 2}
    if row.file == WEB and rng.random() < 0.05:
        record["größe"] = None
    return record


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a JSONL file: a row, or raw bytes (with the cause's name, or a blank line without)."""

    row: Row | None = None
    raw: bytes = b""
    cause: str | None = None

    def encoded(self, ascii_only: bool) -> bytes:
        return self.raw if self.row is None else json.dumps(self.row.record, ensure_ascii=ascii_only).encode()


def lay_out(rows: list[Row], rng: random.Random) -> dict[str, list[Line]]:
    for index, row in enumerate(rows):
        row.file = _place(row, index, rng)
    files = {}
    for name in (WEB, BOOKS, NEWS):
        lines = [Line(row=row) for row in rows if row.file == name]
        rng.shuffle(lines)
        if name == WEB:
            for cause, raw in _HOSTILE:
                lines.insert(rng.randrange(len(lines)), Line(raw=raw, cause=cause))
            for raw in _BLANK_LINES:
                lines.insert(rng.randrange(1, len(lines)), Line(raw=raw))
        for number, line in enumerate(lines, start=1):
            if line.row:
                line.row.ref, line.row.record = f"input/{name}#{number}", _record(line.row, number, rng)
        files[name] = lines
    _special_cases(files)
    return files


def _special_cases(files: dict[str, list[Line]]) -> None:
    """Ten press-agency rows, and one id that two rows share."""
    news = [line.row for line in files[NEWS] if line.row]
    for row in news[5::10][:10]:
        row.record["source"] = "press-agency"
    with_id = [line.row for line in files[WEB] if line.row and "id" in line.row.record]
    with_id[7].record["id"] = with_id[40].record["id"]


_BOOKS_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("lang_hint", pa.string()),
        ("pages", pa.int32()),
        ("edition", pa.struct([("year", pa.int32()), ("series", pa.string())])),
    ]
)


def _jsonl(lines: list[Line]) -> bytes:
    return b"".join(line.encoded(number % 7 == 0) + b"\n" for number, line in enumerate(lines))


def _table(lines: list[Line]) -> pa.Table:
    return pa.Table.from_pylist([line.row.record for line in lines if line.row], schema=_BOOKS_SCHEMA)


def _gzipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=9, mtime=0) as file:
        file.write(content)
    return buffer.getvalue()


def write(files: dict[str, list[Line]], fates: str) -> None:
    (HERE / "input").mkdir(exist_ok=True)
    for name in (WEB, NEWS):
        (HERE / "input" / name).write_bytes(_gzipped(_jsonl(files[name])))
    pq.write_table(_table(files[BOOKS]), HERE / "input" / BOOKS, compression="zstd", row_group_size=32)
    (HERE / "fates.json").write_text(fates, encoding="utf-8")


def differences(files: dict[str, list[Line]], fates: str) -> Iterator[str]:
    for name in (WEB, NEWS):
        path = HERE / "input" / name
        if not path.exists() or gzip.decompress(path.read_bytes()) != _jsonl(files[name]):
            yield f"input/{name}"
    path = HERE / "input" / BOOKS
    if not path.exists() or not pq.read_table(path).equals(_table(files[BOOKS])):
        yield f"input/{BOOKS}"
    path = HERE / "fates.json"
    if not path.exists() or path.read_text(encoding="utf-8") != fates:
        yield "fates.json"
    yield from (f"input/{p.name} (extra)" for p in sorted((HERE / "input").glob("*")) if p.name not in (WEB, NEWS, BOOKS))


# -------------------------------------------------------------------------------------------------------- fates


@dataclass(frozen=True, kw_only=True)
class Fate:
    fate: str
    duplicate_of: Row | None = None
    similarity: float | None = None


def _ref_order(ref: str) -> tuple[bytes, int]:
    path, _, number = ref.rpartition("#")
    return path.encode(), int(number)


def _priority(row: Row) -> tuple[int, bytes, int]:
    return (-len(source_text(row.text).encode()), *_ref_order(row.ref))


def _all_pairs(rows: list[Row]) -> dict[int, dict[int, float]]:
    """For each row, by index, its similarity to every earlier row with which it shares a shingle."""
    sets = [shingles(row.text) for row in rows]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    pairs: dict[int, dict[int, float]] = {}
    for later, own in enumerate(sets):
        shared = Counter(earlier for shingle in own for earlier in holders[shingle])
        pairs[later] = {e: n / (len(sets[e]) + len(own) - n) for e, n in shared.items()}
        for shingle in own:
            holders[shingle].append(later)
    return pairs


def _assert_clear(rows: list[Row], pairs: dict[int, dict[int, float]]) -> None:
    for later, earlier in pairs.items():
        for other, value in earlier.items():
            one, two = rows[later], rows[other]
            ends = one.origin is two.origin and one.origin.id in CHAINS + HUBS and CHAIN_ENDS[0] <= value < CHAIN_ENDS[1]
            assert _clear(value) or ends, f"{one.origin.id} {one.variant} / {two.origin.id} {two.variant}: {value}"
            assert value < FORBIDDEN[0] or one.origin is two.origin, f"{one.origin.id} ~ {two.origin.id}: {value}"


def decide(rows: list[Row]) -> dict[str, Fate]:
    """The fate of each row by source_ref: filters first, then exact, then near duplicates in priority order."""
    fates = {row.ref: Fate(fate=row.origin.fate) for row in rows}
    survivors = sorted((row for row in rows if row.origin.fate in ("kept", *NOT_JUDGED_HERE)), key=_priority)
    classes: dict[str, list[Row]] = defaultdict(list)
    for row in survivors:
        classes[exact_key(row.text)].append(row)
    firsts = [members[0] for members in classes.values()]
    pairs = _all_pairs(firsts)
    _assert_clear(firsts, pairs)
    kept: set[int] = set()
    for later, row in enumerate(firsts):
        near = sorted((-value, e) for e, value in pairs[later].items() if e in kept and value >= THRESHOLD)
        if near:
            assert len(near) == 1 or near[0][0] != near[1][0], f"{row.ref}: two equally similar"
            fates[row.ref] = Fate(fate="near_duplicate", duplicate_of=firsts[near[0][1]], similarity=-near[0][0])
        else:
            kept.add(later)
    for first, *copies in classes.values():
        end = fates[first.ref]
        for copy in copies:
            fates[copy.ref] = Fate(
                fate="exact_duplicate",
                duplicate_of=end.duplicate_of or first,
                similarity=1.0 if end.similarity is None else end.similarity,
            )
    return fates


def assert_intentions(rows: list[Row], fates: dict[str, Fate]) -> None:
    """Every variant met the fate that it was made for."""
    for row in rows:
        fate, where = fates[row.ref], f"{row.origin.id} {row.variant} {row.ref}"
        if row.intention == "exact":
            assert exact_key(row.text) == exact_key(row.base or ""), where
        if row.intention == "near":
            assert similarity(row.text, row.base or "") >= FORBIDDEN[1], where
        if row.intention == "apart" or row.variant == "chain_end":
            assert fate.fate == "kept", where
        if row.variant in ("chain_middle", "hub_spoke"):
            assert fate.duplicate_of and fate.duplicate_of.variant == "original", where
        if fate.duplicate_of:
            assert fate.duplicate_of.origin is row.origin and fates[fate.duplicate_of.ref].fate == "kept", where
    for origin in {row.origin.id: row.origin for row in rows}.values():
        family = [row for row in rows if row.origin is origin and row.intention in ("original", "exact", "near")]
        kept = sum(fates[row.ref].fate == "kept" for row in family)
        assert kept == (origin.fate == "kept"), f"{origin.id}: {kept} kept"


def fates_json(files: dict[str, list[Line]], fates: dict[str, Fate]) -> str:
    entries = []
    for name, lines in files.items():
        for number, line in enumerate(lines, start=1):
            entry: dict[str, object] = {"ref": f"input/{name}#{number}"}
            if line.row:
                fate = fates[line.row.ref]
                entry |= {"id": line.row.record.get("id"), "origin": line.row.origin.id, "variant": line.row.variant}
                entry |= {"lang": line.row.origin.lang, "fate": fate.fate}
                entry |= {"duplicate_of": fate.duplicate_of.ref if fate.duplicate_of else None, "similarity": fate.similarity}
            elif line.cause:
                given = None if line.cause in _WITHOUT_ID else json.loads(line.raw)["id"]
                entry |= {"id": given, "origin": None, "variant": line.cause, "lang": None, "fate": "quarantined"}
                entry |= {"duplicate_of": None, "similarity": None}
            else:
                continue
            entries.append(entry)
    entries.sort(key=lambda entry: _ref_order(str(entry["ref"])))
    body = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f'{{"rows": [\n{body}\n],\n"by_models": {json.dumps(BY_MODELS)}}}\n'


def _print_counts(label: str, counts: Counter[str]) -> None:
    print(f"{label}:", ", ".join(f"{name} {n}" for name, n in counts.most_common()))


def main() -> int:
    parser = argparse.ArgumentParser(description="Make sample_data/input and fates.json from sample_data/originals.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if what is there differs")
    args = parser.parse_args()
    rng = random.Random(SEED)
    originals = read_originals()
    rows = [row for index, original in enumerate(originals) for row in _family(original, index, rng)]
    files = lay_out(rows, rng)
    decided = decide(rows)
    assert_intentions(rows, decided)
    fates = fates_json(files, decided)
    if args.check:
        wrong = list(differences(files, fates))
        print("\n".join(f"differs: {name}" for name in wrong) or "sample data is up to date")
        return 1 if wrong else 0
    write(files, fates)
    print(f"{len(originals)} originals, {len(rows)} rows and {len(_HOSTILE)} hostile ones")
    _print_counts("fates", Counter(fate.fate for fate in decided.values()))
    _print_counts("variants", Counter(row.variant for row in rows))
    _print_counts("rows", Counter({name: sum(bool(line.row or line.cause) for line in files[name]) for name in files}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
