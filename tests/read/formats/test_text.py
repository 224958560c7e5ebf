"""Plain text: a file is a row."""

import gzip
from pathlib import Path

import pytest
import zstandard

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
