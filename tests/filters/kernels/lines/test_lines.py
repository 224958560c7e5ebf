"""Each fact about a line equals the plain Python that its docstring names, on any Unicode."""

from __future__ import annotations

import unicodedata
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.contract import TextBatch
from filters.kernels import buffers, warm
from filters.kernels.lines import lines
from filters.kernels.unicode import char_classes

ANY_CHAR = st.characters(exclude_categories=["Cs"])
PIECE = st.sampled_from(
    ["a", "B", "7", ".", "?", "!", "..", "...", "…", "。", "！", '"', ")", " ", "\n", "\r", "\x85", "\u2029", "J."]
)
# ASCII is walked 64 bytes at a time: these texts have several such blocks, whose edges fall anywhere.
LONG = st.lists(PIECE | st.sampled_from(["words", " A ", "12", "é", "-", "x" * 70]), min_size=40, max_size=120).map("".join)
ANY_TEXT = st.lists(PIECE | ANY_CHAR).map("".join) | LONG
TERMINAL = {
    chr(point)
    for first, _, last in (span.partition("-") for span in char_classes.TERMINALS.split())
    for point in range(int(first, 16), int(last or first, 16) + 1)
}


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def sentences(line: str) -> int:
    """The rule of `filters.kernels.lines.lines` in plain Python."""
    found, inside = 0, False
    for word in line.split():
        ended = False
        for place, char in enumerate(word):
            before = word[:place]
            if char in TERMINAL:
                stops = len(before) - len(before.rstrip(".")) + 1 if char == "." else 0
                letters = len(before) - len(before.rstrip("".join(c for c in set(before) if c.isalpha())))
                ended = False if stops > 1 else ended or not (char == "." and letters == 1)
                if 0x3000 <= ord(char) < 0x10000:
                    found, inside, ended = found + inside, False, False
            elif unicodedata.category(char)[0] not in "PS":
                inside, ended = True, False
        if ended and inside:
            found, inside = found + 1, False
    return found + inside


def expected(line: str) -> dict[str, int | bool]:
    words = line.split()
    return {
        "chars": len(line),
        "words": len(words),
        "sentences": sentences(line),
        "terminal": line.endswith(tuple(TERMINAL)),
    }


def measured(array: pa.LargeStringArray) -> list[list[dict[str, int | bool]]]:
    found = asdict(lines.lines(*buffers.views(array)))
    rows, hashes = found.pop("rows"), found.pop("hash")
    texts = [line for text in array.to_pylist() for line in text.split("\n")]
    assert len(set(texts)) == len(set(hashes.tolist())) == len(set(zip(texts, hashes.tolist(), strict=True)))
    items = [{name: column[k].item() for name, column in found.items()} for k in range(len(texts))]
    return [items[rows[i] : rows[i + 1]] for i in range(len(array))]


@example(texts=["a\r\nb", "a\n", "", "\n", "J. Smith. Yes... no? 'Is it?' 3.14。はい！"], cut=2)
@given(st.lists(ANY_TEXT, max_size=6), st.integers(0, 6))
def test_lines_equal_plain_python_on_any_unicode_and_do_not_depend_on_slices(texts: list[str], cut: int) -> None:
    array = pa.array(["\ncut", *texts, "cut\n"], pa.large_string()).slice(1, len(texts))
    whole = [list(map(expected, text.split("\n"))) for text in texts]
    assert measured(array) == whole
    assert [*measured(array.slice(0, cut)), *measured(array.slice(cut))] == whole


@pytest.mark.parametrize(
    ("line", "n"),
    [
        ("", 0),
        ("…", 0),
        ("no stop", 1),
        ("One. Two.", 2),
        ("One.) 'Two?' Three", 3),
        ("Wait... what?", 1),
        ("J. S. Bach wrote it.", 1),
        ("Version 3.14 is out.", 1),
        ("はい。いいえ！", 2),
        ("नमस्ते। कैसे हैं?", 2),
    ],
)
def test_sentences_of_examples(line: str, n: int) -> None:
    assert sentences(line) == n
    assert TextBatch(pa.array([line], pa.large_string())).lines.sentences.tolist() == [n]


@pytest.mark.parametrize(
    ("flag", "method"),
    [
        (char_classes.UPPER, str.isupper),
        (char_classes.DIGIT, str.isdigit),
        (char_classes.DECIMAL, str.isdecimal),
        (char_classes.ALNUM, str.isalnum),
        (char_classes.TERMINAL, TERMINAL.__contains__),
    ],
    ids=["upper", "digit", "decimal", "alnum", "terminal"],
)
def test_tables_agree_with_python_on_every_code_point(flag: int, method) -> None:
    blocks, cells = char_classes.tables()
    points = np.arange(0x110000)
    flagged = np.flatnonzero(cells[blocks[points >> 8].astype(np.int64) * 256 + (points & 255)] & flag)
    assert flagged.tolist() == [point for point in range(0x110000) if method(chr(point))]
