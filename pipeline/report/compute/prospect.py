"""What the kept text is good for, from counts of tokens alone: a bracket of the saving, and the models that it is enough for.

The bracket is no saving. Where the dropped text teaches nothing, a model learns from the kept text what it learns from all of it,
with 1 / kept share times less compute; where a dropped token is worth a kept one, curation saves nothing. Only a measurement
(`pipeline.savings`) tells where between; dropped text that does harm lies above, a filter that drops the better text below.
"""

from __future__ import annotations

from pipeline.plan.compute import TOKENS_A_PARAMETER
from pipeline.records.base import Quantity
from pipeline.records.ledger import Prospect
from pipeline.report.compute.sufficiency import EPOCHS_CHEAP

LEAST_TOKENS = 1_000_000
"""Fewer are too little text to plan a run; chosen because they are enough for a model of 50,000 parameters, which learns hardly
more than which words there are."""

LEAST_COUNTED = 30_000
"""Tokens without which counts of n-grams tell no order: five draws of 20 kB each, beside a tenth that is held out."""

PASSES = EPOCHS_CHEAP
SIZES = f"{TOKENS_A_PARAMETER} tokens a parameter: Hoffmann et al. 2022, arXiv 2203.15556"
REPEATS = f"up to {PASSES} passes change little: Muennighoff et al. 2023, arXiv 2305.16264"


def prospect(read: Quantity, kept: Quantity) -> Prospect:
    """`read`, `kept`: tokens of all documents as read, and of the kept ones as written."""
    share = kept.number / read.number if read.number else None
    one, four = (_parameters(kept, passes) for passes in (1, PASSES))
    return Prospect(
        read=read,
        kept=kept,
        kept_share=Quantity.computed(share, "share of the tokens", "kept tokens / tokens of all documents"),
        most=Quantity.computed(
            1 / share if share else None, "times less compute", "1 / kept share: if nothing dropped was of use"
        ),
        one_pass=one,
        four_passes=four,
    )


def _parameters(kept: Quantity, passes: int) -> Quantity | None:
    """Of the largest model that the text is enough for when it is read that often; None of too little text."""
    if kept.number < LEAST_TOKENS:
        return None
    source = SIZES if passes == 1 else f"{passes} passes; {SIZES}; {REPEATS}"
    return Quantity.computed(passes * kept.number / TOKENS_A_PARAMETER, "parameters", source)
