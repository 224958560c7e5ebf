"""Rules as data: each shipped rule at its published limit, and what their derived expressions mean for nulls, lists and rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import FILTERS, adult, language
from filters.contract import Among, ByRow, ContractError, ExpressionRule, Filter, Rule, check_rules, judge
from filters.models import labels

BY_NAME = {filter_.name: filter_ for filter_ in FILTERS}
DE, BG, XX = {"language": "de"}, {"language": "bg"}, {"language": "xx"}
FINEWEB2 = {"languages": "fineweb2"}

# filter, params, thresholds, reason, signal, side that fails, limit, the rest of the row.
# Rae et al. 2021, appendix A1.1 and table A1; Raffel et al. 2020, 2.2; Penedo et al. 2024, 3.5; Penedo et al. 2025 (FineWeb-2).
TABLE: list[tuple[str, dict[str, Any], dict[str, Any], str, str, str, float, dict[str, Any]]] = [
    ("gopher_quality", {}, {}, "too_few_words", "gopher_words", "<", 50, {}),
    ("gopher_quality", {}, {"min_words": 7}, "too_few_words", "gopher_words", "<", 7, {}),
    ("gopher_quality", {}, {}, "too_many_words", "gopher_words", ">", 100_000, {}),
    ("gopher_quality", {}, {}, "words_too_short", "gopher_mean_word_length", "<", 3, {}),
    ("gopher_quality", {}, FINEWEB2, "words_too_short", "gopher_mean_word_length", "<", 0, DE),
    ("gopher_quality", {}, {}, "words_too_long", "gopher_mean_word_length_unmarked", ">", 10, DE),
    ("gopher_quality", {}, FINEWEB2, "words_too_long", "gopher_mean_word_length_unmarked", ">", 15, DE),
    ("gopher_quality", {}, FINEWEB2, "words_too_long", "gopher_mean_word_length_unmarked", ">", 9, BG),
    ("gopher_quality", {}, FINEWEB2, "words_too_long", "gopher_mean_word_length_unmarked", ">", 10, XX),
    ("gopher_quality", {}, FINEWEB2, "words_too_long", "gopher_mean_word_length_unmarked", ">", 10, {"language": None}),
    ("gopher_quality", {}, FINEWEB2 | {"max_mean_word_length": 12.5}, "words_too_long", "gopher_mean_word_length_unmarked", ">",
     12.5, DE),
    ("gopher_quality", {}, {}, "too_many_hashes", "gopher_hash_ratio", ">", 0.1, {}),
    ("gopher_quality", {"profile": "datatrove"}, {}, "too_many_ellipses", "gopher_ellipsis_ratio", ">", 0.1, {}),
    ("gopher_quality", {"profile": "dclm"}, {}, "too_many_symbols", "gopher_symbol_ratio", ">", 0.1, {}),
    ("gopher_quality", {"profile": "dolma"}, {"max_symbol_ratio": 0.3}, "too_many_symbols", "gopher_symbol_ratio", ">", 0.3, {}),
    ("gopher_quality", {}, {}, "too_many_bullet_lines", "gopher_bullet_lines", ">", 0.9, {}),
    ("gopher_quality", {}, {}, "too_many_ellipsis_lines", "gopher_ellipsis_lines", ">", 0.3, {}),
    ("gopher_quality", {}, {}, "too_few_alphabetic_words", "gopher_alpha_words", "<", 0.8, {}),
    ("gopher_quality", {}, FINEWEB2, "too_few_alphabetic_words", "gopher_alpha_words", "<", 0.774, DE),
    ("gopher_quality", {}, {}, "too_few_stop_words", "gopher_stop_words", "<", 2, {}),
    ("gopher_repetition", {}, {}, "duplicate_lines", "repetition_duplicate_lines", ">", 0.3, {}),
    ("gopher_repetition", {}, FINEWEB2, "duplicate_lines", "repetition_duplicate_lines", ">", 0.263, DE),
    ("gopher_repetition", {}, {}, "duplicate_paragraphs", "repetition_duplicate_paragraphs", ">", 0.3, {}),
    ("gopher_repetition", {}, FINEWEB2, "duplicate_paragraphs", "repetition_duplicate_paragraphs", ">", 0.3, DE),
    ("gopher_repetition", {}, {}, "duplicate_line_chars", "repetition_duplicate_line_chars", ">", 0.2, {}),
    ("gopher_repetition", {"profile": "dolma"}, {}, "duplicate_line_chars", "repetition_duplicate_line_chars", ">", 0.3, {}),
    ("gopher_repetition", {}, {}, "duplicate_paragraph_chars", "repetition_duplicate_paragraph_chars", ">", 0.2, {}),
    ("gopher_repetition", {}, {}, "top_2gram", "repetition_top_2gram", ">", 0.2, {}),
    ("gopher_repetition", {}, {}, "top_3gram", "repetition_top_3gram", ">", 0.18, {}),
    ("gopher_repetition", {}, {}, "top_4gram", "repetition_top_4gram", ">", 0.16, {}),
    ("gopher_repetition", {}, FINEWEB2, "top_4gram", "repetition_top_4gram", ">", 0.137, DE),
    ("gopher_repetition", {}, {}, "repeated_5gram", "repetition_repeated_5gram", ">", 0.15, {}),
    ("gopher_repetition", {}, {}, "repeated_6gram", "repetition_repeated_6gram", ">", 0.14, {}),
    ("gopher_repetition", {}, {}, "repeated_7gram", "repetition_repeated_7gram", ">", 0.13, {}),
    ("gopher_repetition", {}, {}, "repeated_8gram", "repetition_repeated_8gram", ">", 0.12, {}),
    ("gopher_repetition", {}, {}, "repeated_9gram", "repetition_repeated_9gram", ">", 0.11, {}),
    ("gopher_repetition", {}, {}, "repeated_10gram", "repetition_repeated_10gram", ">", 0.1, {}),
    ("gopher_repetition", {}, FINEWEB2, "repeated_10gram", "repetition_repeated_10gram", ">", 0.098, DE),
    ("gopher_repetition", {}, FINEWEB2 | {"max_top_2gram": 0.7}, "top_2gram", "repetition_top_2gram", ">", 0.7, DE),
    ("refinedweb", {}, {}, "too_many_words_removed", "removed_words", ">", 0.05, {}),
    ("c4", {}, {}, "too_few_sentences", "c4_sentences", "<", 5, {}),
    ("fineweb", {}, {}, "too_few_punctuated_lines", "fineweb_punctuated_lines", "<", 0.12, {}),
    ("fineweb", {}, FINEWEB2, "too_few_punctuated_lines", "fineweb_punctuated_lines", "<", 0, DE),
    ("fineweb", {}, {}, "too_many_short_lines", "fineweb_short_lines", ">", 0.67, {}),
    ("fineweb", {}, FINEWEB2, "too_many_short_lines", "fineweb_short_lines", ">", 999, DE),
    ("fineweb", {}, {}, "too_many_repeated_lines", "fineweb_repeated_lines", ">", 0.01, {}),
    ("fineweb", {}, FINEWEB2, "too_many_repeated_lines", "fineweb_repeated_lines", ">", 0.1, DE),
    ("fineweb", {}, FINEWEB2, "too_many_repeated_lines", "fineweb_repeated_lines", ">", 0.01, XX),
    ("fineweb", {}, {}, "too_many_newlines", "fineweb_newlines", ">", 0.3, {}),
    ("fineweb", {}, FINEWEB2, "too_many_newlines", "fineweb_newlines", ">", 0.152, DE),
    ("quality", {}, {}, "low_quality", "quality_score", "<", 0.2, {}),
    ("quality", {"model": "readers"}, {"max_short_lines": 0.9}, "too_much_in_short_lines", "quality_short_lines", ">", 0.9, {}),
    ("toxicity", {}, {}, "toxic", "toxicity_score", ">", 0.62, {}),
    ("toxicity", {}, {"max_share": 0.4}, "toxic_throughout", "toxicity_share", ">", 0.4, {}),
    ("adult", {}, {}, "adult", "adult_score", ">", adult.FILTER.thresholds().max_score, {}),
    ("decontaminate", {}, {}, "evaluation_item", "contamination", ">", 0.5, {}),
    ("language", {}, {"keep": ["de"]}, "uncertain_language", "language_score", "<", 0.5, DE),
    ("language", {}, {"min_scores": {"de": 0.7}}, "uncertain_language", "language_score", "<", 0.7, DE),
    ("language", {}, {"keep": ["de", "bg"], "min_scores": {"de": 0.7}}, "uncertain_language", "language_score", "<", 0.5, BG),
    ("language", {}, {"min_share": 0.3}, "mixed_languages", "language_share", "<", 0.3, DE),
]  # fmt: skip
ROBOTS = [("robots", "disallowed"), ("robots", "opted_out")]
FLAGS = [("c4", "lorem_ipsum"), ("c4", "curly_bracket"), ("c4", "javascript"), ("language", "other_language"), *ROBOTS]


def made(filter_: Filter, params: dict[str, Any], thresholds: dict[str, Any]) -> list[Rule | ExpressionRule]:
    rules = filter_.rules(filter_.params.model_validate(params), filter_.thresholds.model_validate(thresholds))
    check_rules(filter_, rules)
    return list(rules)


def table(filter_: Filter, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows with the columns that a filter's rules may read, null where a row has none."""
    own = pl.DataFrame(pl.from_arrow(filter_.signals.empty_table())).schema
    columns = {**{name: pl.String() for name in filter_.needs}, **own}
    return pl.DataFrame({n: pl.Series([row.get(n) for row in rows], dtype=kind) for n, kind in columns.items()})


