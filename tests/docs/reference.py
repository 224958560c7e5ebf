"""The plan reference of docs/plan.md, generated from the models: `python -m tests.docs.reference` prints it, `--write` puts it
between the markers there. A test fails when they differ."""

from __future__ import annotations

import sys

from pipeline.plan.keys import keys
from tests.support import ROOT

PAGE = ROOT / "docs" / "plan.md"
BEGIN, END = "<!-- plan reference: begin -->", "<!-- plan reference: end -->"


def markdown() -> str:
    """One table row per key of the plan, nested keys by their path."""
    lines = ["| key | default | what it does |", "|---|---|---|"]
    for path, default, about in keys():
        shown = about.replace("|", "\\|")
        lines.append(f"| `{path}` | {_cell(default)} | {shown} |")
    return "\n".join(lines)


def _cell(default: str) -> str:
    return f"`{default}`" if default else ""


def main() -> int:
    if "--write" not in sys.argv:
        print(markdown())
        return 0
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{markdown()}\n{END}{after}", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
