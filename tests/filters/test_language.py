"""Language and script: signals of known sentences, what is undetermined, the rules' tables, and the sample of long texts."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from filters import language, models
from filters.contract import TextBatch, check, check_all, check_rules, judge
from filters.kernels import buffers
from filters.kernels.models import prose, windows
from filters.kernels.unicode import capitals, scripts
from filters.models import labels
from tests.support import PROSE, examples, winnow, write_rows

FILTER = language.FILTER
NOTHING = pa.RecordBatch.from_arrays([], names=[])


@pytest.fixture(scope="module")
def model() -> models.Model:
    try:
        return FILTER.load(FILTER.params())
    except models.ModelError as error:
        pytest.skip(str(error))


def annotate(texts: list[str] | pa.Array, model: models.Model) -> pa.RecordBatch:
    batch = TextBatch(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.large_string()))
    signals = FILTER.annotate(batch, NOTHING, FILTER.params(), model)
    check(FILTER, rows=len(batch), signals=signals)
    return signals


def rows_of(model: models.Model, texts: list[str]) -> list[dict]:
    return annotate(texts, model).to_pylist()


SENTENCES = [
    ("en", "Latn", "The ferry was late again, so we drank our tea on the pier and counted gulls."),
    ("de", "Latn", "Weil der Zug ausfiel, gingen wir zu Fuß durch den Wald nach Hause."),
    ("fr", "Latn", "Elle a rangé les livres que personne ne voulait plus lire dans la cave."),
    ("es", "Latn", "Mañana por la tarde compraremos pan, queso y un poco de vino para la cena."),
    ("ru", "Cyrl", "Вчера мы долго искали ключи, а они всё время лежали на столе."),
    ("ar", "Arab", "ذهبنا إلى السوق في الصباح واشترينا الخبز والزيتون."),
    ("hi", "Deva", "कल शाम को बारिश हुई और हम सब घर पर ही रहे।"),
    ("th", "Thai", "เมื่อวานนี้ฝนตกหนักมาก เราจึงอยู่บ้านทั้งวัน"),
    ("zh", "Hani", "昨天下了很大的雨，所以我们整天都待在家里看书。"),
    ("ja", "Jpan", "昨日は雨がひどかったので、一日中家で本を読んでいました。"),
    ("ko", "Kore", "어제는 비가 많이 와서 하루 종일 집에서 책을 읽었습니다."),
    ("el", "Grek", "Χθες έβρεχε πολύ και μείναμε όλη μέρα στο σπίτι."),
    ("he", "Hebr", "אתמול ירד גשם חזק ונשארנו כל היום בבית."),
]


def test_sentences_of_many_languages_and_scripts(model: models.Model) -> None:
    signals = annotate([text for _, _, text in SENTENCES], model)
    found = list(zip(signals["language"].to_pylist(), signals["language_script"].to_pylist(), strict=True))
    assert found == [(code, script) for code, script, _ in SENTENCES]
    assert min(signals["language_score"].to_pylist()) > 0.5
    assert max(signals["language_score"].to_pylist()) <= 1


def test_line_ends_do_not_end_the_text(model: models.Model) -> None:
    """fastText's predict reads one line; a document is all its lines."""
    signals = annotate(["ok\n" + SENTENCES[1][2].replace(" ", "\n")], model)
    assert signals["language"].to_pylist() == ["de"]


@pytest.mark.parametrize(
    ("text", "script"),
    [("", "Zyyy"), (" \n\t", "Zyyy"), ("12345 67,89 %", "Zyyy"), ("!? … 👍", "Zyyy"), ("ab 1", "Latn"), ("中文", "Hani")],
)
def test_fewer_than_three_letters_are_undetermined(model: models.Model, text: str, script: str) -> None:
    signals = annotate([text], model).to_pylist()
    others = dict.fromkeys(("language_second", "language_second_score", "language_share"))
    assert signals == [{"language": "und", "language_score": 0.0, "language_script": script, **others}]


def test_a_low_score_is_undetermined_and_kept_as_evidence(model: models.Model) -> None:
    words = ["zzxq vbn", "aaa", "xkcd qwrt", "ba da bo", "lorem", "qqq www", "zim zam", "foo bar", "kok", "asdf jkl"]
    signals = annotate(words, model).to_pylist()
    scores = [row["language_score"] for row in signals]
    assert min(scores) < language.MIN_DETERMINED < max(scores)
    for row in signals:
        assert (row["language"] == "und") == (row["language_score"] < language.MIN_DETERMINED)