def around(value: float, signal: str, filter_: Filter) -> list[float]:
    """The values of a signal just below, at and just above a limit."""
    if str(filter_.signals.field(signal).type).startswith("int"):
        return [int(value) - 1, int(value), int(value) + 1]
    return [
        float(np.nextafter(np.float32(value), np.float32(to))) if to else float(np.float32(value)) for to in (-np.inf, 0, np.inf)
    ]


@pytest.mark.parametrize(
    "case", TABLE, ids=lambda case: f"{case[3]}-{case[6]}-{'-'.join(map(str, {**case[1], **case[2], **case[7]}))}"
)
def test_each_rule_fails_beyond_its_published_limit_and_passes_at_it_and_without_a_value(case) -> None:
    name, params, thresholds, reason, signal, side, limit, rest = case
    filter_ = BY_NAME[name]
    (rule,) = [rule for rule in made(filter_, params, thresholds) if rule.reason == reason]
    rows = [{"language": "en", **rest, signal: value} for value in (*around(limit, signal, filter_), None)]
    found = judge(filter_, [rule], table(filter_, rows)).to_series().to_list()
    assert found == ([True, False, False, False] if side == "<" else [False, False, True, False])
    assert isinstance(rule, Rule) and (rule.signal, rule.fails) == (signal, side)
    assert table(filter_, rows).select(rule.row_limit.cast(pl.Float32)).to_series()[0] == np.float32(limit)


