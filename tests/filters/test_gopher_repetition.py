"""Gopher's repetition rules: each profile against its published definition in plain Python, thresholds, edges, golden signals."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import contract
from filters.gopher_repetition import FIGURES, FILTER, Params, Thresholds
from filters.kernels import warm
from filters.kernels.words import tokens
from tests.filters.kernels.words.test_tokens import split

PROFILES = ["paper", "datatrove", "dclm", "dolma"]
PIECE = st.sampled_from(["a b ", "c ", "d\n", "\n\n", "e f g h i ", "\x85", ". ", "日本", "a b c d e f g h i j k ", "\0"])
ANY_TEXT = st.lists(PIECE | st.characters(exclude_categories=["Cs"]), max_size=25).map("".join)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def signals(texts: list[str], profile: str = "paper") -> pa.RecordBatch:
    needed = pa.record_batch({"language": pa.array([None] * len(texts), pa.string())})
    params = Params.model_validate({"profile": profile})
    batch = FILTER.annotate(contract.TextBatch(pa.array(texts, pa.large_string())), needed, params, None)
    contract.check(FILTER, rows=len(texts), signals=batch)
    return batch


def reasons(text: str, profile: str = "paper", language: str = "en", **thresholds: float | str) -> set[str]:
    rules = FILTER.rules(Params.model_validate({"profile": profile}), Thresholds.model_validate(thresholds))
    contract.check_rules(FILTER, rules)
    table = pl.DataFrame(pl.from_arrow(signals([text], profile))).with_columns(language=pl.lit(language))
    failed = contract.judge(FILTER, rules, table)
    return {name.removeprefix("gopher_repetition.") for name in failed.columns if failed[name][0]}


def share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]


def copies(parts: list[str]) -> list[str]:
    return [part for k, part in enumerate(parts) if part in parts[:k]]


def repeats(parts: list[str]) -> list[str]:
    return [part for part in parts if parts.count(part) > 1]


def size(parts: list[str] | tuple[str, ...]) -> int:
    return sum(map(len, parts))


def stripped(text: str, end: str) -> list[str]:
    return [part.strip() for part in text.split(end) if part.strip()]


def most_frequent_and_covered(words: list[str]) -> list[float]:
    found = []
    for n in (2, 3, 4):
        counts = Counter(grams(words, n))
        most = max(counts.values(), default=0)
        found.append(share(max((size(g) for g, c in counts.items() if c == most > 1), default=0) * most, size(words)))
    for n in range(5, 11):
        all_, counts = grams(words, n), Counter(grams(words, n))
        inside = {k + offset for k, gram in enumerate(all_) if counts[gram] > 1 for offset in range(n)}
        found.append(share(size([words[k] for k in inside]), size(words)))
    return found


def paper(text: str) -> list[float]:
    shares: list[tuple[float, float]] = []
    for end in ("\n", "\n\n"):
        parts = stripped(text, end)
        shares.append((share(len(copies(parts)), len(parts)), share(size(copies(parts)), size(parts))))
    (lines, line_chars), (paragraphs, paragraph_chars) = shares
    return [lines, paragraphs, line_chars, paragraph_chars, *most_frequent_and_covered(text.split())]


def dclm(text: str) -> list[float]:
    shares: list[tuple[float, float]] = []
    for end in ("\n", "\n\n"):
        parts = stripped(text, end)
        again = repeats(parts)
        shares.append((share(len(again), len(parts)), share(size(again), size(parts))) if parts else (1.0, 1.0))
    (lines, line_chars), (paragraphs, paragraph_chars) = shares
    return [lines, paragraphs, line_chars, paragraph_chars, *most_frequent_and_covered(split(text, tokens.DCLM))]


def datatrove(text: str) -> list[float]:
    words, lines, blocks = split(text, tokens.DATATROVE), re.split("\n+", text), re.split("\n{2,}", text.strip())
    found = [share(len(copies(lines)), len(lines)), share(len(copies(blocks)), len(blocks))]
    found += [share(size(copies(lines)), len(text)), share(size(copies(blocks)), len(text))]
    for n in (2, 3, 4):
        top = Counter(" ".join(gram) for gram in grams(words, n)).most_common(1)
        found.append(share(sum(len(gram) * count for gram, count in top), len(text)))
    for n in range(5, 11):
        met: set[tuple[str, ...]] = set()
        chars = place = 0
        while place + n <= len(words):
            gram = tuple(words[place : place + n])
            chars += size(gram) if gram in met else 0
            place += n if gram in met else 1
            met.add(gram)
        found.append(share(chars, len(text)))
    return found


def dolma(text: str) -> list[float]:
    words, lines = text.split(), text.split("\n")
    found = [share(len(repeats(lines)), len(lines)), 0.0, size(repeats(lines)) / max(size(words), 1), 0.0]
    for n in (2, 3, 4):
        found.append(share(sum(size(gram) * count for gram, count in Counter(grams(words, n)).most_common(1)), size(words)))
    for n in range(5, 11):
        counts = Counter(grams(words, n))
        repeated = sum(count * size(gram) for gram, count in counts.items() if count > 1)
        found.append(share(repeated, sum(count * size(gram) for gram, count in counts.items())))
    return found


@pytest.mark.parametrize("profile", PROFILES)
@given(texts=st.lists(ANY_TEXT, max_size=4))
def test_each_profile_is_its_published_definition_on_any_unicode(profile: str, texts: list[str]) -> None:
    found = signals(texts, profile)
    twin = {"paper": paper, "datatrove": datatrove, "dclm": dclm, "dolma": dolma}[profile]
    for i, text in enumerate(texts):
        assert [column[i].as_py() for column in found.columns] == pytest.approx(twin(text), rel=1e-6, abs=1e-9)


def spread(n: int) -> str:
    """n lines of six letters, all different."""
    return "".join(f"l{k:05}\n" for k in range(n))


def among(gram: str, times: int, other: int) -> str:
    """An n-gram between words of its own, and other words to make up the rest: each word has five letters."""
    return " ".join(f"{gram} u{k:04}" for k in range(times)) + " " + " ".join(f"v{k:04}" for k in range(other))


TABLE = [
    # reason, under, at, over; percentages of what the paper counts
    ("duplicate_lines", spread(71) + "l00000\n" * 29, spread(70) + "l00000\n" * 30, spread(69) + "l00000\n" * 31),
    ("top_2gram", among("abcde fghij", 10, 71), among("abcde fghij", 10, 70), among("abcde fghij", 10, 69)),
    ("top_3gram", among("abcde fghij klmno", 6, 77), among("abcde fghij klmno", 6, 76), among("abcde fghij klmno", 6, 75)),
    (
        "top_4gram",
        among("abcde fghij klmno pqrst", 4, 81),
        among("abcde fghij klmno pqrst", 4, 80),
        among("abcde fghij klmno pqrst", 4, 79),
    ),
    (
        "repeated_5gram",
        among("abcde fghij klmno pqrst uvwxy", 3, 83),
        among("abcde fghij klmno pqrst uvwxy", 3, 82),
        among("abcde fghij klmno pqrst uvwxy", 3, 81),
    ),
    *(
        (
            f"repeated_{n}gram",
            among(" ".join(f"w{k:04}" for k in range(n)), 2, math_other + 1),
            among(" ".join(f"w{k:04}" for k in range(n)), 2, math_other),
            among(" ".join(f"w{k:04}" for k in range(n)), 2, math_other - 1),
        )
        for n, math_other in ((10, 178),)
    ),
]


@pytest.mark.parametrize(("reason", "under", "at", "over"), TABLE, ids=[row[0] for row in TABLE])
def test_each_threshold_drops_beyond_it_and_passes_at_it(reason: str, under: str, at: str, over: str) -> None:
    assert [reason in reasons(text) for text in (under, at, over)] == [False, False, True]


def test_each_rule_fires_at_the_figure_that_the_plan_sets() -> None:
    text = "abcde fghij klmno pqrst uvwxy\n\n" * 4
    shares = {name.removeprefix("repetition_"): value for name, value in signals([text]).to_pylist()[0].items()}
    for key in FIGURES:
        reason = key.removeprefix("max_")
        assert reason not in reasons(text, **{key: shares[reason]})
        assert reason in reasons(text, **{key: shares[reason] * 0.99})


@pytest.mark.parametrize(
    ("profile", "n", "missing"),
    [("paper", 13, set()), ("datatrove", 13, set()), ("dclm", 13, set()), ("dolma", 11, {"duplicate_paragraphs"})],
)
def test_a_profile_has_the_rules_that_its_source_has(profile: str, n: int, missing: set[str]) -> None:
    rules = {rule.reason for rule in FILTER.rules(Params.model_validate({"profile": profile}), Thresholds()) if rule.on}
    assert len(rules) == n
    assert not missing & rules


@pytest.mark.parametrize(
    ("text", "dropped"),
    [
        ("", {"dclm"}),
        (" \n \n", {"dclm", "datatrove", "dolma"}),
        ("one", set()),
        ("one line of words that are all different from each other and from the rest too okay", set()),
        ("\0", set()),
        ("שלום לכולם ומה שלומכם היום בבוקר היפה הזה כאן אצלנו בגינה הגדולה מאוד", set()),
        ("cafe\u0301 cre\u0300me bru\u0302le\u0301e et the\u0301 vert au jardin pre\u0300s du chemin de fer", set()),
    ],
    ids=["empty", "blank", "one word", "one line", "NUL", "right to left", "marks"],
)
def test_edges(text: str, dropped: set[str]) -> None:
    ratios = {"duplicate_lines", "duplicate_paragraphs", "duplicate_line_chars", "duplicate_paragraph_chars"}
    assert {profile for profile in PROFILES if reasons(text, profile) & ratios} == dropped


def test_fewer_words_than_n_are_no_n_gram() -> None:
    assert signals(["a a a a"]).to_pylist()[0]["repetition_repeated_5gram"] == 0
    assert signals(["a a a a a a"]).to_pylist()[0]["repetition_repeated_5gram"] == 1


def test_fineweb2_figures_apply_to_its_languages_where_the_plan_sets_none() -> None:
    text = spread(100) + "l00000\n" * 38  # 38 of 138 lines: 27.5 %; German 26.3 %, Polish 35.3 %
    assert "duplicate_lines" not in reasons(text, language="de")
    assert "duplicate_lines" in reasons(text, language="de", languages="fineweb2")
    assert "duplicate_lines" not in reasons(text, language="pl", languages="fineweb2")
    assert "duplicate_lines" not in reasons(text, language="de", languages="fineweb2", max_duplicate_lines=0.3)


GOLDEN_TEXTS = [
    "The cat sat on the mat. The cat sat on the mat. The cat sat on the mat, and then it went out.",
    "- one\n- two\n- one\n\n- two\n\n- two",
    "日本語の文です。日本語の文です。日本語の文です。",
    "a b c d e f g h i j k a b c d e f g h i j k\n\n\na b c",
    "no repeats here at all",
    "",
]


@pytest.mark.parametrize("profile", PROFILES)
def test_signals_change_only_with_a_new_version(profile: str) -> None:
    """golden_gopher.json has the signals of each version; a new version adds a table, and an old one is never edited."""
    golden = json.loads((Path(__file__).parent / "golden_gopher.json").read_text("utf-8"))
    expected = golden["gopher_repetition"][str(FILTER.version)][profile]
    found = signals(GOLDEN_TEXTS, profile)
    for i, text in enumerate(GOLDEN_TEXTS):
        row = [column[i].as_py() for column in found.columns]
        assert row == pytest.approx(expected[i], abs=1e-6), f"{text!r}: signals changed; raise FILTER.version"
