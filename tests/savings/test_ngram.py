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


def bits(train: list[bytes], texts: list[bytes]) -> list[float]:
    return ngram.Scorer(texts).bits(ngram.keys_of(train)[0]).tolist()


@given(st.lists(st.binary(max_size=40), max_size=4), st.lists(st.binary(max_size=30), min_size=1, max_size=3))
def test_it_equals_plain_counting(train, texts):
    assert bits(train, texts) == pytest.approx([plain(train, text) for text in texts])


def test_without_text_every_byte_costs_8_bits():
    assert bits([], [b"any text", b""]) == [64.0, 0.0]


def test_probabilities_of_all_bytes_after_a_context_sum_to_1():
    train = [b"the cat sat on the mat", b"the dog"]
    for context in (b"the c", b"zzzzz", b""):
        start = bits(train, [context])[0]
        after = np.array(bits(train, [context + bytes([b]) for b in range(256)])) - start
        assert (2.0**-after).sum() == pytest.approx(1)


def test_documents_are_scored_apart_and_more_text_of_a_kind_lowers_the_bits():
    text = b"the ferry leaves the pier at six"
    little, much = [b"the ferry"], [b"the ferry", b"leaves the pier at six in the morning"]
    one, two = bits(much, [text, b"xyz"])
    assert one < bits(little, [text])[0]
    assert two == bits(much, [b"xyz"])[0]


def test_the_order_of_the_text_does_not_matter():
    texts = [b"one of them", b"and another", b"a third"]
    assert bits(texts, [b"another one"]) == pytest.approx(bits(texts[::-1], [b"another one"]))
