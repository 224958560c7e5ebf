"""What was taken down, as keyed hashes: later runs know such a text again, and nobody can read it here.

A tombstone holds BLAKE2b-128 of the content's hash, keyed with a random key that lies beside the tombstones (mode 0600), and
SipHash-2-4 (Aumasson & Bernstein 2012) of its MinHash band keys and of its shingles, under a key derived from that. No text.
A text is taken down where its content is known exactly, or where it shares a band with a tombstone and the similarity of the two
sets of shingles, which hashing keeps, reaches the threshold. Signature and threshold are those of the take-down (of the plan's
dedup, or its defaults where that is off), so what is found does not change with a later plan.

Invariant: a file of tombstones counts once the manifest with its number says that it is a take-down; nothing else removes one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.kernels import buffers
from pipeline.output import folders, numbering
from pipeline.output.releases import refuse_newer
from pipeline.plan.model import Dedup
from pipeline.store.keys import key as key_of
from pipeline.store.store import Store
from pipeline.text import bands, final, signatures

FOLDER = folders.TOMBSTONES
KEY = f"{FOLDER}/key"
KEY_BYTES = 32
SCHEMA_VERSION = 1
BATCH_BYTES = 16_000_000
"""Text that is signed at a time; the scratch of it takes twice as much."""
SCHEMA = pa.schema(
    [
        pa.field("content", pa.binary(16), nullable=False),
        pa.field("place", pa.binary(16)),  # set: only this row with this content, an excerpt of what could not be read
        pa.field("bands", pa.list_(pa.uint64()), nullable=False),  # empty: this very content only
        pa.field("shingles", pa.list_(pa.uint64()), nullable=False),  # ascending
    ]
)
_SHINGLE = 1 << 16  # no band has this number


@dataclass(frozen=True)
class Parameters:
    """Parameters of the signature and of the similarity, as `plan.Dedup` has them."""

    ngram: int
    permutations: int
    bands: int
    rows: int
    hash: str
    threshold: float
    similarity: str


@dataclass(frozen=True)
class Text:
    """One content to know again. `near`: also what is similar to it. `place`: only in the row with this source_ref."""

    text: str
    near: bool
    place: str | None = None


@dataclass(frozen=True)
class _Set:
    """Tombstones with one signature. `owners[i]` is the tombstone that has band hash `keys[i]` (ascending)."""

    parameters: Parameters
    keys: np.ndarray
    owners: np.ndarray
    shingles: tuple[np.ndarray, ...]

    @cached_property
    def all_shingles(self) -> np.ndarray:
        return np.unique(np.concatenate([np.zeros(0, np.uint64), *self.shingles]))


@dataclass(frozen=True, eq=False)
class Tombstones:
    """All tombstones of an output. `hash` names them: it is part of the key of each judgement. `earlier`: what named them before
    each take-down but the first."""

    key: bytes
    contents: frozenset[bytes]
    places: frozenset[bytes]
    sets: tuple[_Set, ...]
    hash: str
    earlier: tuple[str, ...] = ()

    def taken(self, text: pa.LargeStringArray, hashes: pa.Array, refs: Sequence[str]) -> np.ndarray:
        """bool[n]: which final texts (`hashes`: their `final.text_hashes`) were taken down. `refs`: source_ref of each."""
        found = self.known(hashes)
        if self.places:
            found |= np.array([self._place(r, v) in self.places for r, v in zip(refs, hashes.to_pylist(), strict=True)], bool)
        for item in self.sets:
            for start, stop in buffers.slices(buffers.views(text)[0], BATCH_BYTES):
                found[start:stop] |= self._near(item, text.slice(start, stop - start))
        return found

    def known(self, hashes: pa.Array) -> np.ndarray:
        """bool[n]: which of these hashes of final texts, wherever they stand, are of contents that were taken down."""
        return np.array([self._content(value) in self.contents for value in hashes.to_pylist()], bool)

    def knows(self, text: str) -> bool:
        """Whether this content, wherever it stands, or one similar to it was taken down."""
        array = pa.array([text], pa.large_string())
        return bool(self.taken(array, final.text_hashes(array), [""])[0])

    def touches(self, texts: Sequence[str]) -> np.ndarray:
        """bool[n]: which texts have some shingle of what was taken down: for excerpts, too short to be similar."""
        found = np.zeros(len(texts), bool)
        array = pa.array(texts, pa.large_string())
        for item in self.sets:
            offsets, hashes = signatures.shingles(array, ngram=item.parameters.ngram)
            inside = np.append(0, np.cumsum(np.isin(self._shingles(hashes), item.all_shingles)))
            found |= inside[offsets[1:]] > inside[offsets[:-1]]
        return found

    def _content(self, hash_: bytes) -> bytes:
        return blake2b(hash_, key=self.key, digest_size=16, person=b"content").digest()

    def _place(self, ref: str, hash_: bytes) -> bytes:
        return blake2b(ref.encode("utf-8", "surrogatepass") + hash_, key=self.key, digest_size=16, person=b"place").digest()

    def _shingles(self, hashes: np.ndarray) -> np.ndarray:
        return siphash(self._sip_key, np.uint64(_SHINGLE), hashes)

    @cached_property
    def _sip_key(self) -> bytes:
        return blake2b(b"", key=self.key, digest_size=16, person=b"siphash").digest()

    def _near(self, item: _Set, text: pa.LargeStringArray) -> np.ndarray:
        words, keys = _signed(item.parameters, text)
        rows, owners = [], []
        for band, column in enumerate(keys):
            hashed = siphash(self._sip_key, np.uint64(band), column)
            first, last = np.searchsorted(item.keys, hashed, "left"), np.searchsorted(item.keys, hashed, "right")
            for row in np.flatnonzero((last > first) & (words >= item.parameters.ngram)).tolist():
                owners.append(item.owners[first[row] : last[row]])
                rows.append(np.full(last[row] - first[row], row))
        found = np.zeros(len(text), bool)
        if not rows:
            return found
        pairs = np.unique(np.stack([np.concatenate(rows), np.concatenate(owners)], axis=1), axis=0)
        chosen = np.unique(pairs[:, 0])
        offsets, hashes = signatures.shingles(text.take(pa.array(chosen)), ngram=item.parameters.ngram)
        hashed = self._shingles(hashes)
        own = {row: hashed[offsets[i] : offsets[i + 1]] for i, row in enumerate(chosen.tolist())}
        for row, owner in pairs.tolist():
            found[row] |= _similarity(own[row], item.shingles[owner], item.parameters.similarity) >= item.parameters.threshold
        return found

    def table(self, texts: Sequence[Text], parameters: Parameters) -> pa.Table:
        """SCHEMA of these contents, sorted: the order says nothing either."""
        array = pa.array([item.text for item in texts], pa.large_string())
        raw = final.text_hashes(array).to_pylist()
        lines: dict[tuple[bytes, bytes], dict[str, object]] = {}
        for number, (item, hash_) in enumerate(zip(texts, raw, strict=True)):
            if hash_ == final.EMPTY:
                continue
            one = array.slice(number, 1)
            words, keys = _signed(parameters, one) if item.near else (np.zeros(1), [])
            near = item.near and words[0] >= parameters.ngram
            shingles = self._shingles(signatures.shingles(one, ngram=parameters.ngram)[1]) if near else np.zeros(0, np.uint64)
            banded = [siphash(self._sip_key, np.uint64(band), column)[0] for band, column in enumerate(keys)] if near else []
            place = None if item.place is None else self._place(item.place, hash_)
            line: dict[str, object] = {
                "content": self._content(hash_) if place is None else bytes(16),
                "place": place,
                "bands": banded,
                "shingles": np.sort(shingles),
            }
            name = (self._content(hash_), place or b"")
            if name not in lines or near:
                lines[name] = line
        ordered = [lines[name] for name in sorted(lines)]
        columns = [pa.array([line[field.name] for line in ordered], field.type) for field in SCHEMA]
        return pa.Table.from_arrays(columns, schema=SCHEMA).replace_schema_metadata(
            {"schema_version": str(SCHEMA_VERSION), "parameters": json.dumps(asdict(parameters))}
        )


def parameters_of(dedup: Dedup | None) -> Parameters:
    """The parameters of the plan's dedup, or its defaults where it is off: an exact match alone would miss a changed comma."""
    chosen = dedup or Dedup()
    shape = bands.choose(chosen.threshold, chosen.permutations, chosen.bands)
    return Parameters(chosen.ngram, chosen.permutations, *shape, chosen.hash, chosen.threshold, chosen.similarity)


