"""eldc's table with lid.176 behind it: the kernel beside plain Python, what decides, what is no language, odd texts, damage."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import language, models
from filters.contract import TextBatch
from filters.kernels import buffers
from filters.kernels.models import eldc as kernel
from filters.models import eldc, labels
from filters.models.languages import Languages
from tests.filters.test_language import NOTHING, SENTENCES, SENTENCES_IN_CAPITALS, SERBO_CROATIAN
from tests.support import examples

PARAMS = language.Params(model="eldc")
loaded = lru_cache(maxsize=1)(eldc.load_ngrams)


@pytest.fixture(scope="module")
def ngrams() -> eldc.Ngrams:
    return loaded()


@pytest.fixture(scope="module")
def both() -> Languages:
    try:
        models.find_lid()
    except models.ModelError as error:
        pytest.skip(str(error))
    return language.load(PARAMS)


def annotate(texts: list[str], both: Languages) -> list[dict]:
    return language.annotate(TextBatch(pa.array(texts, pa.large_string())), NOTHING, PARAMS, both).to_pylist()


def judged(texts: list[str], ngrams: eldc.Ngrams) -> kernel.Found:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    return ngrams.judge(data, models.whole(offsets))


def small(text: str) -> str:
    """Small letters that take as many bytes, as eldc makes them: of Latin, Greek, Cyrillic and the like, and of full width."""
    made = []
    for char in text:
        low = char.lower()
        simple = len(low) == 1 and len(low.encode()) == len(char.encode())
        made.append(low if simple and (char < "ࠀ" or ("Ḁ" <= char <= "ỿ" and char != "ẞ") or "Ａ" <= char <= "Ｚ") else char)
    return "".join(made)


def keys(text: str, kinds: np.ndarray) -> list[bytes]:
    """The different n-grams of a text, in plain Python: of each word its first and last six bytes and the sixes between, with a
    space where the word begins or ends; Han and kana each alone."""

    def kind_of(char: str) -> int:
        return int(kinds[ord(char)]) if ord(char) < 65536 else kernel.WIDE if 0x20000 <= ord(char) < 0x2FA20 else 0

    chars = [(char, kind_of(char)) for char in small(text)]
    words, found = [], []
    for i, (char, kind) in enumerate(chars):
        after = chars[i + 1][1] if i + 1 < len(chars) else 0
        joins = kind == 3 and words and words[-1] is not None and after == 1
        if kind == 2:
            words += [char, None]
        elif kind == 1 or joins:
            if words and words[-1] is not None:
                words[-1] += char
            else:
                words.append(char)
        else:
            words.append(None)
    for word in words:
        if word is None:
            continue
        data = word.encode()
        if len(data) <= 6:
            found.append(b" " + data + b" ")
            continue
        found += [b" " + data[:6], *(data[j : j + 6] for j in range(6, len(data) - 6, 6)), data[-6:] + b" "]
    return list(dict.fromkeys(found))


def sums_of(text: str, ngrams: eldc.Ngrams) -> tuple[np.ndarray, int]:
    table, made = ngrams.table, np.zeros(64, np.float32)
    found = keys(text, table.kinds)[: kernel.MOST]
    for key in found:
        value = int.from_bytes(key.ljust(8, b"\0"), "little")
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        top = (value ^ value >> 27) >> 32
        for entry in table.entries[table.starts[top >> 14] : table.starts[(top >> 14) + 1]].tolist():
            if entry >> 18 == top & 0x3FFF:
                made[entry >> 8 & 0x3F] += table.values[entry & 0xFF]
    return made, len(found)


WORDS = (
    "The Straße ÉTÉ l'été don’t 'tis rock-n-roll ΧΘΕΣ Вчера МЫ 昨日は雨 어제는 ＡＢＣ Ṽẞ कल शाम 𠀀𝒜 ʼn İstanbul antidisestablish"
)
TEXTS = st.lists(st.one_of(st.sampled_from(WORDS.split(" ")), st.text(max_size=9)), max_size=30).map(" ".join)


@examples(2, derandomize=True)
@given(st.lists(TEXTS.map(lambda text: text.encode(errors="replace").decode()), min_size=1, max_size=4))
def test_the_kernel_sums_what_plain_python_sums(texts: list[str]) -> None:
    ngrams = loaded()
    found = judged(["before", *texts], ngrams)
    for i, text in enumerate(texts, 1):
        expected, count = sums_of(text, ngrams)
        assert found.counts[i].tolist() == [count, count]
        assert found.sums[i] == pytest.approx(expected, rel=1e-5)
        order = np.argsort(-found.sums[i], kind="stable")[:2]
        assert found.says[i, 1].tolist() == found.sums[i][order].tolist()


def test_a_part_has_at_most_so_many_ngrams_and_a_text_as_many_for_each(ngrams: eldc.Ngrams) -> None:
    text = " ".join(f"{a}{b}{c}" for a in "abcdefghij" for b in "abcdefghij" for c in "abcdefghij")
    assert judged([text], ngrams).counts.tolist() == [[kernel.MOST, kernel.MOST]]
    data = np.frombuffer(text.encode(), np.uint8)
    found = ngrams.judge(data, np.array([[[0, 2000], [2000, 4000]]], np.int64))
    assert found.counts[0].tolist() == [500, 500, 1000]


def test_the_table_alone_knows_sentences(ngrams: eldc.Ngrams) -> None:
    found = judged([text for _, _, text in SENTENCES], ngrams)
    assert [ngrams.card.languages[i] for i in found.best[:, -1, 0]] == [code for code, _, _ in SENTENCES]


def test_sentences_in_languages_that_the_table_knows_and_in_others(both: Languages) -> None:
    others = {
        "gl": "Onte pola tarde choveu moito, así que quedamos na casa a ler e a tomar un café co pan que fixera a avoa.",
        "kk": "Кеше қатты жаңбыр жауды, сондықтан біз күні бойы үйде кітап оқып отырдық.",
        "mk": "Вчера многу врнеше дожд, па цел ден седевме дома, читавме книги и ѝ помагавме на баба ми во кујната.",
        "eo": "Hieraŭ multe pluvis, do ni restis hejme la tutan tagon kaj legis librojn ĉe la fenestro.",
        "id": "Kemarin hujan turun sangat deras sehingga kami tinggal di rumah sepanjang hari dan membaca buku.",
        "nn": "I går regna det så mykje at me heldt oss heime heile dagen og las i bøkene som ho hadde lånt oss.",
    }
    rows = annotate([*(text for _, _, text in SENTENCES), *others.values()], both)
    assert [row["language"] for row in rows[:-1]] == [code for code, _, _ in SENTENCES] + list(others)[:-1]
    assert rows[-1]["language"] in ("no", "nn")
    assert min(row["language_score"] for row in rows) > 0.5 and max(row["language_score"] for row in rows) <= 1


def test_a_sure_answer_of_the_table_needs_no_other_model(both: Languages, monkeypatch: pytest.MonkeyPatch) -> None:
    """French is sure; sure as the table is of Croatian, lid.176 is asked too: the table takes relatives for one another."""
    asked = []
    other = models.Model(path=both.lid.path, labels=both.lid.labels, tables=both.lid.tables)
    monkeypatch.setattr(models.Model, "judge", lambda self, data, spans: asked.append(len(spans)) or JUDGE(other, data, spans))
    texts = [SENTENCES_IN_CAPITALS["fr"], SERBO_CROATIAN["hr"], SERBO_CROATIAN["sr"]]
    rows = annotate(texts, both)
    assert asked == [2] and rows[0]["language"] == "fr"
    assert all(row["language"] in labels.RELATIVES[0] and row["language_share"] == 1 for row in rows[1:])


JUDGE = models.Model.judge


@pytest.mark.parametrize("code", SENTENCES_IN_CAPITALS)
def test_capitals_change_nothing(both: Languages, code: str) -> None:
    text = SENTENCES_IN_CAPITALS[code]
    large = text.translate({ord("i"): "İ", ord("ı"): "I"}).upper() if code == "tr" else text.upper()
    rows = annotate([text, large], both)
    same = next((group for group in labels.RELATIVES if code in group), {code})
    assert {row["language"] for row in rows} <= same


def test_a_text_says_the_same_in_whatever_batch_it_comes(both: Languages) -> None:
    texts = [text for _, _, text in SENTENCES] + ["", "ab", SERBO_CROATIAN["sr"], "zzxq vbn"]
    together = annotate(texts, both)
    assert together == [row for text in texts for row in annotate([text], both)]


CODE = """def fill(rows, *, size=64):
    out = np.empty((len(rows), size), np.float32)
    for i, row in enumerate(rows):
        out[i, :len(row)] = row[:size]  # the rest stays
    return out[::-1] if self.flip_x else out * 0.5
