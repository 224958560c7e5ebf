"""datasketch 2.0.0: MinHashLSH with its own choice of bands for the threshold (0.8 → 9 bands of 13), as in its documentation.

Candidates are taken as duplicates. With --clusters every candidate joins two clusters; without, later rows are compared with
kept ones only, which costs less.
"""

from __future__ import annotations

from datasketch import MinHash, MinHashLSH
from jsonl import Clusters, arguments, deduplicate

PERMUTATIONS = 128


def main() -> None:
    chosen = arguments(__doc__)
    index, clusters = MinHashLSH(threshold=chosen.threshold, num_perm=PERMUTATIONS), Clusters()

    def keep(batch: list[list[str]]) -> list[bool]:
        flags = []
        for sketch in MinHash.generator([[s.encode() for s in tokens] for tokens in batch], num_perm=PERMUTATIONS):
            row, others = clusters.add(), index.query(sketch)
            for other in others:
                clusters.link(row, other)
            if chosen.clusters or not others:
                index.insert(row, sketch, check_duplication=False)
            flags.append(not others)
        return flags

    deduplicate(chosen, keep)
    if chosen.clusters:
        clusters.write(chosen.clusters)


if __name__ == "__main__":
    main()
