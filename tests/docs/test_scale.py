"""The page of scale is what was measured, and its arithmetic follows from that."""

from __future__ import annotations

import json

import pytest

from tests.bench import flat, scale_page
from tests.bench.scale_page import FIXED_S, Ran


def test_the_page_is_made_of_the_measurement():
    assert scale_page.PAGE.read_text() == scale_page.page(json.loads(scale_page.RESULTS.read_text()))


def ran(corpus: str, documents: int, size: float, *, each: float, byte: float) -> Ran:
    """A run that takes `each` µs a document and `byte` µs a byte, and as many bytes of work directory."""
    text, cost = documents * size / 1e6, documents * (each + byte * size) / 1e6
    return Ran(corpus, documents, text, FIXED_S + cost, 9.0, 100.0, 1.0, 2.0, work_mb=cost, workers=1)


def test_what_a_document_and_a_byte_cost_is_found_again():
    short, long = (ran(name, n, size, each=20, byte=0.02) for name, n, size in (("short", 10**6, 300), ("long", 10**4, 5_000)))
    cpu, disk = scale_page._fitted(short, long)
    assert cpu == pytest.approx((20e-6, 0.02e-6)) and disk == pytest.approx((20, 0.02))


def test_hours_and_dollars_follow_from_them():
    first = list(scale_page._line(10**9, (20e-6, 0.02e-6), (100.0, 0.5)))
    hours = 10**9 * (20e-6 + 0.02e-6 * scale_page.SIZE) / 3600
    assert first[:5] == ["1,000,000,000", "2", f"{hours:,.2f}", f"{hours / 64:,.2f}", f"{hours * scale_page.PRICE:,.2f}"]
    assert first[5:] == ["1,100 GB", "288 GB", "625 MB"]


@pytest.mark.parametrize("number", [1, 3, 15])
def test_a_copy_has_other_letters_of_the_same_length(number):
    found = flat.letters(number)
    assert set(found.values()) == set(found) and all(code != other for code, other in found.items())
    assert all(len(chr(code).encode()) == len(chr(other).encode()) for code, other in found.items())
