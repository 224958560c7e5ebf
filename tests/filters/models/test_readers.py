"""The model of what readers keep: small, whole, refused when damaged, and able to say why."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from filters import quality
from filters.contract import TextBatch, check
from filters.kernels.models import shape
from filters.models import ModelError, readers, shape_features
from pipeline.errors import PlanError
from pipeline.plan.load import load_plan
from tests.support import prose

MENU = "\n".join(
    ["Home", "News", "Contact us", "Log in", "Cart (0)", "Terms of use", "Privacy policy", "© 2020 All rights reserved"] * 4
)
ARTICLE = "\n".join(prose(k) for k in range(8))
ALL = ("en", "de", "xx", None)


@pytest.fixture(scope="module")
def model() -> readers.Readers:
    return readers.load_readers(quality.PATH)


def judged(texts: list[str], languages: list[str | None], **keys: object) -> pl.DataFrame:
    params = quality.Params.model_validate({"model": "readers", **keys})
    needed = pa.record_batch({"language": pa.array(languages, pa.string())})
    made = quality.annotate(TextBatch(pa.array(texts, pa.large_string())), needed, params, quality.load(params))
    check(quality.FILTER, rows=len(texts), signals=made)
    return pl.DataFrame(pl.from_arrow(made)).with_columns(pl.Series("language", languages, dtype=pl.String))


def drops(frame: pl.DataFrame, keep: str | None, **keys: object) -> list[bool]:
    params = quality.Params.model_validate({"model": "readers", **keys.pop("params", {})})  # type: ignore[dict-item]
    (rule, short) = quality.rules(params, quality.Thresholds.model_validate({"min_score": 0, "keep": keep, **keys}))
    return frame.select(rule.drop | short.drop if short.on else rule.drop).to_series().to_list()


def test_is_small_and_described(model):
    sizes = [quality.PATH.with_suffix(end).stat().st_size for end in (".npz", ".json", ".md")]
    assert sum(sizes) <= 5_000_000
    page = quality.PATH.with_suffix(".md").read_text("utf-8")
    assert model.card.sha256 in page and "python -m flows.train" in page and "Limits" in page
    assert page.partition("## Limits")[2].count("\n- ") >= 10
    assert set(model.card.keep) == set(model.card.choices) == set(readers.KEEP)


def test_an_article_scores_above_a_menu_in_every_language():
    frame = judged([ARTICLE, MENU] * 4, [code for code in ALL for _ in (0, 1)])
    good, bad = frame["quality_score"].gather_every(2), frame["quality_score"].gather_every(2, 1)
    assert (good > 0.3).all() and (bad < 0.1).all()
    assert (frame["quality_expected"].gather_every(2) > 2).all() and frame["quality_expected"].is_between(0, 5).all()


def test_it_drops_in_languages_with_figures_alone_and_the_stricter_limit_holds():
    frame = judged([MENU] * 4, list(ALL))
    assert drops(frame, "balanced") == [True, True, False, False]
    assert drops(frame, None) == [False] * 4
    assert drops(frame, "balanced", params={"languages": ["de"]}) == [False, True, False, False]
    assert drops(frame, "balanced", params={"languages": "all"}) == [True] * 4
    assert drops(judged([ARTICLE], ["en"]), "balanced") == [False]
    assert drops(judged([ARTICLE], ["en"]), "lenient", min_score=1) == [True]


def test_texts_in_short_lines_are_dropped_in_every_language_where_the_plan_says_so():
    five = "One two three four five\n" * 4 + "This line has a word or two more than the five of the others"
    share = 4 * 19 / (4 * 19 + 47)
    frame = judged([five, MENU, ARTICLE, "一二三四五六七八九十\n" * 9, ""], ["xx", "xx", "xx", "zh", "xx"])
    assert frame["quality_short_lines"].to_list() == pytest.approx([share, 1, 0, 1, 0])
    assert drops(frame, None, max_short_lines=0.6) == [True, True, False, True, False]
    assert drops(frame, None, max_short_lines=0.62) == [False, True, False, True, False]


@pytest.mark.parametrize("code", ["en", "sv", "zh"])
def test_each_setting_is_stricter_than_the_one_before(model, code):
    least = [model.card.keep[key].by_language[code] for key in readers.KEEP]
    assert least == sorted(least) and len(set(least)) == 3


def test_keep_is_refused_for_another_model():
    with pytest.raises(PlanError, match="keep: balanced is for model: readers"):
        load_plan("default@2", assignments=["filters.quality.model=own.ftz"])
    load_plan("default@2", assignments=["filters.quality.model=own.ftz", "filters.quality.keep=null"])
    with pytest.raises(PlanError, match=r"filters\.quality\.keep"):
        load_plan("default@2", assignments=["filters.quality.keep=loose"])


def test_five_features_say_why_and_their_weights_are_the_logit(model):
    (article, menu) = quality.weigh(TextBatch(pa.array([ARTICLE, MENU], pa.large_string())), model)
    assert len(article) == len(menu) == 5 and {name for name, _, _ in menu} <= set(shape_features.NAMES.values())
    assert sum(weight for _, _, weight in article) > 0 > sum(weight for _, _, weight in menu)
    weights = [abs(weight) for _, _, weight in menu]
    assert weights == sorted(weights, reverse=True)


def damaged(folder: Path, change: object = None, **arrays: np.ndarray) -> Path:
    """A copy of the shipped model with other arrays, under a description that names it."""
    with np.load(quality.PATH) as file:
        found = {name: file[name] for name in file.files}
    stream = io.BytesIO()
    np.savez(stream, **{**found, **arrays})
    data = stream.getvalue() if change is None else bytes(change(stream.getvalue()))  # type: ignore[operator]
    path = folder / "own.npz"
    path.write_bytes(data)
    card = json.loads(quality.PATH.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, "sha256": hashlib.sha256(data).hexdigest()}))
    return path


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("left", np.zeros(5200, np.int32)),
        ("feature", np.full(10, 999, np.int16)),
        ("value", np.array([np.nan] * 10, np.float32)),
        ("roots", np.array([-5, 0], np.int32)),
        ("words", np.zeros(3, np.float16)),
        ("words", np.array([{}], object)),
        ("words", np.full(shape.BUCKETS, "a")),
        ("words", np.zeros(shape.BUCKETS, complex)),
        ("roots", np.array([("x", 1)], [("a", "U1"), ("b", "i4")])),
        ("roots", np.zeros(3000, np.int32)),
        ("feature", np.int16(3)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, what, value):
    with pytest.raises(ModelError):
        readers.load_readers(damaged(tmp_path, **{what: value}))


def header(shape_: str, *, body: bytes = b"") -> bytes:
    said = f"{{'descr': '<f2', 'fortran_order': False, 'shape': {shape_}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said + body


def rezipped(compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Callable[[bytes], bytes]:
    """Of a file of arrays one with other members."""

    def change(data: bytes) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", compression) as new:
            for name in old.namelist():
                new.writestr(name, members.get(name.removesuffix(".npy"), old.read(name)))
        return stream.getvalue()

    return change


def marked(at: int, value: int) -> Callable[[bytes], bytes]:
    """With another byte in each entry of the archive's directory."""

    def change(data: bytes) -> bytes:
        made, place = bytearray(data), -1
        while (place := made.find(b"PK\x01\x02", place + 1)) >= 0:
            made[place + at] = value
        return bytes(made)

    return change


