"""normalise equals its definition in plain Python, on any text, and passes clean rows through untouched."""

import re
import time
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels.unicode import suspects
from pipeline.text import normalise as module
from pipeline.text.normalise import normalise
from tests.support import examples


def oracle(text: str) -> str:
    text = re.sub("\r\n|\r", "\n", text)
    text = text[1:] if text.startswith("\ufeff") else text
    text = "".join(c for c in text if c in "\t\n" or ord(c) >= 0x20 or c.isspace())
    made = ""
    for i, c in enumerate(text):
        if ord(c) >= 0x20 or c in "\t\n":
            made += c
        elif i and not text[i - 1].isspace() and text[i:].lstrip("\x0b\x0c\x1c\x1d\x1e\x1f")[:1].strip():
            made += " "
    text = made
    return unicodedata.normalize("NFC", text)


def column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd"),
        ("\r\x00\n", "\n\n"),  # the definition's order: CR first, then controls
        ("a\x00b\x1bc\x7fd\x85e", "abc\x7fd\x85e"),  # DEL and C1 are not C0
        ("end of a page\x0cNext\x0bline\x1cfile\x1dgroup\x1erecord\x1funit", "end of a page Next line file group record unit"),
        ("a\x0c\x0c\x00\x1fb", "a b"),
        ("a \x0cb\n\x0c\nc\x0c", "a b\n\nc"),
        ("\ufeffa\ufeffb", "a\ufeffb"),
        ("\ufeff\ufeffa", "\ufeffa"),
        ("\x00\ufeffa", "\ufeffa"),
        ("e\u0301", "\u00e9"),
        ("\u00e9", "\u00e9"),
        ("и\u0306", "й"),
        ("か\u3099", "が"),
        ("\u1112\u1161\u11ab", "한"),
        ("\ud558\u11ab", "한"),
        ("\u212b \u2126 \u037e", "Å Ω ;"),
        ("a\u0301\u0323", "ạ\u0301"),
        ("\ufb01 \uff21 ² \u00a0", "\ufb01 \uff21 ² \u00a0"),  # NFC, not NFKC
        ("\U0001d15e", "\U0001d157\U0001d165"),
        ("\U0002f800", "丽"),
        ("नमस्ते ไทย שָׁ", "नमस्ते ไทย שָׁ"),
    ],
)
def test_each_change_and_nothing_else(text: str, expected: str) -> None:
    assert oracle(text) == expected
    assert normalise(column(["before", text, "", "after"])).to_pylist() == ["before", expected, "", "after"]


interesting = st.sampled_from(
    "a\t\n\r\x00\x0b\x1f \x7fé\u0301\u0323\ufeffйД\u3099か한\u1161\u11abन्\u2014\u2126\U0001f469\U0001d15e一\ufb01"
)


@given(st.lists(st.text(interesting | st.characters(exclude_categories=["Cs"]), max_size=40), max_size=8), st.integers(0, 3))
@examples(4)
def test_equals_the_definition_on_any_text_and_any_slice(texts: list[str], skip: int) -> None:
    assert normalise(column(texts)[skip:]).to_pylist() == [oracle(text) for text in texts[skip:]]


def test_clean_rows_are_passed_through_without_a_copy() -> None:
    texts = column(["ascii", "Straße — «Москва» 日本語のテキスト", ""])
    assert normalise(texts) is texts


def test_characters_at_every_place_of_a_block_are_seen() -> None:
    texts = ["a" * lead + "\u2126" + "b" * tail for lead in range(66) for tail in (0, 1, 140)]
    assert normalise(column(texts)).to_pylist() == [text.replace("\u2126", "Ω") for text in texts]


def test_the_suspect_table_holds_every_character_that_nfc_can_touch() -> None:
    points, _ = suspects.tables()
    second = {int(part, 16) for c in range(0x110000) for part in _canonical(chr(c))[1:]}
    for code in range(0x110000):
        char = chr(code)
        if points[code] or 0xD800 <= code < 0xE000:
            continue
        assert not unicodedata.combining(char) and code not in second, hex(code)
        assert unicodedata.is_normalized("NFC", char), hex(code)


def test_every_hangul_syllable_is_put_together_again() -> None:
    points, _ = suspects.tables()
    syllables = [chr(code) for code in range(0xAC00, 0xD7A4)]
    parts = {part for syllable in syllables for part in unicodedata.normalize("NFD", syllable)[1:]}
    assert len(parts) == 21 + 27 and all(points[ord(part)] for part in parts)
    # Of a syllable with a final consonant (27 in 28) the first two letters can be composed already.
    taken_apart = [unicodedata.normalize("NFC", unicodedata.normalize("NFD", syllable)[:2]) + last
                   for syllable in syllables for last in unicodedata.normalize("NFD", syllable)[2:]]  # fmt: skip
    assert normalise(column(taken_apart)).to_pylist() == [s for s in syllables if (ord(s) - 0xAC00) % 28]


def _canonical(char: str) -> list[str]:
    parts = unicodedata.decomposition(char)
    return [] if parts.startswith("<") else parts.split()


def test_a_long_run_of_marks_takes_no_quadratic_time() -> None:
    marks = 60_000  # CPython's normalize alone takes over 10 s
    start = time.process_time()
    made = normalise(column(["a" + "\u0301\u0323" * marks]))[0].as_py()
    assert time.process_time() - start < 3
    assert made == "ạ" + "\u0323" * (marks - 1) + "\u0301" * marks


@given(st.text(st.sampled_from("a\u0301\u0323\u0344\u0f73\u1112\u1161\u11abй"), max_size=300))
def test_sorting_marks_first_changes_no_result(text: str) -> None:
    assert unicodedata.normalize("NFC", module._with_marks_sorted(text)) == unicodedata.normalize("NFC", text)
