"""Final text: its hash is the plain definition's whatever the slices, edits are named, and unchanged text is not kept twice."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from filters.edits.contract import Step
from filters.kernels import warm
from pipeline.schema import FINAL
from pipeline.text import final

ANY_CHAR = st.characters(exclude_categories=["Cs"])
ANY_TEXT = st.text(ANY_CHAR) | st.text(" \n\t\x1c\x85\xa0\u2003\u3000aé中", max_size=200)
CHECKS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

STARS = Step(name="test.stars", apply=lambda text: text.str.replace_all("x", "*", literal=True))
LOWER = Step(name="test.lower", apply=lambda text: text.str.to_lowercase())


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def strings(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


@CHECKS
@given(st.lists(ANY_TEXT, max_size=8), st.sampled_from([1, 7, 64, 1 << 20]), st.integers(0, 8))
@example(["", "", "a", "", " "], 1, 0)
@example(["ab", "c", "", "def", "g"], 3, 0)
def test_hashes_are_those_of_the_definition_whatever_the_slices(
    monkeypatch: pytest.MonkeyPatch, texts: list[str], slice_bytes: int, start: int
) -> None:
    monkeypatch.setattr(final, "SLICE_BYTES", slice_bytes)
    hashes = final.text_hashes(strings(["before", *texts])[1:].slice(start))
    assert hashes.type == pa.binary(final.DIGEST_BYTES)
    assert hashes.to_pylist() == [final.text_hash(text) for text in texts[start:]]


def test_slices_hold_as_many_rows_as_fit_so_that_scratch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    slices: list[list[int]] = []
    fold_slice = final.fold.folded

    def record(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slices.append(np.diff(offsets).tolist())
        return fold_slice(offsets, data)

    monkeypatch.setattr(final.fold, "folded", record)
    monkeypatch.setattr(final, "SLICE_BYTES", 4)
    final.text_hashes(strings(["ab", "cd", "e", "abc", "f", "longer", "g", ""]))
    assert slices == [[2, 2], [1, 3], [1], [6], [1, 0]]


@given(ANY_TEXT, ANY_TEXT)
@example("a b", "a\u2003\n b ")
@example("a b", "ab")
@example("a b", "A b")
def test_texts_have_one_hash_exactly_if_white_space_alone_tells_them_apart(one: str, other: str) -> None:
    same = one.split() == other.split()
    assert (final.text_hash(one) == final.text_hash(other)) is same


@pytest.mark.parametrize(
    ("text", "empty"),
    [("", True), (" ", True), ("\n\t\r\x1f\x85\xa0\u2028\u3000" * 40, True), ("\u200b", False), ("\0", False), (" . ", False)],
)
def test_white_space_alone_is_the_empty_text(text: str, empty: bool) -> None:
    (found,) = final.finish(strings([text]), [])["text_hash"].to_pylist()
    assert (found == final.EMPTY) is empty


def test_edits_are_named_in_order_and_text_that_none_changed_is_null() -> None:
    source = strings(["plain", "fox", "FOG", "BOX x", ""])
    table = final.finish(source, [STARS, LOWER])
    assert table.schema == FINAL
    assert table["edits"].to_pylist() == [[], ["test.stars"], ["test.lower"], ["test.stars", "test.lower"], []]
    # STARS comes first: the X of BOX is still a capital when it runs.
    assert table["final_text"].to_pylist() == [None, "fo*", "fog", "box *", None]
    texts = ["plain", "fo*", "fog", "box *", ""]
    assert final.texts(pa.chunked_array([source]), table).to_pylist() == texts
    assert table["text_hash"].to_pylist() == [final.text_hash(text) for text in texts]
    assert table["n_bytes"].to_pylist() == [len(text.encode()) for text in texts]


@pytest.mark.parametrize("steps", [[], [STARS]], ids=["no steps", "a step that changes nothing"])
def test_final_text_is_all_null_where_nothing_changed(steps: list[Step]) -> None:
    table = final.finish(strings(["Привет ", "", "日本"]), steps)
    assert table["final_text"].null_count == 3
    assert table["edits"].to_pylist() == [[], [], []]
    assert table["n_bytes"].to_pylist() == [13, 0, 6]


def test_no_texts_make_an_empty_table() -> None:
    assert final.finish(strings([]), [STARS]).equals(FINAL.empty_table())


def test_a_step_sees_what_the_step_before_it_made() -> None:
    seen: list[list[str]] = []

    def look(text: pl.Series) -> pl.Series:
        seen.append(text.to_list())
        return text

    table = final.finish(strings(["Xx"]), [LOWER, Step(name="test.look", apply=look)])
    assert seen == [["xx"]]
    assert table["edits"].to_pylist() == [["test.lower"]]


def test_masks_reach_url_and_metadata_and_other_edits_do_not() -> None:
    from filters.edits import pii

    steps = [*pii.steps(pii.PiiParams()), STARS]
    beside = pa.table(
        {
            "url": pa.array(["http://x.org/?u=jane.doe@corp.com", None, "http://xx.org"]),
            "date": pa.array(["2024-01-02", "posted by jane.doe@corp.com", None]),
            "metadata": pa.array(['{"author":{"mail":["jane.doe@corp.com"]},"n":1}', '{"ip":"8.8.8.8"}', '{"x":"react@18.3.1"}']),
        }
    )
    made = final.finish(strings(["a", "b", "c"]), steps, beside)
    url, *others = made["final_url"].to_pylist()
    assert ("jane" in url, "email@example.com" in url, others) == (False, True, [None, None])
    assert made["final_date"].to_pylist() == [None, "posted by email@example.com", None]
    assert made["final_metadata"].to_pylist() == [
        '{"author":{"mail":["email@example.com"]},"n":1}',
        '{"ip":"22.214.171.124"}',
        None,
    ]


def test_escapes_of_json_hide_no_address_and_versions_beside_it_stay() -> None:
    from filters.edits import pii

    metadata = [
        '{"a":"\\n81.2.69.142","v":"version 81.2.69.142"}',
        '{"a":"x\\u001f81.2.69.142"}',
        '{"2a00:1::1":[{"k":"\\""}]}',
        '{"a":"\\n"}',
    ]
    nothing = pa.array([None] * 4, pa.string())
    beside = pa.table({"url": nothing, "date": nothing, "metadata": pa.array(metadata)})
    made = final.finish(strings(["a"] * 4), pii.steps(pii.PiiParams()), beside)
    assert made["final_metadata"].to_pylist() == [
        '{"a":"\\n22.214.171.124","v":"version 81.2.69.142"}',
        '{"a":"x\\u001f22.214.171.124"}',
        '{"2001:db8::1":[{"k":"\\""}]}',
        None,
    ]


@given(st.lists(st.sampled_from(["x", "a", "ax", ""]), max_size=8))
def test_source_texts_are_asked_for_where_no_step_changed_them_and_nowhere_else(texts: list[str]) -> None:
    column = pa.chunked_array([pa.array(texts, pa.large_string())])
    finished = final.finish(final.one_chunk(column), [STARS])
    asked = []

    def source(rows: np.ndarray) -> pa.ChunkedArray:
        asked.append(rows.tolist())
        return column.filter(pa.array(rows))

    assert final.completed(finished, source).to_pylist() == [text.replace("x", "*") for text in texts]
    unedited = ["x" not in text for text in texts]
    assert asked == ([unedited] if any(unedited) else [])
