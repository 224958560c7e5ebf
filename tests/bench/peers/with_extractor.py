"""`with_extractor.py ENGINE PAGES TEXTS`: main text of pages by trafilatura or magic-html. Runs in the peer's environment.

PAGES: a JSON string a line. TEXTS: the same, of texts; the first line is the CPU seconds that they took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def trafilatura(page: str) -> str:
    import trafilatura

    return trafilatura.extract(page, fast=True, include_comments=False) or ""


def magic_html(page: str) -> str:
    from lxml import html
    from magic_html import GeneralExtractor

    found = GeneralExtractor().extract(page, base_url="http://example.org/", precision=True)["html"]
    return "\n".join(text for part in html.fromstring(found).itertext() if (text := part.strip())) if found else ""


def extracted(extract, page: str) -> str:  # type: ignore[no-untyped-def]
    try:
        return str(extract(page))
    except Exception:  # a page that the peer cannot read has no text
        return ""


def main(engine: str, pages: str, texts: str) -> None:
    extract = {"trafilatura": trafilatura, "magic-html": magic_html}[engine]
    sources = [json.loads(line) for line in Path(pages).read_text(encoding="utf-8").splitlines()]
    extracted(extract, sources[0])  # what it loads when first used
    start = time.process_time()
    found = [extracted(extract, source) for source in sources]
    used = time.process_time() - start
    Path(texts).write_text("\n".join(json.dumps(line) for line in (used, *found)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