def test_every_rule_that_is_shipped_stands_in_the_table() -> None:
    everything = {
        (f.name, rule.reason)
        for f in FILTERS
        for profile in (["paper", "dclm"] if f.name.startswith("gopher") else [None])
        for rule in made(f, {} if profile is None else {"profile": profile}, {})
    }
    assert everything == {(case[0], case[3]) for case in TABLE} | set(FLAGS)


def test_every_threshold_that_is_shipped_is_named_by_a_rule() -> None:
    for filter_ in FILTERS:
        assert {key for rule in made(filter_, {}, {}) for key in rule.keys} == set(filter_.thresholds.model_fields), filter_.name


@pytest.mark.parametrize("key", [key for name, key in FLAGS if name == "c4"])
def test_a_flag_drops_what_has_it_where_the_plan_says_so(key: str) -> None:
    filter_ = BY_NAME["c4"]
    rows = table(filter_, [{f"c4_{key}": value, "c4_sentences": 9} for value in (True, False)])
    for chosen, expected in ((True, [True, False]), (False, None)):
        failed = judge(filter_, made(filter_, {}, {key: chosen}), rows)
        assert (failed[f"c4.{key}"].to_list() if f"c4.{key}" in failed.columns else None) == expected


CODES = st.sampled_from(["en", "de", "deu", "sr", "sr_Latn", "srp_Cyrl", "und", "als", "als_Latn", "zh"])
SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])


