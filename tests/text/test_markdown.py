"""Nothing from outside is markup."""

import pytest

from pipeline.text import markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a_b.c", "a\\_b\\.c"),
        ("<img src=x>&amp;", "\\<img src\\=x\\>\\&amp\\;"),
        ("[a](http://e.example) | `x`", "\\[a\\]\\(http\\:\\/\\/e\\.example\\) \\| \\`x\\`"),
        ("# x\n- y", "\\# x\\[U\\+000A\\]\\- y"),
        ("日本語", "日本語"),
    ],
)
def test_escaped(text, shown):
    assert markdown.escaped(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", "(empty)"), ("a b", "`a b`"), ("a`b|c", "`a[U+0060]b[U+007C]c`"), ("@x <b>\u202e", "`@x <b>[U+202E]`")],
)
def test_code(text, shown):
    assert markdown.code(text) == shown


@pytest.mark.parametrize(("text", "fence"), [("a", "```"), ("```", "````"), ("a ````` b\n", "``````")])
def test_no_block_is_closed_from_within(text, fence):
    assert markdown.block(text, "yaml") == f"{fence}yaml\n{text.rstrip()}\n{fence}"


def test_table():
    lines = markdown.table(("name", ">n"), [("a", "1"), ("b", "22")])
    assert lines == ["| name | n |", "|:--|--:|", "| a | 1 |", "| b | 22 |"]
