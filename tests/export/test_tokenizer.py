"""Which tokenizer is meant, which token ends a document, how wide a token is; and that nothing in a text changes any of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from pipeline.errors import InputError, NotInstalled, RunFailed, UsageError
from pipeline.export import tokenizer
from pipeline.export.tokenizer import ExportTokenizer
from tests.export import corpus


def saved(folder: Path, *special: str, plain: tuple[str, ...] = (), size: int = 300) -> Path:
    """tokenizer.json of words w0, w1, …, with these special tokens and other added ones."""
    made = Tokenizer(models.WordLevel({f"w{n}": n for n in range(size)} | {"?": size}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(list(special))
    made.add_tokens(list(plain))
    made.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


@pytest.mark.parametrize(
    ("special", "beside", "eos", "found"),
    [
        (["<|endoftext|>", "<pad>"], {}, None, "<|endoftext|>"),
        (["<s>", "</s>"], {}, None, "</s>"),
        (["<a>", "<b>"], {"tokenizer_config.json": {"eos_token": "<b>"}}, None, "<b>"),
        (["<a>", "<b>"], {"tokenizer_config.json": {"eos_token": {"content": "<b>", "lstrip": False}}}, None, "<b>"),
        (["<a>", "</s>"], {"special_tokens_map.json": {"eos_token": "<a>"}}, None, "<a>"),
        (["<a>", "</s>"], {"tokenizer_config.json": {"eos_token": None}}, None, "</s>"),
        (["<a>", "</s>"], {"tokenizer_config.json": {"eos_token": "<gone>"}}, None, "</s>"),
        (["<a>", "</s>"], {"tokenizer_config.json": "[[[["}, None, "</s>"),
        (["<a>", "</s>"], {"tokenizer_config.json": {"eos_token": "</s>"}}, "<a>", "<a>"),
        (["</s>"], {}, "w7", "w7"),
    ],
)
def test_the_token_that_ends_a_document_is_named_told_beside_or_the_only_one(
    tmp_path: Path, special: list[str], beside: dict[str, Any], eos: str | None, found: str
):
    path = saved(tmp_path, *special)
    for name, content in beside.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    made = tokenizer.load(str(path), eos)
    assert (made.eos, made.eos_id) == (found, made.made.token_to_id(found))


@pytest.mark.parametrize(
    ("special", "eos", "said"),
    [
        ([], None, "nothing tells which token ends a document"),
        (["<a>"], None, "name it with --eos; its special tokens: <a>"),
        (["</s>", "<|endoftext|>"], None, "name it with --eos; its special tokens: </s>, <|endoftext|>"),
        (["</s>"], "<end>", "--eos <end>: "),
    ],
)
def test_what_nobody_tells_is_refused_with_the_tokens_that_there_are(
    tmp_path: Path, special: list[str], eos: str | None, said: str
):
    with pytest.raises(UsageError) as refused:
        tokenizer.load(str(saved(tmp_path, *special)), eos)
    assert said in str(refused.value)


@pytest.mark.parametrize(("vocabulary", "dtype"), [(1, "uint16"), (65_499, "uint16"), (65_500, "uint32"), (2**31, "uint32")])
def test_tokens_have_two_bytes_below_the_vocabulary_that_megatron_takes(vocabulary: int, dtype: str):
    assert ExportTokenizer("", "", vocabulary, "", 0, None).dtype.name == dtype


def test_the_vocabulary_is_the_largest_id_and_not_the_number_of_tokens(tmp_path: Path):
    path = saved(tmp_path, "</s>")
    made = json.loads(path.read_text())
    made["model"]["vocab"]["far"] = 70_000
    path.write_text(json.dumps(made))
    assert tokenizer.load(str(path)).vocabulary == 70_001 and tokenizer.load(str(path)).dtype.name == "uint32"
    made["model"]["vocab"]["far"] = 2**31
    path.write_text(json.dumps(made))
    with pytest.raises(UsageError, match="expected 1 to"):
        tokenizer.load(str(path))


class Encoding:
    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)


class Fake:
    """A tokenizer that gives these ids for every text, or an error."""

    def __init__(self, ids: list[int] | BaseException) -> None:
        self._ids = ids

    def encode_batch_fast(self, texts: list[str], **_: Any) -> list[Encoding]:
        if isinstance(self._ids, BaseException):
            raise self._ids
        return [Encoding(self._ids) for _ in texts]


class PanicException(BaseException):
    """As the library's Rust raises one."""


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1, 65_536], "d.parquet: token 65536 of x, whose vocabulary has 9"),
        ([9], "token 9 of x"),
        (ValueError("no unk"), "d.parquet: the tokenizer x gave up on a document (no unk)"),
        (PanicException("out of range"), "gave up on a document (out of range)"),
    ],
)
def test_a_token_that_does_not_fit_ends_the_export_and_never_wraps(ids: Any, said: str):
    with pytest.raises(RunFailed) as failed:
        ExportTokenizer("x", "", 9, "", 0, Fake(ids)).encode(["a"], where="d.parquet")
    assert said in str(failed.value)


