"""Gopher's document rules: each threshold from both sides, other scripts than Latin, and the signals word for word."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import contract, gopher_quality
from filters.gopher_quality import FILTER, Params, Thresholds
from filters.kernels import warm
from filters.kernels.words import tokens
from tests.filters.kernels.words.test_tokens import SIGNS, split


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def signals(texts: list[str], languages: list[str | None], profile: str = "paper") -> pa.RecordBatch:
    needed = pa.record_batch({"language": pa.array(languages, pa.string())})
    params = Params.model_validate({"profile": profile})
    batch = FILTER.annotate(contract.TextBatch(pa.array(texts, pa.large_string())), needed, params, None)
    contract.check(FILTER, rows=len(texts), signals=batch)
    return batch


def reasons(text: str, language: str | None = None, **thresholds: float) -> set[str]:
    rules = FILTER.rules(Params(), Thresholds(**thresholds))
    contract.check_rules(FILTER, rules)
    failed = contract.judge(FILTER, rules, pl.from_arrow(signals([text], [language])))
    return {name.removeprefix("gopher_quality.") for name in failed.columns if failed[name][0]}


def words(n: int, word: str = "good") -> str:
    return f"{word} " * n


def lines(n: int, *, like: str, other: int) -> str:
    return (like + "\n") * n + "six words are in this line\n" * other


TABLE = [
    ("too_few_words", {"under": words(49), "at": words(50), "over": words(51)}, "under"),
    ("too_many_words", {"under": words(99_999), "at": words(100_000), "over": words(100_001)}, "over"),
    ("words_too_short", {"under": words(99, "cat") + "ox", "at": words(100, "cat"), "over": words(99, "cat") + "bear"}, "under"),
    (
        "words_too_long",
        {
            "under": words(99, "tenletters") + "nineteen",
            "at": words(100, "tenletters"),
            "over": words(99, "tenletters") + "elevenchars",
        },
        "over",
    ),
    (
        "too_many_hashes",
        {"under": words(91) + words(9, "#tag"), "at": words(90) + words(10, "#tag"), "over": words(89) + words(11, "#tag")},
        "over",
    ),
    (
        "too_many_ellipses",
        {"under": words(9, "so...") + words(91), "at": words(5, "so……....") + words(95), "over": words(11, "so…") + words(89)},
        "over",
    ),
    (
        "too_many_bullet_lines",
        {
            "under": lines(17, like="- six words are in this line", other=3),
            "at": lines(18, like="  • six words are in this line", other=2),
            "over": lines(19, like="* six words are in this line", other=1),
        },
        "over",
    ),
    (
        "too_many_ellipsis_lines",
        {
            "under": lines(5, like="six words are in this line…", other=15),
            "at": lines(6, like="six words are in this line ... ", other=14),
            "over": lines(7, like="six words are in this line...", other=13),
        },
        "over",
    ),
    (
        "too_few_alphabetic_words",
        {"under": words(79) + words(21, "1989"), "at": words(80) + words(20, "1989"), "over": words(81) + words(19, "1989")},
        "under",
    ),
    (
        "too_few_stop_words",
        {"under": words(60) + "the the", "at": words(60) + "(The WITH!", "over": words(60) + "the be to"},
        "under",
    ),
]


@pytest.mark.parametrize(
    ("reason", "side", "text", "drops"),
    [
        pytest.param(reason, side, text, side == drop, id=f"{reason}-{side}")
        for reason, texts, drop in TABLE
        for side, text in texts.items()
    ],
)
def test_each_threshold_drops_beyond_it_and_passes_at_it(reason: str, side: str, text: str, drops: bool) -> None:
    language = "en" if reason == "too_few_stop_words" else "xx"
    assert reasons(text, language) == ({reason} if drops else set())


def test_every_rule_stands_in_the_table() -> None:
    assert [rule.reason for rule in FILTER.rules(Params(), Thresholds())] == [reason for reason, _, _ in TABLE]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("max_symbol_ratio", 0.07, words(93) + words(7, "#tag")),
        ("max_symbol_ratio", 0.3, words(30, "so...") + words(70)),
        ("max_bullet_lines", 0.7, lines(7, like="- six words are in this line", other=3)),
        ("max_ellipsis_lines", 0.1, lines(1, like="six words are in this line…", other=9)),
        ("min_alpha_words", 0.9, words(90) + words(10, "1989")),
        ("min_mean_word_length", 4.1, words(90) + words(10, "hello")),
        ("max_mean_word_length", 4.1, words(90) + words(10, "hello")),
    ],
)
def test_a_text_at_a_threshold_passes_though_the_fraction_is_not_exact_in_binary(key: str, value: float, text: str) -> None:
    assert reasons(text, **{key: value}) == set()


def test_loosened_thresholds_let_a_text_pass() -> None:
    assert reasons("the cat", "en") == {"too_few_words", "too_few_stop_words"}
    assert reasons("the cat", "en", min_words=2, min_stop_words=1) == set()


@pytest.mark.parametrize("language", ["eo", "und", "zh", "en-GB", None])
def test_stop_words_are_asked_for_only_where_the_language_has_a_list(language: str | None) -> None:
    batch = signals([words(60)], [language])
    assert batch.column("gopher_stop_words").to_pylist() == [None]
    assert reasons(words(60), language) == set()


def test_a_language_column_without_rows_or_with_a_chunk_of_nulls_is_fine() -> None:
    assert signals([], []).num_rows == 0
    assert signals(["the", "the"], [None, None]).column("gopher_stop_words").to_pylist() == [None, None]


def test_the_papers_eight_stop_words_are_all_found() -> None:
    assert gopher_quality.STOP_WORDS["en"] == ("the", "be", "to", "of", "and", "that", "have", "with")
    assert signals(["the be to of and that have with"], ["en"]).column("gopher_stop_words").to_pylist() == [8]


EDGE = [
    # text, words, mean length, unmarked, hashes, ellipses, bullets, ellipsis lines, alphabetic words
    ("", (0, 0, 0, 0, 0, 0, 0, 0)),
    (" \n\t\u3000\n", (0, 0, 0, 0, 0, 0, 0, 0)),
    ("word", (1, 4, 4, 0, 0, 0, 0, 1)),
    ("#", (1, 1, 1, 1, 0, 0, 0, 0)),
    ("\0\0 a", (2, 1.5, 1.5, 0, 0, 0, 0, 0.5)),
    ("- a\n\n- b\n\n", (4, 1, 1, 0, 0, 1, 0, 0.5)),
    ("a…\u2028b...", (2, 3, 3, 0, 1, 0, 1, 1)),
    ("مرحبا بالعالم", (2, 6, 6, 0, 0, 0, 0, 1)),
    ("한글 ab", (2, 3, 3, 0, 0, 0, 0, 1)),
    ("e\u0301te\u0301", (1, 5, 3, 0, 0, 0, 0, 1)),
    ("👩‍👩‍👧 🎉", (2, 3, 3, 0, 0, 0, 0, 0)),
    ("東京タワー", (3, None, None, 0, 0, 0, 0, None)),
    ("東 good", (2, 4, 4, 0, 0, 0, 0, 1)),
    ("東京 a", (3, None, None, 0, 0, 0, 0, None)),
    ("等等……", (2, None, None, 0, 0.5, 0, 1, None)),
    ("Python3東", (1, None, None, 0, 0, 0, 0, None)),
]


@pytest.mark.parametrize(("text", "values"), EDGE, ids=[ascii(text) for text, _ in EDGE])
def test_signals_of_edge_cases(text: str, values: tuple[float | None, ...]) -> None:
    row = [column[0].as_py() for column in signals([text], [None]).columns]
    assert row == [*values[:5], None, *values[5:], None]


def test_a_text_without_words_is_dropped_by_the_word_rules_only() -> None:
    assert reasons("") == {"too_few_words", "words_too_short", "too_few_alphabetic_words"}


GOOD = {
    "zh": "每天早上，我都会沿着河边走到学校。春天的时候，岸上的柳树长出嫩绿的叶子，孩子们在草地上放风筝，老人们坐在长椅上聊天。"
    "有一次下了很大的雨，河水涨得很高，邻居们一起把沙袋搬到堤上，忙到深夜才回家。第二天太阳出来了，大家在桥头互相问好，"
    "谁也没有提起昨晚的辛苦，可是我知道，从那以后，这条街上的人更加亲近了。",
    "ja": "祖母の家は海の近くにあって、夏休みになると毎年そこで二週間ほど過ごした。朝は早く起きて浜辺を散歩し、昼には畑で取れた"
    "トマトやきゅうりを冷たい水で洗って食べた。夕方になると近所の子どもたちが集まり、暗くなるまで鬼ごっこをして遊んだものだ。"
    "今ではその家も人手に渡ってしまったが、波の音を聞くたびに、あの台所の匂いや祖母の笑い声をはっきりと思い出すことができる。",
    "th": "ทุกเช้าวันเสาร์แม่จะพาฉันไปตลาดริมน้ำ เราเดินผ่านร้านขายผลไม้ ร้านดอกไม้ และร้านขนมที่มีกลิ่นหอมของกะทิ "
    "แม่ชอบทักทายคนขายทุกคนเพราะรู้จักกันมานานหลายปีแล้ว บางครั้งเราก็นั่งกินก๋วยเตี๋ยวเรือกันก่อนกลับบ้าน "
    "ตอนนี้ฉันทำงานอยู่ในเมืองใหญ่ แต่เมื่อไรที่ได้ยินเสียงเรือ ฉันก็ยังคิดถึงตลาดแห่งนั้นเสมอ และหวังว่าจะได้กลับไปเดินกับแม่อีกครั้ง",
    "ko": "우리 마을 뒤에는 작은 산이 하나 있다. 어릴 때 나는 동생과 함께 그 산에 올라가 도토리를 줍고 "
    "시냇물에서 가재를 잡으며 놀았다. 겨울이 되면 눈이 많이 내려서 학교 가는 길이 막히기도 했지만, "
    "어른들이 아침 일찍 나와 눈을 치워 주셨다. 지금은 도시에서 회사에 다니고 있지만 가끔 고향에 "
    "내려가면 제일 먼저 그 산길을 걷는다. 나무는 더 커졌고 길은 조금 넓어졌지만, 바람 소리는 예전과 "
    "똑같이 들린다. 그럴 때면 마음이 참 편안해진다.",
    "hi": "हमारे गाँव के पास एक पुराना कुआँ है जहाँ शाम को सब लोग मिलते थे। बच्चे पेड़ के नीचे खेलते, औरतें पानी भरतीं और बूढ़े लोग अपनी पुरानी "
    "कहानियाँ सुनाते। मेरी दादी कहती थीं कि उस कुएँ का पानी कभी नहीं सूखा। अब घर घर में नल आ गया है और कुएँ पर कोई नहीं जाता, फिर भी जब मैं "
    "छुट्टियों में लौटता हूँ तो कुछ देर वहाँ बैठकर उन दिनों को याद करता हूँ।",
    "ml": "ഞങ്ങളുടെ വീടിന്റെ മുന്നിലൂടെയാണ് പുഴ ഒഴുകുന്നത്. മഴക്കാലത്ത് വെള്ളം മുറ്റത്തുവരെ കയറിവരും, കുട്ടികൾക്ക് അപ്പോൾ വലിയ സന്തോഷമാണ്. "
    "മുത്തശ്ശി വൈകുന്നേരങ്ങളിൽ വരാന്തയിലിരുന്ന് പഴയകാലത്തെ കഥകൾ പറഞ്ഞുതരുമായിരുന്നു. അച്ഛൻ വള്ളത്തിൽ മീൻപിടിക്കാൻ പോകുമ്പോൾ ഞാനും "
    "കൂടെപ്പോകുമായിരുന്നു. ഇപ്പോൾ നഗരത്തിലാണ് താമസമെങ്കിലും അവധിക്കാലത്ത് ഞങ്ങളെല്ലാവരും അവിടെ ഒത്തുകൂടും. പുഴയുടെ ശബ്ദം കേട്ടുകൊണ്ട് "
    "ഉറങ്ങാൻ എനിക്കിപ്പോഴും വളരെ ഇഷ്ടമാണ്. അടുത്ത വേനലവധിക്ക് മക്കളെയും അവിടേക്കു കൊണ്ടുപോകണമെന്നു ഞാൻ തീരുമാനിച്ചിട്ടുണ്ട്. അവർക്കും ആ "
    "പുഴയും മരങ്ങളും പക്ഷികളും കാണാൻ കഴിയട്ടെ.",
}


@pytest.mark.parametrize("language", GOOD)
def test_a_good_paragraph_is_kept_whatever_its_script(language: str) -> None:
    assert reasons(GOOD[language], language) == set()


@pytest.mark.parametrize(
    ("script", "sample"),
    [("han", "山"), ("kana", "か"), ("thai", "ก"), ("lao", "ກ"), ("khmer", "ក"), ("myanmar", "က"), ("tibetan", "ཀ")],
)
def test_fifty_words_of_an_unspaced_script_are_fifty_times_its_figure(script: str, sample: str) -> None:
    n = int(49 * gopher_quality.CHARS_PER_WORD[script])
    assert signals([sample * n, sample * (n + 1)], [None, None]).column("gopher_words").to_pylist() == [49, 50]


def test_unspaced_words_count_as_words_with_letters_where_the_letter_rule_applies() -> None:
    text = "東京" * 30 + " " + words(62, "alphabet") + words(20, "=")
    assert signals([text], [None]).column("gopher_alpha_words").to_pylist() == pytest.approx([(62 + 43) / (82 + 43)])


def test_with_half_the_words_in_an_unspaced_script_the_other_half_is_still_judged() -> None:
    text = "ab cd 東京"
    assert signals([text, text + "都"], [None, None]).column("gopher_mean_word_length").to_pylist() == [2, None]
    assert "words_too_short" in reasons(text)


GOLDEN_TEXTS = [
    ("The quick brown fox jumps over the lazy dog, and nobody has seen it since.", "en"),
    ("# Title\n\n* one of them\n* two of them\n\nAnd so on...", "en"),
    ("THE END. To be, or not to be: that is the question…", "en"),
    ("Straße, Flüsse und Brücken: 12 Fotos aus dem Jahr 1987.", "de"),
    ("Всё это было давно… и неправда.", None),
    ("春になると、川沿いの桜が咲きます。", "ja"),
    ("他说：“等等……我还没准备好。”\n她笑了。", "zh"),
    ("ภาษาไทยเขียนติดกัน ไม่เว้นวรรคระหว่างคำ", "th"),
    ("한국어는 띄어쓰기를 한다.", "ko"),
    ("हिन्दी में मात्राएँ होती हैं।", "hi"),
    ("مرحبًا بكم في المدينة القديمة", "ar"),
    ("import os  # noqa\nprint('我用Python写代码')", "und"),
    ("• شاي\r\n‣ coffee\u2028– milk\x85+ 🍵🍵\x00", None),
    ("ພາສາລາວ ភាសាខ្មែរ မြန်မာစာ བོད་སྐད", "und"),
]


@pytest.mark.parametrize("profile", ["paper", "datatrove", "dclm", "dolma"])
def test_signals_change_only_with_a_new_version(profile: str) -> None:
    """golden_gopher.json has the signals of each version; a new version adds a table, and an old one is never edited."""
    golden = json.loads((Path(__file__).parent / "golden_gopher.json").read_text("utf-8"))
    found = signals([text for text, _ in GOLDEN_TEXTS], [language for _, language in GOLDEN_TEXTS], profile)
    expected = golden["gopher_quality"][str(FILTER.version)][profile]
    for i, (text, _) in enumerate(GOLDEN_TEXTS):
        row = [column[i].as_py() for column in found.columns]
        assert row == pytest.approx(expected[i], abs=1e-6), f"{text!r}: signals changed; raise FILTER.version"


PROFILE_TEXT = "# A-b the... The\n\n- to . . .\n * of… 12 be\n…"


def in_python(text: str, profile: str) -> tuple[float | None, ...]:
    """The published definitions: datatrove's GopherQualityFilter, DCLM's content filters, Dolma's gopher_v1 tagger."""
    words, stop = text.split(), set(gopher_quality.STOP_WORDS["en"])
    share = lambda part, whole: part / len(whole) if whole else 0.0  # noqa: E731
    if profile == "datatrove":
        cut, lines = split(text, tokens.DATATROVE), text.splitlines()
        plain = [token for token in cut if not SIGNS.issuperset(token)]
        return (
            len(plain),
            share(sum(map(len, plain)), plain),
            share(text.count("#"), cut),
            share(text.count("...") + text.count("…"), cut),
            None,
            share(sum(line.lstrip().startswith(("•", "-")) for line in lines), lines),
            share(sum(line.rstrip().endswith(("...", "…")) for line in lines), lines),
            share(sum(any(map(str.isalpha, token)) for token in cut), cut),
            len(stop & set(cut)),
        )
    letters = share(sum(any(map(str.isalpha, word)) for word in words), words)
    if profile == "dclm":
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        symbols = sum(map(text.count, ("#", "...", ". . .", "…")))
        bullets = sum(line.startswith(("●", "•", "*", "-")) for line in lines)
        ellipses = sum(line.endswith(("...", ". . .", "…")) for line in lines)
        n, length = len(split(text, tokens.DCLM)), share(sum(map(len, words)), words)
        shares = (share(symbols, words), share(bullets, lines), share(ellipses, lines), letters)
        return (n, length, None, None, *shares, sum(word.lower() in stop for word in words))
    lines = text.split("\n")
    symbols = sum("#" in word or "…" in word for word in words)
    bullets, ellipses = sum(line.startswith(("*", "-")) for line in lines), sum(line.endswith("…") for line in lines)
    length = median(map(len, words)) if words else 0
    shares = (share(symbols, words), share(bullets, lines), share(ellipses, lines), letters)
    return (len(words), length, None, None, *shares, sum(word in stop for word in words))


