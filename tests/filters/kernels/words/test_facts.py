"""Each fact equals the plain Python that its docstring names, on any Unicode."""

from __future__ import annotations

import re
import sys
import unicodedata
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.unicode import char_classes
from filters.kernels.words import facts, word_lists

# Every kind of character that the kernel treats on its own, so that they meet often.
TELLING = [
    *" \t\n\r\v\f\0\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u3000",
    *"ab.#,1é…·-*•я\u0301\u0941अ中々かタｱーไ່ລខကཀ한ሰا",
    "...",
    "……",
    "\r\n",
]
ANY_CHAR = st.characters(exclude_categories=["Cs"])
# ASCII is walked 64 bytes at a time: these texts have several such blocks, whose edges fall anywhere.
LONG = st.lists(st.sampled_from(["ab", "1", "a longer word", *" \n\t.#", "...", "é"]), min_size=40, max_size=120).map("".join)
ANY_TEXT = st.lists(st.sampled_from(TELLING) | ANY_CHAR).map("".join) | st.text(ANY_CHAR) | st.text("ab .\n#", max_size=60) | LONG

SCRIPTS = {
    "han": "[\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]",
    "kana": "[\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f]",
    "thai": "[\u0e00-\u0e7f]",
    "lao": "[\u0e80-\u0eff]",
    "khmer": "[\u1780-\u17ff]",
    "myanmar": "[\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f]",
    "tibetan": "[\u0f00-\u0fff]",
}
SYLLABLE = re.compile("[\uac00-\ud7a3\u1200-\u139f\u2d80-\u2ddf\uab00-\uab2f\ua500-\ua63f]")
UNSPACED = re.compile("|".join(SCRIPTS.values()))


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def expected(text: str) -> dict[str, int]:
    """The facts of one text in plain Python."""
    words, lines = text.split(), text.splitlines()
    spaced = [word for word in words if not UNSPACED.search(word)]
    counts = {
        "n_chars": len(text),
        "n_words": len(words),
        "word_chars": sum(map(len, words)),
        "alpha_words": sum(any(map(str.isalpha, word)) for word in words),
        "spaced_words": len(spaced),
        "spaced_word_chars": sum(map(len, spaced)),
        "spaced_word_marks": sum(unicodedata.category(char)[0] == "M" for word in spaced for char in word),
        "spaced_word_syllables": sum(len(SYLLABLE.findall(word)) for word in spaced),
        "spaced_alpha_words": sum(any(map(str.isalpha, word)) for word in spaced),
        "n_hash": text.count("#"),
        "n_ellipsis": text.count("...") + text.count("…"),
        "n_double_ellipsis": text.count("……"),
        "n_lines": len(lines),
        "filled_lines": sum(bool(line.strip()) for line in lines),
        "bullet_lines": sum(line.lstrip().startswith(tuple(char_classes.BULLETS)) for line in lines),
        "ellipsis_lines": sum(line.rstrip().endswith(("...", "…")) for line in lines),
    }
    return counts | {f"n_{script}": len(re.findall(pattern, text)) for script, pattern in SCRIPTS.items()}


def measured(array: pa.LargeStringArray) -> list[dict[str, int]]:
    """The facts of each text, from the kernel."""
    columns = asdict(facts.text_facts(*buffers.views(array)))
    assert all(column.dtype == np.int64 and column.shape == (len(array),) for column in columns.values())
    return [{name: int(column[i]) for name, column in columns.items()} for i in range(len(array))]


@pytest.mark.parametrize(
    ("flag", "method"),
    [
        (char_classes.ALPHA, str.isalpha),
        (char_classes.SPACE, str.isspace),
        (char_classes.BREAK, lambda char: len(f"a{char}a".splitlines()) == 2),
        (char_classes.MARK, lambda char: unicodedata.category(char)[0] == "M"),
        (char_classes.OUTER, lambda char: unicodedata.category(char)[0] in "PS"),
        (char_classes.BULLET, lambda char: char in char_classes.BULLETS),
        (char_classes.SPECIAL, lambda char: char in "#.…"),
        (char_classes.SYLLABLE, lambda char: SYLLABLE.match(char) is not None),
        (char_classes.SCRIPT, lambda char: UNSPACED.match(char) is not None),
    ],
    ids=["alpha", "space", "break", "mark", "outer", "bullet", "special", "syllable", "script"],
)
def test_tables_agree_with_python_on_every_code_point(flag: int, method) -> None:
    blocks, cells = char_classes.tables()
    points = np.arange(sys.maxunicode + 1)
    flagged = np.flatnonzero(cells[blocks[points >> 8].astype(np.int64) * 256 + (points & 255)] & flag)
    assert flagged.tolist() == [point for point in range(sys.maxunicode + 1) if method(chr(point))]


@pytest.mark.parametrize(("number", "script"), list(enumerate(char_classes.UNSPACED, start=1)))
def test_script_numbers_are_in_the_order_of_their_names(number: int, script: str) -> None:
    blocks, cells = char_classes.tables()
    flags = {char: int(cells[int(blocks[ord(char) >> 8]) * 256 + (ord(char) & 255)]) for char in "中々かタｱไລខကཀ"}
    assert {c for c, f in flags.items() if f & char_classes.SCRIPT == number} == set(re.findall(SCRIPTS[script], "".join(flags)))