def name(number: int) -> str:
    return f"{FOLDER}/{number:06d}.parquet"


def number_of(path: str) -> int | None:
    """The number of a file of tombstones; None where it is none."""
    folder, _, file = path.rpartition("/")
    return numbering.number_of(file, "parquet") if folder == FOLDER else None


def uncommitted(out: Store, next_number: int) -> list[str]:
    """The file that a take-down left that was killed before its commit: of the number that is given next. Any other file that no
    manifest knows is not ours to remove."""
    return [name(next_number)] if out.has(name(next_number)) else []


def load_tombstones(out: Store, committed: Sequence[int]) -> Tombstones | None:
    """The tombstones of these take-downs (numbers of their manifests); None where there are none."""
    if not committed:
        return None
    tables = [out.read_table(name(number)) for number in committed]
    for number, table in zip(committed, tables, strict=True):
        version = (table.schema.metadata or {}).get(b"schema_version", b"1").decode("utf-8", "replace")
        refuse_newer(out.path(name(number)), version, known=SCHEMA_VERSION)
    return of_tables(out.read_bytes(KEY), tables)


def fingerprint(key: bytes) -> str:
    """By which a key is known again; nobody learns the key from it."""
    return blake2b(b"", key=key[:64], digest_size=16, person=b"fingerprint").hexdigest()


