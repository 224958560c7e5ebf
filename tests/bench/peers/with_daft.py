"""daft 0.7.26: minhash of word 5-grams, bands, connected components, whole rows as Parquet with zstd.

128 hashes in 9 bands of 13, datasketch's choice for 0.8: fewer candidates than 16 of 8, of which daft, which verifies nothing,
would take more for duplicates. The rows that stay are joined back by their number. Rows of equal bands meet in a dictionary, and
union-find makes clusters, in Python: that takes less than daft's own grouping, or its loop of joins.
"""

from __future__ import annotations

import time
from pathlib import Path

import daft
from daft import col
from daft.functions import hash as hashed
from daft.functions import minhash, monotonically_increasing_id, normalize
from jsonl import NGRAM, Clusters, arguments

BANDS, ROWS = 9, 13
HASHES = 128


def main() -> None:
    chosen = arguments(__doc__)
    if chosen.signatures:
        return signatures(chosen.inputs[0])
    rows = daft.read_json([str(path) for path in chosen.inputs]).with_column("row", monotonically_increasing_id()).collect()
    signed = rows.select("row", signature())
    keys = signed.select(
        "row", *(hashed(col("signature").slice(b * ROWS, (b + 1) * ROWS)).alias(f"band{b}") for b in range(BANDS))
    )
    found = keys.to_pydict()
    clusters = Clusters()
    for _ in found["row"]:
        clusters.add()
    for band in range(BANDS):
        first: dict[int, int] = {}
        for place, key in enumerate(found[f"band{band}"]):
            if (other := first.setdefault(key, place)) != place:
                clusters.link(place, other)
    kept = [row for place, row in enumerate(found["row"]) if clusters.first(place) == place]
    left = rows.join(daft.from_pydict({"row": kept}), on="row", how="semi").exclude("row")
    left.write_parquet(str(chosen.output), compression="zstd")
    if chosen.clusters:
        clusters.write(chosen.clusters)


def signature() -> daft.Expression:
    text = normalize(col("text"), remove_punct=True, lowercase=True, white_space=True)
    return minhash(text, num_hashes=HASHES, ngram_size=NGRAM, hash_function="xxhash").alias("signature")


def signatures(texts: Path) -> None:
    """Prints the CPU seconds of the signatures of a Parquet file's texts alone."""
    held = daft.read_parquet(str(texts)).collect()
    start = time.process_time()
    held.select(signature()).collect()
    print(time.process_time() - start)


if __name__ == "__main__":
    main()
