"""HTML files to rows: one each, main text only, whatever the page does to a parser."""

import gzip
from pathlib import Path

import pytest

from pipeline import read
from pipeline.read import units
from pipeline.read.child import html
from pipeline.read.formats import web
from pipeline.read.lines import Unreadable
from tests.read.conftest import make


def row(path: Path, data: bytes, **changes: object) -> tuple[str | None, str | None]:
    path.write_bytes(data)
    (unit,) = read.units_of(make(path, **changes)).units or ()
    found = read.read(unit)
    assert found.documents.num_rows + found.bad.num_rows == 1
    return (found.documents["text"].to_pylist() or [None])[0], (found.bad["cause"].to_pylist() or [None])[0]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<title>SECRET</title><script>SECRET</script><style>SECRET</style><p>a</p><!-- SECRET -->", "a"),
        ("<p>a</p><template>SECRET</template>", "a"),
        ("<p>a</p><iframe>SECRET</iframe><noembed>SECRET</noembed><noscript>SECRET</noscript>", "a"),
        ("<p>a</p><svg><text>SECRET</text></svg>", "a"),
        ("", ""),
        ("<p>" + "word " * 400_000, ("word " * 400_000).strip()),
        ("<p a='" + "x" * 3_000_000 + "'>a</p>", "a"),
        ("<p>&#xD800;&#0;b</p>", "\ufffd\ufffdb"),
    ],
)  # fmt: skip
def test_main_text(tmp_path: Path, page: str, text: str) -> None:
    assert row(tmp_path / "a.html", page.encode()) == (text, None)
    assert row(tmp_path / "a.htm.gz", gzip.compress(page.encode())) == (text, None)


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("<p>größer".encode(), None, "<p>größer"),
        ("\ufeff<p>größer".encode(), "latin-1", "<p>größer"),
        ("<p>größer".encode("latin-1"), "iso-8859-1", "<p>größer"),
        ('<meta charset="iso-8859-1"><p>größer'.encode("latin-1"), None, '<meta charset="iso-8859-1"><p>größer'),
        ("<p>größer".encode("utf-16"), None, "<p>größer"),
        ("<p>größer".encode(), "unicode_escape", "<p>größer"),
        (b"<p>" + b"a" * 200 + b"\xff", "utf-8", "<p>" + "a" * 200 + "\ufffd"),
        ("<p>größer".encode(), "iso-8859-1", "<p>größer"),
        ('<meta charset="iso-8859-1"><p>größer'.encode(), None, '<meta charset="iso-8859-1"><p>größer'),
        ('<meta charset="iso-8859-1"><p>größer'.encode("latin-1"), "utf-8", '<meta charset="iso-8859-1"><p>größer'),
        ("<p>größer".encode("utf-16-le"), "utf-16", "<p>größer"),
        (("<p>größer" + "a" * 200 + "不").encode()[:-1], None, "<p>größer" + "a" * 200 + "\ufffd"),
        ("<p>日本".encode("iso-2022-jp"), "iso-2022-jp", "<p>日本"),
        ("<p>①".encode("cp932"), "shift_jis", "<p>①"),
        ("<p>镕€".encode("gb18030"), "gb2312", "<p>镕€"),
    ],
)  # fmt: skip
def test_encodings(data: bytes, declared: str | None, text: str) -> None:
    assert html.decode(data, declared) == text


def test_a_page_that_is_not_of_its_encoding_is_refused() -> None:
    with pytest.raises(Unreadable) as error:
        html.decode(("<p>" + "größer " * 20).encode("latin-1"), "utf-8")
    assert error.value.cause == "undecodable"


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 50_000 + "<p>a</p>" + "</div>" * 50_000,
        "<div></x>" * 50_000 + "a",
        "".join(f"<b a={i}>" for i in range(2_000)) + "<p></p>" * 20_000 + "a",
        "<table><tr><td>" * 20_000 + "a",
        "<p " + " ".join(f"a{i}=1" for i in range(50_000)) + ">a",
        "<script>" + "<!--" * 50_000 + "</script>a",
    ],
    ids=["deep", "unclosed", "formatting", "tables", "attributes", "scripts"],
)
def test_pages_that_cost_parsers_of_trees_quadratic_time_are_read(tmp_path: Path, page: str) -> None:
    assert row(tmp_path / "a.html", page.encode()) == ("a", None)


@pytest.mark.parametrize(("name", "other"), [("a.html", True), ("a.txt", False)])
def test_another_main_text_is_another_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, other: bool) -> None:
    (tmp_path / name).write_bytes(b"<p>a")
    (unit,) = read.units_of(make(tmp_path / name)).units or ()
    key = units.unit_key_parts(unit)
    monkeypatch.setattr(units, "MAIN_TEXT", units.MAIN_TEXT + 1)
    assert (units.unit_key_parts(unit) != key) is other


def test_a_page_that_kills_its_decoder_is_one_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.html").touch()
    asked = web.ask

    def dying(file, handle, request, **settings):  # type: ignore[no-untyped-def]
        if any(row == 2 for row, _ in request["records"]):
            handle.seek(sum(size for row, size in request["records"] if row < 2))
            raise web.DecoderDied("SIGSEGV")
        return asked(file, handle, request, **settings)

    monkeypatch.setattr(web, "ask", dying)
    found = web.read(make(tmp_path / "a.html"), [(1, b"<p>a"), (2, b"<p>b"), (3, b"<p>c")])
    assert found.documents["text"].to_pylist() == ["a", "c"]
    assert found.bad.select(["row", "cause"]).to_pylist() == [{"row": 2, "cause": "decoder_died"}]


def test_as_many_pages_as_there_are_may_kill_their_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.html").touch()

    def dying(file, handle, request, **settings):  # type: ignore[no-untyped-def]
        raise web.DecoderDied("SIGSEGV")

    monkeypatch.setattr(web, "ask", dying)
    found = web.read(make(tmp_path / "a.html"), [(row, b"<p>a") for row in range(1, 1_501)])
    assert (found.documents.num_rows, found.bad["row"].to_pylist()) == (0, list(range(1, 1_501)))