PIECE = st.sampled_from(
    ["the ", "The ", "be. ", "#", "…", "... ", ". . .", "\n", "- ", "* ", "●", "12 ", "word ", "\x85", "日", "\0", "é\u0301"]
)


@pytest.mark.parametrize("profile", ["datatrove", "dclm", "dolma"])
@example(texts=["", PROFILE_TEXT])
@given(texts=st.lists(st.lists(PIECE | st.characters(exclude_categories=["Cs"]), max_size=25).map("".join), max_size=4))
def test_each_profile_is_its_published_definition_on_any_unicode(profile: str, texts: list[str]) -> None:
    found = signals(texts, ["en"] * len(texts), profile)
    for i, text in enumerate(texts):
        row = [column[i].as_py() for column in found.columns]
        assert row[1] == row[2]
        assert [*row[:2], *row[3:]] == pytest.approx(in_python(text, profile), abs=1e-4), text


def test_stop_words_of_27_more_languages_are_found_in_their_own_text() -> None:
    assert len(gopher_quality.STOP_WORDS) == 28
    rows = [(" ".join(words), language) for language, words in gopher_quality.STOP_WORDS.items()]
    found = signals([text for text, _ in rows], [language for _, language in rows]).column("gopher_stop_words").to_pylist()
    assert min(found) >= 7
    assert signals(["हिन्दी में मात्राएँ होती हैं।"], ["hi"]).column("gopher_stop_words").to_pylist() == [2]


@pytest.mark.parametrize(("language", "drops"), [("en", True), ("de", False), ("it", False), ("bg", True)])
def test_fineweb2_figures_apply_to_its_languages_where_the_plan_sets_none(language: str, drops: bool) -> None:
    text = words(60, "elevenchars")  # German's longest mean is 15, Bulgarian's 9; English has the profile's 10
    needed = pl.DataFrame({"language": [language]})
    table = pl.DataFrame(pl.from_arrow(signals([text], [language]))).hstack(needed)
    for chosen, expected in (
        ({"languages": "fineweb2"}, drops),
        ({}, True),
        ({"languages": "fineweb2", "max_mean_word_length": 11}, False),
    ):
        failed = contract.judge(FILTER, FILTER.rules(Params(), Thresholds.model_validate(chosen)), table)
        assert failed["gopher_quality.words_too_long"].to_list() == [expected]