def test_a_plan_may_name_another_model(model: models.Model, tmp_path: Path) -> None:
    path = tmp_path / "mine.ftz"
    path.write_bytes(model.path.read_bytes())
    params = FILTER.params(model=str(path))
    assert FILTER.files(params) == (path,)
    assert FILTER.load(params).labels == model.labels


def test_a_missing_model_names_the_command_that_fetches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for step in (FILTER.files, FILTER.load):
        with pytest.raises(models.ModelError, match=r"python -m filters\.models fetch-lid"):
            step(FILTER.params())
        with pytest.raises(models.ModelError, match=r"gone\.ftz: no such file"):
            step(FILTER.params(model=str(tmp_path / "gone.ftz")))


def test_a_fetched_model_is_found_and_its_sha256_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    models.lid_cache().parent.mkdir()
    models.lid_cache().write_bytes(b"not the model")
    assert FILTER.files(FILTER.params()) == (models.lid_cache(),)
    with pytest.raises(models.ModelError, match="expected sha256 8f3472cfe8"):
        FILTER.load(FILTER.params())


# language, score; then what fails with keep: [de, en] and min_score: 0.5, and with und in the list
RULES = [
    ("en", 0.49, ["uncertain_language"], ["uncertain_language"]),
    ("en", 0.5, [], []),
    ("de", 0.51, [], []),
    ("fr", 0.99, ["other_language"], ["other_language"]),
    ("fr", 0.1, ["other_language"], ["other_language"]),
    ("und", 0.29, ["other_language"], []),
    ("und", 0.0, ["other_language"], []),
]


@pytest.mark.parametrize(("keep", "column"), [(["de", "en"], 2), (["en", "und", "de"], 3)])
def test_rules_at_their_thresholds(keep: list[str], column: int) -> None:
    rules = FILTER.rules(FILTER.params(), FILTER.thresholds(keep=keep))
    check_all([FILTER])
    check_rules(FILTER, rules)
    scores = pl.Series("language_score", [row[1] for row in RULES], pl.Float32)
    signals = pl.DataFrame({"language": [row[0] for row in RULES], "language_script": "Latn"}).with_columns(scores)
    failed = judge(FILTER, rules, signals)
    for i, row in enumerate(RULES):
        assert [name.removeprefix("language.") for name in failed.columns if failed[name][i]] == row[column], row


def failures(signals: dict[str, list], **keys: object) -> list[list[str]]:
    """Reasons of each row, under a plan's keys."""
    rows = len(signals["language"])
    fill: dict[str, list] = {"language_score": [0.9] * rows, "language_script": ["Latn"] * rows, "language_share": [1.0] * rows}
    rules = FILTER.rules(FILTER.params(), FILTER.thresholds(**keys))
    check_rules(FILTER, rules)
    failed = judge(FILTER, rules, pl.DataFrame(fill | signals, strict=False))
    return [[name.removeprefix("language.") for name in failed.columns if failed[name][i]] for i in range(rows)]


def test_a_language_may_have_a_threshold_of_its_own() -> None:
    signals = {"language": ["de", "de", "en", "en", "und"], "language_score": [0.69, 0.7, 0.49, 0.5, 0.1]}
    unsure = ["uncertain_language"]
    assert failures(signals, min_scores={"de": 0.7}) == [unsure, [], [], [], []]
    assert failures(signals, min_scores={"de": 0.7}, keep=["de", "en", "und"]) == [unsure, [], unsure, [], []]
    assert failures(signals, min_scores={"en": 0.4}, keep=["de", "en", "und"]) == [[], [], [], [], []]
    assert failures(signals, min_scores={"deu": 0.7}) == [unsure, [], [], [], []]


def test_a_page_in_several_languages_may_be_dropped() -> None:
    signals = {"language": ["de", "de", "de", "und"], "language_share": [0.59, 0.6, 1.0, None]}
    assert failures(signals, min_share=0.6) == [["mixed_languages"], [], [], []]
    assert not any(rule.on for rule in FILTER.rules(FILTER.params(), FILTER.thresholds(min_share=0)))


