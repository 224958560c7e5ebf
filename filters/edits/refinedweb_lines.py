"""RefinedWeb's line edits, as DCLM publishes them: shouting, numbers, counters, single words, and what buttons say.

Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", arXiv 2306.01116, appendix G.2 (table of line-wise corrections), and
mlfoundations/dclm `baselines/baselines_configs/dclm_baseline_refinedweb.yaml`, from `newline_removal_modifier` on. A document
that loses more than 5 % of its words is dropped by filter `refinedweb`.

One difference: the share of digits is that of the line as it stands. DCLM strips the ends of the text before that rule, so that a
first or last line of digits and white space has a larger share there.
"""

from __future__ import annotations

from pydantic import Field

from filters.contract import Settings
from filters.edits.contract import Edit, Walk
from filters.kernels.lines import refinedweb_lines


class RefinedWebLinesParams(Settings):
    """Figures of dclm_baseline_refinedweb.yaml."""

    newlines: bool = Field(True, description="three and more newlines become two")
    max_capitals: float = Field(0.5, ge=0, le=1, description="remove lines with a larger share of capitals")
    max_digits: float = Field(0.999999, ge=0, le=1, description="remove lines with a larger share of digits")
    counters: bool = Field(True, description="remove lines such as 3 likes")
    min_words: int = Field(2, ge=0, description="remove lines with fewer words; empty lines stay")
    phrases: bool = Field(True, description="cut items in cart, Read more... and Sign-in out of lines of up to ten words")


def steps(params: RefinedWebLinesParams) -> list[Walk]:
    rules = refinedweb_lines.LineRules(**params.model_dump())
    names = tuple(f"refinedweb_lines.{name}" for name in refinedweb_lines.CHANGES)
    return [Walk(names=names, apply=lambda offsets, data: refinedweb_lines.clean(offsets, data, rules))]


EDIT = Edit(
    name="refinedweb_lines",
    version=1,
    summary="RefinedWeb's line edits: capitals, digits, counters, single words, button labels",
    params=RefinedWebLinesParams,
    steps=steps,
)
