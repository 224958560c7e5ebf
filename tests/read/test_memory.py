"""Rows in memory: what their file is called, and what is refused, in one sentence each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.read import memory
from tests.support import examples

TEXTS = ["One.", "Two, with an é.", None, "", "Three.\x00"]
FRAME = pl.DataFrame({"text": TEXTS, "n": [1, 2, 3, None, 5], "list": [["a"], [], None, ["b", None], ["c"]]})


def name(data: Any, text: str = "text") -> str:
    with memory.written(data, text=text) as path:
        assert pq.ParquetFile(path).metadata.num_rows > 0 and Path(path).parent.parent.stat().st_mode & 0o777 == 0o700
        found = "/".join(Path(path).parts[-2:])
    assert not Path(path).parent.parent.exists()
    assert memory.is_named_by_content(found) and memory.is_named_by_content(f"web//{found}")
    return found


def test_the_same_rows_have_one_name_whatever_holds_them():
    texts = pl.DataFrame({"text": TEXTS})
    chunked = pa.chunked_array([TEXTS[:2], TEXTS[2:]])
    same = [TEXTS, tuple(TEXTS), iter(TEXTS), pl.Series(TEXTS), texts, texts.lazy(), pa.table({"text": chunked}), chunked]
    same += [texts.cast(pl.Categorical), pl.concat([texts[:1], texts[1:]], rechunk=False)]
    assert len({name(data) for data in same}) == 1


@pytest.mark.parametrize("library", ["pandas", pytest.param("datasets", marks=pytest.mark.slow)])
def test_frames_of_other_libraries_have_the_same_name(library):
    other = pytest.importorskip(library, reason=f"{library} is not installed")
    narrow = FRAME.select("text", "n")
    if library == "pandas":
        assert name(other.DataFrame({"text": TEXTS})) == name(TEXTS) == name(other.Series(TEXTS))
    else:
        made = other.Dataset.from_dict(narrow.to_dict(as_series=False))
        assert name(made) == name(narrow)
        assert name(made.select([1, 0])) == name(narrow[[1, 0]]), "what a Dataset selects is what is read"


def test_other_rows_have_another_name():
    frames = [
        FRAME,
        FRAME[:4],
        FRAME[::-1],
        FRAME.rename({"n": "m"}),
        FRAME.cast({"n": pl.Float64}),
        FRAME.with_columns(n=pl.lit(1)),
        FRAME.with_columns(list=pl.col("list").list.head(1)),
        FRAME.with_columns(text=pl.col("text").fill_null("")),
    ]
    assert len({name(frame) for frame in frames}) == len(frames)


@examples(0.25)
@given(st.lists(st.none() | st.text(max_size=4), min_size=1, max_size=6), st.integers(1, 5))
def test_a_digest_knows_texts_and_not_chunks(texts, size):
    def digest(*lists: list[str | None]) -> str:
        made = memory.Digest("text")
        for one in lists:
            made.update(memory.of_texts(one, "text"))
        return made.hexdigest()

    whole = digest(texts)
    assert digest(*(texts[start : start + size] for start in range(0, len(texts), size))) == whole
    assert digest([*texts, None]) != whole and digest([*texts, ""]) != whole
    if all(texts) and len(texts) > 1:
        assert digest(["".join(map(str, texts[:2])), *texts[2:]]) != whole


def test_row_groups_end_by_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUP_BYTES", 1_000)
    with memory.written(["x" * 400] * 10, text="text") as path:
        assert pq.ParquetFile(path).metadata.num_row_groups >= 5


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "no texts: the list is empty"),
        ([None], "no text: it is None"),
        ([None, None], "no text: column 'text' is null in each of the 2 rows"),
        (["a", 3], "number 1 of the texts is an int; a text is a str, or None where there is none"),
        ([b"a"], "number 0 of the texts is a bytes; a text is a str"),
        ([{"text": "a"}, "b"], "number 0 of the texts is a dict; .*; give rows with columns alone, or a frame of them"),
        ([{"a": "b"}], "no column 'text'; there are: a"),
        ({"train": ["a"]}, "a dict is no data; give a frame, or one split of a Dataset, such as data"),
        (3, "an int is no data; give a path, a frame, a Dataset, or a list of texts"),
        (pl.DataFrame({"body": ["a"], "n": [1]}), "no column 'text'; there are: body, n. Say which one holds the text: text='…'"),
        (pl.DataFrame({"text": [1]}), "column 'text' is of type int64; a text is a string"),
        (pl.DataFrame({"text": []}, schema={"text": pl.String}), "no rows: the data are empty"),
        (pl.DataFrame({"text": ["a"], "o": [object()]}), "column 'o' holds Python objects; give each column one type"),
        (pa.table([["a"], ["b"]], names=["text", "text"]), "two columns are called 'text'; rename one of them"),
    ],
)
def test_what_is_no_data_is_refused_in_one_sentence(data, said):
    with pytest.raises(InputError, match=re.escape(said).replace(r"\.\*", ".*")) as error, memory.written(data, text="text"):
        pass
    assert "\n" not in str(error.value)


def test_a_column_of_several_types_is_refused():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"text": ["a", 3]})
    with pytest.raises(InputError, match=r"cannot be written as Parquet .*column text"), memory.written(frame, text="text"):
        pass


def test_a_list_is_of_paths_where_it_has_path_objects():
    assert memory.paths_in([Path("a.jsonl"), "b/*.gz"]) == ["a.jsonl", "b/*.gz"]
    assert memory.paths_in(["a text", "a.jsonl"]) is None
    with pytest.raises(InputError, match=re.escape("these are paths: write [Path('a.jsonl'), …], or one path as a str")):
        memory.paths_in(["a.jsonl", "s3://bucket/b"])
    with pytest.raises(InputError, match="a list of paths holds something else"):
        memory.paths_in([Path("a.jsonl"), None])