def test_a_language_in_one_script_may_be_kept() -> None:
    signals = {"language": ["sr", "sr", "en", "sq", "als"], "language_script": ["Latn", "Cyrl", "Latn", "Latn", "Latn"]}
    other = ["other_language"]
    assert failures(signals, keep=["srp_Latn", "en"]) == [[], other, [], other, other]
    assert failures(signals, keep=["sr", "eng"]) == [[], [], [], other, other]
    assert failures(signals, keep=["als_Latn"]) == [other, other, other, [], other]
    assert failures(signals, keep=["als"]) == [other, other, other, other, []]


def test_thresholds_per_language_are_checked_and_sorted() -> None:
    assert list(FILTER.thresholds(min_scores={"en": 0.5, "de": 0.25}).min_scores) == ["de", "en"]
    for wrong in ({"English": 0.5}, {"en": 1.5}, {"en": -0.1}):
        with pytest.raises(ValidationError):
            FILTER.thresholds(min_scores=wrong)


def test_keep_all_drops_nothing() -> None:
    assert not any(rule.on for rule in FILTER.rules(FILTER.params(), FILTER.thresholds(keep="all", min_score=1.0)))
    assert FILTER.thresholds().keep == "all"


def test_labels_become_the_languages_that_lid_176_names() -> None:
    glotlid = ("eng_Latn", "srp_Cyrl", "srp_Latn", "cmn_Hani", "als_Latn", "ceb_Latn", "nob_Latn", "arb_Arab", "zxx_Zzzz")
    assert labels.languages(glotlid) == ("en", "sr", "sr", "zh", "sq", "ceb", "no", "ar", "zxx")
    assert labels.scripts(glotlid)[:3] == ("Latn", "Cyrl", "Latn")
    wikipedia = ("sq", "als", "en", "zh", "yue", "sh", "no", "nn")
    assert labels.languages(wikipedia) == wikipedia and set(labels.scripts(wikipedia)) == {None}
    assert labels.languages(("eng", "de")) == ("en", "de")


def test_every_label_of_lid_176_stays_as_it_is(model: models.Model) -> None:
    assert labels.languages(model.labels) == model.labels


def test_a_model_whose_labels_name_scripts_gives_languages_and_scripts(model: models.Model) -> None:
    """As GlotLID names them: the script is the label's, not that of most letters."""
    named = {"en": "eng_Latn", "de": "deu_Latf", "ru": "rus_Cyrl", "zh": "cmn_Hani"}
    glotlid = models.Model(path=model.path, labels=tuple(named.get(x, f"{x}_Zzzz") for x in model.labels), tables=model.tables)
    signals = annotate([SENTENCES[0][2], SENTENCES[1][2], SENTENCES[4][2], SENTENCES[8][2], "ab"], glotlid)
    assert signals["language"].to_pylist() == ["en", "de", "ru", "zh", "und"]
    assert signals["language_script"].to_pylist() == ["Latn", "Latf", "Cyrl", "Hani", "Latn"]


def test_the_second_language_and_the_share_of_the_first_tell_a_mixed_page(model: models.Model) -> None:
    english, german = SENTENCES[0][2], SENTENCES[1][2]
    pure, mixed = annotate([(english + "\n") * 20, (english + "\n") * 20 + (german + "\n") * 8], model).to_pylist()
    assert (pure["language"], pure["language_share"]) == ("en", 1.0)
    assert pure["language_second_score"] < 0.1
    assert (mixed["language"], mixed["language_second"]) == ("en", "de")
    assert 0.6 < mixed["language_share"] < 0.85
    assert 0.5 < mixed["language_second_score"] <= 1


def test_the_second_language_is_the_one_that_most_other_parts_are_in() -> None:
    parts = np.array([[1, 2, 3, 2, 3, 3], [5, 1, 1, 4, 4, 1]])
    scores = np.array([[0.9, 0.5, 0.8, 0.6, 0.7, 1.00001], [0.4, 0.9, 0.9, 0.5, 0.6, 0.9]], np.float32)
    size = np.array([[300, 200, 100, 150, 200, 0], [200, 200, 200, 50, 100, 200]])
    second, score = language._second(parts, scores, np.where(parts == 1, 0, size))
    assert second.tolist() == [2, 5]
    assert score.tolist() == pytest.approx([0.6, 0.4])


