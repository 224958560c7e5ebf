"""Numbers as shown, just under, at and over each change of unit."""

import pytest

from pipeline.report import units


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.count(1_234_567), "1,234,567"),
        (units.count(-1_234), "−1,234"),
        (units.count(None), "–"),
        (units.size(0), "0 B"),
        (units.size(999), "999 B"),
        (units.size(1_000), "1.00 kB"),
        (units.size(999_499), "999 kB"),
        (units.size(999_500), "1.00 MB"),
        (units.size(-4_210_000_000), "−4.21 GB"),
        (units.size(5e18), "5,000 PB"),
        (units.short(12), "12"),
        (units.short(723_000_000), "723 M"),
        (units.short(1e12), "1.00 T"),
        (units.digits(0), "0"),
        (units.digits(0.0123), "0.0123"),
        (units.digits(0.9999), "1.00"),
        (units.digits(9.999), "10.0"),
        (units.digits(12_345.6), "12,346"),
        (units.digits(0.0000684), "6.84 × 10⁻⁵"),
        (units.power_of_ten(4.2e22), "4.20 × 10²²"),
        (units.plain(0.8), "0.8"),
        (units.plain(100_000), "100,000"),
        (units.share(1, 3), "33.3 %"),
        (units.share(0, 3), "0.0 %"),
        (units.share(3, 3), "100.0 %"),
        (units.share(1, 100_000), "<0.1 %"),
        (units.share(99_999, 100_000), ">99.9 %"),
        (units.share(0, 0), "–"),
        (units.percent(0.95), "95 %"),
        (units.percent(0.99021), "99.02 %"),
        (units.seconds(0.004), "<0.01 s"),
        (units.seconds(9.99), "9.99 s"),
        (units.seconds(99.94), "99.9 s"),
        (units.seconds(100), "1 min 40 s"),
        (units.seconds(3599.6), "1 h 00 min"),
        (units.money(0), "$0.00"),
        (units.money(0.00002), "<$0.0001"),
        (units.money(0.0015), "$0.002"),
        (units.money(-16.37), "−$16.37"),
        (units.money(5_328_000), "$5,328,000"),
    ],
)
def test_shown(shown, expected):
    assert shown == expected
