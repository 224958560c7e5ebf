"""The dedup index as datasketch objects: datasketch's own signatures and index are the oracle."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from datasketch import LeanMinHash, MinHash

from filters.kernels.dedup import minhash
from flows.inspect import main
from pipeline.errors import InputError
from pipeline.inspect.sketches import Indexed, open_sketches
from pipeline.text import signatures
from tests.once import made_once
from tests.support import ROOT, curate, prose, write_rows
from tests.text import definition


def changed(text: str, words: int) -> str:
    """The text with other words at its end."""
    kept = text.split()[:-words]
    return " ".join([*kept, *(f"other{k}" for k in range(words))])


def made(folder: Path, *more: str) -> Path:
    """Two generations of documents of various likeness, none of them a near duplicate."""
    options = ("--output", folder / "out", "--set", "dedup.threshold=0.8", *more)
    first = [{"id": f"d{k}", "text": prose(k), "lane": "left" if k % 2 else "right"} for k in range(12)]
    likes = [{"id": f"like{k}", "text": changed(prose(k), 40), "lane": "left"} for k in range(6)]
    write_rows(folder / "in" / "a.jsonl", [*first, *likes, {"id": "short", "text": "Good day.", "lane": "left"}])
    curate("minimal", "--input", folder / "in", *options)
    write_rows(folder / "in" / "b.jsonl", [{"id": f"e{k}", "text": prose(100 + k), "lane": "left"} for k in range(5)])
    curate("minimal", "--input", folder / "in", *options)
    return folder / "out"


@pytest.fixture(scope="module", params=minhash.FAMILIES)
def out(request, tmp_path_factory) -> Path:
    name = f"sketches-{request.param}"
    return made_once(tmp_path_factory, name, lambda folder: made(folder, "--set", f"dedup.hash={request.param}")) / "out"


def test_every_document_with_a_shingle_has_a_sketch(out):
    found = [document for document, _ in open_sketches(str(out)).documents()]
    expected = [*((1, f"d{k}") for k in range(12)), *((1, f"like{k}") for k in range(6)), *((2, f"e{k}") for k in range(5))]
    assert [(document.generation, document.id) for document in found] == expected
    assert found[0] == Indexed(1, "d0", "in/a.jsonl#1")


def test_two_sketches_are_as_like_as_winnows_signatures(out):
    sketches = open_sketches(str(out))
    known = {document.id: sketch for document, sketch in sketches.documents()}
    texts = [prose(3), changed(prose(3), 40)]
    drawn = minhash.permutations(sketches.dedup.hash, 128)
    column = pa.array(texts, pa.large_string())
    ours = minhash.signatures(*signatures._views(column), ngram=5, permutations=drawn, family=sketches.dedup.hash)[1]
    assert isinstance(known["d3"], LeanMinHash)
    assert known["d3"].jaccard(known["like3"]) == (ours[0] == ours[1]).mean()
    assert known["d3"].jaccard(known["like3"]) == pytest.approx(definition.jaccard(*texts), abs=0.15)
    assert sketches.sketch(texts[0]) == known["d3"] and sketches.sketch(f"\ufeff{texts[0]}\r\n") == known["d3"]
    assert LeanMinHash.deserialize(_serialized(known["d3"])) == known["d3"]


def _serialized(sketch: LeanMinHash) -> bytearray:
    buffer = bytearray(sketch.bytesize())
    sketch.serialize(buffer)
    return buffer


def test_the_index_proposes_what_datasketchs_own_does(out):
    """Same bands, same signatures: the same candidates, in every number of changed words."""
    sketches = open_sketches(str(out))
    lsh = sketches.lsh()
    assert (lsh.b, lsh.r) == sketches.bands
    seen = set()
    for words in (1, 5, 10, 20, 40, 60, 80):
        for number in (0, 1, 2, 5, 103):
            text = changed(prose(number), words)
            matches = sketches.query(text)
            assert {match.document for match in matches} == set(lsh.query(sketches.sketch(text)))
            assert [match.jaccard for match in matches] == sorted((match.jaccard for match in matches), reverse=True)
            seen |= {match.document.id for match in matches}
    assert {"d0", "like0", "e3"} <= seen  # both generations


def test_a_match_has_the_estimate_of_its_two_sketches(out):
    sketches = open_sketches(str(out))
    known = dict(sketches.documents())
    text = changed(prose(1), 3)
    best, *others = sketches.query(text)
    assert best.document.id == "d1" and best.jaccard > 0.8
    for match in (best, *others):
        assert match.jaccard == known[match.document].jaccard(sketches.sketch(text))


def test_datasketchs_own_minhash_is_comparable_in_its_family_alone(out):
    sketches = open_sketches(str(out))
    starts, hashes = signatures.shingles(pa.array([prose(2)], pa.large_string()), ngram=5)
    theirs = MinHash(seed=1, hashfunc=int)
    theirs.update_batch((hashes[: starts[1]] & 0xFFFFFFFF).tolist())
    if sketches.dedup.hash == "datasketch":
        assert sketches.sketch(prose(2)).jaccard(theirs) == 1.0
    else:
        with pytest.raises(ValueError, match="seed"):
            sketches.sketch(prose(2)).jaccard(theirs)


def test_a_text_without_a_shingle_is_refused(out):
    with pytest.raises(InputError, match="4 dedup words"):
        open_sketches(str(out)).query("Only four words here.")
    with pytest.raises(InputError, match="scope"):
        open_sketches(str(out)).query(prose(1), scope=["left"])


def test_a_scope_is_asked_for_by_its_values(tmp_path):
    sketches = open_sketches(str(made(tmp_path, "--set", "dedup.scope=[lane]")))
    assert [match.document.id for match in sketches.query(prose(1), scope=["left"])][:1] == ["d1"]
    assert "d1" not in [match.document.id for match in sketches.query(prose(1), scope=["right"])]
    assert sketches.query(prose(1), scope=[None]) == []


def test_what_was_taken_down_has_no_sketch(tmp_path):
    out = made(tmp_path)
    (tmp_path / "keys").write_text("d1\n")
    assert main(["takedown", "--output", str(out), "--keys", str(tmp_path / "keys"), "--yes"]) == 0
    sketches = open_sketches(str(out))
    assert "d1" not in [document.id for document, _ in sketches.documents()]
    assert "d1" not in [match.document.id for match in sketches.query(prose(1))]


def test_documents_are_signed_some_at_a_time(tmp_path, monkeypatch):
    texts = [f"n{k} " + " ".join(f"w{k}x{j}" for j in range(4000)) for k in range(80)]  # of some 28 KB
    write_rows(tmp_path / "in" / "a.jsonl", [{"text": text} for text in texts])
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    real, sizes = minhash.signatures, []

    def counted(offsets, data, **more):
        sizes.append(len(offsets) - 1)
        return real(offsets, data, **more)

    monkeypatch.setattr(minhash, "signatures", counted)
    made = open_sketches(str(tmp_path / "out")).documents()
    assert len(list(islice(made, 1))) == 1 and sizes[0] < 60
    assert len(list(made)) == 79 and max(sizes) < 60


def test_without_dedup_there_is_no_index(tmp_path):
    write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    curate("none", "--input", tmp_path / "in", "--output", tmp_path / "out")
    with pytest.raises(InputError, match="dedup off"):
        open_sketches(str(tmp_path / "out"))


def test_the_example_of_the_page_runs(tmp_path, monkeypatch, capsys):
    curate("--output", tmp_path / "curated")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "datasketch.md").read_text("utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(compile(code, "datasketch.md", "exec"), {})
    best = capsys.readouterr().out.splitlines()[0].split()
    assert len(best) == 3 and float(best[2]) > 0.8
