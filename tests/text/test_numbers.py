"""Numbers as shown, just under, at and over each change of unit."""

import pytest

from pipeline.text import numbers


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.count(1_234_567), "1,234,567"),
        (numbers.count(-1_234), "−1,234"),
        (numbers.count(None), "–"),
        (numbers.size(0), "0 B"),
        (numbers.size(999), "999 B"),
        (numbers.size(1_000), "1.00 kB"),
        (numbers.size(999_499), "999 kB"),
        (numbers.size(999_500), "1.00 MB"),
        (numbers.size(-4_210_000_000), "−4.21 GB"),
        (numbers.size(5e18), "5,000 PB"),
        (numbers.short(12), "12"),
        (numbers.short(723_000_000), "723 M"),
        (numbers.short(1e12), "1.00 T"),
        (numbers.digits(0), "0"),
        (numbers.digits(0.0123), "0.0123"),
        (numbers.digits(0.9999), "1.00"),
        (numbers.digits(9.999), "10.0"),
        (numbers.digits(12_345.6), "12,346"),
        (numbers.digits(0.0000684), "6.84 × 10⁻⁵"),
        (numbers.power_of_ten(4.2e22), "4.20 × 10²²"),
        (numbers.plain(0.8), "0.8"),
        (numbers.plain(100_000), "100,000"),
        (numbers.share(1, 3), "33.3 %"),
        (numbers.share(0, 3), "0.0 %"),
        (numbers.share(3, 3), "100.0 %"),
        (numbers.share(1, 100_000), "<0.1 %"),
        (numbers.share(99_999, 100_000), ">99.9 %"),
        (numbers.share(0, 0), "–"),
        (numbers.percent(0.95), "95 %"),
        (numbers.percent(0.99021), "99.02 %"),
        (numbers.seconds(0.004), "<0.01 s"),
        (numbers.seconds(9.99), "9.99 s"),
        (numbers.seconds(99.94), "99.9 s"),
        (numbers.seconds(100), "1 min 40 s"),
        (numbers.seconds(3599.6), "1 h 00 min"),
        (numbers.money(0), "$0.00"),
        (numbers.money(0.00002), "<$0.0001"),
        (numbers.money(0.0015), "$0.002"),
        (numbers.money(-16.37), "−$16.37"),
        (numbers.money(5_328_000), "$5,328,000"),
    ],
)
def test_shown(shown, expected):
    assert shown == expected
