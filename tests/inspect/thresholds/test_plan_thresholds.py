"""Every threshold of every preset: its line on the slider, the limit that it means, and how many documents it drops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.inspect import main
from pipeline.inspect.output import Output, open_output_of
from pipeline.inspect.thresholds import plan_thresholds
from pipeline.inspect.thresholds.slider import Dropped, Slider
from pipeline.plan.presets import presets
from pipeline.store.store import open_store
from tests.support import PROSE, curate, prose, table, write_rows

INSULT = "You are a stupid worthless idiot and everybody hates you, you filthy disgusting moron. "
TEXTS = [
    *(prose(k) for k in range(4)),
    "Six words are not enough here.",
    PROSE + " lorem ipsum { } #a #b #c",
    "#one #two #three " * 30,
    "word word word word word\n" * 40,
    "\n\n".join([prose(5)] * 4),
    "- a point\n" * 60,
    "and so on…\n" * 60,
    "1 2 3 4 5 6 7 8 9 10 " * 8,
    "a i o " * 40,
    "incomprehensibilities " * 60,
    "\n".join(prose(6).split(" ")),
    INSULT * 9,
    "BUY NOW!!! click here free free casino bonus spins $$$ " * 8,
    "Der Hund läuft über die Straße und die Katze sieht ihm von der Mauer aus zu, ohne sich zu bewegen. " * 3,
]

LANGUAGE = {"keep": None, "min_score": 0.5, "min_scores": None, "min_share": 0}
QUALITY = {
    "languages": None, "min_words": 50, "max_words": 100_000, "min_mean_word_length": 3, "max_mean_word_length": 10,
    "max_symbol_ratio": 0.1, "max_bullet_lines": 0.9, "max_ellipsis_lines": 0.3, "min_alpha_words": 0.8, "min_stop_words": 2,
}  # fmt: skip
REPETITION = {
    "languages": None, "max_duplicate_lines": 0.3, "max_duplicate_paragraphs": 0.3, "max_duplicate_line_chars": 0.2,
    "max_duplicate_paragraph_chars": 0.2, "max_top_2gram": 0.2, "max_top_3gram": 0.18, "max_top_4gram": 0.16,
    "max_repeated_5gram": 0.15, "max_repeated_6gram": 0.14, "max_repeated_7gram": 0.13, "max_repeated_8gram": 0.12,
    "max_repeated_9gram": 0.11, "max_repeated_10gram": 0.1,
}  # fmt: skip
DOLMA = REPETITION | {"max_duplicate_paragraphs": None, "max_duplicate_line_chars": 0.3, "max_duplicate_paragraph_chars": None}
C4 = {"min_sentences": 5, "lorem_ipsum": None, "curly_bracket": None, "javascript": None}
FINEWEB = {
    "languages": None,
    "min_punctuated_lines": 0.12,
    "max_short_lines": 0.67,
    "max_repeated_lines": 0.01,
    "max_newlines": 0.3,
}
MODELS = {"quality": {"min_score": 0.2, "keep": None, "max_short_lines": None}, "toxicity": {"max_score": 0.62, "max_share": 1}}
ENGLISH = LANGUAGE | {"min_score": 0.65}
LINES: dict[str, dict[str, dict[str, float | None]]] = {
    "default@1": {"language": LANGUAGE, "gopher_quality": QUALITY, "gopher_repetition": REPETITION, **MODELS},
    "default@2": {
        "language": LANGUAGE,
        "gopher_quality": QUALITY
        | {"min_words": 60, "max_words": 1e9, "max_symbol_ratio": 1, "max_bullet_lines": 1, "max_ellipsis_lines": 1}
        | {"min_alpha_words": 0.75},
        "gopher_repetition": dict.fromkeys(REPETITION, 1) | {"languages": None, "max_top_2gram": 0.14, "max_top_4gram": 0.1},
        "quality": {"min_score": 0, "keep": None, "max_short_lines": 0.4},
        "toxicity": {"max_score": 0.52, "max_share": 1},
        "adult": {"max_score": 0.8},
    },
    "gopher": {"language": LANGUAGE, "gopher_quality": QUALITY, "gopher_repetition": REPETITION},
    "c4": {"language": ENGLISH, "c4": C4},
    "fineweb": {"language": ENGLISH, "gopher_quality": QUALITY, "gopher_repetition": REPETITION, "c4": C4, "fineweb": FINEWEB},
    "dclm": {
        "language": ENGLISH,
        "gopher_quality": QUALITY,
        "gopher_repetition": REPETITION,
        "refinedweb": {"max_removed": 0.05},
    },
    "dolma": {"language": LANGUAGE, "gopher_quality": QUALITY, "gopher_repetition": DOLMA},
    "minimal": {},
    "none": {},
}
LINES["chat"] = {"language": LANGUAGE, "toxicity": {"max_score": 0.52, "max_share": 1}, "adult": {"max_score": 0.8}}
LINES["eval-safe"] = LINES["default@2"] | {"decontaminate": {"max_coverage": 0.5}}
"""The limit that each threshold of a preset means; None: it is a flag, a choice or a list, or the profile has no such rule."""


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    made: dict[tuple[str, ...], Path] = {}
    folder = tmp_path_factory.mktemp("presets")
    path = write_rows(folder / "in" / "a.jsonl", [{"text": text} for text in TEXTS])

    def of(*sets: str) -> Path:
        if sets not in made:
            made[sets] = folder / str(len(made))
            assignments = [part for one in sets[1:] for part in ("--set", one)]
            curate(sets[0], "--input", path, "--output", made[sets], "--set", "checks.on_fail=warn", *assignments)
        return made[sets]

    return of


def opened(out: Path) -> tuple[Output, Slider]:
    output = open_output_of(str(out))
    return output, Slider(output, open_store(str(out / ".work"), create=False))


def test_every_preset_is_in_the_table() -> None:
    assert {name.removesuffix("@1") for name in presets()} == {name.removesuffix("@1") for name in LINES}


@pytest.mark.parametrize("preset", LINES)
def test_every_threshold_of_a_preset_has_its_line_and_what_it_drops(curated, preset) -> None:
    out = curated(preset)
    _, slider = opened(out)
    expected = {f"filters.{name}.{key}": line for name, keys in LINES[preset].items() for key, line in keys.items()}
    assert {key: found.line for key, found in slider.thresholds.items()} == expected
    rows = [(row["reason"], set(row["failed"])) for row in table(out, "ledger").to_dicts()]
    for key, found in slider.thresholds.items():
        own = set(found.rules)
        first = sum(reason in own for reason, _ in rows)
        failed = sum(bool(names & own) for _, names in rows)
        alone = sum(bool(names) and names <= own for _, names in rows)
        assert slider.dropped[key] == Dropped(first, failed, alone), key
        assert own, key  # some rule is decided by it
        stops = slider.stops(key)
        assert found.kind == "text" or found.line is None or found.line in stops, key
        if found.kind == "number":
            assert found.signals and all(sum(one.counts) + one.nulls == len(TEXTS) for one in slider.histograms(key).values())
    if preset in ("default@1", "fineweb"):
        assert sum(one.first > 0 for one in slider.dropped.values()) > 8  # the texts are such that there is something to count


@pytest.mark.parametrize(
    ("sets", "key", "meaning", "now", "kind"),
    [
        (("default@1",), "gopher_quality.min_words", "50", "50", "number"),
        (("default@1",), "gopher_quality.max_words", "100,000", "100000", "number"),
        (("default@1",), "gopher_repetition.max_top_2gram", "0.2 (null: the filter's own figure)", "0.2", "number"),
        (("default@1",), "language.min_score", "0.5 (no rule is on)", "0.5", "number"),
        (("default@1",), "language.min_share", "0 (no rule is on)", "0.0", "number"),
        (("default@1",), "language.keep", "all (no rule is on)", "all", "text"),
        (("default@1",), "gopher_quality.languages", "none", "none", "choice"),
        (("dolma",), "gopher_repetition.max_duplicate_paragraphs", "none (null: the profile has no such rule)", "null", "number"),
        (("c4",), "language.keep", '["en"]', '["en"]', "text"),
        (("c4",), "c4.lorem_ipsum", "true", "true", "choice"),
        (("c4",), "c4.javascript", "false (no rule is on)", "false", "choice"),
        (("gopher", "filters.gopher_quality.languages=fineweb2"), "gopher_quality.max_mean_word_length",
         "10 (null: the filter's own figure; differs by language)", "10", "number"),
        (("gopher", "filters.gopher_quality.languages=fineweb2"), "gopher_quality.languages", "fineweb2", "fineweb2", "choice"),
        (("gopher", "filters.language.min_scores={de: 0.7}"), "language.min_score", "0.5 (differs by language)", "0.5", "number"),
    ],
)  # fmt: skip
def test_what_the_plan_has_is_said_with_what_it_means(curated, sets, key, meaning, now, kind) -> None:
    output = open_output_of(str(curated(*sets)))
    (found,) = [one for one in plan_thresholds.thresholds(output) if one.key == f"filters.{key}"]
    assert (found.meaning, found.now, found.kind) == (meaning, now, kind)
    assert plan_thresholds.meaning(output, f"filters.{key}") == meaning


def test_a_choice_has_its_values_as_stops_and_each_keeps_what_a_run_with_it_keeps(curated) -> None:
    _, slider = opened(curated("none", "filters.c4={}"))
    key = "filters.c4.curly_bracket"
    assert slider.stops(key) == [False, True]
    assert slider.histograms(key)["c4_curly_bracket"].counts == [len(TEXTS) - 1, 1]
    assert slider.dropped[key] == Dropped(0, 1, 0)  # the words lorem ipsum stand before it
    out = curated("none", "filters.c4={curly_bracket: false, lorem_ipsum: false}")
    effect = slider.effect({key: "false", "filters.c4.lorem_ipsum": "false"})
    assert (effect.documents, effect.enter) == (len(table(out, "data")), 1)


def test_sweep_says_what_null_means(curated, capsys) -> None:
    out = curated("default@1")
    capsys.readouterr()
    assert main(["--output", str(out), "sweep", "filters.gopher_repetition.max_top_2gram=0.1,0.2"]) == 0
    assert "max_top_2gram is 0.2 (null: the filter's own figure); kept" in capsys.readouterr().out
