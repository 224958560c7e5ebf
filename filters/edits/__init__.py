"""The only code besides normalise that may change text. `EDITS` is the order in which they are applied: masks last.

Line rules come first, so that repeats are sought among the lines that stay. An edit depends on its row alone, runs on every
row, and each of its steps that changes a text is named in the ledger.
"""

from filters.edits import c4_lines, decontaminate, pii, refinedweb_lines, repetition_within
from filters.edits.contract import Edit

EDITS: tuple[Edit, ...] = (c4_lines.EDIT, refinedweb_lines.EDIT, repetition_within.EDIT, decontaminate.EDIT, pii.EDIT)
