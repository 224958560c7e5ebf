"""Records in pieces: the same ones in the same order, however many arrays they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.dedup.steps import in_pieces


@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=12), most=st.integers(1, 12))
def test_pieces_hold_what_the_arrays_held(sizes, most):
    whole = np.arange(sum(sizes))
    arrays = np.split(whole, np.cumsum(sizes)[:-1])
    pieces = list(in_pieces(arrays, most))
    assert np.concatenate(pieces).tolist() == whole.tolist()
    assert [len(piece) for piece in pieces[:-1]] == [most] * (len(pieces) - 1) and len(pieces[-1]) <= most
    assert len(pieces) == max(1, -(-len(whole) // most))
