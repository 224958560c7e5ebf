"""Pages of some hundred news sites whose content element people have named: the fixtures and the selectors of Postlight Parser.

A second gold, of other years and other makers than `tests.bench.pages`: what a site's selectors of content take, without what
its selectors to clean take, is the gold text. Some selectors take a headline or a caption more or less than others.
The archive is that of `npm pack @postlight/parser@2.2.2` (Apache-2.0 or MIT; the pages are their publishers'), in ARCHIVE.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.pages import GoldPage, everything

ARCHIVE = Path.home() / ".cache" / "winnow" / "postlight-parser-2.2.2.tgz"
SHA256 = "f1c3f7a17e176758c1cd134ddf9998fc8d72010d860328488c935bd46d626d5f"
LEAST_GOLD = 200
"""Characters; a selector that takes less is out of date."""
_SITES = "src/extractors/custom/"
_COMMENTS = re.compile(r"^\s*//[^\n]*|/\*.*?\*/", re.MULTILINE | re.DOTALL)
_STRINGS = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_NO_TEXT = "script, style, noscript, svg, template, iframe, button, form, select"

Selectors = list[str | list[str]]
"""The first that takes something counts; of several in one, all must."""


def news_pages() -> list[GoldPage]:
    """The pages, by site; none where there is no archive. Raises ValueError for another one."""
    if not ARCHIVE.exists():
        print(f"news pages left out: there is no {ARCHIVE}; `npm pack @postlight/parser@2.2.2` makes it")
        return []
    if hashlib.sha256(ARCHIVE.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{ARCHIVE}: expected version 2.2.2 of @postlight/parser, whose sha256 is {SHA256}")
    with tarfile.open(ARCHIVE) as archive:
        files = {m.name.partition("/")[2]: archive.extractfile(m) for m in archive.getmembers() if m.isfile()}
        texts = {name: file.read().decode("utf-8", "replace") for name, file in files.items() if file is not None}
    sites = {site: found for name, text in texts.items() if name.startswith(_SITES) for site, found in _selectors(text)}
    pages = [(name.split("/")[1].removesuffix(".html"), name) for name in texts if re.fullmatch(r"fixtures/.*\.html", name)]
    gold = [(site, name, _gold(texts[name], *sites[site])) for site, name in sorted(pages) if site in sites]
    return [GoldPage(f"{site}/{name}", texts[name], text) for site, name, text in gold if len(text) >= LEAST_GOLD]


def _selectors(script: str) -> Iterator[tuple[str, tuple[Selectors, Selectors]]]:
    """Each site that a custom extractor serves, its selectors of content and those to clean."""
    script = _COMMENTS.sub("", script)
    domain = re.search(r"domain:\s*'([^']+)'", script)
    content = re.search(r"\n\s+content\s*:\s*(?=\{)", script)
    if domain and content:
        block = _balanced(script, content.end(), "{}")
        found = _listed(block, "selectors"), _listed(block, "clean")
        yield from ((site, found) for site in (domain[1], *_listed(script, "supportedDomains")))


def _listed(script: str, name: str) -> Any:
    """The list under that key, its strings read as JavaScript's; empty where it is more than strings."""
    start = re.search(rf"{name}\s*:\s*(?=\[)", script)
    if not start:
        return []
    strings = _STRINGS.sub(lambda m: json.dumps(m[1] or m[2] or ""), _balanced(script, start.end(), "[]"))
    try:
        return json.loads(re.sub(r",\s*\]", "]", strings))
    except json.JSONDecodeError:
        return []


def _balanced(script: str, start: int, signs: str) -> str:
    """From an opening sign to the one that closes it."""
    depth = 0
    for at in range(start, len(script)):
        depth += (script[at] == signs[0]) - (script[at] == signs[1])
        if depth == 0:
            return script[start : at + 1]
    return script[start:]


def _gold(page: str, content: Selectors, clean: Selectors) -> str:
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(page)
    for selector in content:
        parts = [_taken(tree.document, part) for part in ([selector] if isinstance(selector, str) else selector)]
        if not all(parts):
            continue
        taken = parts[0][:1] if isinstance(selector, str) else [element for part in parts for element in part]
        for element in taken:
            for beside in (*(part for part in clean if isinstance(part, str)), _NO_TEXT):
                for node in _taken(element, beside):
                    node.decompose()
        return "\n".join(everything(element.html) for element in taken)
    return ""


def _taken(within: Any, selector: str) -> list[Any]:
    try:
        return list(within.query_selector_all(selector))
    except ValueError:  # not CSS, but jQuery's
        return []
