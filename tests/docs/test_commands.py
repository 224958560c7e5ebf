"""docs/commands.md is what the parsers say, and names every command that the first page has."""

from __future__ import annotations

import re

from flows import command
from tests.docs import commands
from tests.support import ROOT


def test_the_page_of_commands_is_what_the_parsers_say():
    """Mend with `python -m tests.docs.commands --write`."""
    assert commands.PAGE.read_text("utf-8") == commands.markdown()


def test_every_winnow_command_that_readme_shows_exists():
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.findall(r"(?m)(?:^|bin/|`)winnow ([a-z]+)(?: ([a-z-]+))?", readme)
    assert len(shown) >= 5
    for name, sub in shown:
        assert name in command.COMMANDS, name
        assert not sub or not command.subcommands(name) or sub in command.subcommands(name) or name in ("train", "doctor"), (
            name,
            sub,
        )
