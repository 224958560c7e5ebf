"""Tokens equal plain Python on any Unicode: UAX #29's, and spaCy's published rules; and what the two say of examples."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.ngrams import ngrams
from filters.kernels.words import spacy_cuts, spacy_rules, tokens, word_lists
from filters.kernels.words.signs import signs
from tests.filters.kernels.ngrams.test_ngrams import measures
from tests.filters.kernels.words.spacy_in_python import cut

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
EXCEPTION = st.sampled_from([exception.replace(" ", "") for exception in spacy_rules.EXCEPTIONS])
LIKELY = st.sampled_from(
    [
        *"aZ5k_.,:;!?'\"()[]{}<>#*&%=+-~/@$€§…°©|\\^ \n",
        *(
            "..",
            "...",
            "……",
            "--",
            "---",
            "——",
            "'s",
            "’S",
            "US$",
            "C$",
            "km",
            "°C",
            "m²",
            "://",
            "http://",
            "www.",
            ".com",
            ".org/",
        ),
        *(
            "mr",
            "it",
            "can",
            "don",
            "n't",
            "Éa",
            "éА",
            "я",
            "Я",
            "ß",
            "日本",
            "ー",
            "ک",
            "ก็",
            "한",
            "👩‍💻",
            "127.0.0.1",
            "8.8.4.4",
        ),
    ]
)
PIECES = st.lists(LIKELY | EXCEPTION | st.characters(exclude_categories=["Cs"]), max_size=9).map("".join)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def flags_of(char: str) -> int:
    blocks, cells = tokens.tables()
    return int(cells[int(blocks[ord(char) >> 8]) * 256 + (ord(char) & 255)])


def split(text: str, dialect: int) -> list[str]:
    """The tokens of a text in plain Python: spaCy's, or UAX #29 over the classes of `filters.kernels.words.tokens`."""
    if dialect == tokens.DATATROVE:
        return cut(text)
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
            elif kind in inside.get(before, ()) and kinds[place + 1 : place + 2] == [before]:
                zwj = False
            else:
                break
            place += 1
        found.append(text[start:place])
    return [token for token in found if token[0].isalnum()]


SIGNS = {chr(point) for point in np.flatnonzero(signs())}


def facts(text: str, listed: bool) -> tuple[int, ...]:
    every = cut(text)
    plain = [token for token in every if not SIGNS.issuperset(token)]
    alpha = sum(any(map(str.isalpha, token)) for token in every)
    return len(every), len(plain), sum(map(len, plain)), alpha, len(set(STOP) & set(every)) if listed else -1


def measured(array: pa.LargeStringArray) -> list[tuple[int, ...]]:
    lists = word_lists.compile_lists([STOP], written=word_lists.as_written)
    listed = np.array([i % 2 - 1 for i in range(len(array))], np.int16)
    columns = astuple(tokens.token_facts(*buffers.views(array), listed, lists))
    return [tuple(column[i].item() for column in columns) for i in range(len(array))]


@example(["http://a.b/c). x", "a://", "the 3.14 The to", "🇫🇷🇫🇷 👩\u200d💻", "\u0301a"])
@example([":(;)", "-$\u20ac)Zk:(;)", ")x:(:(", ":(:):(;) \u00b0C.)\u00b0F.)"])
@example(["\u00b0C.\U0001f469\u200d\U0001f4bb", "\u00b0C.x\u2026!", "(\u00b0F.\U0001f600 a"])
@example(["a@b.com", "id.", "(see):", "x@@a.b.com:80/c", "é.Z", "5km.", "-" * 70, "word " * 20 + "end."])
@given(st.lists(ANY_TEXT | PIECES | st.lists(PIECES, max_size=6).map(" ".join), max_size=5))
def test_tokens_equal_plain_python_on_any_unicode(texts: list[str]) -> None:
    array = pa.array(["the", *texts, "to"], pa.large_string()).slice(1, len(texts))
    assert measured(array) == [facts(text, i % 2 == 1) for i, text in enumerate(texts)]
    for dialect in (tokens.DATATROVE, tokens.DCLM):
        found = ngrams.repetition(*buffers.views(array), kind=dialect)
        expected = [measures(split(text, dialect)) for text in texts]
        assert found.words.tolist() == [row["words"] for row in expected]
        assert found.top_first.tolist() == [row["top_first"] for row in expected]
        assert found.scanned.tolist() == [row["scanned"] for row in expected]


def cut_natively(text: str) -> list[str]:
    """The tokens that `plain` and `next_piece` give, one by one."""
    data = np.frombuffer(text.encode(), np.uint8)
    blocks, cells = spacy_rules.tables()
    cuts = np.empty(spacy_cuts.LONGEST_PIECE + 2, np.uint64)
    found, place = [], 0
    while place < len(data):
        start = len(text.encode()[:place].decode())
        if text[start].isspace():
            place += len(text[start].encode())
            continue
        size, more = spacy_cuts.plain(data, place, len(data), cells)
        ends = [place + size, place + size + 1][: 1 + more]
        if not size:
            n, _, _ = spacy_cuts.next_piece(data, place, len(data), blocks, cells, cuts)
            ends = cuts[:n].astype(int).tolist()
        for end in ends:
            found.append(bytes(data[place:end]).decode())
            place = end
    return found


@example("Mr. o'clock), don't: ):")
@example("a.m.b@c.de 1.2.3.4/x 10.0.0.1/x")
@given(st.lists(PIECES, max_size=6).map(" ".join))
def test_pieces_are_cut_as_spacy_cuts_them(text: str) -> None:
    assert cut_natively(text) == cut(text)
    assert cut_natively(text + " " * 70) == cut(text)  # far from the end, where words are found 64 bytes at a time


def test_a_piece_without_end_is_cut_every_8_kb() -> None:
    text = "é" * 4_200 + "!" * 1_500
    assert cut_natively(text) == cut(text)
    row = pa.array([text], pa.large_string())
    assert ngrams.repetition(*buffers.views(row), kind=tokens.DATATROVE).words.tolist() == [len(cut(text))]


@pytest.mark.parametrize(
    ("text", "datatrove", "dclm"),
    [
        ("don't stop.", ["do", "n't", "stop", "."], ["don't", "stop"]),
        ("well-known (3.14)", ["well", "-", "known", "(", "3.14", ")"], ["well", "known", "3.14"]),
        ("Wait... U.S.A. a:b", ["Wait", "...", "U.S.A.", "a", ":", "b"], ["Wait", "U.S.A", "a:b"]),
        ("see https://a.org/b-c.", ["see", "https://a.org/b-c", "."], ["see", "https", "a.org", "b", "c"]),
        ("e.g. a@b.com, C++", ["e.g.", "a@b.com", ",", "C++"], ["e.g", "a", "b.com", "C"]),
        ("10km -5 $3 :-)", ["10", "km", "-5", "$", "3", ":-)"], ["10km", "5", "3"]),
        ("日本語 カタカナ", ["日本語", "カタカナ"], ["日", "本", "語", "カタカナ"]),
        ("नमस्ते שלום", ["नमस्ते", "שלום"], ["नमस्ते", "שלום"]),
        ("👩‍💻 🇫🇷", ["👩", "\u200d", "💻", "🇫", "🇷"], []),
    ],
)
def test_tokens_of_examples(text: str, datatrove: list[str], dclm: list[str]) -> None:
    assert split(text, tokens.DATATROVE) == cut_natively(text) == datatrove
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
