"""Reads the bytes of a fastText model file (.bin, .ftz) into the kernel's tables.

Invariant: whatever the bytes, the result is `ModelError` or tables in which every index that the kernels follow is in range and
every number is finite; nothing is allocated before the file is seen to be long enough, and never more than MAX_GROWTH times its
length. Source: fastText 0.9.3, src/{args,dictionary,densematrix,quantmatrix,productquantizer}.cc.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from filters.kernels.models import fasttext_tables, fasttext_words
from filters.kernels.models.fasttext_tables import Tables

MAGIC, VERSION, SUPERVISED = 793712314, 12, 3
CENTROIDS = 256  # ksub_ of productquantizer.h: codes are bytes
MAX_NGRAM = 64  # chosen: fastText's defaults are 6 characters and 1-5 words; bounds the work per character of a hostile model
MAX_GROWTH = 64  # decoded / stored bytes: 8 at fastText's dsub of 2; chosen so that dsub 16 passes and a small file stays small
MAX_BUCKETS = 1 << 27  # chosen: fastText's default is 2e6; a pruned model's map takes 2 bits a bucket, so at most 32 MB
MAX_WEIGHT = 1e6  # chosen: trained weights are below 1e3; sums and products of such weights cannot overflow float32
MAX_COUNT = 10**15  # loss.cc gives unmade Huffman nodes this count


class ModelError(ValueError):
    """A model is missing, damaged, or of a kind that Winnow does not read. The message names file, expectation and finding."""


class File:
    """Bytes of a model file and the place that was read up to; every read is checked against the length."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.data, self.at = path, data, 0

    def error(self, expected: str, found: object) -> ModelError:
        return ModelError(f"{self.path}: expected {expected}, found {found} (before byte {self.at} of {len(self.data)})")

    def take(self, what: str, size: int) -> memoryview:
        """The next `size` bytes."""
        left = len(self.data) - self.at
        if size > left:
            raise self.error(f"{size} bytes of {what}", f"{left} until the end of the file")
        self.at += size
        return memoryview(self.data)[self.at - size : self.at]

    def numbers(self, what: str, layout: str) -> tuple[Any, ...]:
        """The next numbers, by `struct` layout, little-endian."""
        return struct.unpack(f"<{layout}", self.take(what, struct.calcsize(f"<{layout}")))

    def array(self, what: str, dtype: str, length: int) -> np.ndarray:
        """The next `length` numbers, copied so that they are aligned and can be written."""
        self.require(f"a length of {what} of 0 or more", length, length >= 0)
        return np.frombuffer(self.take(what, length * np.dtype(dtype).itemsize), dtype).copy()

    def flag(self, what: str) -> bool:
        (value,) = self.numbers(what, "B")
        self.require(f"0 or 1 for {what}", value, value < 2)
        return bool(value)

    def require(self, expected: str, found: object, holds: bool) -> None:
        if not holds:
            raise self.error(expected, found)


