"""What helps where no row of a file or source can be read: another key of the plan or another file, never a larger budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipeline.text import numbers

_COLUMN = "name the column that holds the text in source.text (--set source.text=COLUMN)"
_FORMAT = "or, of conversations in columns of other names, write them as one of the formats of docs/conversations.md has them"
_AGAIN = "the file is damaged: fetch or write it again"
REMEDIES = {
    "text_missing": f"{_COLUMN}; {_FORMAT}",
    "double_column": "rename one of the two columns",
    "text_null": f"the column has no value: {_COLUMN}, or leave the file out",
    "text_not_a_string": f"a text is a string: {_COLUMN}, or write it as one",
    "not_a_conversation": "the rows are not of the format that source.format names or that the first rows had: name theirs in"
    " source.format, and give rows of another format a source of their own (docs/conversations.md)",
    "invalid_json": "each line has to be a JSON object: write the file so, or give it the ending of what it is",
    "not_an_object": "each line has to be a JSON object with a column for the text: write the file so",
    "invalid_utf8": "the file is not UTF-8: convert it, such as with iconv -f ENCODING -t UTF-8",
    "lone_surrogate": "the escapes of the texts are of broken UTF-16: write the file again from its source",
    "invalid_csv": "look at the delimiter, the quotes and the header of the file",
    "row_too_large": "raise source.max_row_bytes, or look whether the file has line breaks",
    "archive_corrupt": _AGAIN,
    "archive_truncated": _AGAIN,
}
"""By the cause of most rows; those of decoders are about single rows."""
BUDGET = "mend the input, or raise max_bad_fraction of the source"
COLUMNS = frozenset({"text_missing", "text_null", "text_not_a_string"})
"""Causes that another column for the text helps against, which holds for all files of a source."""
APART = "in a source of its own, since other files of this source have texts in the column that it names now"


def remedy(listed: Iterable[str], *, rows: int, others: bool) -> str:
    """What to do about a file or source whose budget is exceeded. `listed`: the causes of its quarantined rows; `rows`: all that
    it has; `others`: of other files of its source rows could be read."""
    causes = Counter(listed)
    if causes.total() < rows or not causes:
        return BUDGET
    cause, number = causes.most_common(1)[0]
    which = "every row" if number == rows else f"{numbers.count(number)} of {numbers.count(rows)} rows"
    helps = REMEDIES.get(cause, "mend the input, or leave it out")
    apart = f"; {APART}" if others and cause in COLUMNS else ""
    return f"nothing of it can be read ({which}: {cause}), so no budget helps: {helps}{apart}"
