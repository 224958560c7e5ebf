"""rensa 0.5.0: the streaming deduplicator of its README, 128 permutations in 16 bands of 8, candidates checked by estimate.

With --clusters every verified candidate joins two clusters (union-find), which finds more pairs than the deduplicator does.
"""

from __future__ import annotations

from jsonl import Clusters, arguments, deduplicate
from rensa import RMinHash, RMinHashDeduplicator, RMinHashLSH

PERMUTATIONS, BANDS, SEED = 128, 16, 42


def main() -> None:
    chosen = arguments(__doc__)
    if chosen.clusters:
        return joined(chosen)
    found = RMinHashDeduplicator(chosen.threshold, PERMUTATIONS, True, num_bands=BANDS, seed=SEED)
    row = 0

    def keep(batch: list[list[str]]) -> list[bool]:
        nonlocal row
        row += len(batch)
        return found.add_pairs((str(row - len(batch) + i), tokens) for i, tokens in enumerate(batch))

    deduplicate(chosen, keep)


def joined(chosen) -> None:
    index, clusters, sketches = RMinHashLSH(chosen.threshold, PERMUTATIONS, BANDS), Clusters(), []

    def keep(batch: list[list[str]]) -> list[bool]:
        flags = []
        for sketch in RMinHash.from_token_sets(batch, num_perm=PERMUTATIONS, seed=SEED):
            row = clusters.add()
            for other in index.query(sketch):
                if sketch.jaccard(sketches[other]) >= chosen.threshold:
                    clusters.link(row, other)
            index.insert(row, sketch)
            sketches.append(sketch)
            flags.append(clusters.first(row) == row)
        return flags

    deduplicate(chosen, keep)
    clusters.write(chosen.clusters)


if __name__ == "__main__":
    main()