def key_for(out: Store) -> bytes:
    """The output's key, made if it has none."""
    out.private("index")
    out.private(FOLDER)
    if not out.has(KEY):
        out.create(KEY, os.urandom(KEY_BYTES))
    out.private_file(KEY)
    return out.read_bytes(KEY)


def encode(table: pa.Table) -> bytes:
    """A file of tombstones: rows as they are, with page checksums."""
    made = io.BytesIO()
    with pq.ParquetWriter(made, table.schema, compression="zstd", write_statistics=False, write_page_checksum=True) as writer:
        writer.write_table(table)
    return made.getvalue()


def of_tables(key: bytes, tables: Sequence[pa.Table]) -> Tombstones:
    """The tombstones of these tables, under the key that they were made with."""
    contents: set[bytes] = set()
    places: set[bytes] = set()
    digest = hashlib.sha256()
    by_parameters: dict[str, list[dict[str, list[int]]]] = {}
    named: list[str] = []
    for table in tables:
        parameters = (table.schema.metadata or {})[b"parameters"].decode()
        for line in table.to_pylist():
            digest.update(json.dumps([line["content"].hex(), (line["place"] or b"").hex(), len(line["shingles"])]).encode())
            if line["place"] is None:
                contents.add(line["content"])
            else:
                places.add(line["place"])
            if line["bands"]:
                by_parameters.setdefault(parameters, []).append(line)
        digest.update(parameters.encode())
        named.append(key_of("tombstones", digest.hexdigest()))
    sets = tuple(_set(Parameters(**json.loads(parameters)), lines) for parameters, lines in by_parameters.items())
    own = named[-1] if named else key_of("tombstones", digest.hexdigest())
    return Tombstones(key, frozenset(contents), frozenset(places), sets, own, tuple(named[:-1]))


def _set(parameters: Parameters, lines: Sequence[dict[str, list[int]]]) -> _Set:
    keys = np.concatenate([np.array(line["bands"], np.uint64) for line in lines])
    owners = np.repeat(np.arange(len(lines)), [len(line["bands"]) for line in lines])
    order = np.argsort(keys, kind="stable")
    return _Set(parameters, keys[order], owners[order], tuple(np.array(line["shingles"], np.uint64) for line in lines))


def _signed(parameters: Parameters, text: pa.LargeStringArray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Dedup words of each text, and its keys band by band."""
    made = signatures.annotate(
        text,
        ngram=parameters.ngram,
        permutations=parameters.permutations,
        bands=parameters.bands,
        rows=parameters.rows,
        hash_=parameters.hash,
    )
    columns = [made[signatures.band_name(band)].to_numpy() for band in range(parameters.bands)]
    return made["dedup_words"].to_numpy(), columns


def _similarity(document: np.ndarray, tombstone: np.ndarray, kind: str) -> float:
    """As `dedup.similarity` has it, the document being the later one."""
    shared = len(np.intersect1d(document, tombstone, assume_unique=True))
    divisor = len(document) if kind == "containment" else len(document) + len(tombstone) - shared
    return shared / max(1, divisor)


def siphash(key: bytes, first: np.uint64, second: np.ndarray) -> np.ndarray:
    """SipHash-2-4 of the 16 bytes `first, second[i]` (little-endian), for each i: uint64[n]."""
    k0, k1 = (np.uint64(int.from_bytes(half, "little")) for half in (key[:8], key[8:]))
    seeds = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    v = [np.full(len(second), np.uint64(seed) ^ half) for seed, half in zip(seeds, (k0, k1, k0, k1), strict=True)]
    for word in (np.full(len(second), first), second.astype(np.uint64), np.full(len(second), np.uint64(16 << 56))):
        v[3] ^= word
        _rounds(v, 2)
        v[0] ^= word
    v[2] ^= np.uint64(0xFF)
    _rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _rounds(v: list[np.ndarray], n: int) -> None:
    for _ in range(n):
        for a, b, rotation, swap in ((0, 1, 13, True), (2, 3, 16, False), (0, 3, 21, False), (2, 1, 17, True)):
            v[a] += v[b]
            v[b] = _turned(v[b], rotation) ^ v[a]
            if swap:
                v[a] = _turned(v[a], 32)


def _turned(values: np.ndarray, bits: int) -> np.ndarray:
    return (values << np.uint64(bits)) | (values >> np.uint64(64 - bits))
