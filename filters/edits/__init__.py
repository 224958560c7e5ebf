"""The only code besides normalise that may change text. `EDITS` is the order in which they are applied: masks last.

An edit depends on its row alone, runs on every row, and each of its steps that changes a text is named in the ledger.
"""

from filters.edits import pii
from filters.edits.contract import Edit

EDITS: tuple[Edit, ...] = (pii.EDIT,)
