"""docs/ as a site: what MkDocs is told beside mkdocs.yml (its `hooks`), and how links and headings of a page are read.

Pages are written for GitHub, where a link may lead to any file of the tree. The site has the pages of docs/ and some of the
root; a link that leaves it becomes its words. Lists get the blank line in front that Python-Markdown wants.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FROM_ROOT = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Pages of the root, and what the site calls them."""
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_TARGET = re.compile(r"\]\(([^)\s]+)\)")
_PICTURE = re.compile(r' src(?:set)?="([^"]+)"')
_GONE = re.compile(r"!?\[([^\]]*)\]\(\0\)")
_LIST = re.compile(r"^(?P<before>(?!\s|[-*] |\d+\. ).+)\n(?=- |1\. )", re.MULTILINE)


def links(text: str) -> list[str]:
    """Relative links and pictures of a page."""
    plain = re.sub(r"`[^`\n]+`", lambda code: "" if "](" in code[0] else code[0], _BLOCK.sub("", text))
    found = _TARGET.findall(plain) + _PICTURE.findall(plain)
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def anchors(text: str) -> set[str]:
    """Names of a page's headings that GitHub and MkDocs make alike: not those of a second heading with the same words."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    made = {re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-") for words in plain}
    return {name for name in made if "--" not in name}


def for_site(text: str, name: str) -> str:
    """The Markdown of the page that the site calls `name`, as the site wants it."""
    here = "" if name in FROM_ROOT.values() else posixpath.join("docs", posixpath.dirname(name))

    def target(found: re.Match[str]) -> str:
        path, hash_, anchor = found[1].partition("#")
        if ":" in path or not path:
            return found[0]
        whole = posixpath.normpath(posixpath.join(here, path))
        inside = FROM_ROOT.get(whole) or (whole.removeprefix("docs/") if whole.startswith("docs/") else "")
        there = posixpath.relpath(inside, posixpath.dirname(name) or ".") + hash_ + anchor if inside else "\0"
        return found[0].replace(found[1], there)

    def outside_of_blocks(part: str) -> str:
        linked = _GONE.sub(r"\1", _TARGET.sub(target, _PICTURE.sub(target, part)))
        return _LIST.sub(lambda before: f"{before['before']}\n\n", linked)

    blocks = _BLOCK.findall(text)
    parts = [outside_of_blocks(part) for part in _BLOCK.split(text)]
    return "".join(part + block for part, block in zip(parts, [*blocks, ""], strict=True))


def on_files(files: Any, config: Any) -> Any:
    """Called by MkDocs: adds the pages of the root."""
    from mkdocs.structure.files import File  # type: ignore[import-not-found]

    for source, name in FROM_ROOT.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by MkDocs for each page."""
    return for_site(markdown, page.file.src_uri)
