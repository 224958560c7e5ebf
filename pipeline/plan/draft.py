"""A plan for an input as a commented YAML file, which a person goes on from.

Invariants: names of columns and files, whatever they hold, are quoted scalars where they are values and one visible line where
they are comments, so that none of them writes a key; what is commented out (`#key:`, without a space) gives a valid plan too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.plan.load import DEFAULT
from pipeline.plan.proposal import Proposed
from pipeline.read.expansion import in_words
from pipeline.text import numbers
from pipeline.text.conversations import LAYOUTS
from pipeline.text.visible import visible

CHAT = "chat@1"
"""The preset for conversations."""
MOST_COLUMNS = 40
MOST_LANGUAGES = 8
NAME = 40
"""Characters of a name in a comment."""
_REST = """
# What the preset does, and what you may want otherwise: remove the # in front of a key. All keys: winnow plan keys
#filters:
#  language: {keep: all}             # or those to keep alone{keep}
#  gopher_quality: {min_words: 60}   # shorter documents are dropped
#  quality: {keep: balanced}         # lenient, balanced or strict: what the model of what readers keep drops
#  toxicity: {max_score: 0.52}       # `false` switches a filter off; action: annotate scores and drops nothing
#edits:
#  pii: {email: true, ip: true}      # mask addresses in what is kept
#dedup:
#  threshold: 0.8                    # near duplicates from this similarity on; `dedup: false` keeps them
#select:
#  keep_top: {share: 1}              # 0.1: the best tenth of what is left, by quality_score
#output:
#  rejected: full                    # what was dropped, to look at; none, or a share of it
#checks:
#  on_fail: stop                     # publish nothing where a check fails (exit code 3); without this line: warn
"""


def quoted(text: str) -> str:
    """A YAML scalar in double quotes, on one line, that reads as this text."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def output_of(sources: Sequence[Proposed]) -> str:
    """What the output is best called: after the source, so that it is none that other plans write."""
    return "curated-" + (re.sub(r"[^A-Za-z0-9._-]+", "-", sources[0].name).strip("-.")[:NAME] or "input")


def commands(file: str, output: str) -> tuple[str, str]:
    """What a person runs next: with the output, so that the look at the plan is one at the run."""
    return f"winnow plan explain {file} --output {output}", f"winnow curate {file} --output {output}"


def draft(sources: Sequence[Proposed], *, file: str) -> str:
    """The plan. `file`: what it will be called, for the commands in it."""
    explain, curate = map(visible, commands(file, output_of(sources)))
    lines = [
        "# Written by `winnow plan init` from a look at the input. Read it before you run it:",
        f"#   {explain}   what it would do",
        f"#   {curate}         do it",
        "#",
    ]
    for source in sources:
        lines += [f"# {visible(line)}".rstrip() for line in _seen(source)]
    preset = CHAT if all(source.layout for source in sources) else DEFAULT
    lines += ["", f"extends: {preset}   # the preset that this plan changes; others: winnow plan presets", ""]
    lines += ["# Relative paths start where winnow is called.", "source:"]
    for source in sources:
        body = list(_source(source))
        first = "  - " if len(sources) > 1 else "  "
        lines += [f"{first if not number else ' ' * len(first)}{line}" for number, line in enumerate(body)]
    languages = [code for code, _ in sources[0].languages if code not in ("und", "zxx")][:3]
    keep = f": [{', '.join(languages)}]" if languages else ""
    return "\n".join([*lines, _REST.replace("{keep}", keep)])


def _source(source: Proposed) -> Iterator[str]:
    yield f"paths: [{', '.join(map(quoted, source.paths))}]"
    yield f"name: {quoted(source.name)}"
    if source.layout:
        yield f"format: {source.layout}   # what users and assistants say is judged, and rows come out with their structure"
    else:
        yield f"text: {quoted(source.text)}   # the column that holds the text"
    yield f"id: {quoted(source.id)}   # rows without one get a hash of their place"
    if source.named_by:
        yield f"from: null   # {visible(source.named_by, limit=NAME)}: a column whose values could be the names of sources"


def _seen(source: Proposed) -> Iterator[str]:
    """What was looked at, in lines of a comment."""
    formats = ", ".join(f"{numbers.count(n)} {name}" for name, n in source.formats)
    rows = sum(look.rows for look in source.looks)
    yield f"{', '.join(visible(path) for path in source.paths)}"
    yield f"  {numbers.counted(source.files, 'file')}, {numbers.size(source.bytes)}: {formats}"
    bad = sum(look.bad for look in source.looks)
    unread = f"; {numbers.counted(bad, 'row')} could not be read" if bad else ""
    yield f"  looked at {numbers.counted(rows, 'row')} of {numbers.counted(len(source.looks), 'file')}{unread}"
    yield from (f"  passed over: {in_words(passed)}" for passed in source.passed_over)
    of = next((look.file.path for look in source.looks if look.columns and look.columns == source.columns), None)
    yield from [f"  columns of {visible(of)}:"] if of else []
    for column in source.columns[:MOST_COLUMNS]:
        size = f", {numbers.count(column.characters)} characters on average" if column.characters else ""
        turns = source.layout and column.name in LAYOUTS[source.layout].columns
        mark = " <- a conversation" if turns else " <- proposed as the text" if column.name == source.text else ""
        yield f"    {visible(column.name, limit=NAME)}: {column.kind} in {numbers.counted(column.filled, 'row')}{size}{mark}"
    if len(source.columns) > MOST_COLUMNS:
        yield f"  and {numbers.counted(len(source.columns) - MOST_COLUMNS, 'column')} more"
    for path, text in source.others:
        there = f"; its text may be {visible(text, limit=NAME)}" if text else ""
        yield f"  {visible(path)} has no such column{there}: give it a source of its own, or leave it out"
    if source.languages:
        total = sum(n for _, n in source.languages)
        shares = [f"{code} {numbers.share(n, total)}" for code, n in source.languages[:MOST_LANGUAGES]]
        yield f"  languages of {numbers.counted(total, 'document')}: {', '.join(shares)}"
    yield ""