@given(
    keep=st.none() | st.lists(CODES, min_size=1, max_size=4),
    least=SCORES,
    own=st.lists(st.tuples(CODES, SCORES), max_size=4, unique_by=lambda one: labels.canonical(one[0])).map(dict),
    rows=st.lists(st.tuples(CODES, st.sampled_from(["Latn", "Cyrl"]), SCORES), min_size=1, max_size=8),
)
def test_languages_are_kept_and_asked_for_their_scores_as_the_plan_lists_them(keep, least, own, rows) -> None:
    """In plain Python: the last listed code that means the row gives the score that it needs."""

    def means(code: str, row: tuple[str, str, float]) -> bool:
        names, script = labels.names(code)
        return row[0] in names and script in (None, row[1])

    expected = []
    for row in rows:
        listed = keep is None or any(means(code, row) for code in keep)
        needed = least if keep is not None else 0.0
        for code in sorted(own):
            needed = own[code] if means(code, row) else needed
        unsure = listed and row[0] != "und" and row[2] < needed
        expected.append((not listed, unsure))
    plan = {"min_score": least, "min_scores": own, "keep": "all" if keep is None else keep}
    failed = judge(
        language.FILTER,
        made(language.FILTER, {}, plan),
        table(language.FILTER, [dict(zip(("language", "language_script", "language_score"), row, strict=True)) for row in rows]),
    )
    no = pl.Series([False] * len(rows))
    names = ("language.other_language", "language.uncertain_language")
    assert list(zip(*(failed[n] if n in failed.columns else no for n in names), strict=True)) == expected


SIGNALS = BY_NAME["c4"]


@pytest.mark.parametrize(("fails", "expected"), [("<", [1, 0, 0]), ("<=", [1, 1, 0]), (">", [0, 0, 1]), (">=", [0, 1, 1])])
def test_each_comparison_at_its_limit(fails, expected) -> None:
    rule = Rule(reason="few", signal="c4_sentences", fails=fails, limit=3, keys=())
    rows = table(SIGNALS, [{"c4_sentences": n} for n in (2, 3, 4)])
    assert judge(SIGNALS, [rule], rows).to_series().to_list() == list(map(bool, expected))


def test_the_first_rows_that_a_document_is_among_give_its_limit_and_none_is_no_limit() -> None:
    latin = Among("language", ("sr", "hr"), Among("language_script", ("Latn",)))
    limit = ByRow(((latin, 0.5), (Among("language", ("sr",)), None), (Among("language", ("de",)), 0.25)), 0.75)
    rule = Rule(reason="unsure", signal="language_score", fails="<", limit=limit, keys=("min_score",))
    rows = [("sr", "Latn"), ("sr", "Cyrl"), ("hr", "Latn"), ("hr", "Cyrl"), ("de", "Latn"), (None, None)]
    frame = table(language.FILTER, [{"language": a, "language_script": b, "language_score": 0.4} for a, b in rows])
    assert frame.select(rule.row_limit).to_series().to_list() == [0.5, None, 0.5, 0.75, 0.25, 0.75]
    assert judge(language.FILTER, [rule], frame).to_series().to_list() == [True, False, True, True, False, True]
    assert (rule.figure, rule.by) == (0.75, ("language", "language_script"))
    twice = ByRow(((Among("language", ("de",)), 0.25), (Among("language", ("de", "sr")), 0.5)), None)
    of_language = Rule(reason="unsure", signal="language_score", fails="<", limit=twice, keys=("min_score",))
    assert frame.select(of_language.row_limit).to_series().to_list() == [0.5, 0.5, None, None, 0.25, None]


