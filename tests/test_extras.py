"""What a run does not need is an extra, and whoever needs it is told which one."""

from __future__ import annotations

import importlib.util
import tomllib

import pytest

from flows import train
from pipeline.errors import NotInstalled
from pipeline.inspect import sketches
from pipeline.read.formats import huggingface
from pipeline.training import fit
from tests.support import ROOT

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == package else found(name, *more))


@pytest.mark.parametrize(
    ("package", "extra", "use"),
    [
        ("datasets", "huggingface", huggingface._datasets),
        ("datasketch", "sketches", lambda: sketches.open_sketches("curated")),
    ],
)
def test_the_message_names_an_extra_that_brings_the_package(monkeypatch, package, extra, use):
    without(monkeypatch, package)
    with pytest.raises(NotInstalled, match=rf"pip install 'winnow-curation\[{extra}\]'"):
        use()
    assert any(requirement.startswith(package) for requirement in EXTRAS[extra])


def test_training_without_scipy_ends_with_status_2(monkeypatch, capsys, tmp_path):
    without(monkeypatch, "scipy")
    examples = tmp_path / "examples.jsonl"
    examples.write_text('{"text": "one"}\n')
    status = train.main(["own", "--positive", str(examples), "--negative", str(examples), "--output", str(tmp_path)])
    assert status == 2 and "pip install 'winnow-curation[train]'" in capsys.readouterr().err
    assert all(any(one.startswith("scipy") for one in EXTRAS[extra]) for extra in ("train", "fasttext"))


def test_a_fasttext_that_only_predicts_is_told_from_one_that_trains(monkeypatch, tmp_path):
    (tmp_path / "fasttext.py").write_text("def load_model(path): ...\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(NotInstalled, match=r"winnow-curation\[fasttext\]"):
        fit._fit(["__label__positive a"], fit.Settings(), folder=tmp_path, seed=0, quantise=False)
