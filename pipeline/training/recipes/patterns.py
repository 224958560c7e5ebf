"""Text from patterns of our own: lists of entries with {names} that are filled at random from other lists."""

from __future__ import annotations

import random
import re
from pathlib import Path

_NAME = re.compile(r"\{([a-z]+)\}")
_DEPTH = 3
"""Entries may name lists whose entries name lists; deeper names stay as they are."""

Lists = dict[str, list[str]]


def read(name: str) -> Lists:
    """The lists of NAME.txt beside this file."""
    lists: Lists = {}
    current: list[str] = []
    for line in Path(__file__).with_name(f"{name}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = lists.setdefault(line[1:-1], [])
        elif line and not line.startswith("# "):
            current.append(line)
    return lists


def fill(lists: Lists, pattern: str, chance: random.Random) -> str:
    """The pattern with its names filled; names without a list stay."""
    for _ in range(_DEPTH):
        pattern = _NAME.sub(lambda match: _one(lists, match, chance), pattern)
    return pattern


def draw(lists: Lists, section: str, chance: random.Random) -> str:
    """An entry of a section, filled."""
    return fill(lists, chance.choice(lists[section]), chance)


def _one(lists: Lists, match: re.Match[str], chance: random.Random) -> str:
    if match[1] == "n":
        return str(chance.randrange(10 ** chance.randint(1, 4)))
    return chance.choice(lists[match[1]]) if match[1] in lists else match[0]
