"""Chromium for tests of pages; `tests/conftest.py` makes the fixture `browser` known to all of them.

Needs playwright and Chromium (CHROMIUM names one; tests never install system packages): `make test-all`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")
SIZES = {
    "desktop": {"width": 1280, "height": 800},
    "phone": {"width": 390, "height": 844},
    "narrow": {"width": 320, "height": 568},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: `make test-all` installs it")
    if CHROMIUM is None:
        pytest.skip("no Chromium: install the system's package, or set CHROMIUM")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield opened
        opened.close()


def watched(context: Any, *, allowed: Callable[[str], bool], kinds: tuple[str, ...] | None = None) -> tuple[Any, list[str]]:
    """A new page, and what it does that a page must not: requests that are not `allowed`, messages (of these `kinds`, else all),
    errors, dialogs, popups."""
    page = context.new_page()
    faults: list[str] = []
    page.on("request", lambda r: None if allowed(r.url) else faults.append(f"request to {r.url}"))
    page.on("console", lambda m: faults.append(f"{m.type}: {m.text}") if kinds is None or m.type in kinds else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("popup", lambda popup: faults.append(f"popup {popup.url}"))
    return page, faults