@dataclass(frozen=True, kw_only=True)
class Args:
    """The training arguments that prediction depends on."""

    dim: int
    word_ngrams: int
    loss: int
    bucket: int
    minn: int
    maxn: int

    @property
    def has_ngrams(self) -> bool:
        return self.word_ngrams > 1 or self.maxn > 0


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """Words then labels, `words[offsets[i]:offsets[i + 1]]`; the n-gram buckets that pruning kept, None if not pruned."""

    words: np.ndarray
    offsets: np.ndarray
    n_words: int
    label_counts: np.ndarray
    pruned: np.ndarray | None

    @property
    def n_labels(self) -> int:
        return len(self.label_counts)

    def labels(self, file: File) -> tuple[str, ...]:
        pieces = [
            self.words[a:b].tobytes()
            for a, b in zip(self.offsets[self.n_words : -1], self.offsets[self.n_words + 1 :], strict=True)
        ]
        try:
            return tuple(piece.decode() for piece in pieces)
        except UnicodeDecodeError as error:
            raise file.error("labels in UTF-8", error) from None


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises ModelError if there is no such regular file or it cannot be read."""
    if not path.is_file():
        raise ModelError(f"{path}: expected a fastText model file, found {'a folder' if path.is_dir() else 'nothing'} there")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: expected a readable fastText model file, found {error}") from error


def parse(path: Path, data: bytes) -> tuple[tuple[str, ...], Tables]:
    """Label names as in the file, and the kernel's tables."""
    file = File(path, data)
    args = _args(file)
    dictionary = _dictionary(file)
    quantised = file.flag("the quantised flag")
    rows = _quantised(file, "input", args.dim) if quantised else _dense(file, "input", args.dim)
    quantised_output = file.flag("the flag for a quantised output")
    output = _quantised(file, "output", args.dim) if quantised and quantised_output else _dense(file, "output", args.dim)
    file.require("the end of the file", f"{len(data) - file.at} more bytes", file.at == len(data))
    file.require(f"{dictionary.n_labels} rows in the output matrix", len(output), len(output) == dictionary.n_labels)
    _check_rows(file, args, dictionary, rows=len(rows))
    return dictionary.labels(file), _tables(file, args, dictionary, rows=rows, output=output)


def _args(file: File) -> Args:
    magic, version = file.numbers("magic number and version", "ii")
    file.require(f"fastText's magic number {MAGIC}", magic, magic == MAGIC)
    file.require(f"file version {VERSION}", version, version == VERSION)
    names = (
        "dim",
        "ws",
        "epoch",
        "min_count",
        "neg",
        "word_ngrams",
        "loss",
        "model",
        "bucket",
        "minn",
        "maxn",
        "lr_update_rate",
        "t",
    )
    values = dict(zip(names, file.numbers("training arguments", "12id"), strict=True))
    file.require(f"a supervised model ({SUPERVISED})", values["model"], values["model"] == SUPERVISED)
    args = Args(**{name: values[name] for name in ("dim", "word_ngrams", "loss", "bucket", "minn", "maxn")})
    file.require("1 or more dimensions", args.dim, args.dim >= 1)
    file.require("a loss of 1 (hs), 2 (ns), 3 (softmax) or 4 (ova)", args.loss, 1 <= args.loss <= 4)
    file.require(f"word n-grams up to {MAX_NGRAM}", args.word_ngrams, 0 <= args.word_ngrams <= MAX_NGRAM)
    file.require(
        f"minn of 0 or more and maxn up to {MAX_NGRAM}", (args.minn, args.maxn), args.minn >= 0 and 0 <= args.maxn <= MAX_NGRAM
    )
    least = 1 if args.has_ngrams else 0
    file.require(f"{least} to {MAX_BUCKETS} n-gram buckets", args.bucket, least <= args.bucket <= MAX_BUCKETS)
    return args


