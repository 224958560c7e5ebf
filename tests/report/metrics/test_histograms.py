"""Histograms of signals: the oracle is numpy's."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.metrics import tally

REAL = st.floats(width=32) | st.sampled_from([0.0, 1.0, -1.0, 0.025, 32.0, 2.0**24, float("nan")]) | st.none()
WHOLE = st.integers(-(2**31), 2**31 - 1) | st.integers(-40, 40) | st.none()


@given(st.lists(REAL).map(lambda v: pa.array(v, pa.float32())) | st.lists(WHOLE).map(lambda v: pa.array(v, pa.int64())))
def test_a_signal_has_the_bins_that_numpy_gives_it(signal: pa.Array) -> None:
    made = tally.Tally()
    tally._add_histogram(made, "a/b", pa.chunked_array([signal]))
    edges = tally.EDGES[pa.types.is_integer(signal.type)]
    numbers = np.array([value for value in signal.to_pylist() if value is not None and value == value])
    expected = np.histogram(np.clip(numbers, edges[0], edges[-1]), edges)[0]
    assert made.histograms["a/b"].tolist() == expected.tolist()
    assert made.counts["nulls", "a/b"] == signal.null_count


@pytest.mark.parametrize("signal", [pa.array(["a"]), pa.array([True])])
def test_what_is_no_number_has_none(signal: pa.Array) -> None:
    made = tally.Tally()
    tally._add_histogram(made, "a/b", pa.chunked_array([signal]))
    assert not made.histograms and not made.counts