def test_what_is_no_prose_does_not_count(model: models.Model) -> None:
    code = "if (x_1 != y2) { return fooBar(x_1); } // see https://example.org/a/b?c=d 2024-01-01 12:30 me@example.org\n"
    text = code * 12 + SENTENCES[1][2] + "\n" + code * 12 + SENTENCES[1][2]
    assert annotate([text], model)["language"].to_pylist() == ["de"]
    und = annotate(["fooBar(x_1); y_2 += 3;"], model).to_pylist()[0]
    assert (und["language"], und["language_script"]) == ("und", "Latn")


_SPACES = re.compile(rb"[ \t-\r\0]+")


def _is_prose(token: bytes) -> bool:
    if b"://" in token or b"@" in token:
        return False
    if any(byte >= 128 for byte in token):
        return True
    if b"<" in token:
        return False
    core = re.sub(rb"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", b"", token)
    return re.fullmatch(rb"[A-Za-z'-]+", core) is not None and re.search(rb"[a-z][A-Z]", core) is None


def prose_of(text: bytes) -> list[bytes]:
    """The tokens that `filters.kernels.models.prose` keeps of a text that it does not cut."""
    return [token for token in _SPACES.split(text) if token and _is_prose(token)]


ODD_TOKENS = """word Word WORD it's well-known (word) word, “word” été 中文。 fooBar foo_bar x1 12 a.b http://a.b/c http://пример
a:/b é://x me@x.org é@x -- — 'a a' a-.b A. </s> <é> a<b >a €5 5€ Ab-cD"""
TOKENS = st.sampled_from(ODD_TOKENS.split())
PIECES = st.one_of(TOKENS, st.text(max_size=8), st.text(alphabet="aB1'-:/@.é<", max_size=9)).map(
    lambda text: text.encode(errors="replace").decode()
)
DOCUMENTS = st.lists(
    st.tuples(st.lists(PIECES, max_size=60), st.sampled_from([" ", "\n", " \n ", "", "\0"])).map(lambda t: t[1].join(t[0])),
    max_size=5,
)


@examples(2, derandomize=True)
@given(DOCUMENTS, st.integers(2, 9))
def test_a_short_text_gives_all_its_prose_in_order(texts: list[str], parts: int) -> None:
    offsets, data = buffers.views(pa.array(["before", *texts, "after"], pa.large_string())[1:-1])
    found = prose.sample(offsets, data, limit=1 << 20, parts=parts)
    for text, spans in zip(texts, found.spans, strict=True):
        pieces = [bytes(found.data[a:b]) for a, b in spans]
        assert _SPACES.split(b"".join(pieces).strip(b" \n")) == (prose_of(text.encode()) or [b""])
        assert all((spans[1:, 0] == spans[:-1, 1]).tolist())
        for piece in pieces:
            piece.decode()
        if sum(map(len, pieces)) >= 2 * prose.LEAST and all(len(token) < 20 for token in prose_of(text.encode())):
            assert sum(map(bool, pieces)) >= 2


@examples(2, derandomize=True)
@given(DOCUMENTS, st.integers(2, 9), st.integers(40, 200))
def test_a_long_text_gives_a_bounded_sample_of_whole_characters(texts: list[str], parts: int, limit: int) -> None:
    texts = [text * 8 for text in texts]
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    found = prose.sample(offsets, data, limit=limit, parts=parts)
    for text, spans in zip(texts, found.spans, strict=True):
        if len(text.encode()) <= limit:
            continue
        at = 0
        for a, b in spans:
            assert b - a <= limit // parts + 4
            for piece in _SPACES.split(bytes(found.data[a:b])):
                piece.decode()
                at = text.encode().index(piece, at) if len(piece) > 8 else at
    again = prose.sample(offsets, data, limit=limit, parts=parts)
    assert (again.data == found.data).all() and (again.spans == found.spans).all()


def test_a_long_text_is_sampled_at_the_starts_of_its_lines() -> None:
    lines = [f"line number {'x' * (i % 7 + 1)} of some text" for i in range(400)]
    offsets, data = buffers.views(pa.array(["\n".join(lines)], pa.large_string()))
    found = prose.sample(offsets, data, limit=1600, parts=8)
    starts = [bytes(found.data[a:b]).split(b"\n")[0].decode() for a, b in found.spans[0]]
    assert all(start in lines for start in starts)


def test_code_of_any_length_is_scanned_only_so_far() -> None:
    offsets, data = buffers.views(pa.array(["x_1; " * 100_000 + "words " * 10], pa.large_string()))
    found = prose.sample(offsets, data, limit=800, parts=4)
    assert len(found.data) <= 60


