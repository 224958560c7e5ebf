"""robots.txt: what its groups and rules say of a path.

Reading is linear in the file and matching in the path for each rule, whatever agents and wildcards there are: files come from
anywhere. Source: RFC 9309; 500 KiB of a file are read (section 2.5).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from urllib.parse import quote

MOST_BYTES = 500 << 10
AGENT = r"^([A-Za-z0-9_-]+|\*)$"
"""The name of a crawler: what stands behind it in a file, as its version, does not count (section 2.2.1)."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]+|\*")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_KEPT = "/?=&;:@!$'()*+,~[]%-._"
"""Characters of a path or a pattern that are not encoded; `%` among them, since what is encoded already stays."""


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: str
    allows: bool

    def matches(self, path: str) -> bool:
        ends = self.pattern.endswith("$")
        first, *parts = self.pattern.removesuffix("$").split("*") if ends else self.pattern.split("*")
        if not path.startswith(first):
            return False
        at = len(first)
        if not parts:
            return not ends or at == len(path)
        for part in parts[:-1]:
            at = path.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return path.endswith(parts[-1]) and len(path) - len(parts[-1]) >= at if ends else path.find(parts[-1], at) >= 0


@dataclass(frozen=True)
class Robots:
    """Groups of rules by agent, in small letters; `*` are those of all others. Agents that are named together share a group."""

    groups: dict[str, list[list[Rule]]]

    def allows(self, agent: str, path: str) -> bool:
        """`path`: with its query. The longest pattern decides, of two as long the one that allows."""
        groups = self.groups.get(agent.lower(), self.groups.get("*", []))
        path = encoded(path or "/")
        found = [rule for rule in chain.from_iterable(groups) if rule.matches(path)]
        return max(found, key=lambda rule: (len(rule.pattern), rule.allows)).allows if found and path != "/robots.txt" else True


def parse(text: str) -> Robots:
    """Whatever the text is: lines that are none of these are passed over."""
    groups: dict[str, list[list[Rule]]] = defaultdict(list)
    group: list[Rule] = []
    open_ = False  # agents were named, and no rule yet
    for line in re.split(r"[\r\n]+", text[:MOST_BYTES].lstrip("\ufeff")):
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name == "user-agent":
            group = group if open_ else []
            open_ = True
            token = _TOKEN.match(value)
            held = groups[token[0].lower()] if token else [group]  # a group without rules allows all
            if not held or held[-1] is not group:
                held.append(group)
        elif name in ("allow", "disallow"):
            open_ = False
            if value:
                group.append(Rule(encoded(value), name == "allow"))
    return Robots(dict(groups))


def encoded(text: str) -> str:
    """Percent-encoding in one form: what needs none has none, hexadecimal digits are capitals (RFC 9309, section 2.2.2)."""
    made = quote(text, safe=_KEPT, errors="replace")

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character.isascii() and (character.isalnum() or character in "-._~") else match[0].upper()

    return _PERCENT.sub(one, made)
