"""The kernels of the line edits, called once each so that they are compiled. A run compiles those that its plan uses only
(`pipeline/run/prepare.py`), so they are no part of `warm.warm`."""

from __future__ import annotations

import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.lines import c4_lines, phrases, refinedweb_lines, repeats


def warm() -> None:
    text = buffers.views(pa.array(["the end", "…"], pa.large_string()))
    c4_lines.clean(*text, c4_lines.LineRules(False, 1000, True, True, 3, True, True))
    refinedweb_lines.clean(*text, refinedweb_lines.LineRules(True, 0.5, 1.0, True, 2, True))
    refinedweb_lines.counted_words(*text)
    repeats.cut(*text, 100)
    phrases.found(*text, phrases.compile_phrases(("the",)))
