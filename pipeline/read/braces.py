"""Alternatives in patterns, as shells write them: `crawl/{2024,2025}/*.jsonl`.

Invariant: a pattern stands for at most `MOST` others, and the work is bounded by them; a brace without a partner, or without a
comma between the two, is a character of a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from pipeline.errors import InputError

MOST = 1_000
"""Chosen because each is looked for by itself; more are no pattern that a person wrote."""
LONGEST = 10_000
"""Characters of a pattern with braces."""


def first(pattern: str) -> int | None:
    """Where the first group begins; None where there is none."""
    found = _group(pattern)
    return found[0] if found else None


def alternatives(pattern: str) -> list[str]:
    """The patterns that it stands for, in order and each once; itself where it has no group. Raises InputError for too many."""
    if first(pattern) is None:
        return [pattern]
    if len(pattern) > LONGEST:
        raise InputError(f"{pattern[:100]}…: a pattern with braces has at most {LONGEST:,} characters; name a folder instead")
    made: dict[str, None] = {}
    for one in _expanded(pattern):
        made[one] = None
        if len(made) > MOST:
            raise InputError(f"{pattern}: its braces stand for more than {MOST:,} paths; use wildcards, or several inputs")
    return list(made)


def _expanded(pattern: str) -> Iterator[str]:
    waiting = [pattern]
    done = 0
    while waiting:
        one = waiting.pop()
        group = _group(one)
        if group is None:
            yield one
            continue
        start, stop, parts = group
        done += len(parts)
        if done > 10 * MOST:
            raise InputError(f"{pattern}: its braces stand for more than {MOST:,} paths; use wildcards, or several inputs")
        waiting += [one[:start] + part + one[stop:] for part in reversed(parts)]


def _group(pattern: str) -> tuple[int, int, list[str]] | None:
    """Begin, end and parts of the first group."""
    opened: list[tuple[int, list[int]]] = []
    closed: list[tuple[int, int, list[str]]] = []
    for at, character in enumerate(pattern):
        if character == "{":
            opened.append((at, []))
        elif character == "," and opened:
            opened[-1][1].append(at)
        elif character == "}" and opened:
            start, commas = opened.pop()
            if commas:
                cuts = [start, *commas, at]
                parts = [pattern[one + 1 : other] for one, other in pairwise(cuts)]
                closed.append((start, at + 1, parts))
                if not opened:
                    break
    return min(closed) if closed else None