def test_plans_that_keep_the_same_languages_are_the_same() -> None:
    assert FILTER.thresholds(keep=["en", "de", "en"]) == FILTER.thresholds(keep=["de", "en"])
    assert FILTER.thresholds(keep=["en", "de"]).keep == ("de", "en")
    for keep in ("eng_Latn", "zh-yue", "ceb", "und"):
        assert FILTER.thresholds(keep=[keep]).keep == (keep,)


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ("en", "write a list of languages, [en], or all"),
        ([], "would drop every text"),
        (["English"], "English: not a language code"),
        (["English US"], "English US: not a language code"),
        ([False], "keep"),  # what a reader of YAML 1.1 makes of `no`, Norwegian
    ],
)
def test_a_mistake_in_keep_is_refused(keep: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("[", r"\[")):
        FILTER.thresholds(keep=keep)


LONG = [text * n for (_, _, text), n in zip(SENTENCES, [1, 3, 10, 20, 25, 30, 30, 30, 30, 40, 50, 60, 70], strict=True)]


def test_signals_do_not_depend_on_the_batch(model: models.Model) -> None:
    whole = pa.array([*LONG, "", "x", *reversed(LONG)], pa.large_string())
    expected = annotate(whole, model).to_pylist()
    for size in (1, 2, 5):
        parts = [annotate(whole[at : at + size], model) for at in range(0, len(whole), size)]
        assert pa.Table.from_batches(parts).to_pylist() == expected
    assert annotate(pa.concat_arrays([whole[3:9], whole[1:2]]), model).to_pylist() == expected[3:9] + expected[1:2]
    assert annotate(whole[:0], model).num_rows == 0


def test_the_middle_and_the_end_of_a_long_text_count(model: models.Model) -> None:
    english, german = SENTENCES[0][2] + " ", SENTENCES[1][2] + " "
    signals = annotate([english * 10 + german * 90, german * 90 + english * 10], model)
    assert signals["language"].to_pylist() == ["de", "de"]


@examples(derandomize=True)
@given(st.lists(st.text(max_size=300) | st.text(alphabet="ab \n", max_size=300), max_size=6), st.integers(12, 200))
def test_a_sample_is_bounded_and_cuts_no_character(texts: list[str], limit: int) -> None:
    texts = [text.encode(errors="replace").decode() for text in texts]
    offsets, data = buffers.views(pa.array(["before", *texts, "after"], pa.large_string())[1:-1])
    for text, spans in zip(texts, windows.sample(offsets, data, limit=limit), strict=True):
        raw = text.encode()
        parts = [bytes(data[a:b]) for a, b in spans]
        if len(raw) <= limit:
            assert b"".join(parts) == raw
            continue
        assert sum(map(len, parts)) <= limit + limit // 12 * 2 + 12
        assert raw.startswith(parts[0]) and raw.endswith(parts[2]) and parts[1] in raw
        for part in parts:
            part.decode()


def test_windows_of_spaced_text_hold_whole_words() -> None:
    text = " ".join(f"word{i}" for i in range(1000))
    offsets, data = buffers.views(pa.array([text], pa.large_string()))
    (spans,) = windows.sample(offsets, data, limit=300)
    words = set(text.split())
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))
    for a, b in spans:
        assert set(bytes(data[a:b]).decode().split()) <= words


# The word that the Unicode names of a script's letters begin with.
NAMES = {
    "Latn": "LATIN", "Grek": "GREEK", "Cyrl": "CYRILLIC", "Armn": "ARMENIAN", "Hebr": "HEBREW", "Arab": "ARABIC",
    "Syrc": "SYRIAC", "Thaa": "THAANA", "Nkoo": "NKO", "Deva": "DEVANAGARI", "Beng": "BENGALI", "Guru": "GURMUKHI",
    "Gujr": "GUJARATI", "Orya": "ORIYA", "Taml": "TAMIL", "Telu": "TELUGU", "Knda": "KANNADA", "Mlym": "MALAYALAM",
    "Sinh": "SINHALA", "Thai": "THAI", "Laoo": "LAO", "Tibt": "TIBETAN", "Mymr": "MYANMAR", "Geor": "GEORGIAN",
    "Hang": "HANGUL", "Ethi": "ETHIOPIC", "Cher": "CHEROKEE", "Cans": "CANADIAN", "Khmr": "KHMER", "Mong": "MONGOLIAN",
    "Hira": "HIRAGANA", "Kana": "KATAKANA", "Bopo": "BOPOMOFO", "Hani": "CJK", "Yiii": "YI", "Olck": "OL",
    "Tfng": "TIFINAGH", "Mtei": "MEETEI",
}  # fmt: skip


