"""PII masks: what is just masked and what just is not; the kernel equals plain Python; twice is once; time is linear."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from filters.edits import pii_numbers
from filters.edits.contract import apply
from filters.edits.pii import PiiParams, mask_text, steps
from filters.kernels import buffers
from filters.kernels.pii import pii
from tests.filters.edits import pii_oracle
from tests.support import examples

CHECKS = examples(2, suppress_health_check=[HealthCheck.too_slow])
DEFAULT = PiiParams()
ALL = PiiParams(iban=True, card=True, phone=True)
DOLMA = PiiParams(
    email_mask=" |||EMAIL_ADDRESS||| ",
    ip_mask=" |||IP_ADDRESS||| ",
    ipv6_mask=" |||IP_ADDRESS||| ",
    iban=True,
    card=True,
    phone=True,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("write to jane.doe+news@mail.example.org.", "jane.doe+news@mail.example.org"),
        ("https://x.org/?q=a@b.org&p=1", "a@b.org"),
        ("https://lists.x.org/archives/dev@python.org/thread", "dev@python.org"),
        ("<a href='o'brien@corp.co.uk'>", "o'brien@corp.co.uk"),
        ("mailto:x_y-@b.museum", "x_y-@b.museum"),
        ("*a@b.de* _c_", "a@b.de"),
        ("_a@b.de_ c", "a@b.de"),
        ("联系a@b.cn吧", "a@b.cn"),
        ("A@B.XN--P1AI", "A@B.XN--P1AI"),
        ("a@163.com", "a@163.com"),
        ("a@b.com-c", "a@b.com"),
        ("a@b.deBerlin", "a@b.de"),
        ("a@b.com.Nothing", "a@b.com"),
        ("git@github.com", "git@github.com"),
        ("u%h@gate.uucp", "u%h@gate.uucp"),
        ("x" * 64 + "@b.org", "x" * 64 + "@b.org"),
        ("user:pass@host.io:80", "pass@host.io"),
    ],
)
def test_an_email_address_is_masked_and_nothing_around_it(text: str, address: str) -> None:
    assert mask_text(text, DEFAULT) == text.replace(address, "email@example.com")


@pytest.mark.parametrize(
    "text",
    [
        *("user@localhost", "@mention hello", "@app.route('/')", "icon@2x.png", "pkg@1.2.3", "pkg@1.2.3-rc.dev", "react@18.3.1"),
        *("a@b.test", "a@b.invalid", "git@github.com:o/r.git", "ssh://git@host.org/r", "a@.org", "a@b..org", "a@-b.org"),
        *(
            "a.@b.org",
            "a'@b.org",
            "a@b.com_c",
            "HEAD@{1}",
            "x@b.c",
            "a @b.org",
            "a@ b.org",
            "x" * 65 + "@b.org",
            "``@typing.final``",
        ),
    ],
)
def test_what_only_looks_like_an_email_address_stays(text: str) -> None:
    assert mask_text(text, DEFAULT) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("from 66.249.65.3 - - [01/Jan]", "66.249.65.3"),
        ("http://8.8.8.8:53/", "8.8.8.8"),
        ("8.8.8.8...", "8.8.8.8"),
        ("地址8.8.8.8。", "8.8.8.8"),
        ("81.2.69.142-81.2.69.142", "81.2.69.142"),
        ("81.2.69.0/24", "81.2.69.0"),
        ("example.com/81.2.69.142", "81.2.69.142"),
        ("20.1.1.1", "20.1.1.1"),
        ("172.15.255.255", "172.15.255.255"),
        ("172.32.0.1", "172.32.0.1"),
        ("223.255.255.254", "223.255.255.254"),
        ("whois/81.2.69.142", "81.2.69.142"),
        ("ip.addr==81.2.69.142", "81.2.69.142"),
        ("https://x.org/a/23.20.10.25", "23.20.10.25"),
        ("23.20.10.25 - - [10/Oct/2020] GET", "23.20.10.25"),
        ("81.2.69.142 Results", "81.2.69.142"),
        ("23.20.10.25 GET /", "23.20.10.25"),
        ("client 23.20.10.25, server: x", "23.20.10.25"),
        ("the EU, 23.20.10.25", "23.20.10.25"),
        ("rec 23.20.10.25", "23.20.10.25"),
        ("81.2.69.142.in-addr.arpa", "81.2.69.142"),
        ("81.2.69.142.target", "81.2.69.142"),
        ("81.2.69.142.Then", "81.2.69.142"),
        ("100.128.0.1", "100.128.0.1"),
    ],
)
def test_a_public_ipv4_address_is_masked(text: str, address: str) -> None:
    assert mask_text(text, DEFAULT) == text.replace(address, "22.214.171.124")


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "172.31.255.255", "169.254.7.7", "192.0.2.7", "198.51.100.7"),
        *("203.0.113.7", "100.64.0.1", "224.0.0.251", "255.255.255.255", "0.1.2.30", "198.18.0.99"),
        *(
            "256.1.1.20",
            "81.02.69.142",
            "81.2.69",
            "81.2.69.142.1",
            "a81.2.69.142",
            "81.2.69.142a",
            ".81.2.69.142",
            "1.3.6.1.4.1",
        ),
        *("version 81.2.69.142", "AssemblyVersion=81.2.69.142", "v. 81.2.69.142", "Section 81.2.69.142", "версия 81.2.69.142"),
        *("upgrade V8 to 81.2.69.142", "Chrome/81.2.69.142", "lib-81.2.69.142.tar", "81.2.69.142-rc1", "7.1.11.3", "19.1.1.1"),
        *("81.2.0.0", "2.5.29.37", "81.2.69.142@", "2.23.140.35"),
        *(
            "EC 3.4.21.4",
            "(EC 3.4.21.36)",
            "EC:3.4.21.4",
            "E.C. 3.4.21.4",
            "EC number 3.4.21.4",
            "EC no. 3.4.21.4",
            "EC=3.4.21.4",
        ),
        *("EC-3.4.21.4", "[EC:3.4.21.4 3.4.21.5]", "EC 3.4.21.4, 3.4.21.5 and 3.4.21.36", "enzyme 3.4.21.4", "ec 1.14.14.1"),
        *("Enzyme Commission number: 3.1.21.4", "EC 2.7.11.1/2.7.11.25", "EC 3.4.21.4; 3.4.21.5, or 3.4.21.6"),
        *("nginx/1.25.3.1", "server: nginx/1.25.3.1 (Ubuntu)", "curl/7.88.1.21", "python-requests/2.28.1.1", "okhttp/4.9.30.1"),
        *("nginx==1.25.3.1", "pkg>=1.25.3.1", "pkg~=1.25.30.1", "^1.25.3.1", "~1.25.3.1", "1.25.3.1+build", "nginx-1.25.3.1"),
        *("nginx 1.25.3.1.tar.gz", "setup_x 7.25.3.1.exe", "1.25.3.1.jar.", "Firmware 1.25.3.1", "release-1.25.3.1", "v1.25.3.1"),
        *("12.3.4.25 Results", "a\n5.24.3.12 Other methods", "Rule 12.34.5.6", "Sections 3.4.21.4 and 3.4.21.5", "§ 12.34.5.6"),
        *("items 21.3.4.5, 21.3.4.6", "OID 1.2.36.1", "urn:oid:1.2.36.1", "Article 30.1.2.3"),
    ],
)
def test_what_is_no_public_ipv4_address_stays(text: str) -> None:
    assert mask_text(text, DEFAULT) == text


@pytest.mark.parametrize(
    "address",
    [
        *("2a00:1450:4001:81b::200e", "2A00:1450:4001:081B:0000:0000:0000:200E", "2001:4860:4860:0:0:0:0:8888", "2600:1::"),
        *("::ffff:81.2.69.142", "::FFFF:5102:458e", "0:0:0:0:0:ffff:81.2.69.142", "64:ff9b::81.2.69.142", "2002:5102:458e::1"),
        *("2001:0:5102:458e::1", "2001:200::1", "3ffe::1", "2a00:1:2:3:4:5:81.2.69.142"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "[{}]:443", "{}/64", "{}%eth0", "at {}.", "at {}: no", "ip6:{}", "（{}）", "x={},"])
def test_a_public_ipv6_address_is_masked_in_every_spelling(address: str, around: str) -> None:
    if around == "ip6:{}" and address.startswith("::"):
        return  # a word, three colons: no spelling of anything
    assert mask_text(around.format(address), DEFAULT) == around.format("2001:db8::1")


@pytest.mark.parametrize(
    "text",
    [
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "2001:db8::8a2e", "2001:10::1", "3fff:fff::1", "4000::1"),
        *("::ffff:10.0.0.1", "2002:a00:1::1", "64:ff9b::192.168.0.1", "12:34:56", "2024:10:05", "aa:bb:cc:dd:ee:ff"),
        *("2a:00:14:50:40:01:08:1b", "std::vector", "a::b", "Foo::2001::x", "the year 2006::", "2a00::1::2", "2a00:1:2:3:4:5:6"),
        *("2a00:1:2:3:4:5:6:7:8", "2a00::12345", "2a00:1::g", "2a00:1::1x", "Class3000::", "2a00:1:2:3:4:5:6:81.2.69.142"),
    ],
)
def test_what_is_no_public_ipv6_address_stays(text: str) -> None:
    assert mask_text(text, PiiParams(email=False)).replace("22.214.171.124", "81.2.69.142") == text


PIECES = st.sampled_from(
    [
        *(
            "a",
            "Z",
            "7",
            "_",
            "-",
            ".",
            "..",
            "@",
            ":",
            "::",
            "/",
            "//",
            " ",
            "\n",
            "'",
            "%",
            "+",
            "=",
            "(",
            "[",
            "]",
            "#",
            "é",
            "版本",
            "§",
        ),
        *(
            "com",
            "org",
            "de",
            "deX",
            "xn--p1ai",
            "x.org",
            "a@b.org",
            "u@",
            "git@",
            "8.8.8.8",
            "81.2.69.142",
            "1.2.3.4",
            "10.0.0.1",
            "81.",
        ),
        *(
            "256",
            "version",
            "v",
            "V8",
            "to",
            "upgrade ",
            "Foo/",
            "lib-",
            "2a00",
            "2001:db8::1",
            "2a00:1::2",
            "ffff",
            "ip6:",
            "2a00:",
        ),
        *(
            "::ffff:81.2.69.142",
            "1:2:3:4",
            "GB82WEST12345698765432",
            "GB82 WEST 1234 5698 7654 32",
            "4111111111111111",
            "4111 1111 1111 1111",
        ),
        *(
            "+44 20 7946 0958",
            "212-555-0123",
            "(212) 555-0123",
            "020 7946 0958",
            "01 23 45 67 89",
            "tel ",
            "Phone: ",
            "5550123",
            "00",
            "0",
            "12",
        ),
    ]
)
TEXTS = st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map(" ".join))


@CHECKS
@given(st.lists(TEXTS, max_size=5), st.integers(0, 2), st.tuples(st.booleans(), st.booleans(), st.booleans()))
@example(["version ", "x" * 100 + "a@b.org" + "x" * 100], 0, (True, True, True))
def test_the_kernel_equals_plain_python_on_any_slice(texts: list[str], skip: int, wanted: tuple[bool, bool, bool]) -> None:
    rows = pa.array(texts, pa.large_string())[skip:]
    masks = ("<E>", "<4>", "<6>")
    starts, made, changes, _ = pii.masked(*buffers.views(rows), wanted=wanted, masks=masks)
    expected = [pii_oracle.masked(text, masks, wanted) for text in texts[skip:]]
    assert [bytes(made[starts[i] : starts[i + 1]]).decode() for i in range(len(rows))] == expected
    assert [bool(bits) for bits in changes] == [a != b for a, b in zip(texts[skip:], expected, strict=True)]


@CHECKS
@given(TEXTS, st.integers(0, 70))
def test_where_a_text_stands_in_the_sixty_four_bytes_does_not_matter(text: str, shift: int) -> None:
    found = [(a + shift, b + shift, kind) for a, b, kind in pii_oracle.spans("\n" + text)]
    moved = "\n" * (shift + 1) + text
    assert list(pii_oracle.spans(moved)) == found
    masks = ("<E>", "<4>", "<6>")
    starts, made, *_ = pii.masked(*buffers.views(pa.array([moved], pa.large_string())), wanted=(True, True, True), masks=masks)
    assert bytes(made[: starts[1]]).decode() == pii_oracle.masked(moved, masks)


@pytest.mark.parametrize("params", [DEFAULT, ALL, DOLMA], ids=["default", "all", "dolma's masks"])
@CHECKS
@given(text=TEXTS)
@example(text="u@a@b.cc a@b.build 81.2.69.142")
@example(text="2000:0::G@0.ORG GB82WEST12345698765432::FFFF:1.0.0.0(200)200.0000")
@example(text="2a00:1::1 1.1.1.2 Foo tel 212-555-0123 5550123")
def test_masking_twice_is_masking_once(params: PiiParams, text: str) -> None:
    once = mask_text(text, params)
    assert mask_text(once, params) == once


@CHECKS
@given(st.text(st.characters(exclude_characters="@:.", exclude_categories=["Cs"])))
def test_a_text_without_an_address_keeps_its_bytes(text: str) -> None:
    rows = pa.array([text], pa.large_string())
    made, changed = apply(steps(DEFAULT), rows)
    assert made is rows
    assert not any(found.any() for _, found in changed)


def test_the_ledger_names_the_masks_and_a_mask_that_stands_there_already_is_no_change() -> None:
    rows = pa.array(
        ["a@b.org", "2a00:1::1 x", "81.2.69.142", "email@example.com 22.214.171.124", "a@b.org 81.2.69.142"], pa.large_string()
    )
    _, changed = apply(steps(DEFAULT), rows)
    assert {name: found.tolist() for name, found in changed} == {
        "pii.email": [True, False, False, False, True],
        "pii.ip": [False, True, True, False, True],
    }
    # The address behind the first mask is an e-mail address only once that stands there.
    text, changed = apply(steps(DEFAULT), pa.array(["2a00:1::1a@b.org"], pa.large_string()))
    assert text.to_pylist() == ["2001:db8::email@example.com"]
    assert {name: found.tolist() for name, found in changed} == {"pii.email": [True], "pii.ip": [True]}
    (only,) = steps(PiiParams(email=False))
    assert only.names == ("pii.ip",)
    assert steps(PiiParams(email=False, ip=False)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GB82 WEST 1234 5698 7654 32", "<iban-pii>"),
        ("IBAN:DE89370400440532013000.", "IBAN:<iban-pii>."),
        ("NO93-8601-1117-947 and", "<iban-pii> and"),
        *(
            (text, text)
            for text in (
                "GB83 WEST 1234 5698 7654 32",
                "DE8937040044053201300",
                "DE893704004405320130000",
                "xDE89370400440532013000",
            )
        ),
        *(
            (text, text)
            for text in (
                "de89370400440532013000",
                "DE89 370400440532013000",
                "ZZ89370400440532013000",
                "DE89 3704 0044 0532 0130",
            )
        ),
    ],
)
def test_ibans(text: str, expected: str) -> None:
    assert mask_text(text, PiiParams(iban=True)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, "<card-pii>")
            for text in ("4111111111111111", "4111 1111 1111 1111", "5105-1051-0510-5100", "3782 822463 10005")
        ),
        *((text, "<card-pii>") for text in ("2223003122003222", "6011111111111117", "30569309025904", "3530111333300000")),
        ("4111 1111 1111 1111 12/27", "<card-pii> 12/27"),
        *(
            (text, text)
            for text in ("4111111111111112", "411111111111111", "41111111111111111", "9111111111111111", "4111 11111111 1111")
        ),
        *(
            (text, text)
            for text in (
                "a4111111111111111",
                "4111111111111111.5",
                "1.4111111111111111",
                "4111 1111-1111 1111",
                "2721000000000004",
            )
        ),
    ],
)
def test_payment_cards(text: str, expected: str) -> None:
    assert mask_text(text, PiiParams(card=True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "+44 20 7946 0958",
            "+442079460958",
            "+49 (0)30 123456",
            "+1 212 555 0123",
            "+1 (212) 555-0123",
            "+33.1.23.45.67.89",
            "0044 20 7946 0958",
        ),
        *(
            "(212) 555-0123",
            "212-555-0123",
            "212.555.0123",
            "1-212-555-0123",
            "020 7946 0958",
            "(020) 7946 0958",
            "01 23 45 67 89",
        ),
        *("01.23.45.67.89", "030/12345678", "089-1234567", "03-1234-5678", "0490 75 40 81", "0800 123 456"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "at {}.", "({})", "at {}, or", "「{}」"])
def test_phone_numbers(text: str, around: str) -> None:
    assert mask_text(around.format(text), PiiParams(phone=True)) == around.format("<phone-pii>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((word + "5550123", word + "<phone-pii>") for word in ("tel ", "Phone: ", "Fax no. ", "тел. ", "电话:", "Mobile: ")),
        *((text, text) for text in ("telling 5550123", "Phone 2007-2008", "Phone: 555012", "5550123", "hotel 5550123")),
    ],
)
def test_a_word_for_phones_makes_the_digits_after_it_one(text: str, expected: str) -> None:
    assert mask_text(text, PiiParams(phone=True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2001-02-03",
            "01/02/2003",
            "01.02.2003 12:30",
            "1999-2004",
            "3.14159265",
            "48.858370, 2.294481",
            "1,234,567.89",
            "$212-555-0123",
        ),
        *(
            "0-306-40615-2",
            "978-0-306-40615-7",
            "4.5.103.33",
            "10.1000/182",
            "d41d8cd98f00b204e9800998ecf8427e",
            "+10000000",
            "+999 12345678",
        ),
        *(
            "112-555-0123",
            "212-155-0123",
            "212-555-01234",
            "0212 34",
            "01 23 45 67 89 01 23",
            "x+442079460958",
            "123-45-6789",
            "2212555012345678",
        ),
    ],
)
def test_what_is_no_phone_number_stays(text: str) -> None:
    assert mask_text(text, PiiParams(email=False, ip=False, phone=True)) == text


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"email_mask": ""}, "letter or a digit"),
        ({"phone_mask": " "}, "letter or a digit"),
        ({"ip_mask": "me@corp.org"}, "would become"),
        ({"ipv6_mask": "8.8.8.8"}, "would become"),
        ({"phone_mask": "my phone: "}, "no word for phones"),
    ],
)
def test_a_mask_that_would_not_stay_as_it_is_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PiiParams(**wrong)


@pytest.mark.parametrize(
    ("country", "length"), [("NO", 15), ("DE", 22), ("HN", 28), ("YE", 30), ("MT", 31), ("RU", 33), ("ZZ", 0), ("US", 0)]
)
def test_how_long_an_iban_is_says_the_registry(country: str, length: int) -> None:
    assert pii_numbers.iban_length(country) == length


def test_a_card_number_has_one_check_digit() -> None:
    masked = [mask_text(f"411111111111111{digit}", PiiParams(card=True)) == "<card-pii>" for digit in range(10)]
    assert masked == [digit == 1 for digit in range(10)]


HOSTILE = {
    "@": "@",
    "a@": "a@",
    "a@b": "a@b",
    "a.": "a.",
    "1.1.1.1.": "1.1.1.1.",
    "8.8.8.8 ": "8.8.8.8 ",
    ":": ":",
    "1:": "1:",
    "::1": "::1",
    "a::": "a::",
    "digits": "7",
    "1 1": "1 ",
    "1-": "1-",
    "+1(": "+1(",
    "0 0(": "0 (",
    "AA11": "AA11",
    "tel ": "tel 1 ",
    "cards": "4111 1111 1111 1111 ",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_time_is_linear_in_hostile_text(unit: str) -> None:
    """Ten times the text takes at most some twenty times as long; quadratic time would take a hundred, and minutes."""
    mask_text(unit, ALL)
    seconds = []
    for size in (300_000, 3_000_000):
        text = unit * (size // len(unit))
        start = time.thread_time()
        mask_text(text, ALL)
        seconds.append(time.thread_time() - start)
    assert seconds[1] < 20 * seconds[0] + 1, seconds
    assert seconds[1] < 18
