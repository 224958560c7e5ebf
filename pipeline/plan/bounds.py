"""YAML that somebody else may have written, within bounds: size, depth, what aliases come to, and integers.

Aliases make few bytes many values (each of ten lists holds the one before it ten times), so they are counted as what they stand
for, event by event, before anything is built. The parser keeps a stack of its own; what builds the values recurses: hence depth.
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent

from pipeline.errors import PlanError

MOST_BYTES = 1_000_000
"""Of a plan: chosen as 10,000 paths of inputs have it, and read in half a minute."""
MOST_DEPTH = 50
"""Chosen as ten times what a plan has; builders recurse some ten frames a level."""
MOST_NODES = 100_000
"""Values, those that aliases stand for among them."""
MOST_BITS = 128
"""Of an integer: chosen so that whatever a key may hold passes, and what is too much for it is told with the key's own limit."""


def load(text: str, *, where: str) -> Any:
    """The one document of a text. Raises PlanError where it is no YAML, or beyond the bounds."""
    if len(text) > MOST_BYTES:
        raise PlanError(f"{where}: {len(text):,} characters; a plan has at most {MOST_BYTES:,}")
    try:
        _check(text, where)
        value = YAML(typ="safe", pure=True).load(io.StringIO(text))
    except YAMLError as error:
        said = " ".join(str(error).split()).replace(' in "<file>",', ",")  # which file, `where` says
        raise PlanError(f"{where}: not valid YAML: {said[:500]}") from error
    except (ValueError, OverflowError, KeyError) as error:  # thousands of digits, a thirteenth month, !!bool maybe
        raise PlanError(f"{where}: not valid YAML: a value cannot be read ({error})") from error
    _check_integers(value, where)
    return value


def _check(text: str, where: str) -> None:
    sizes, anchors = [0], dict[str, int]()
    open_ = list[str | None]()
    for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
        if isinstance(event, AliasEvent):
            if event.anchor not in anchors:
                raise PlanError(f"{where}: *{event.anchor} stands for nothing, or for what it stands in")
            sizes[-1] += anchors[event.anchor]
        elif isinstance(event, CollectionEndEvent):
            size, anchor = sizes.pop(), open_.pop()
            sizes[-1] += size
            if anchor:
                anchors[anchor] = size
        elif isinstance(event, CollectionStartEvent):
            sizes.append(1)
            open_.append(event.anchor)
            anchors.pop(event.anchor, None)
        elif isinstance(event, DocumentStartEvent):
            if event.version not in (None, (1, 2)):  # 1.1 has integers like 1:59:59, which take an hour to read
                raise PlanError(f"{where}: a plan is YAML 1.2; remove its line %YAML")
        elif isinstance(event, NodeEvent):
            sizes[-1] += 1
            if event.anchor:
                anchors[event.anchor] = 1
        if len(open_) > MOST_DEPTH:
            raise PlanError(f"{where}: nested deeper than {MOST_DEPTH} levels")
        if sum(sizes) > MOST_NODES:
            raise PlanError(f"{where}: more than {MOST_NODES:,} values, with what aliases stand for")


def _check_integers(value: Any, where: str) -> None:
    waiting = [("", value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, dict):
            waiting += [(f"{path}.{key}".lstrip("."), inner) for key, inner in found.items()]
            waiting += [(path, key) for key in found]
        elif isinstance(found, list | tuple | set):
            waiting += [(path, inner) for inner in found]
        elif isinstance(found, int) and found.bit_length() > MOST_BITS:
            raise PlanError(f"{where}: {path or 'a value'}: an integer beyond {MOST_BITS} bits")