def test_a_rule_is_for_its_rows_alone() -> None:
    where = (Among("language", ("de",)), Among("language", ("en",), Among("language_script", ("Latn",))))
    frame = table(
        language.FILTER, [{"language": a, "language_script": "Cyrl", "language_score": 0.1} for a in ("de", "en", "fr", None)]
    )
    low = Rule(reason="low", signal="language_score", fails="<", limit=0.5, keys=(), where=where)
    odd = Rule(
        reason="odd", signal="language", fails="not in", limit=(Among("language_script", ("Latn",)),), keys=(), where=where
    )
    assert judge(language.FILTER, [low, odd], frame).rows() == [(True, True), (False, False), (False, False), (False, False)]
    assert frame.select(low.row_limit).to_series().to_list() == [0.5, None, None, None]


def test_rules_that_are_off_are_not_asked() -> None:
    off = Rule(reason="off", signal="c4_sentences", fails="<", limit=None, keys=())
    assert judge(SIGNALS, [off], table(SIGNALS, [{}])).width == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(reason="x", signal="c4_sentence", fails="<", limit=1, keys=()), "unknown column c4_sentence"),
        (Rule(reason="x", signal="c4_sentence", fails="not in", limit=None, keys=()), "unknown column c4_sentence"),
        (Rule(reason="x", signal="c4_sentences", fails="<", limit=1, keys=(), where=(Among("tongue", ("de",)),)), "tongue"),
        (Rule(reason="x", signal="c4_sentences", fails="<", limit=1, keys=("min_sentence",)), "unknown threshold min_sentence"),
        (ExpressionRule(reason="x", drop=pl.col("c4_word") < 3), "unknown column c4_word"),
        (ExpressionRule(reason="x", drop=pl.col("c4_sentences") < 3, keys=("few",)), "unknown threshold few"),
    ],
)
def test_a_rule_on_a_misspelt_column_or_threshold_is_refused(rule, words) -> None:
    with pytest.raises(ContractError, match=words):
        check_rules(SIGNALS, [rule])


@pytest.mark.parametrize(
    ("drop", "words"), [(pl.col("c4_sentences") + 1, "not Boolean"), (pl.col("c4_sentences") < 3, "say what null")]
)
def test_an_expression_must_be_true_or_false_on_every_row(drop, words) -> None:
    with pytest.raises(ContractError, match=words):
        judge(SIGNALS, [ExpressionRule(reason="x", drop=drop)], table(SIGNALS, [{}]))


def test_without_a_column_a_rule_knows_of_no_row_what_it_would_have_told() -> None:
    german = Among("language", ("de",))
    rule = Rule(reason="r", signal="a", fails="<", limit=ByRow(((german, 2.0), (Among("script", ("Latn",)), 3.0)), 1.0), keys=())
    assert rule.without({"language"}).limit == ByRow(((Among("script", ("Latn",)), 3.0),), 1.0)
    assert rule.without({"language", "script"}).limit == 1.0
    assert not rule.without({"a"}).on
    only = Rule(reason="r", signal="a", fails="<", limit=2.0, keys=(), where=(german,))
    assert not only.without({"language"}).on and only.without({"b"}) == only
    listed = Rule(reason="r", signal="a", fails="not in", limit=(Among("a", ("x",), also=german),), keys=())
    assert not listed.without({"language"}).on
