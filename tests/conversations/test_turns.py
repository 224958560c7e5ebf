"""`pipeline.text.turns` beside plain Python: pieces, bare texts, sizes, and the way back; and what dedup makes of marks."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
from hypothesis import given

from filters.edits.contract import Step
from filters.kernels.dedup import minhash
from pipeline.read.rows import normalised
from pipeline.text import final, signatures, turns
from tests.support import examples

MARKS = (turns.USER, turns.ASSISTANT, turns.MORE, turns.REJECTED)
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters=[chr(c) for c in range(32)]), max_size=8)
conversations = st.lists(st.tuples(st.sampled_from(MARKS), texts), min_size=1, max_size=4)
rows = st.lists(st.one_of(conversations.map(turns.joined), texts, st.just("a\x01b")), max_size=6)


def pieces_of(text: str) -> list[tuple[str, str]]:
    """The definition, of a text without line breaks of its own."""
    if text[:1] not in MARKS or not text:
        return [("", text)]
    return [(part[0], part[1:]) for part in text.split(turns.BETWEEN)]


@examples(2)
@given(rows, st.integers(0, 3))
def test_pieces_are_those_of_the_definition_whatever_the_slice(made: list[str], start: int):
    array = pa.array(made, pa.large_string()).slice(min(start, len(made)))
    expected = [pieces_of(text) for text in made[start:]]
    found = turns.split(array)
    marks = [mark for row in expected for mark, _ in row]
    assert found.first.tolist() == np.cumsum([0, *map(len, expected)]).tolist()
    assert found.texts.to_pylist() == [piece for row in expected for _, piece in row]
    assert found.marks.tolist() == [ord(mark) if mark else 0 for mark in marks]
    assert turns.together(found, found.texts).to_pylist() == array.to_pylist()
    bare = turns.bare(array).to_pylist()
    assert bare == [turns.BETWEEN.join(piece for _, piece in row) for row in expected]
    assert bare == [turns.without_marks(text) for text in array.to_pylist()]
    assert turns.lengths(array).tolist() == [len(text.encode()) for text in bare]
    for row, at, piece in zip(found.rows.tolist(), found.starts.tolist(), found.texts.to_pylist(), strict=True):
        assert bare[row].encode()[at:].startswith(piece.encode())


@examples(0.5)
@given(st.lists(texts.map(turns.unmarked), max_size=5))
def test_texts_without_marks_are_what_they_were(made: list[str]):
    array = pa.array(made, pa.large_string())
    assert turns.bare(array) is array and not turns.marked(array).any()


def test_no_text_of_the_input_begins_with_a_mark():
    assert [turns.unmarked(f"{mark}a") for mark in MARKS] == ["\0a"] * 4 and turns.unmarked("\x05a\x01") == "\x05a\x01"
    assert turns.cleaned("\ufeffa\x01b\x00\n\tc") == "ab\n\tc" and turns.cleaned("a b") == "a b"
    assert [turns.cleaned(text) for text in ("", " ", "\x05\n", "\ufeff\u3000", "\x02")] == [""] * 5
    assert all(turns.cleaned(chr(code)) == "" for code in range(0x11000) if chr(code).isspace())


def test_normalise_goes_over_each_piece():
    text = pa.array([turns.joined([(turns.USER, "a\r\nb"), (turns.ASSISTANT, "e\u0301")]), "\0\x01x\r"], pa.large_string())
    assert normalised(text).to_pylist() == ["\x01a\nb\n\n\x02é", "x\n"]


def shared(one: str, other: str, ngram: int = 5) -> float:
    starts, hashes = signatures.shingles(pa.array([one, other], pa.large_string()), ngram=ngram)
    first, second = (set(hashes[a:b].tolist()) for a, b in pairwise(starts))
    return len(first & second) / (len(first | second) or 1)


ASKED, SAID = "which of the small towns by the sea would you visit", "the one with the old harbour and its quiet market square"


def test_the_words_of_another_speaker_are_other_words():
    one = turns.joined([(turns.USER, ASKED), (turns.ASSISTANT, SAID)])
    assert shared(one, one) == 1
    assert shared(one, turns.joined([(turns.ASSISTANT, ASKED), (turns.USER, SAID)])) == 0
    assert shared(one, f"{ASKED}\n\n{SAID}") == 0
    assert shared(one, turns.joined([(turns.USER, ASKED), (turns.ASSISTANT, SAID[:32]), (turns.MORE, SAID[32:])])) == 1
    longer = turns.joined([(turns.USER, ASKED), (turns.ASSISTANT, f"{SAID} at night")])
    assert 0.8 < shared(one, longer) < 1


def test_blocks_of_words_do_not_show_in_signatures_of_conversations():
    long = turns.joined([(turns.USER, f"{ASKED} é " * 200), (turns.ASSISTANT, f"{SAID} " * 300)] * 3)
    assert shared(long, long) == 1
    made = signatures.annotate(pa.array([long], pa.large_string()), ngram=5, permutations=16, bands=2, rows=8, hash_="default")
    words = sum(len(piece.split()) for _, piece in pieces_of(long))
    assert made["dedup_words"].to_pylist() == [words] and words > 8 * minhash.BLOCK


def test_exact_duplicates_are_told_by_who_says_what():
    forms = [
        [(turns.USER, "a"), (turns.ASSISTANT, "b")],
        [(turns.ASSISTANT, "a"), (turns.USER, "b")],
        [(turns.USER, "a"), (turns.USER, "b")],
        [(turns.USER, "a b")],
        [(turns.USER, "a"), (turns.MORE, "b")],
    ]
    hashes = final.text_hashes(pa.array([*map(turns.joined, forms), "a b"], pa.large_string()))
    assert len(set(hashes.to_pylist())) == 6


def shout(series):
    return series.str.to_uppercase().str.replace_all("GONE", "")


def test_edits_change_pieces_and_a_conversation_without_one_of_them_has_no_text():
    whole = [turns.joined([(turns.USER, "a"), (turns.ASSISTANT, piece)]) for piece in ("b", "gone", "C")]
    step = Step(name="test.shout", apply=shout)
    made = final.finish(pa.array([*whole, "d", "gone"], pa.large_string()), [step])
    assert made["final_text"].to_pylist() == ["\x01A\n\n\x02B", "", "\x01A\n\n\x02C", "D", ""]
    assert made["n_bytes"].to_pylist() == [4, 0, 4, 1, 0] and made["edits"].to_pylist() == [["test.shout"]] * 5
    assert made["text_hash"].to_pylist()[1] == final.EMPTY


def test_the_kernel_counts_in_the_same_marks():
    assert int(minhash.MARKS) == turns.LAST == len(MARKS)