"""
NO_LANGUAGE = {
    "code": CODE * 4,
    "markup": '<div class="row"><a href="/x?id=1">Home</a> <img src="a.png" width=16></div>\n' * 12,
    "numbers": "\n".join(f"{i};{i * 7 % 13};{i / 3:.4f};2024-01-{i % 28 + 1:02}" for i in range(80)),
    "hexadecimal": " ".join(f"{i * 2654435761 % 2**32:08x}" for i in range(60)),
}


@pytest.mark.parametrize("kind", NO_LANGUAGE)
def test_pages_of_code_and_numbers_are_in_no_language(both: Languages, kind: str) -> None:
    (row,) = annotate([NO_LANGUAGE[kind]], both)
    assert (row["language"], row["language_score"], row["language_second"], row["language_share"]) == ("zxx", 0.0, None, None)


REFERENCE = """fill_rows

(since 4.2)

fill_rows(array $rows, int $size = 64, float $rest = 0.0): array|false

Returns the rows as one matrix of $size columns, and false if a row is longer.

$rows
    The rows. Keys are kept.

Example #1

<?php
$rows = [[1, 2, 3], [4.5, 6], []];
print_r(fill_rows($rows, 4));
?>

Array ( [0] => Array ( [0] => 1 [1] => 2 [2] => 3 [3] => 0 ) [1] => Array ( [0] => 4.5 [1] => 6 [2] => 0 [3] => 0 )
[2] => Array ( [0] => 0 [1] => 0 [2] => 0 [3] => 0 ) )

