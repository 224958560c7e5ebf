"""Tokens equal plain Python on any Unicode, and what UAX #29 and the two tokenisers say of examples."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, ngrams, tokens, warm, word_lists
from tests.filters.test_ngrams import measures

PIECE = st.sampled_from(
    [
        *"aZ5_.':,-#!\"/ \n",
        "é",
        "\u0301",
        "я",
        "ע",
        "日",
        "か",
        "カ",
        "ก",
        "한",
        "\u200d",
        "👩",
        "💻",
        "🇫",
        "🇷",
        "’",
        "..",
        "://",
        "\xa0",
    ]
)
ANY_TEXT = st.lists(PIECE | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join)
STOP = ["the", "be", "to"]


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def flags_of(char: str) -> int:
    blocks, cells = tokens.tables()
    return int(cells[int(blocks[ord(char) >> 8]) * 256 + (ord(char) & 255)])


def split(text: str, dialect: int) -> list[str]:
    """The rule of `filters.kernels.tokens` in plain Python over its classes."""
    found, place = [], 0
    kinds = [flags_of(char) & tokens.CLASS for char in text]
    joined = {tokens.LETTER: {tokens.LETTER, tokens.NUMERIC, tokens.JOINER}, tokens.KATAKANA: {tokens.KATAKANA, tokens.JOINER}}
    joined[tokens.NUMERIC] = joined[tokens.LETTER]
    joined[tokens.JOINER] = joined[tokens.LETTER] | joined[tokens.KATAKANA]
    inside = {tokens.LETTER: {tokens.MID_LETTER, tokens.MID_BOTH}, tokens.NUMERIC: {tokens.MID_NUMBER, tokens.MID_BOTH}}
    while place < len(text):
        start, before, zwj, pair = place, kinds[place], False, False
        place += 1
        if before == tokens.BLANK:
            continue
        if dialect == tokens.DATATROVE and text[start] == ".":
            place = len(text) - len(text[place:].lstrip("."))
            found.append(text[start:place])
            continue
        while place < len(text):
            kind = kinds[place]
            if kind in (tokens.EXTEND, tokens.ZWJ):
                zwj = kind == tokens.ZWJ
            elif (
                kind in joined.get(before, ())
                or (zwj and kind == tokens.EMOJI)
                or (before == kind == tokens.REGIONAL and not pair)
            ):
                before, zwj, pair = kind, False, kind == tokens.REGIONAL
            elif (
                dialect == tokens.DATATROVE and before == tokens.LETTER and text[place : place + 3] == "://" and text[place + 3 :]
            ):
                rest = text[place:].split(maxsplit=1)[0]
                while rest and flags_of(rest[-1]) & tokens.SIGN and rest[-1] != "/":
                    rest = rest[:-1]
                place += len(rest)
                break
            elif (
                kind in inside.get(before, ())
                and kinds[place + 1 : place + 2] == [before]
                and not (dialect == tokens.DATATROVE and text[place] == ":")
            ):
                zwj = False
            else:
                break
            place += 1
        found.append(text[start:place])
    return found if dialect == tokens.DATATROVE else [token for token in found if token[0].isalnum()]


def facts(text: str, listed: bool) -> tuple[int, ...]:
    every = split(text, tokens.DATATROVE)
    plain = [token for token in every if any(not flags_of(char) & tokens.SIGN for char in token)]
    alpha = sum(any(map(str.isalpha, token)) for token in every)
    alnum = sum(token[0].isalnum() for token in every)
    return len(every), len(plain), sum(map(len, plain)), alpha, alnum, len(set(STOP) & set(every)) if listed else -1


def measured(array: pa.LargeStringArray) -> list[tuple[int, ...]]:
    lists = word_lists.compile_lists([STOP], written=word_lists.as_written)
    listed = np.array([i % 2 - 1 for i in range(len(array))], np.int16)
    columns = astuple(tokens.token_facts(*buffers.views(array), listed, lists))
    return [tuple(column[i].item() for column in columns) for i in range(len(array))]


@example(["http://a.b/c). x", "a://", "the 3.14 The to", "🇫🇷🇫🇷 👩\u200d💻", "\u0301a"])
@given(st.lists(ANY_TEXT, max_size=5))
def test_tokens_equal_plain_python_on_any_unicode(texts: list[str]) -> None:
    array = pa.array(["the", *texts, "to"], pa.large_string()).slice(1, len(texts))
    assert measured(array) == [facts(text, i % 2 == 1) for i, text in enumerate(texts)]
    for dialect in (tokens.DATATROVE, tokens.DCLM):
        found = ngrams.repetition(*buffers.views(array), kind=dialect)
        expected = [measures(split(text, dialect)) for text in texts]
        assert found.words.tolist() == [row["words"] for row in expected]
        assert found.top_first.tolist() == [row["top_first"] for row in expected]
        assert found.scanned.tolist() == [row["scanned"] for row in expected]


@pytest.mark.parametrize(
    ("text", "datatrove", "dclm"),
    [
        ("don't stop.", ["don't", "stop", "."], ["don't", "stop"]),
        ("well-known (3.14)", ["well", "-", "known", "(", "3.14", ")"], ["well", "known", "3.14"]),
        ("Wait... U.S.A. a:b", ["Wait", "...", "U.S.A", ".", "a", ":", "b"], ["Wait", "U.S.A", "a:b"]),
        ("see https://a.org/b-c.", ["see", "https://a.org/b-c", "."], ["see", "https", "a.org", "b", "c"]),
        ("日本語 カタカナ", ["日", "本", "語", "カタカナ"], ["日", "本", "語", "カタカナ"]),
        ("नमस्ते שלום", ["नमस्ते", "שלום"], ["नमस्ते", "שלום"]),
        ("👩‍💻 🇫🇷", ["👩‍💻", "🇫🇷"], []),
    ],
)
def test_tokens_of_examples(text: str, datatrove: list[str], dclm: list[str]) -> None:
    assert split(text, tokens.DATATROVE) == datatrove
    assert split(text, tokens.DCLM) == dclm


def words_like(text: str, written) -> int:
    forms = {form for word in STOP for form in written(word)}
    return sum(word in forms for word in text.split())


@given(st.lists(st.lists(st.sampled_from(["the", "The", "tHE", "be", "be.", "to", "x", "\u3000"])).map(" ".join), max_size=4))
def test_occurrences_equal_plain_python(texts: list[str]) -> None:
    array = pa.array(texts, pa.large_string())
    for written in (word_lists.as_written, word_lists.any_case):
        lists = word_lists.compile_lists([STOP], written=written)
        found = word_lists.occurrences(*buffers.views(array), np.zeros(len(texts), np.int16), lists)
        assert found.tolist() == [words_like(text, written) for text in texts]
    assert word_lists.any_case("be") == {"be", "Be", "bE", "BE"}
