"""Which kept documents stand next to a limit: sorting all of them is the oracle."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.metrics.examples import MOST, _Compared

ROW = st.tuples(st.booleans(), st.sampled_from([0.0, 0.5, 0.5, 2.0, float("nan")]), st.integers(0, 2), st.sampled_from("abc"))


@given(st.lists(ROW, max_size=40))
def test_the_nearest_are_the_first_by_distance_then_as_drawn_then_by_name(rows):
    kept, distance, drawn = (np.array([row[i] for row in rows]) for i in range(3))
    refs = pl.Series([f"{row[3]}{place:02}" for place, row in enumerate(rows)], dtype=pl.String)
    compared = _Compared(distance, distance, distance)
    asked = [p for p, row in enumerate(rows) if row[0] and not np.isnan(row[1])]
    expected = sorted(asked, key=lambda p: (rows[p][1], rows[p][2], refs[p]))[:MOST]
    assert compared.nearest(kept.astype(bool), drawn.astype(np.uint64), refs) == expected
