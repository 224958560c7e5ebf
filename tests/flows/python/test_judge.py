"""`flows.curate.judge`: a verdict is the one that a run comes to."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.curate import curate, judge
from pipeline import read
from pipeline.errors import InputError
from pipeline.plan.load import load_plan
from pipeline.read.expansion import expand
from tests.support import PROSE, SAMPLE, examples, prose, table

PLAN = SAMPLE / "plan.yaml"
OF_CORPUS = ("dedup", "select")
SOME = [PROSE, PROSE + " More.", prose(1), "Too short.", "", None, "a\ud800"]


def test_each_document_of_the_sample_is_judged_as_its_run_judged_it(measured: Path):
    plan = load_plan(str(PLAN), inputs=[str(SAMPLE / "input")]).plan
    texts = {}
    for file in expand(plan.source).files:
        for rows in read.rows_of(file):
            found = rows.documents.select(["row", "text"]).to_pydict()
            texts |= {f"{file.path}#{row}": text for row, text in zip(found["row"], found["text"], strict=True)}
    ledger = table(measured, "ledger").filter(pl.col("source_ref").is_in(list(texts)))
    assert len(ledger) == len(texts) > 400
    verdicts = judge([texts[ref] for ref in ledger["source_ref"]], PLAN)
    finals = pl.concat([table(measured, folder).select("source_ref", "text") for folder in ("data", "rejected")])
    final = dict(finals.iter_rows())
    for row, verdict in zip(ledger.iter_rows(named=True), verdicts, strict=True):
        of_filters = row["stage"] not in OF_CORPUS
        assert (verdict.stage in OF_CORPUS) or verdict.reason == (row["reason"] if of_filters else None)
        assert list(verdict.failed) == row["failed"] and list(verdict.edits) == row["edits"]
        assert verdict.text == final[row["source_ref"]]
    signals = table(measured, "signals").filter(pl.col("source_ref").is_in(list(texts)))
    names = [name for name in verdicts.frame.columns if name in signals.columns]
    assert len(names) > 30 and verdicts.frame.select(names).equals(signals.select(names), null_equal=True)


@examples(0.05)
@given(st.lists(st.sampled_from(SOME) | st.text(), min_size=1, max_size=8))
def test_verdicts_are_those_of_a_run_over_the_texts(tmp_path_factory, texts):
    overrides = {"edits.pii.email": True, "filters.gopher_quality.min_words": 20}
    if not any(text is not None for text in texts):
        texts = [*texts, PROSE]
    verdicts = judge(texts, "gopher", overrides=overrides)
    out = tmp_path_factory.mktemp("judged")
    rows = curate(texts, "gopher", output=out, overrides=overrides, progress=False, accept=True).ledger.collect().rows(named=True)
    assert [(v.stage, v.reason, list(v.failed), list(v.edits)) for v in verdicts] == [
        (row["stage"], row["reason"], row["failed"], row["edits"]) for row in rows
    ]
    survivors = [None if row["duplicate_ref"] is None else int(row["duplicate_ref"].rpartition("#")[2]) - 1 for row in rows]
    assert [v.duplicate_of for v in verdicts] == survivors and [v.similarity for v in verdicts] == [r["similarity"] for r in rows]


def test_a_verdict_says_what_decided_it():
    longer = "<script>alert(1)</script> " + PROSE
    verdicts = judge([longer, "Too short: <b>a@b.org</b>", PROSE, None], "gopher", overrides={"edits": {"pii": {"email": True}}})
    kept, dropped, copy, missing = verdicts
    assert kept.kept and kept.reason is None and all(not rule.fails for rule in kept.rules)
    failing = [(rule.name, rule.value, rule.passes) for rule in dropped.rules if rule.fails]
    assert dropped.reason == dropped.failed[0] and set(dropped.failed) == {name for name, _, _ in failing}
    assert ("gopher_quality.too_few_words", 3, ">= 50") in failing, "the rule reads the text before edits"
    assert dropped.edits == ("pii.email",) and dropped.text is not None and "a@b.org" not in dropped.text
    assert (copy.kept, copy.stage, copy.duplicate_of) == (False, "dedup", 0) and 0.8 <= (copy.similarity or 0) < 1
    assert (missing.kept, missing.reason, missing.text, missing.signals) == (False, "text_null", None, {})
    assert [note.partition(":")[0] for note in verdicts.notes] == ["dedup"]
    shown = verdicts._repr_html_()
    assert "<script" not in shown and "<b>" not in shown and "near_duplicate of 0" in repr(verdicts)
    assert verdicts.frame["kept"].to_list() == [True, False, False, False] and len(verdicts[1:]) == 3


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "no texts: the list is empty"),
        ("one", r"str is no list of texts; write judge\(\[text\], plan\)"),
        (3, "int is no list of texts"),
        ([1], "number 0 of the texts is an int"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts, said):
    with pytest.raises(InputError, match=said):
        judge(texts, "minimal")


def test_what_a_list_cannot_answer_is_said():
    overrides = {"dedup": False, "filters.quality": {}, "select": {"keep_top": {"share": 0.5}}}
    (note,) = judge([PROSE], "none@1", overrides=overrides).notes
    assert note == "select: not asked; it ranks the documents of a corpus"
