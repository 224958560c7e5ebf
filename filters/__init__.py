"""Every filter Winnow has, in the order in which their reasons are listed.

`FILTERS` is a list you can read: its order is the order of `failed` in ledger and rejected/, and the order in which
signals become available (`Filter.needs` may name only columns of filters that stand earlier).
"""

from filters import (
    adult,
    c4,
    decontaminate,
    fineweb,
    gopher_quality,
    gopher_repetition,
    language,
    quality,
    refinedweb,
    robots,
    toxicity,
)
from filters.contract import Filter

FILTERS: tuple[Filter, ...] = (
    language.FILTER,
    gopher_quality.FILTER,
    gopher_repetition.FILTER,
    refinedweb.FILTER,
    c4.FILTER,
    fineweb.FILTER,
    quality.FILTER,
    toxicity.FILTER,
    adult.FILTER,
    decontaminate.FILTER,
    robots.FILTER,
)