def test_ends_within_texts_are_counted():
    made = ExportTokenizer("x", "", 9, "", 0, Fake([3, 0, 4, 0])).encode(["a", "b"], where="")
    assert made.values.tolist() == [3, 0, 4, 0, 0] * 2 and made.lengths.tolist() == [5, 5] and made.ended == 4
    assert made.values.dtype == np.dtype("<u2")
    nothing = ExportTokenizer("x", "", 9, "", 0, Fake([])).encode([], where="")
    assert nothing.values.tolist() == [] and nothing.ended == 0


def test_what_a_file_asks_for_besides_tokens_is_off(tmp_path: Path):
    """Truncation would cut documents, padding lengthen them, templates add tokens; and a text says a special token's name."""
    path = saved(tmp_path, "</s>", "<s>")
    made = Tokenizer.from_file(str(path))
    made.enable_truncation(2)
    made.enable_padding(length=9)
    made.save(str(path))
    found = tokenizer.load(str(path)).encode(["w1 w2 w3 </s> <s>w4", ""], where="")
    end = made.token_to_id("</s>")
    assert found.lengths.tolist() == [6, 1] and found.ended == 0
    assert found.values.tolist() == [1, 2, 3, 300, 300, end, end]  # 300: not a word


def test_a_folder_and_a_package_stand_for_the_file_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path, "</s>")
    assert tokenizer.find(str(tmp_path)) == path
    info = tmp_path / "site/some_words-1.0.dist-info"
    for folder in (info, tmp_path / "site/some_words/a", tmp_path / "site/some_words/b"):
        folder.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-words\nVersion: 1.0\n")
    (info / "RECORD").write_text("some_words/a/tokenizer.json,,\nsome_words/code.py,,\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *sys.path])
    inside = tmp_path / "site/some_words/a/tokenizer.json"
    assert tokenizer.find("pip://some-words") == inside
    (info / "RECORD").write_text("some_words/a/tokenizer.json,,\nsome_words/b/tokenizer.json,,\n")
    with pytest.raises(InputError, match=r"2 files tokenizer\.json: some_words/a/tokenizer\.json, some_words/b"):
        tokenizer.find("pip://some-words")
    assert tokenizer.find("pip://some-words/some_words/a/tokenizer.json") == inside
    assert "some_words" not in sys.modules


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("/nowhere/tokenizer.json", InputError, "/nowhere/tokenizer.json is not there"),
        ("pip://no-such-package-here", NotInstalled, "pip install no-such-package-here"),
        ("pip://../../etc", InputError, "expected pip://PACKAGE"),
        ("pip://pyarrow", InputError, "the package has no tokenizer.json"),
        ("hf://datasets/a/b", InputError, "expected a file of a model repository"),
        ("hf://org/name", InputError, "the Hub cannot be reached, and the file is not in the cache"),
    ],
)
def test_a_tokenizer_that_is_not_there_is_told(name: str, error: type[Exception], said: str):
    with pytest.raises(error) as refused:
        tokenizer.load(name)
    assert said in str(refused.value)


def test_a_file_that_is_no_tokenizer_is_told(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(InputError, match=r"not a tokenizer\.json"):
        tokenizer.load(str(tmp_path))


@pytest.mark.parametrize(
    ("what", "options", "said"),
    [
        ("megatron", [], "export megatron: name the --tokenizer that the model is trained with"),
        ("jsonl", ["--tokens", "9"], "--tokens counts tokens: name the --tokenizer that counts them"),
        ("jsonl", ["--eos", "</s>"], "--eos is a token: name the --tokenizer that has it"),
    ],
)
def test_what_needs_a_tokenizer_says_so(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, options: list[str], said: str
):
    assert corpus.run(what, made / "out", "--to", tmp_path / "to", *options) == 2
    assert said in capsys.readouterr().err


def test_lines_are_counted_in_tokens_where_a_tokenizer_counts(made: Path, tmp_path: Path):
    options = ("--tokenizer", made / "tokenizer.json", "--tokens", "5000")
    assert corpus.run("jsonl", made / "out", "--to", tmp_path / "to", *options) == 0
    card = corpus.card(tmp_path / "to")
    assert card["unit"] == "tokens" and 4700 < card["groups"][0]["written"] <= 5000


def test_a_tokenizer_of_the_hub_is_recorded_with_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files beside it are of that commit, though the branch moves between two fetches."""
    commits = ["a" * 40, "b" * 40]
    for commit, end in zip(commits, ("<one>", "<two>"), strict=True):
        folder = tmp_path / f"models--org--tok/snapshots/{commit}"
        folder.mkdir(parents=True)
        corpus.train(["a text"], special=("<one>", "<two>")).save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(f'{{"eos_token": "{end}"}}')

    def download(repository: str, file: str, revision: str | None = None) -> str:
        path = tmp_path / f"models--org--tok/snapshots/{revision or commits[file != 'tokenizer.json']}/{file}"
        if not path.exists():
            raise ValueError("no such file")
        asked.append(str(path.relative_to(tmp_path / "models--org--tok/snapshots")))
        return str(path)

    asked: list[str] = []
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    for name in ("hf://org/tok", "hf://org/tok/tokenizer.json"):
        asked.clear()
        made = tokenizer.load(name)
        assert made.name == name.replace("org/tok", f"org/tok@{commits[0]}", 1) and made.eos == "<one>"
        assert asked == [f"{commits[0]}/tokenizer.json", f"{commits[0]}/tokenizer_config.json"]