@pytest.mark.parametrize(
    "change",
    [
        rezipped(words=header("(1000000000000000,)")),
        rezipped(words=header("((((((((")),
        rezipped(words=header("(67108865,)", body=bytes(1 << 27))),
        marked(8, 1),
        marked(10, 99),
        lambda data: data[-1:] + data,
        lambda data: b"",
        lambda data: header("(2,)", body=bytes(4)),
    ],
    ids=["huge", "no header", "bomb", "encrypted", "compression", "shifted", "empty", "one array"],
)
def test_an_archive_that_is_none_is_refused(tmp_path, change):
    with pytest.raises(ModelError):
        readers.load_readers(damaged(tmp_path, change))


def test_a_tree_that_leads_into_another_is_refused(tmp_path, model):
    right = model.trees.right.copy()
    right[np.flatnonzero(model.trees.feature >= 0)[0]] = len(right) - 1
    with pytest.raises(ModelError, match="do not fit together"):
        readers.load_readers(damaged(tmp_path, right=right))


@pytest.mark.parametrize(
    "change",
    [
        {"keep": {}},
        {"choices": {}},
        {"choices": {key: [] for key in readers.KEEP}},
        {"choices": {key: [{"group": "all", "kept": [3, 2], "dropped": [0, 0]}] for key in readers.KEEP}},
        {"sample_bytes": 1 << 70},
        {"bias": 1e308},
    ],
)
def test_a_description_without_limits_is_refused(tmp_path, change):
    path = damaged(tmp_path)
    place = path.with_suffix(".json")
    place.write_text(json.dumps({**json.loads(place.read_text()), **change}))
    with pytest.raises(ModelError, match=r"own\.json: expected"):
        quality.load(quality.Params(model=str(path)))


def test_a_node_that_leads_back_is_refused(tmp_path, model):
    left = model.trees.left.copy()
    left[np.flatnonzero(model.trees.feature >= 0)[3]] = 0
    with pytest.raises(ModelError, match="do not fit together"):
        readers.load_readers(damaged(tmp_path, left=left))


def test_another_file_than_described_is_refused(tmp_path):
    path = damaged(tmp_path, lambda data: data[:1000])
    with pytest.raises(ModelError):
        readers.load_readers(path)
    path.write_bytes(b"x")
    with pytest.raises(ModelError, match="sha256"):
        readers.load_readers(path)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(ModelError, match="expected the description"):
        readers.load_readers(path)
