"""What datatrove counts as punctuation: datatrove 0.10.1, `utils/text.py`, PUNCTUATION_SET."""

from __future__ import annotations

import numpy as np

from filters.kernels.unicode import char_classes

SIGNS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
"""PUNCTUATION without its control characters."""

_CONTROLS = [*range(9), 11, 12, *range(13, 32), *range(127, 160)]


def signs() -> np.ndarray:
    """bool[0x110000]: SIGNS, control characters and `char_classes.TERMINALS`."""
    found: np.ndarray = np.zeros(0x110000, np.bool_)
    found[[*_CONTROLS, *map(ord, SIGNS)]] = True
    blocks, cells = char_classes.tables()
    points = np.arange(0x110000)
    terminals = (cells[blocks[points >> 8].astype(np.int64) * 256 + (points & 255)] & char_classes.TERMINAL) != 0
    found |= terminals
    return found
