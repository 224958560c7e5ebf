"""The tokenizer of an export: where it is, the token that ends a document, how wide a token is, and tokens of texts.

Invariants: what a text says never makes a special token, so that the end-of-document token which is appended here stands where
a document ends and, unless the vocabulary merges to it, nowhere else (`ended` counts those); truncation and padding that a
tokenizer.json asks for are off; a token that the width has no room for ends the export, and never wraps.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from filters.models import places
from filters.models.reader import ModelError
from pipeline.errors import InputError, NotInstalled, RunFailed, UsageError
from pipeline.plan import tokenizer as of_plans
from pipeline.store.places import absolute

FILE = "tokenizer.json"
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json")
"""Files that name the end-of-document token: tokenizer.json itself does not."""
_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|endofdocument|>", "</s>", "<eos>", "<|eos|>", "[EOS]")
"""Special tokens that end a document in published tokenizers; taken where exactly one of them is there."""
_PACKAGE = "pip://"
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOST_BYTES = 10_000_000
_SHOWN = 12

SMALL_VOCABULARY = 65_500
"""Below it tokens have two bytes, from it on four: Megatron's `DType.optimal_dtype`; what is between it and 65,536 stays free for
tokens that a trainer adds."""
LARGEST_VOCABULARY = 2**31
"""Megatron has no unsigned type of four bytes: `int32`."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of some texts end to end, the end-of-document token behind each. `ended`: such tokens within the texts."""

    values: np.ndarray
    lengths: np.ndarray
    ended: int