def test_letters_are_of_the_script_that_their_unicode_name_begins_with() -> None:
    """All 50,000 letters (category Lu, Ll, Lo) of the Basic Multilingual Plane whose name says a script: none is missing."""
    letters = [chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Lu", "Ll", "Lo")]
    by_name = {name: code for code, name in NAMES.items()}
    first = [unicodedata.name(letter).removeprefix("HALFWIDTH ").removeprefix("FULLWIDTH ").split()[0] for letter in letters]
    known = [(letter, by_name[name]) for letter, name in zip(letters, first, strict=True) if name in by_name]
    _, data, offsets = _raw([letter * 3 for letter, _ in known])
    counted, found = scripts.majority(data, models.whole(offsets))
    wrong = [
        (letter, code, scripts.CODES[i])
        for (letter, code), i in zip(known, found, strict=True)
        if scripts.CODES[i] != _alone(code)
    ]
    assert wrong == []
    assert (counted == 3).all() and len(known) > 45_000


def _alone(code: str) -> str:
    return {"Hira": "Jpan", "Kana": "Jpan", "Hang": "Kore", "Bopo": "Hani"}.get(code, code)


def _raw(texts: list[str]) -> tuple[int, np.ndarray, np.ndarray]:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    return len(texts), data, offsets


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("これ は 漢字漢字漢字漢字", "Jpan"),
        ("漢" * 90 + "の" * 10, "Jpan"),
        ("漢" * 91 + "の" * 9, "Hani"),
        ("漢" * 90 + "가" * 10, "Kore"),
        ("漢" * 91 + "가" * 9, "Hani"),
        ("latin букв", "Latn"),
        ("lat буква", "Cyrl"),
        ("abc где", "Latn"),  # as many of each: the earlier in the table
        ("漢字 kanji kanji", "Latn"),
        ("𠀀𪜀𰀀", "Hani"),
        ("१२३ 123 ١٢٣ ・ー々", "Hani"),  # digits and signs that scripts share are no letters; 々 is Han
        ("𐌰𐌱𐌲", "Zyyy"),  # Gothic: not in the table
    ],
)
def test_majority_script(text: str, script: str) -> None:
    _, data, offsets = _raw([text])
    assert scripts.CODES[scripts.majority(data, models.whole(offsets))[1][0]] == script


SENTENCES_IN_CAPITALS = {
    "en": "The baker opens the shop before the sun is up, and the first to come are the people who work at night.",
    "fr": "Le boulanger ouvre la boutique avant le lever du soleil, et les premiers à venir sont ceux qui travaillent la nuit.",
    "tr": "Fırıncı dükkânı güneş doğmadan önce açar ve ilk gelenler gece çalışan insanlardır, çünkü eve dönerken ekmek alırlar.",
    "pl": "Piekarz otwiera sklep, zanim wzejdzie słońce, a pierwsi przychodzą ludzie, którzy pracują w nocy.",
    "hr": "Pekar otvara dućan prije nego što sunce izađe, a prvi dolaze ljudi koji su cijelu noć radili i žele kruh.",
    "ru": "Пекарь открывает лавку до восхода солнца, и первыми приходят люди, которые работают ночью.",
    "el": "Ο φούρναρης ανοίγει το μαγαζί πριν βγει ο ήλιος και πρώτοι έρχονται όσοι δουλεύουν τη νύχτα.",
    "de": "Der Bäcker öffnet den Laden, bevor die Sonne aufgeht, und zuerst kommen die Leute, die nachts arbeiten.",
}


@pytest.mark.parametrize("code", SENTENCES_IN_CAPITALS)
def test_a_text_in_capitals_is_in_the_language_that_it_is_in_in_small_letters(model: models.Model, code: str) -> None:
    text = SENTENCES_IN_CAPITALS[code]
    large = text.translate({ord("i"): "İ", ord("ı"): "I"}).upper() if code == "tr" else text.upper()
    small, capitals = rows_of(model, [text, large])
    assert small["language"] == capitals["language"] == code
    assert capitals["language_score"] > small["language_score"] - 0.1


