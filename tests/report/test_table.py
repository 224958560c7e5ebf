"""Tables: what is in a cell is text, columns line up whatever they are written in, nothing is cut off a terminal."""

import io
import os
import pty
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from pipeline.report import table

ROWS = [
    ("[bold]x[/bold] :smile:", "1,234", "https://example.org"),
    ("重複の文書", "5", "e\u0301lan"),
    ("👍🏽 ❤️ 🇩🇪", "22", "ง่าย हिन्दी"),
    ("\x1b[31m\u202e", "333"),
]
"""Markup, wide characters, emoji of several code points, combining marks, escapes."""


def test_a_table_off_a_terminal():
    assert table.text(["before", "", table.table(("name", ">n", "what"), ROWS), "[i]after[/i]"]) == (
        "before\n"
        "\n"
        "name                        n  what\n"
        "[bold]x[/bold] :smile:  1,234  https://example.org\n"
        "重複の文書                  5  e\u0301lan\n"
        "👍🏽 ❤️ 🇩🇪                   22  ง่าย हिन्दी\n"
        "[U+001B][31m[U+202E]      333\n"
        "[i]after[/i]\n"
    )


def test_paragraphs_fold_behind_their_labels():
    made = table.paragraphs([("CPU", "a few words " * 6), ("", "and [b]more[/b]")])
    assert table.text([made]) == (
        "CPU           a few words a few words a few words a few words a few words a few\n"
        "              words\n"
        "              and [b]more[/b]\n"
    )


def test_a_cell_of_a_megabyte_is_cut_and_a_path_is_not():
    path = "/".join(["folder"] * 40)
    said = table.text([table.table(("name",), [(path,), ("x" * 1_000_000,)])])
    assert path in said and len(said) < 1_000


@given(st.lists(st.tuples(st.text(), st.integers(0, 10**12), st.text()), max_size=4), st.sampled_from([100_000, 80, 40]))
def test_columns_line_up_and_fit_whatever_is_in_them(rows, width):
    made = table.table(("name", ">n", "what"), [(name, f"{n:,}", f"\u2502{what}") for name, n, what in rows])
    lines = table.text([made], width=width).splitlines()
    assert max(map(cell_len, lines)) <= width
    if width > 1_000:  # nothing is folded, so that the third column begins at one place
        assert len(lines) == 1 + len(rows)
        assert len({cell_len(line[: line.rindex("\u2502")]) for line in lines[1:] if line.count("\u2502") == 1}) <= 1


@pytest.mark.parametrize(("no_colour", "codes"), [("", True), ("1", False)])
def test_on_a_terminal_heads_are_bold_unless_no_color_is_set(monkeypatch, no_colour, codes):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_colour)
    monkeypatch.setenv("COLUMNS", "40")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        table.show([table.table(("name", ">n"), [("x" * 60, "1")])], terminal)
        shown = os.read(master, 10_000).decode()
    os.close(master)
    assert ("\x1b[1m" in shown) == codes
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in shown.splitlines()) <= 40
    assert shown.count("x") == 60


def test_elsewhere_no_code_is_written_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    stream = io.StringIO()
    table.show([table.table(("name", ">n"), [("x" * 60, "1")])], stream)
    assert stream.getvalue() == f"{'name':<60}  n\n{'x' * 60}  1\n"
