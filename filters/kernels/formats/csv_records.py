r"""Where the records of a CSV file end.

Equals the state machine of Python's csv module, not strict (`csv.reader` with `doublequote` and without `escapechar`): a
quote opens a quoted field at the field's first byte only; two quotes inside are one; a record ends outside quotes at `\n`,
`\r` or `\r\n`. The state is carried from chunk to chunk, so that no byte is looked at twice.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, kernel

START, FIELD_START, FIELD, QUOTED, QUOTE, CR = range(6)
"""Before a record; before a field; in an unquoted field; in a quoted one; behind a quote in one; behind a `\r`."""


@kernel
def record_ends(data: Array, delimiter: Int, state: Int, ends: Array) -> tuple[Int, Int, Int]:  # type: ignore[no-untyped-def]
    r"""Write the offset behind each record's line break to `ends` (int64), until that or the data are used up.

    Returns `(number of ends, bytes looked at, state behind them)`. A record that ends in `\r` ends once it is known that no
    `\n` follows.
    """
    n = 0
    for i in range(data.size):
        if n == ends.size:
            return n, i, state
        byte = data[i]
        if state == CR:
            if byte == 10:
                ends[n] = i + 1
                n += 1
                state = START
                continue
            ends[n] = i
            n += 1
            state = START
        if state == QUOTED:
            if byte == 34:
                state = QUOTE
        elif byte == 10:
            ends[n] = i + 1
            n += 1
            state = START
        elif byte == 13:
            state = CR
        elif byte == delimiter:
            state = FIELD_START
        elif byte == 34:
            if state in (START, FIELD_START, QUOTE):
                state = QUOTED
        else:
            state = FIELD
    return n, data.size, state


def warm() -> None:
    """Compile it, in the parent."""
    record_ends(np.frombuffer(b'a,"b"\r\n', np.uint8), 44, START, np.zeros(2, np.int64))
