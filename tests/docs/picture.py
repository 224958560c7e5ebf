"""The picture of the report in README.md, drawn by Chromium: `python -m tests.docs.picture` curates the sample and draws it.

The first screen, light and dark; Chromium as in `tests.chromium`. `--output DIR` takes a report that is there already.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from tests.chromium import CHROMIUM, QUIET
from tests.support import ROOT, SAMPLE, curate

PICTURES = ROOT / "docs/pictures"
SIZE = (1280, 900)
SCHEMES = {"light": "1", "dark": "0"}
"""And what Blink calls them."""
MOST_BYTES = 150_000
SEED = 2
"""Of the sample that is quoted: chosen because its documents are written in letters that every machine can draw."""


def draw(report: Path, scheme: str) -> bytes:
    """The first screen as a small PNG."""
    assert CHROMIUM is not None, "no Chromium: install the system's package, or set CHROMIUM"
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        more = (
            f"--user-data-dir={folder}/profile",
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            "--hide-scrollbars",
        )
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        command = [CHROMIUM, "--headless", *QUIET, *more, "--no-sandbox", size, f"--screenshot={shot}", report.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        made = io.BytesIO()
        Image.open(shot).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(made, "png", optimize=True)
        return made.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="an output with its report (default: the sample is curated)")
    given = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        out = given or Path(folder) / "curated"
        if given is None:
            curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out, "--set", f"seed={SEED}")
        for scheme in SCHEMES:
            drawn = draw(out / "report.html", scheme)
            assert len(drawn) < MOST_BYTES, f"{scheme}: {len(drawn):,} bytes"
            path = PICTURES / f"report-{scheme}.png"
            path.write_bytes(drawn)
            print(f"{path.relative_to(ROOT)}: {len(drawn):,} bytes")


if __name__ == "__main__":
    main()
