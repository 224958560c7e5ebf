"""What hides is shown; what is plain stays."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.visible import folded, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("plain text, Größe, 日本語, عربى", "plain text, Größe, 日本語, عربى"),
        ("a\nb\tc", "a[U+000A]b[U+0009]c"),
        ("\x1b[31m", "[U+001B][31m"),
        ("\u202egpj.exe", "[U+202E]gpj.exe"),
        ("a\u200bb\ufeff", "a[U+200B]b[U+FEFF]"),
        ("\u2028\u2029", "[U+2028][U+2029]"),
        ("\ud800", "[U+D800]"),
        ("\U000e0041", "[U+E0041]"),
        ("\u3164\u2800", "[U+3164][U+2800]"),
        ("e" + "\u0301" * 4, "e" + "\u0301" * 4),
        ("e" + "\u0301" * 5, "e" + "\u0301" * 4 + "[U+0301]"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"), [("abcd", 4, "abcd"), ("abcde", 4, "abc…"), ("ab\x00", 4, "ab…"), ("", 4, "")]
)
def test_cut_at_the_limit_and_never_inside_a_code_point(text, limit, shown):
    assert visible(text, limit=limit) == shown


@given(st.text(), st.one_of(st.none(), st.integers(1, 40)))
def test_always_printable_one_line_within_the_limit_and_stable(text, limit):
    shown = visible(text, limit=limit)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]
    assert limit is None or len(shown) <= limit
    assert visible(shown, limit=limit) == shown


@pytest.mark.parametrize(("text", "shown"), [("a\nb\x1b\r\n", "a\nb[U+001B][U+000D]\n"), ("\u202e\n\n", "[U+202E]\n\n")])
def test_visible_lines(text, shown):
    assert visible_lines(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [(" a\n\n b\tc ", "a b c"), ("a\u00a0\u3000b\x07", "a b[U+0007]"), ("abcdefghi", "abcdefg…")]
)
def test_folded(text, shown):
    assert folded(text, limit=8) == shown or (len(shown) > 8 and folded(text, limit=20) == shown)