@dataclass(frozen=True, eq=False)
class ExportTokenizer:
    """A tokenizer that was loaded. `name`: as it was asked for, with the commit, a path without its folders;
    `vocabulary`: ids are below it."""

    name: str
    sha256: str
    vocabulary: int
    eos: str
    eos_id: int
    made: Any

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a token on disk: little-endian, two bytes or four."""
        return np.dtype("<u2") if self.vocabulary < SMALL_VOCABULARY else np.dtype("<u4")

    def encode(self, texts: Sequence[str], *, where: str) -> Tokens:
        """`where`: what the texts are of, for a message. Raises RunFailed where the tokenizer gives up."""
        try:
            encoded = self.made.encode_batch_fast(list(texts), add_special_tokens=False)
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":  # of the library's Rust
                raise
            raise RunFailed(f"{where}: the tokenizer {self.name} gave up on a document ({error}); use another one") from error
        lengths = np.fromiter((len(one) + 1 for one in encoded), np.int64, len(encoded))
        ends = np.cumsum(lengths)
        end = (self.eos_id,)
        ids = itertools.chain.from_iterable(itertools.chain(one.ids, end) for one in encoded)
        values = np.fromiter(ids, np.uint32, int(ends[-1]) if len(ends) else 0)
        if len(values) and int(values.max()) >= self.vocabulary:
            raise RunFailed(f"{where}: token {values.max()} of {self.name}, whose vocabulary has {self.vocabulary}; mend {FILE}")
        return Tokens(values.astype(self.dtype), lengths, int((values == self.eos_id).sum()) - len(ends))


def load(name: str, eos: str | None = None) -> ExportTokenizer:
    """Raises InputError where there is no tokenizer of that name, or none is in the file, UsageError where nothing tells which
    token ends a document, or the vocabulary has no such token."""
    path = find(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"--tokenizer {name}: {path} cannot be read ({error.strerror}); give the path of a {FILE}") from error
    made = _parsed(data, name)
    known = made.get_vocab(with_added_tokens=True)
    vocabulary = max(known.values(), default=-1) + 1
    if not 0 < vocabulary <= LARGEST_VOCABULARY:
        raise UsageError(f"--tokenizer {name}: ids up to {vocabulary - 1}; expected 1 to {LARGEST_VOCABULARY} tokens")
    end = _end(made, name, beside=path.parent, eos=eos)
    shown = of_plans.pinned_at(name, path) if "://" in name else path.name
    return ExportTokenizer(shown, hashlib.sha256(data).hexdigest(), vocabulary, end, known[end], made)


def find(name: str) -> Path:
    """The tokenizer.json that a name means: a path, a folder that holds it, `hf://ORG/NAME[@REVISION]`, or `pip://PACKAGE`.

    Raises InputError, NotInstalled for a package that is not there.
    """
    if name.startswith(_PACKAGE):
        return _of_package(name)
    if name.startswith(places.SCHEME):
        return _of_hub(name)
    path = Path(absolute(name))
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise InputError(f"--tokenizer {name}: {path} is not there; give the path of a {FILE}, hf://ORG/NAME or pip://PACKAGE")
    return path


def _of_hub(name: str) -> Path:
    try:
        path = of_plans.of_hub(name)
    except ModelError as error:
        raise InputError(f"--tokenizer {error}") from error
    folder = of_plans.pinned_at(name, path).removesuffix(f"/{FILE}")  # of the same commit, whatever the branch is meanwhile
    for beside in _BESIDE:
        with contextlib.suppress(ModelError):  # not every repository has them
            places.find_model_file(f"{folder}/{beside}")
    return path


def _of_package(name: str) -> Path:
    """The one tokenizer.json of an installed package, or the one that the rest of the name says; nothing is imported."""
    package, _, within = name.removeprefix(_PACKAGE).partition("/")
    if not _PACKAGE_NAME.fullmatch(package):
        raise InputError(f"--tokenizer {name}: expected {_PACKAGE}PACKAGE, or {_PACKAGE}PACKAGE/PATH/{FILE}")
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError as error:
        raise NotInstalled(f"--tokenizer {name}: the package is not installed; pip install {package}") from error
    found = [file for file in files if (file.as_posix() == within if within else file.name == FILE)]
    if len(found) != 1:
        what = f"{len(found)} files {FILE}: " + ", ".join(file.as_posix() for file in found[:_SHOWN]) if found else f"no {FILE}"
        raise InputError(f"--tokenizer {name}: the package has {what}; name one as {_PACKAGE}{package}/PATH/{FILE}")
    return Path(str(found[0].locate()))


def _parsed(data: bytes, name: str) -> Any:
    from tokenizers import Tokenizer

    try:
        made = Tokenizer.from_buffer(data)
    except Exception as error:
        raise InputError(f"--tokenizer {name}: not a {FILE} ({error}); give one that Tokenizer.save wrote") from error
    made.no_truncation()
    made.no_padding()
    made.encode_special_tokens = True
    return made


def _end(made: Any, name: str, *, beside: Path, eos: str | None) -> str:
    """The token that ends a document."""
    special = sorted(token.content for token in made.get_added_tokens_decoder().values() if token.special)
    shown = f"its special tokens: {', '.join(special[:_SHOWN]) or 'none'}"
    if eos is not None:
        if made.token_to_id(eos) is None:
            raise UsageError(f"--eos {eos}: {name} has no such token; {shown}")
        return eos
    for told in _told(beside):
        if made.token_to_id(told) is not None:
            return told
    known = [token for token in _ENDS if token in special]
    if len(known) != 1:
        raise UsageError(
            f"--tokenizer {name}: nothing tells which token ends a document ({' or '.join(_BESIDE)} beside it would);"
            f" name it with --eos; {shown}"
        )
    return known[0]


def _told(folder: Path) -> Iterator[str]:
    """Tokens that files beside a tokenizer.json name as its end of a document."""
    for file in _BESIDE:
        try:
            path = folder / file
            found = json.loads(path.read_bytes()) if path.stat().st_size <= _MOST_BYTES else None
        except (OSError, ValueError, RecursionError):
            continue
        told = found.get("eos_token") if isinstance(found, dict) else None
        told = told.get("content") if isinstance(told, dict) else told
        if isinstance(told, str):
            yield told
