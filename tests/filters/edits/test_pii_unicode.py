"""Addresses in full-width characters and with letters beyond ASCII: what is just masked, and what just is not."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.edits.contract import apply
from filters.edits.pii import PiiParams, mask_text, steps
from tests.support import examples

DEFAULT = PiiParams()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("schreib an jürgen@firma.de, bald", "jürgen@firma.de"),
        ("info@bücher.de.", "info@bücher.de"),
        ("<müller.ä+x@käse-und-brot.ch>", "müller.ä+x@käse-und-brot.ch"),
        ("José.García@correo.es y más", "José.García@correo.es"),
        ("пишите: почта@пример.рф.", "почта@пример.рф"),
        ("ivan@пример.рф", "ivan@пример.рф"),
        ("иван.петров_7@example.com", "иван.петров_7@example.com"),
        ("στείλτε νίκος@παράδειγμα.ελ σήμερα", "νίκος@παράδειγμα.ελ"),
        ("अजय@डाटा.भारत पर", "अजय@डाटा.भारत"),
        ("info@例え.jp まで", "info@例え.jp"),
        ("邮箱：用户@例子.中国。", "用户@例子.中国"),
        ("邮箱：info@例子。中国，谢谢", "info@例子。中国"),
        ("请联系anna@例子.cn谢谢", "anna@例子.cn"),
        ("info@例子.中国谢谢", "info@例子.中国"),
        ("info＠example.co.jp", "info＠example.co.jp"),
        ("連絡先：ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏ．ｊｐまで", "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏ．ｊｐ"),
        ("ｔａｒｏ．ｙ＿１@ｅｘａｍｐｌｅ.com", "ｔａｒｏ．ｙ＿１@ｅｘａｍｐｌｅ.com"),
        ("ü" + "x" * 63 + "@b.org", "ü" + "x" * 63 + "@b.org"),
    ],
)
def test_an_address_is_masked_whole_and_nothing_around_it(text, address):
    assert mask_text(text, DEFAULT) == text.replace(address, "email@example.com")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("联系anna@b.cn吧", "anna@b.cn"),
        ("문의는kim@x.com으로", "kim@x.com"),
        ("ติดต่อsomchai@x.co.thครับ", "somchai@x.co.th"),
        ("пишите:ivan@x.ru", "ivan@x.ru"),
        ("почтаivan@x.ru", "ivan@x.ru"),
        ("是的，a@b.com。谢谢", "a@b.com"),
    ],
)
def test_text_without_spaces_around_an_address_stays(text, address):
    assert mask_text(text, DEFAULT) == text.replace(address, "email@example.com")


@pytest.mark.parametrize(
    "text",
    [
        *("関西＠会社", "名前＠ユーザー.テスト", "@用户 你好", "@пользователь.сообщение", "价格@北京", "发到我@gmail.com"),
        *("jürgen@localhost", "é@x.c", "x" + "ü" * 64 + "@b.org", "straße@", "＠example.com", "見る＠１２：００"),
        *("１．２．３．４", "１０．０．０．１", "２０２４．１．２", "第８１．２．６９章"),
    ],
)
def test_what_only_looks_like_an_address_stays(text):
    assert mask_text(text, DEFAULT) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("サーバー：８１．２．６９．１４２です", "８１．２．６９．１４２"),
        ("８１.２.６９.１４２", "８１.２.６９.１４２"),
        ("８.8.８.8、", "８.8.８.8"),
    ],
)
def test_an_ip_address_in_full_width_digits_is_masked(text, address):
    assert mask_text(text, DEFAULT) == text.replace(address, "22.214.171.124")


@pytest.mark.parametrize("address", ["a＠b.org", "ü@b.org", "a@bü.org", "８.8.8.8", "８．8.8.8", "8.8.8.８"])
def test_where_an_address_stands_in_the_text_does_not_matter(address):
    """The walk looks 64 bytes at a time, and one by one at the ends of a text."""
    mask = mask_text(address, DEFAULT)
    assert mask != address
    for n in range(66):
        for after in ("", " " * 70):
            text = " " * n + address + after
            assert mask_text(text, DEFAULT) == text.replace(address, mask)


def test_a_kind_that_is_off_stays_and_the_ledger_names_the_other():
    text = pa.array(["ü@bücher.de ８１．２．６９．１４２", "plain"], pa.large_string())
    for params, expected, names in (
        (PiiParams(email=False), "ü@bücher.de 22.214.171.124", ["pii.ip"]),
        (PiiParams(ip=False), "email@example.com ８１．２．６９．１４２", ["pii.email"]),
        (DEFAULT, "email@example.com 22.214.171.124", ["pii.email", "pii.ip"]),
    ):
        made, changed = apply(steps(params), text)
        assert made.to_pylist() == [expected, "plain"]
        assert [name for name, rows in changed if rows[0]] == names and not any(rows[1] for _, rows in changed)


@given(st.text(st.sampled_from("aü中.@＠．-８8 '_рфdeか。"), max_size=40))
@example("aü@b.de@ü.de")
@examples(2)
def test_masking_twice_is_masking_once(text):
    once = mask_text(text, DEFAULT)
    assert mask_text(once, DEFAULT) == once


@pytest.mark.parametrize("unit", ["ü@", "@ü.", "ü", "ü@ü.", "＠８．", "中@中.中", "ü.@", "@" + "ü" * 60 + "."])
def test_time_is_linear_in_hostile_text(unit):
    def seconds(n: int) -> float:
        text = (unit * n)[:n]
        started = time.process_time()
        mask_text(text, DEFAULT)
        return time.process_time() - started

    seconds(1000)
    small, large = max(seconds(20_000), 0.01), seconds(160_000)
    assert large < 8 * 4 * small, (small, large)
