"""Capital and small letters of texts in Latin, Greek and Cyrillic, counted by their bytes.

Invariant: counted are A-Z, À-Þ without ×, Α-Ω and Ѐ-Я as capitals, a-z, ß-ÿ without ÷, α-ω and а-џ as small: letters of two bytes
beyond these are in too few words to turn a majority. Source: Unicode's code charts.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, kernel


def counted(data: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(capitals, small)`, int64[n]: letters of each text, the UTF-8 `data[a:b]` of its `spans` (int64[n, parts, 2])."""
    capitals, small = np.zeros(len(spans), np.int64), np.zeros(len(spans), np.int64)
    _count(data, spans, capitals, small)
    return capitals, small


@kernel
def _count(data: Array, spans: Array, capitals: Array, small: Array) -> None:
    for i in range(spans.shape[0]):
        for k in range(spans.shape[1]):
            lead = np.uint8(0)
            for p in range(spans[i, k, 0], spans[i, k, 1]):
                byte = data[np.uintp(p)]
                if byte < 0x80:
                    capitals[i] += 0x41 <= byte <= 0x5A
                    small[i] += 0x61 <= byte <= 0x7A
                elif lead == 0xC3:
                    capitals[i] += byte <= 0x9E and byte != 0x97
                    small[i] += byte > 0x9E and byte != 0xB7
                elif lead == 0xCE:
                    capitals[i] += 0x91 <= byte <= 0xA9
                    small[i] += byte >= 0xB1
                elif lead == 0xD0:
                    capitals[i] += byte <= 0xAF
                    small[i] += byte > 0xAF
                elif lead == 0xCF or lead == 0xD1:
                    small[i] += byte <= (0x89 if lead == 0xCF else 0x9F)
                lead = byte