@given(st.lists(ANY_TEXT))
def test_facts_equal_plain_python_on_any_unicode(texts: list[str]) -> None:
    assert measured(pa.array(texts, pa.large_string())) == [expected(text) for text in texts]


@given(st.lists(ANY_TEXT, min_size=1), st.data())
def test_facts_do_not_depend_on_slices_or_batches(texts: list[str], data: st.DataObject) -> None:
    array = pa.array(["…cut", *texts, "cut…"], pa.large_string()).slice(1, len(texts))
    cut = data.draw(st.integers(0, len(texts)))
    assert measured(array.slice(0, cut)) + measured(array.slice(cut)) == measured(array) == [expected(text) for text in texts]


def test_each_character_up_to_kana_alone_and_between_words() -> None:
    texts = [text for char in map(chr, range(0x3100)) for text in (char, f"a{char}b", f"... {char} …\n{char}")]
    assert measured(pa.array(texts, pa.large_string())) == [expected(text) for text in texts]


PIECES = st.sampled_from(
    [b"a", b" ", b"\r", b"\n", b".", b"..", b"the", "…".encode(), "я".encode(), b"\xe2\x80", b"\xa6", b"\xf0"]
)
BYTES = st.binary(max_size=12) | st.lists(PIECES, max_size=6).map(b"".join)


@example(row=b"a\r", before=b"", after=b"\n")
@example(row=b"a..", before=b".", after=b".")
@example(row="…".encode()[:2], before=b"", after="…".encode()[2:])
@given(BYTES, BYTES, BYTES)
def test_bytes_outside_the_row_are_never_looked_at_even_when_it_is_not_utf8(row: bytes, before: bytes, after: bytes) -> None:
    def walk(data: bytes, start: int) -> list[list[int]]:
        offsets = pa.py_buffer(np.array([start, start + len(row)]))
        views = buffers.views(pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(data)))
        found = word_lists.distinct_members(*views, np.zeros(1, np.int16), word_lists.compile_lists([["the", "ä"]]))
        return [*(column.tolist() for column in asdict(facts.text_facts(*views)).values()), found.tolist()]

    assert walk(before + row + after, len(before)) == walk(row, 0)


LISTS = [["the", "be", "to"], ["и", "не", "ä"], ["है", "में"], []]


def members(text: str, words: list[str]) -> int:
    """What `distinct_members` counts, in plain Python."""
    outer = "".join(char for char in set(text) if unicodedata.category(char)[0] in "PS")
    found = [word.strip(outer) for word in text.split()]
    return sum(any(form in found for form in (word, word.capitalize(), word.upper())) for word in words)


_WORD = st.sampled_from(["the", "The", "THE", "tHe", "be", "to", "И", "не", "Ä", "ä", "है", "में", *"(. \nx«\u3000"])
WORDY = st.lists(_WORD) | st.lists(_WORD, min_size=40, max_size=100)  # the longer ones have several blocks of 64 bytes


@given(st.lists(st.tuples(WORDY.map("".join) | WORDY.map(" ".join) | ANY_TEXT, st.integers(-1, 3))))
def test_list_members_equal_plain_python_with_a_list_per_row(rows: list[tuple[str, int]]) -> None:
    texts, ids = [text for text, _ in rows], [number for _, number in rows]
    array = pa.array(["the be to", *texts, "the"], pa.large_string()).slice(1, len(texts))
    found = word_lists.distinct_members(*buffers.views(array), np.array(ids, np.int16), word_lists.compile_lists(LISTS))
    assert found.tolist() == [-1 if number < 0 else members(text, LISTS[number]) for text, number in rows]


@given(st.lists(WORDY.map("".join) | WORDY.map(" ".join), max_size=4))
def test_occurrences_equal_plain_python_over_several_blocks(texts: list[str]) -> None:
    forms = {form for word in LISTS[0] for form in word_lists.forms(word)}
    zeros, lists = np.zeros(len(texts), np.int16), word_lists.compile_lists(LISTS)
    found = word_lists.occurrences(*buffers.views(pa.array(texts, pa.large_string())), zeros, lists)
    assert found.tolist() == [sum(word in forms for word in text.split()) for text in texts]


@pytest.mark.parametrize("lists", [[["The"]], [["a", "a"]], [[f"w{i}" for i in range(64)]]], ids=["case", "twice", "too long"])
def test_word_lists_refuse_what_they_cannot_hold(lists: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="a word list takes up to 63 distinct lower-case words"):
        word_lists.compile_lists(lists)


def test_an_unknown_list_is_refused() -> None:
    with pytest.raises(ValueError, match="list ids must be -1 to 3, got 0 to 4"):
        word_lists.distinct_members(
            *buffers.views(pa.array(["", ""], pa.large_string())), np.array([0, 4]), word_lists.compile_lists(LISTS)
        )


def test_warm_leaves_nothing_to_compile_for_real_batches() -> None:
    kernels = (facts._walk, word_lists._distinct)
    before = [len(kernel.signatures) for kernel in kernels]
    array = pa.chunked_array([["a", None], ["b"]], pa.large_string()).combine_chunks().drop_null()
    facts.text_facts(*buffers.views(array))
    lists = word_lists.compile_lists(LISTS)
    word_lists.distinct_members(*buffers.views(array), np.zeros(2, np.int16), lists)
    assert [len(kernel.signatures) for kernel in kernels] == before
