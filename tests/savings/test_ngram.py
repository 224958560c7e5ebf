"""The byte 6-gram against a plain dictionary of counts, and against what any probability must be."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.savings.tiers import ngram


def plain(train: list[bytes], text: bytes) -> float:
    """Bits of `text`, counted with dictionaries."""
    counts: Counter = Counter()
    after = defaultdict(Counter)
    for document in train:
        padded = b"\0" * 5 + document
        for i in range(5, len(padded)):
            for n in range(6):
                after[padded[i - n : i]][padded[i]] += 1
                counts[padded[i - n : i]] += 1
    total, padded = 0.0, b"\0" * 5 + text
    for i in range(5, len(padded)):
        p = 1 / 256
        for n in range(6):
            h = padded[i - n : i]
            if counts[h] and len(h) == n:
                kinds = len(after[h])
                p = (after[h][padded[i]] + kinds * p) / (counts[h] + kinds)
        total -= math.log2(p)
    return total


@given(st.lists(st.binary(max_size=40), max_size=4), st.binary(min_size=1, max_size=30))
def test_it_equals_plain_counting(train, text):
    assert ngram.bits(ngram.train(train), [text])[0] == pytest.approx(plain(train, text))


def test_without_text_every_byte_costs_8_bits():
    assert ngram.bits(ngram.train([]), [b"any text", b""]).tolist() == [64.0, 0.0]


def test_probabilities_of_all_bytes_after_a_context_sum_to_1():
    model = ngram.train([b"the cat sat on the mat", b"the dog"])
    for context in (b"the c", b"zzzzz", b"\0\0\0\0\0"):
        keys = np.array([int.from_bytes(context + bytes([b]), "big") for b in range(256)], np.uint64)
        assert ngram.probabilities(model, keys).sum() == pytest.approx(1)


def test_documents_are_scored_apart_and_more_text_of_a_kind_lowers_the_bits():
    text = b"the ferry leaves the pier at six"
    little, much = ngram.train([b"the ferry"]), ngram.train([b"the ferry", b"leaves the pier at six in the morning"])
    one, two = ngram.bits(much, [text, b"xyz"])
    assert one < ngram.bits(little, [text])[0]
    assert two == ngram.bits(much, [b"xyz"])[0]
