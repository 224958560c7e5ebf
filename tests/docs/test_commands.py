"""docs/commands.md is what the parsers say. Commands that pages show: `test_shown.py`."""

from __future__ import annotations

from tests.docs import commands


def test_the_page_of_commands_is_what_the_parsers_say():
    """Mend with `python -m tests.docs.commands --write`."""
    assert commands.PAGE.read_text("utf-8") == commands.markdown()