def _dictionary(file: File) -> Dictionary:
    size, n_words, n_labels, _tokens, n_pruned = file.numbers("dictionary header", "iiiqq")
    file.require(
        "words + labels = entries, at least one label",
        (n_words, n_labels, size),
        n_words >= 0 < n_labels and n_words + n_labels == size,
    )
    left = len(file.data) - file.at
    file.require(f"room for {size} dictionary entries of 10 bytes or more", f"{left} bytes", size <= left // 10)
    rest = np.frombuffer(file.data, np.uint8)[file.at :]
    words, offsets = np.empty(left, np.uint8), np.zeros(size + 1, np.int64)
    counts, kinds = np.empty(size, np.int64), np.empty(size, np.uint8)
    read = fasttext_tables.parse_words(rest, words, offsets, counts, kinds)
    file.require(f"{size} dictionary entries", "the end of the file", read >= 0)
    file.take("dictionary entries", read)
    file.require("words before labels", "another order", not kinds[:n_words].any() and bool((kinds[n_words:] == 1).all()))
    file.require("counts from 0 to 1e15", "others", bool(((counts >= 0) & (counts < MAX_COUNT)).all()))
    file.require("-1 or the number of pruned buckets", n_pruned, n_pruned >= -1)
    pruned = file.array("kept n-gram buckets", "<i4", 2 * n_pruned).reshape(-1, 2) if n_pruned >= 0 else None
    used = words[: offsets[-1]].copy()
    used.flags.writeable = False  # as Arrow's buffers are: one compilation serves both
    return Dictionary(words=used, offsets=offsets, n_words=n_words, label_counts=counts[n_words:], pruned=pruned)


def _shape(file: File, name: str, dim: int) -> int:
    rows, columns = file.numbers(f"{name} matrix's shape", "qq")
    file.require(f"{name} matrix of {dim} columns", (rows, columns), columns == dim and rows >= 0)
    return int(rows)


def _dense(file: File, name: str, dim: int) -> np.ndarray:
    rows = _shape(file, name, dim)
    matrix = file.array(f"{name} matrix", "<f4", rows * dim).reshape(rows, dim)
    return _finite(file, name, matrix)


def _quantised(file: File, name: str, dim: int) -> np.ndarray:
    """A product-quantised matrix, decoded: row = pieces of centroids by its codes, times the norm's centroid (qnorm)."""
    qnorm = file.flag(f"{name} matrix's qnorm")
    rows = _shape(file, name, dim)
    (n_codes,) = file.numbers("number of codes", "i")
    codes = file.array("codes", "u1", n_codes)
    sub, centroids = _quantiser(file, name, dim)
    parts = -(-dim // sub)
    file.require(f"{rows} x {parts} codes", n_codes, n_codes == rows * parts)
    file.require(f"at most {MAX_GROWTH} x the file when decoded", (rows, dim), rows * dim * 4 <= MAX_GROWTH * len(file.data))
    matrix = np.empty((rows, dim), np.float32)
    for part in range(parts):
        start, stop = part * sub, min((part + 1) * sub, dim)
        pieces = centroids[start * CENTROIDS : stop * CENTROIDS].reshape(CENTROIDS, stop - start)
        matrix[:, start:stop] = pieces[codes[part::parts]]
    if qnorm:
        norm_codes = file.array("norm codes", "u1", rows)
        _, norms = _quantiser(file, f"{name} norms", 1)
        matrix *= norms[norm_codes][:, None]
    return _finite(file, name, matrix)


def _quantiser(file: File, name: str, dim: int) -> tuple[int, np.ndarray]:
    """Length of a piece, and the centroids of all pieces, piece by piece (ProductQuantizer::get_centroids)."""
    found = file.numbers(f"quantiser of {name}", "4i")
    sub = found[2]
    file.require(f"pieces of 1 to {dim} of {dim} columns", found, found[0] == dim and 1 <= sub <= dim)
    file.require("as many pieces as the columns make", found, found[1] == -(-dim // sub) and found[3] == (dim % sub or sub))
    return sub, _finite(file, name, file.array(f"centroids of {name}", "<f4", dim * CENTROIDS))


def _finite(file: File, name: str, values: np.ndarray) -> np.ndarray:
    """`values` if all are within MAX_WEIGHT; NaN fails both comparisons."""
    within = not values.size or bool(values.max() <= MAX_WEIGHT and values.min() >= -MAX_WEIGHT)
    file.require(f"weights of {name} from -{MAX_WEIGHT:.0e} to {MAX_WEIGHT:.0e}", "others, or NaN", within)
    return values


def _check_rows(file: File, args: Args, dictionary: Dictionary, *, rows: int) -> None:
    """Every row number that the kernels can form is below `rows`."""
    needed = dictionary.n_words
    if dictionary.pruned is None and args.has_ngrams:
        needed += args.bucket
    file.require(f"an input matrix of {needed} rows or more", rows, rows >= needed)
    if dictionary.pruned is not None and len(dictionary.pruned):
        buckets, kept = dictionary.pruned.T
        n_rows = rows - dictionary.n_words
        file.require(
            f"kept buckets from 0 to {args.bucket - 1}",
            (buckets.min(), buckets.max()),
            buckets.min() >= 0 and buckets.max() < args.bucket,
        )
        file.require(
            f"rows of kept buckets from 0 to {n_rows - 1}", (kept.min(), kept.max()), kept.min() >= 0 and kept.max() < n_rows
        )
        file.require("each kept bucket once", "one that is twice there", bool((np.diff(np.sort(buckets)) > 0).all()))
        file.require(f"at most {n_rows} kept buckets", len(buckets), len(buckets) <= n_rows)


def _tables(file: File, args: Args, dictionary: Dictionary, *, rows: np.ndarray, output: np.ndarray) -> Tables:
    size = len(dictionary.offsets) - 1
    hashes, slots = np.empty(size, np.uint32), np.full(_places(size), -1, np.int32)
    file.require(
        "words that spread in a hash table",
        "too many of one hash",
        fasttext_tables.hash_words(dictionary.words, dictionary.offsets, hashes, slots),
    )
    left, right = np.full((2, 2 * len(output) - 1), -1, np.int32)
    fasttext_tables.huffman(dictionary.label_counts, np.empty(2 * len(output) - 1, np.int64), left, right)
    vocabulary = fasttext_tables.Vocabulary(dictionary.words, dictionary.offsets, hashes, slots, dictionary.n_words)
    ngrams = fasttext_tables.Ngrams(
        minn=args.minn,
        maxn=args.maxn,
        words=args.word_ngrams,
        bucket=args.bucket,
        first_row=dictionary.n_words,
        pruned=dictionary.pruned is not None,
        kept=_kept(args, dictionary),
    )
    rows = _by_bucket(dictionary, rows)
    counts = np.empty(dictionary.n_words, np.int32)
    fasttext_words.fold_words(vocabulary, ngrams, rows, counts, fasttext_words.pending(ngrams))
    head = fasttext_tables.Head(loss=args.loss, output=output, left=left, right=right, sigmoid=_sigmoid())
    return Tables(vocabulary=vocabulary, ngrams=ngrams, head=head, rows=rows, counts=counts)


def _kept(args: Args, dictionary: Dictionary) -> np.ndarray:
    """`Ngrams.kept` of a pruned dictionary: per 64 buckets a bit map and the number of kept buckets before it."""
    if dictionary.pruned is None:
        return np.zeros((1, 2), np.uint64)
    buckets = dictionary.pruned[:, 0].astype(np.uint64)
    kept = np.zeros((args.bucket // 64 + 1, 2), np.uint64)
    np.bitwise_or.at(kept[:, 0], buckets >> 6, np.uint64(1) << (buckets & np.uint64(63)))
    kept[1:, 1] = np.cumsum(np.bitwise_count(kept[:-1, 0]))
    return kept


def _by_bucket(dictionary: Dictionary, rows: np.ndarray) -> np.ndarray:
    """The input matrix with the rows of kept buckets in the order of the buckets, which is where `Ngrams.kept` finds them."""
    if dictionary.pruned is None:
        return rows
    order = dictionary.pruned[np.argsort(dictionary.pruned[:, 0]), 1]
    return np.concatenate((rows[: dictionary.n_words], rows[dictionary.n_words + order]))


def _places(entries: int) -> int:
    """A power of two, at least twice the entries."""
    return 1 << max(3, (2 * entries - 1).bit_length())


def _sigmoid() -> np.ndarray:
    """The table of Loss::Loss in loss.cc: 512 steps from -8 to 8."""
    x = np.arange(513, dtype=np.float32) * np.float32(16) / np.float32(512) - np.float32(8)
    table: np.ndarray = 1.0 / (1.0 + np.exp(-x).astype(np.float64))
    return table.astype(np.float32)
