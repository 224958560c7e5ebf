"""Any column of the input by its name, whatever its name and its values: orjson is the oracle."""

from __future__ import annotations

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import warm
from pipeline.errors import BrokenContract
from pipeline.schema import DOCUMENT
from pipeline.stages.dedup import columns
from tests.support import examples

TRICKY_NAMES = [
    "a",
    "dump",
    "a.b",
    "$",
    "$.a",
    "['a']",
    'a"b',
    "a\\",
    "\\u0061",
    "é",
    "中",
    "a\nb",
    "\x7f",
    "",
    "*",
    "..",
    "{",
    "}",
    ":",
]
names = st.sampled_from(TRICKY_NAMES) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.sampled_from(['"', "\\", '","dump":"x', '{"dump":1}', "null", "1", "\u2028", "\x00"])
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6)
rows = st.dictionaries(names, values, max_size=5)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def table(metadata: list[dict], **given_: list) -> pa.Table:
    n = len(metadata)
    plain = {"row": range(1, n + 1), "id": [f"i{k}" for k in range(n)], "source": ["crawl"] * n, "text": ["x"] * n}
    plain |= {"n_bytes_read": range(n), "url": [None] * n, "date": [None] * n} | given_
    plain["metadata"] = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode() for row in metadata]
    return pa.table({field.name: pa.array(plain[field.name], field.type) for field in DOCUMENT}, schema=DOCUMENT)


def as_text(value) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


@examples(4)
@given(st.lists(rows, max_size=5), names, st.integers(0, 4))
def test_values_are_those_of_the_parsed_object(metadata, name, start):
    documents = table(metadata)
    expected = [row.get(name) for row in metadata]
    if name in columns.DOCUMENT_COLUMNS:
        return
    found = columns.column_of(documents, name)
    assert found.to_list() == [as_text(value) for value in expected]
    assert columns.column_of(documents.slice(start), name).to_list() == found.to_list()[start:]
    chunked = pa.concat_tables([documents, documents])
    assert columns.column_of(chunked, name).to_list() == found.to_list() * 2


def test_columns_of_the_documents_table_come_first():
    documents = table([{"source": "other", "n_bytes_read": "x"}] * 3)
    assert columns.column_of(documents, "source").to_list() == ["crawl"] * 3
    assert columns.column_of(documents, "n_bytes_read").to_list() == ["0", "1", "2"]
    assert columns.column_of(documents, "id").to_list() == ["i0", "i1", "i2"]


@pytest.mark.parametrize("name", ["url", "date"])
def test_a_date_that_is_a_number_is_found_where_the_reader_put_it(name):
    mixed = table([{name: 2024}, {}, {}], **{name: [None, "2023-01-01", None]})
    found = columns.column_of(mixed.select(columns.needs(name)), name)
    assert found.to_list() == ["2024", "2023-01-01", None]


@pytest.mark.parametrize("name", ["dump", "url", "date", "source", "n_bytes_read", "id"])
def test_what_a_column_needs_is_enough(name):
    documents = table([{"dump": "a"}])
    assert columns.column_of(documents.select(columns.needs(name)), name) is not None


def test_a_name_that_no_document_can_have_has_no_values():
    assert columns.column_of(table([{"a": 1}]), "\ud800").to_list() == [None]
    assert columns.column_of(table([]), "dump").to_list() == []


@pytest.mark.parametrize("broken", ["", "{", "[1]", '{"a" :1}', '{"a":1', '{"a":"x', '{"a"}', "{a:1}", '{"b":[1}', '{"b":"\\'])
def test_metadata_that_is_not_compact_json_is_a_broken_contract(broken):
    documents = table([{}]).set_column(7, DOCUMENT.field("metadata"), pa.array([broken], pa.large_string()))
    with pytest.raises(BrokenContract, match="metadata"):
        columns.column_of(documents, "dump")


def test_a_column_that_nobody_has_is_an_error_that_names_those_there_are():
    documents = [table([{"dumps": "x", "gone": None}, {"n,1": 1}], url=["u", None]), table([{"other\n": 1}])]
    assert not columns.is_there([columns.column_of(unit, "dump") for unit in documents])
    assert columns.is_there([columns.column_of(unit, "dumps") for unit in documents])
    said = str(columns.no_such_column("dedup.scope", "dump", others=["language"], documents=documents))
    assert said == (
        "dedup.scope: no document has a column dump; did you mean dumps? There are: dumps, id, language, 'n,1', n_bytes_read,"
        " other[U+000A], source, url"
    )


def test_the_error_stays_short_however_many_columns_there_are():
    many = table([{f"column {k} " + "x" * 500: 1 for k in range(5_000)}])
    said = str(columns.no_such_column("dedup.keep", "zzzz", others=[], documents=[many]))
    assert len(said) < 3_000 and "4,973 more" in said