def test_a_text_with_few_capitals_is_read_as_it_stands(model: models.Model) -> None:
    """More small letters, or letters without case, than capitals: not a byte of the sample is changed."""
    texts = [
        "DER BÄCKER öffnet den Laden, bevor die Sonne aufgeht.",
        "昨天下了很大的雨，所以我们用 API 和 CPU 整天都待在家里看书。",
    ]
    sample = prose.sample(*buffers.views(pa.array(texts, pa.large_string())), limit=2048, parts=8)
    letters, _ = scripts.majority(sample.data, sample.spans)
    data, spans = language._in_small_letters(sample.data, sample.spans, letters)
    assert data is sample.data and spans is sample.spans


@given(st.lists(st.text(st.sampled_from("aZßÀÞ×÷Ωωσπ ЯяЀџ.中é"), max_size=30), min_size=1, max_size=4))
def test_capitals_are_counted_as_plain_python_counts_them(parts: list[str]) -> None:
    data = "".join(parts).encode()
    bounds = np.cumsum([0, *(len(part.encode()) for part in parts)], dtype=np.int64)
    spans = np.stack((bounds[:-1], bounds[1:]), axis=1)[None]
    large, small = capitals.counted(np.frombuffer(data or b" ", np.uint8), spans)
    text = "".join(parts)
    assert (large[0], small[0]) == (sum(c.isupper() for c in text), sum(c.islower() for c in text))


SERBO_CROATIAN = {
    "hr": "Pekar otvara dućan prije nego što sunce izađe, a prvi dolaze ljudi koji su cijelu noć radili i žele kruh.",
    "sr": "Pekar otvara radnju pre nego što sunce izađe, a prvi dolaze ljudi koji su celu noć radili i žele hleb.",
}


@pytest.mark.parametrize("code", SERBO_CROATIAN)
def test_scores_of_languages_that_a_model_takes_for_one_another_belong_together(model: models.Model, code: str) -> None:
    (row,) = rows_of(model, [SERBO_CROATIAN[code]])
    assert row["language"] in ("hr", "sr", "bs", "sh") and row["language_second"] in ("hr", "sr", "bs", "sh")
    _best, scores, *_ = model.judge(*_whole(SERBO_CROATIAN[code]))
    assert row["language_score"] == pytest.approx(min(1, scores[0].sum()), abs=1e-5) and row["language_share"] == 1
    thresholds = language.Thresholds(keep=["hr", "sr", "bs"])
    frame = pl.DataFrame([row], schema_overrides={"language_score": pl.Float32, "language_share": pl.Float32})
    assert not any(judge(language.FILTER, language.rules(language.Params(), thresholds), frame).row(0))


def _whole(text: str) -> tuple[np.ndarray, np.ndarray]:
    data = np.frombuffer(text.encode(), np.uint8)
    return data, np.array([[[0, len(data)]]], np.int64)


def test_the_code_of_the_macrolanguage_stands_for_its_languages_and_they_for_it() -> None:
    assert labels.names("sh")[0] == {"sh", "hr", "sr", "bs"} == labels.names("hbs")[0] - {"hbs"}
    assert labels.names("hr")[0] == {"hr", "sh"} and labels.names("sr_Cyrl") == ({"sr", "sh"}, "Cyrl")


@pytest.mark.parametrize(
    ("code", "near"),
    [
        *(("english", "en"), ("german", "de"), ("deutsch", "de"), ("jp", "ja"), ("cn", "zh"), ("cnr", "sr, hr or bs")),
        *(("gsw", "als"), ("engish", "en"), ("xq", ""), ("xx", "")),
    ],
)
def test_a_code_that_the_model_does_not_have_is_refused_with_what_may_be_meant(model: models.Model, code: str, near: str) -> None:
    said = f"did you mean {near}?" if near else "the model knows no such language"
    for thresholds in ({"keep": ["en", code]}, {"min_scores": {code: 0.7}}):
        try:
            made = language.Thresholds(**thresholds)
        except ValueError as error:  # no code in form
            assert said in str(error)
            continue
        with pytest.raises(ValueError, match=re.escape(said)) as refused:
            language.refuse(made, model)
        assert f"{code}: " in str(refused.value) and "en:" not in str(refused.value).replace(f"{code}:", "")


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        *(("EN", "en"), ("en-US", "en"), ("pt-BR", "pt"), ("es_419", "es"), ("de-CH-1996", "de"), ("ger", "de"), ("deu", "deu")),
        *(("zh-Hans", "zh_Hans"), ("zh-Hant-TW", "zh_Hant"), ("SR_latn", "sr_Latn"), ("iw", "he"), ("fil", "tl"), ("nb", "no")),
        *(("als", "als"), ("english", "english"), ("e", "e"), ("en-", "en-"), ("en US", "en US")),
    ],
)
def test_codes_of_iso_639_and_bcp_47_are_understood(spelled: str, meant: str) -> None:
    assert labels.understood(spelled) == meant


