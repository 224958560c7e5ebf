"""Plain text: a file is a row."""

import gzip
from pathlib import Path

import pytest
import zstandard

from pipeline.errors import InputError
from pipeline.read.expansion import expand
from pipeline.read.source import Source
from pipeline.read.tree import ABOUT
from tests.read.child.test_html import row
from tests.support import curate, digests, table


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("größer\r\n\nzwei".encode(), ("größer\n\nzwei", None)),
        (b"\xef\xbb\xbfa", ("a", None)),
        (b"", ("", None)),
        (b"a\xff", (None, "invalid_utf8")),
        ("größer".encode("utf-16"), ("größer", None)),
        (b"x" * 1_001, (None, "row_too_large")),
        (b"x" * 1_000, ("x" * 1_000, None)),
    ],
)
def test_a_file_is_a_row(tmp_path: Path, data: bytes, expected: tuple[str | None, str | None]) -> None:
    assert row(tmp_path / "a.txt", data, max_row_bytes=1_000) == expected
    assert row(tmp_path / "a.txt.gz", gzip.compress(data), max_row_bytes=1_000) == expected
    assert row(tmp_path / "a.txt.zst", zstandard.compress(data), max_row_bytes=1_000) == expected


@pytest.mark.parametrize("name", ["a.md", "a.MD.gz", "a.markdown", "a.rst", "README.md"])
def test_markdown_is_plain_text(tmp_path: Path, name: str) -> None:
    data = b"# Title\n\n- *one*\n"
    assert row(tmp_path / name, gzip.compress(data) if name.endswith("gz") else data) == (data.decode(), None)


def test_a_readme_is_no_document_of_a_folder_unless_it_is_named(tmp_path: Path) -> None:
    for name in ("README.md", "a.md", "b.txt", "below/readme.rst", "below/reader.md"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("# A page")
    for pattern, found in {"in": "a.md b.txt below/reader.md", "in/*.md": "a.md", "in/**/README.*": "README.md"}.items():
        made = expand([Source(paths=(str(tmp_path / pattern),))])
        assert [file.path for file in made.files] == [f"in/{name}" for name in found.split()]
        assert {one.reason for one in made.passed_over} == ({ABOUT} if "README" not in pattern else set())
    with pytest.raises(InputError, match=r"describes what lies beside it; name it to have it read: below/readme\.rst"):
        (tmp_path / "in" / "below" / "reader.md").unlink()
        expand([Source(paths=(str(tmp_path / "in" / "below"),))])


def test_a_file_that_breaks_off_is_one_bad_row(tmp_path: Path) -> None:
    assert row(tmp_path / "a.txt.gz", gzip.compress(b"some text" * 100)[:-9]) == (None, "archive_truncated")


def test_the_command_gives_the_same_bytes_whatever_the_units_and_workers(tmp_path: Path) -> None:
    """Laws 1 and 2 over all the formats at once, each compressed and not."""
    from tests.read.formats.test_warc import ARCHIVE

    folder = tmp_path / "in"
    folder.mkdir()
    csv = b"id,text,lang\n" + b"".join(b'%d,"number %d\nof ""many""",en\n' % (i, i) for i in range(60)) + b"9,x\n"
    for name, data in {
        "a.csv": csv,
        "b.warc": ARCHIVE,
        "c.txt": b"plain text",
        "d.html": b"<p>a page</p>",
        "e.txt": b"\xff",
    }.items():
        (folder / name).write_bytes(data)
        (folder / f"{name}.gz").write_bytes(gzip.compress(data))
    made = []
    for i, (unit, workers) in enumerate([("64MB", 1), ("2kB", 2)]):
        out = tmp_path / f"out{i}"
        settings = ["--set", f"source.unit_bytes={unit}", "--set", "source.max_bad_fraction=1"]
        curate("minimal", "--input", folder, "--output", out, *settings, workers=workers)
        made.append(digests(out))
    assert made[0] == made[1]
    ledger = table(out, "ledger")
    assert len(ledger) == 2 * (61 + 8 + 3) == ledger["source_ref"].n_unique()
    assert dict(ledger["verdict"].value_counts().iter_rows())["quarantined"] == 2 * 4
    assert {"in/a.csv#60", "in/b.warc.gz#3", "in/c.txt#1", "in/d.html.gz#1"} <= set(ledger["source_ref"])
