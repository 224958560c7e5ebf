"""Filters quality and toxicity: who is scored, who is not, and what a plan may name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from filters import adult, quality, toxicity
from filters.contract import Filter, TextBatch, check
from filters.models import ModelError, classifier, coverage
from filters.models.coverage import SHIPPED, Params
from tests.support import PROSE, prose, winnow, write_rows

FILTERS = {"quality": quality.FILTER, "toxicity": toxicity.FILTER, "adult": adult.FILTER}
INSULT = "You are a stupid worthless idiot and everybody hates you, you filthy disgusting moron. "


def scores(filter_: Filter, texts: list[str], found: list[str | None], **keys: object) -> list[list[float | None]]:
    params = Params.model_validate(keys)
    assert filter_.load is not None
    needed = pa.record_batch({"language": pa.array(found, pa.string())})
    made = filter_.annotate(TextBatch(pa.array(texts, pa.large_string())), needed, params, filter_.load(params))
    check(filter_, rows=len(texts), signals=made)
    return [column.to_pylist() for column in made.columns]


@pytest.mark.parametrize("name", FILTERS)
def test_languages_without_figures_are_not_scored_and_nothing_drops_them(name):
    filter_ = FILTERS[name]
    (found, *_) = scores(filter_, [PROSE] * 4, ["en", "hu", None, "und"])
    assert found[0] is not None and found[1:] == [None, None, None]
    assert all(value is not None for value in scores(filter_, [PROSE] * 2, ["hu", None], languages="all")[0])
    for rule in filter_.rules(filter_.params(), filter_.thresholds()):
        assert not pl.DataFrame({c: pl.Series([None], dtype=pl.Float32) for c in filter_.signals.names}).select(rule.drop).item()


def test_a_list_of_languages_names_one_and_its_order_does_not_matter():
    assert Params(languages=("en", "de", "en")) == Params(languages=("de", "en"))
    with pytest.raises(ValueError, match="names no language"):
        Params(languages=())


@pytest.mark.parametrize("name", FILTERS)
def test_a_score_depends_on_the_text_alone(name):
    filter_, texts = FILTERS[name], [prose(1), "", "…", INSULT * 3, prose(2) * 20]
    together = scores(filter_, texts, ["en"] * 5)
    apart = [scores(filter_, [text], ["en"]) for text in texts]
    assert list(zip(*together, strict=True)) == [tuple(c[0] for c in one) for one in apart]


def test_one_vile_paragraph_in_a_long_page_counts():
    page = [prose(k) for k in range(30)]
    clean, vile = "\n\n".join(page), "\n\n".join([*page[:20], INSULT * 12, *page[20:]])
    (largest, share) = scores(toxicity.FILTER, [clean, vile, INSULT * 12], ["en"] * 3)
    limit = toxicity.FILTER.thresholds().max_score
    assert largest[0] < limit < largest[1]
    assert 0 < share[1] < 0.5 < share[2]


@pytest.mark.parametrize(
    ("name", "key", "file"),
    [
        ("quality", "min_score", "quality_en.ftz"),
        ("toxicity", "max_score", "toxicity_en.ftz"),
        ("adult", "max_score", "adult@1.bin"),
    ],
)
def test_the_plans_default_is_the_shipped_models(name, key, file):
    model = classifier.load_classifier(SHIPPED / file)
    assert getattr(FILTERS[name].thresholds(), key) == model.threshold


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"model": "/no/such.ftz"}, ["/no/such.ftz", "no such file", "toxicity@2"]),
        ({"model": "toxicity@9"}, ["toxicity@9", "no such file", "toxicity@2"]),
        ({"languages": ["en", "hu"]}, ["hu", "winnow train", "languages: all"]),
        ({"model": "hf://nobody"}, ["hf://ORG/NAME"]),
        ({"label": "negative"}, ["label positive", "leave `label` out"]),
    ],
)
@pytest.mark.parametrize("name", FILTERS)
def test_a_model_that_cannot_serve_is_an_error_that_says_what_to_do(name, keys, words):
    filter_, params = FILTERS[name], Params.model_validate(keys)
    assert filter_.load is not None and filter_.files is not None
    with pytest.raises(ModelError) as error:
        filter_.files(params)
        filter_.load(params)
    assert all(word in str(error.value) for word in words), error.value


def test_a_model_that_winnow_ships_is_named_without_a_path_and_null_is_the_first():
    first, second = (coverage.path_of(Params(model=model), shipped="toxicity_en") for model in (None, "toxicity@2"))
    assert (first.name, second.name) == ("toxicity_en.ftz", "toxicity@2.bin")
    assert coverage.path_of(Params(model="toxicity@2.bin"), shipped="x") == Path("toxicity@2.bin")  # a file of the user's
    assert coverage.shipped_names() == ["adult@1", "quality_en", "toxicity@2", "toxicity_en"]


def test_sexual_advertising_is_adult_and_medicine_is_not():
    advert = "Hot escorts near you! Free live sex cams, horny amateur girls, xxx porn videos. Watch naked milfs fuck now. " * 3
    medicine = (
        "A condom protects from infection. The nurse explained to the class how sex, pregnancy and health go together. " * 3
    )
    assert adult.FILTER.thresholds().max_score < scores(adult.FILTER, [advert], ["en"])[0][0]
    assert scores(adult.FILTER, [medicine], ["en"])[0][0] < 0.3


def test_the_second_toxicity_model_finds_insults_and_lets_questions_pass():
    model = classifier.load_classifier(SHIPPED / "toxicity@2.bin")
    (low, high) = scores(toxicity.FILTER, ["When does the library open tomorrow?", INSULT], ["en"] * 2, model="toxicity@2")[0]
    assert low < model.threshold < high


def test_a_model_without_a_card_needs_its_label_and_scores_every_language(tmp_path: Path):
    plain = tmp_path / "plain.ftz"
    plain.write_bytes((SHIPPED / "quality_en.ftz").read_bytes())
    with pytest.raises(ModelError, match="positive label"):
        scores(quality.FILTER, [PROSE], ["en"], model=str(plain))
    assert scores(quality.FILTER, [PROSE], ["fr"], model=str(plain), label="positive")[0][0] is not None


def test_a_changed_model_is_another_recipe(capsys, tmp_path: Path):
    for suffix in (".ftz", ".json"):
        (tmp_path / f"own{suffix}").write_bytes((SHIPPED / f"quality_en{suffix}").read_bytes())
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    plan = ("minimal", "--input", path, "--output", tmp_path / "out", "--set", "filters.language={}")
    plan = (*plan, "--set", f"filters.quality={{model: {tmp_path / 'own.ftz'}}}")
    assert winnow(capsys, *plan).code == 0
    card = tmp_path / "own.json"
    card.write_text(card.read_text().replace('"default": 0.2', '"default": 0.3'))
    write_rows(tmp_path / "in" / "b.jsonl", [{"text": prose(2)}])
    ran = winnow(capsys, *plan, "--input", tmp_path / "in" / "b.jsonl")
    assert ran.code == 2 and "files.quality" in ran.err


def test_without_a_language_filter_the_run_says_that_nothing_was_scored_and_what_to_do(capsys, tmp_path: Path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    plan = ("minimal", "--input", path, "--output", tmp_path / "out", "--set")
    ran = winnow(capsys, *plan, "filters.quality={}")
    assert ran.code == 0 and "filters.quality.languages: all" in " ".join(ran.out.split())
    ran = winnow(capsys, *plan, "filters.quality={languages: all}", "--replace")
    assert ran.code == 0 and "scored nothing" not in ran.out


def test_a_model_of_the_hub_comes_with_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def fetched(repository: str, file: str, revision: str | None) -> str:
        asked.append((repository, file, revision))
        (tmp_path / file).write_bytes((SHIPPED / file).read_bytes())
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fetched)
    params = Params(model="hf://org/models@v1/quality_en.ftz")
    assert quality.FILTER.files is not None and quality.FILTER.load is not None
    assert [path.name for path in quality.FILTER.files(params)] == ["quality_en.ftz", "quality_en.json"]
    assert set(asked) == {("org/models", "quality_en.ftz", "v1"), ("org/models", "quality_en.json", "v1")}
    assert quality.FILTER.load(params).languages == {"en"}


@pytest.mark.parametrize("languages", [["eng"], ["en"], ["EN"], ["en", "eng"]])
def test_a_language_may_be_listed_by_either_code(languages):
    assert scores(quality.FILTER, [PROSE, PROSE], ["en", "de"], languages=languages)[0][1] is None
    assert scores(quality.FILTER, [PROSE], ["en"], languages=languages)[0][0] is not None


@pytest.mark.parametrize("code", ["english", "x?", ""])
def test_what_is_no_language_code_is_refused(code):
    with pytest.raises(ValueError, match="not a language code"):
        Params(languages=(code,))