def test_a_plan_keeps_codes_as_winnow_writes_them() -> None:
    assert language.Thresholds(keep=["pt-BR", "ger", "EN", "en-GB"]).keep == ("de", "en", "pt")
    assert language.Thresholds(min_scores={"iw": 0.5}).min_scores == {"he": 0.5}
    with pytest.raises(ValidationError, match="names a language twice"):
        language.Thresholds(min_scores={"en-GB": 0.5, "en-US": 0.7})
    with pytest.raises(ValidationError, match="names a language twice"):
        language.Thresholds(min_scores={"en": 0.5, "eng": 0.7})
    assert len(language.Thresholds(min_scores={"sr_Latn": 0.5, "sr_Cyrl": 0.7, "hr": 0.1}).min_scores) == 3


def test_a_listed_language_stands_for_its_relatives() -> None:
    signals = {
        "language": ["hr", "sr", "sr", "bs", "sh", "nn", "ms", "da"],
        "language_script": ["Latn", "Latn", "Cyrl", "Latn", "Latn", "Latn", "Latn", "Latn"],
    }
    other = ["other_language"]
    assert failures(signals, keep=["hr"]) == [[], [], other, [], [], other, other, other]
    assert failures(signals, keep=["sr"]) == [[], [], [], [], [], other, other, other]
    assert failures(signals, keep=["nb", "id"]) == [other, other, other, other, other, [], [], other]
    low = {**signals, "language_score": [0.4] * 8}
    assert failures(low, min_scores={"hr": 0.5})[:3] == [["uncertain_language"], [], []]  # a threshold is for its language


def test_simplified_and_traditional_characters_are_han_characters() -> None:
    signals = {"language": ["zh", "zh", "ja"], "language_script": ["Hani", "Latn", "Hani"]}
    for code in ("zh-Hans", "zh-Hant-TW"):
        assert failures(signals, keep=[code]) == [[], ["other_language"], ["other_language"]]


@pytest.mark.parametrize("code", ["en", "eng", "cmn", "zh_Hans", "zxx", "und", "sh", "hbs", "als", "ceb"])
def test_a_code_that_the_model_has_under_another_name_is_not_refused(model: models.Model, code: str) -> None:
    language.refuse(language.Thresholds(keep=[code]), model)


def test_a_run_with_a_language_that_no_model_knows_ends_before_any_work(capsys, tmp_path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": PROSE}])
    for flag in ((), ("--explain",)):
        ran = winnow(
            capsys, "none", "--input", path, "--output", tmp_path / "out", "--set", "filters.language.keep=[en, cnr]", *flag
        )
        assert ran.code == 2 and "filters.language.keep: cnr: " in ran.err and "sr, hr or bs" in ran.err
    assert not (tmp_path / "out" / "manifests").exists()


def test_every_list_of_languages_of_a_plan_is_checked(capsys, tmp_path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": PROSE}])
    for key, name in (
        ("compute.plan={tokens: 1e9, languages: {cn: 0.5}}", "compute.plan.languages: cn: "),
        ("filters.toxicity={languages: [cn]}", "filters.toxicity.languages: cn: "),
    ):
        flags = ("--set", "filters.language={keep: all}", "--set", key, "--explain")
        ran = winnow(capsys, "none", "--input", path, "--output", tmp_path / "out", *flags)
        assert ran.code == 2 and name in ran.err and "did you mean zh?" in ran.err


def test_codes_of_any_spelling_name_the_values_of_the_column() -> None:
    spelled = {"pt-BR": "pt", "deu": "de", "ger": "de", "zh-Hant": "zh", "iw": "he", "ceb": "ceb", "als": "als", "als_Latn": "sq"}
    assert {code: labels.canonical(code) for code in spelled} == spelled
