"""docs/faq.md quotes messages as the code prints them: `…` stands for what is filled in, all else is a text of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs import pages
from tests.support import ROOT

MESSAGES = [
    line
    for block in re.findall(r"^```\n(.*?)^```$", pages.text("faq.md"), re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


def longest(message: str) -> str:
    """The longest run of words without anything that the code may write as an escape."""
    return max(re.split(r"[…'\"]|(?<=\w)[,;:.(]? ", message), key=len)


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Texts of the modules that may hold one of the messages, what is filled in as `…`."""
    words = {longest(message) for message in MESSAGES}
    files = [path for room in ("flows", "pipeline", "filters") for path in (ROOT / room).rglob("*.py")] + [ROOT / "winnow.py"]
    return [text for path in files for text in texts(path, words)]


def texts(path: Path, words: set[str]) -> list[str]:
    source = path.read_text("utf-8")
    if not any(word in source for word in words):
        return []
    return [text for node in ast.walk(ast.parse(source)) if (text := joined(node)) is not None]


def joined(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return re.sub("…+", "…", "".join(joined(part) or "…" for part in node.values))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:50])
def test_a_message_is_a_text_of_the_code(said: list[str], message: str):
    """With `…` at its ends or not: where names stand, or where more is said."""
    core = message.strip("…").strip()
    assert any(core in text for text in said)


def test_there_are_as_many_as_a_page_of_errors_should_have():
    assert len(MESSAGES) == len(set(MESSAGES)) > 30