See also: trim_rows(), count_rows()
"""


def test_pages_about_code_are_in_the_language_of_their_few_sentences(both: Languages) -> None:
    german = "Gibt die Zeilen als eine Matrix zurück, und false, wenn eine Zeile länger ist."
    translated = REFERENCE.replace("Returns the rows as one matrix of $size columns, and false if a row is longer.", german)
    assert [row["language"] for row in annotate([REFERENCE, translated], both)] == ["en", "de"]


@pytest.mark.parametrize("text", ["zzxq vbn qqr", "qwxz jkvq xxqz", "12 34 5", "\x01\x02\x03", "?!? … 👍👍👍", "𝒜𝒷𝒸 𝓭𝓮𝓯"])
def test_noise_is_undetermined(both: Languages, text: str) -> None:
    assert annotate([text], both)[0]["language"] == "und"


def test_code_between_prose_is_in_the_language_of_the_prose(both: Languages) -> None:
    prose = "Der Bäcker öffnet den Laden, bevor die Sonne aufgeht, und zuerst kommen die Leute, die nachts arbeiten. "
    (row,) = annotate([prose * 3 + "\n" + CODE + prose * 2], both)
    assert row["language"] == "de"


def test_the_second_language_and_the_share_tell_a_mixed_page(both: Languages) -> None:
    english, german = SENTENCES[0][2], SENTENCES[1][2]
    pure, mixed = annotate([(english + "\n") * 20, (english + "\n") * 20 + (german + "\n") * 8], both)
    assert (pure["language"], pure["language_share"]) == ("en", 1.0)
    assert (mixed["language"], mixed["language_second"]) == ("en", "de") and 0.6 < mixed["language_share"] < 0.85


@pytest.mark.parametrize("text", ["a" * 3_000_000, "é" * 1_000_000, "a " * 1_000_000, "漢" * 700_000, "\x01" * 9, "'" * 99_999])
def test_hostile_texts_are_judged_by_a_bounded_sample(both: Languages, text: str) -> None:
    (row,) = annotate([text], both)
    assert row["language_score"] == row["language_score"] and 0 <= row["language_score"] <= 1


def test_the_files_of_the_model_are_the_table_its_card_and_lid_176(both: Languages) -> None:
    table, card, lid = language.files(PARAMS)
    assert hashlib.sha256(table.read_bytes()).hexdigest() == both.ngrams.card.table_sha256
    assert (card.name, lid.name) == ("eldc.json", "lid.176.ftz") and set(both.ngrams.card.languages) <= set(both.labels)


def test_a_damaged_card_is_refused(tmp_path: Path, ngrams: eldc.Ngrams, monkeypatch: pytest.MonkeyPatch) -> None:
    good = ngrams.card.model_dump(mode="json")
    monkeypatch.setattr(eldc, "CARD", tmp_path / "eldc.json")
    for wrong in ({"languages": ["en", "de"]}, {"table_sha256": "0"}, {"alone": {"features": {}, "languages": {}}}):
        eldc.CARD.write_text(json.dumps(good | wrong))
        with pytest.raises(models.ModelError, match="expected the weights"):
            eldc.load_ngrams()
