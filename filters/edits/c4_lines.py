"""C4's line rules: lines that are no prose are taken away, and Wikipedia's citation marks within lines.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 21 (140), section
2.2, and the code that made the data set (tensorflow_datasets `text/c4_utils.py`), as two published tools have it:

- `datatrove` (0.10.1, `filters/c4_filters.py`; FineWeb uses it without `punctuation`): lines are those of `str.splitlines()`,
  without white space at their ends; what stays is joined by newlines;
- `dolma` (1.2.1, `taggers/c4.py`; Dolma 1.6 removes the lines without an end, and no other): lines are what newlines separate
  and stay as they are; the marks are . ? ! " and an ellipsis is an end too.

The rules of C4 that drop a document are filter `c4`: a line with "lorem ipsum" or a curly bracket stays here for it to find.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from filters.contract import Settings
from filters.edits.contract import Edit, Walk
from filters.kernels.lines import c4_lines


class C4LinesParams(Settings):
    """Raffel et al. 2020, section 2.2, and c4_utils.py."""

    profile: Literal["datatrove", "dolma"] = Field("datatrove", description="whose reading of C4's line rules")
    punctuation: bool = Field(True, description='remove lines that do not end in . ? ! " \' (datatrove) or . ? ! " (dolma)')
    min_words: int = Field(3, ge=0, description="remove lines with fewer words; blank lines count")
    max_word_length: int = Field(1000, ge=0, description="remove lines with a word of more characters; 0: none")
    citations: bool = Field(True, description="remove [1], [edit] and [citation needed]")
    javascript: bool = Field(True, description="remove lines with the word javascript")
    policy: bool = Field(True, description="remove lines about cookies, privacy and terms of use")


def steps(params: C4LinesParams) -> list[Walk]:
    rules = c4_lines.LineRules(whole=params.profile == "dolma", **params.model_dump(exclude={"profile"}))
    names = tuple(f"c4_lines.{name}" for name in c4_lines.CHANGES)
    return [Walk(names=names, apply=lambda offsets, data: c4_lines.clean(offsets, data, rules))]


EDIT = Edit(
    name="c4_lines",
    version=1,
    summary="C4's line rules: punctuation, words, JavaScript, policies, citations",
    params=C4LinesParams,
    steps=steps,
)
