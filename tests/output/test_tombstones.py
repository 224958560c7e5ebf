"""Tombstones: what they know again, and that they tell nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipeline.output import tombstones
from pipeline.plan.model import Dedup
from pipeline.stages.unit import withhold
from pipeline.stages.unit.tables import Names
from pipeline.text import final
from tests.support import PROSE, prose

KEY = bytes(range(32))


def sip_in_python(key: bytes, message: bytes) -> int:
    """SipHash-2-4 as the paper has it."""
    mask = (1 << 64) - 1
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turned(x: int, n: int) -> int:
        return ((x << n) | (x >> (64 - n))) & mask

    def rounds(n: int) -> None:
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turned(v[1], 13) ^ v[0]
            v[0] = turned(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turned(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turned(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turned(v[1], 17) ^ v[2]
            v[2] = turned(v[2], 32)

    whole = message + bytes(7 - len(message) % 8) + bytes([len(message) % 256])
    for at in range(0, len(whole), 8):
        word = int.from_bytes(whole[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def test_siphash_is_the_papers():
    key = bytes(range(16))
    assert sip_in_python(key, bytes(range(15))) == 0xA129CA6149BE45E5  # the paper's appendix A
    values = np.array([0, 1, 2**64 - 1, 0x0F0E0D0C0B0A0908], np.uint64)
    wanted = [sip_in_python(key, (7).to_bytes(8, "little") + int(v).to_bytes(8, "little")) for v in values]
    assert tombstones.siphash(key, np.uint64(7), values).tolist() == wanted


def made(*texts: tombstones.Text, dedup: Dedup | None = None) -> tombstones.Tombstones:
    blank = tombstones.of_tables(KEY, [])
    return tombstones.of_tables(KEY, [blank.table(texts, tombstones.parameters_of(dedup))])


def words(n: int, *, changed: int = 0) -> str:
    return " ".join(f"other{i}" if i < changed else f"word{i}" for i in range(n))


@pytest.mark.parametrize(
    ("changed", "known"),
    # 104 words have 100 shingles; the first k words changed leave 100 - k of them: (100 - k) / (100 + k)
    [(0, True), (5, True), (11, True), (12, False), (30, False)],
)
def test_a_near_copy_is_known_from_the_threshold_on(changed, known):
    stones = made(tombstones.Text(words(104), near=True))
    assert stones.knows(words(104, changed=changed)) is known


@pytest.mark.parametrize(("kept", "known"), [(84, True), (83, False)])
def test_a_beginning_is_known_down_to_the_threshold_itself(kept, known):
    """80 of 100 shingles are 0.8, which is the threshold."""
    stones = made(tombstones.Text(words(104), near=True))
    assert stones.knows(" ".join(words(104).split()[:kept])) is known


def test_white_space_does_not_hide_a_content_and_other_texts_are_not_known():
    stones = made(tombstones.Text(PROSE, near=True), tombstones.Text("Too short.", near=True))
    assert stones.knows(PROSE.replace(" ", "\n  ")) and stones.knows(" Too  short. ")
    assert not any(stones.knows(prose(k)) for k in range(5)) and not stones.knows("Too short!") and not stones.knows("")


def test_a_copy_is_known_exactly_only():
    stones = made(tombstones.Text(PROSE, near=False))
    assert stones.knows(PROSE) and not stones.knows(PROSE + " More.")


def test_a_place_is_the_row_with_its_content():
    stones = made(tombstones.Text(PROSE, near=False, place="in/a.jsonl#3"))
    array = pa.array([PROSE, PROSE, "x"], pa.large_string())
    found = stones.taken(array, final.text_hashes(array), ["in/a.jsonl#3", "in/a.jsonl#4", "in/a.jsonl#3"])
    assert found.tolist() == [True, False, False]


def test_a_source_text_is_known_whatever_edits_make_of_it():
    stones = made(tombstones.Text(PROSE, near=False))
    source = pa.array([PROSE, prose(1), PROSE, prose(2)], pa.large_string())
    edited = pa.array([prose(3), PROSE, None, prose(4)], pa.large_string())
    documents = pa.table({"row": [1, 2, 3, 4], "text": source})
    finished = pa.table({"final_text": edited, "text_hash": final.text_hashes(pa.compute.coalesce(edited, source))})
    unit = Names(("in/a.jsonl",), "", "", "", (), "", None, None)
    assert withhold.taken(stones, unit, documents, finished=finished) == [0, 1, 2]
    assert withhold.taken(None, unit, documents, finished=finished) == []


def test_excerpts_that_share_five_words_are_known():
    stones = made(tombstones.Text(PROSE, near=True))
    assert stones.touches(['{"text": "The ferry leaves the northern', "the northern pier in the morning", ""]).tolist() == [
        True, False, False,
    ]  # fmt: skip


def test_no_word_and_no_hash_of_the_dedup_index_stands_in_the_table():
    from pipeline.text import signatures

    blank = tombstones.of_tables(KEY, [])
    table = blank.table([tombstones.Text(PROSE, near=True)], tombstones.parameters_of(None))
    line = table.to_pylist()[0]
    plain = signatures.shingles(pa.array([PROSE], pa.large_string()), ngram=5)[1]
    assert not set(line["shingles"]) & set(plain.tolist()) and line["content"] != final.text_hash(PROSE)
    assert len(line["shingles"]) == len(plain) and len(line["bands"]) == 18
    other = tombstones.of_tables(bytes(32), []).table([tombstones.Text(PROSE, near=True)], tombstones.parameters_of(None))
    assert not set(other.to_pylist()[0]["shingles"]) & set(line["shingles"])
