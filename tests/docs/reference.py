"""The plan reference of README.md, generated from the models: `python -m tests.docs.reference` prints it, `--write` puts it
between the markers in README.md. A test fails when they differ."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.plan.keys import keys

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
    readme = Path(__file__).resolve().parents[2] / "README.md"
    if "--write" not in sys.argv:
        print(markdown())
        return 0
    text = readme.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{markdown()}\n{END}{after}", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
