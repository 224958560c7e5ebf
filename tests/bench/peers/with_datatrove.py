"""datatrove 0.10.1: the four MinHash steps of its example, in local executors.

`--bands 14 --rows 8` is its default, whose nominal threshold is (1/14)^(1/8) = 0.72; 11 x 11 is the shape with at most 128
hashes whose nominal threshold is 0.80. Clusters need one input file: the numbers in its .clusters file are rows of that file.
"""

from __future__ import annotations

import argparse
import json
import struct
import tempfile
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("inputs", nargs="+", type=Path, help="files of one folder, .jsonl.gz")
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--clusters", type=Path)
    options.add_argument("--bands", type=int, default=14)
    options.add_argument("--rows", type=int, default=8)
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps(chosen, folder)
        if chosen.clusters:
            write_clusters(chosen, Path(folder))


def steps(chosen: argparse.Namespace, folder: str) -> None:
    config = MinhashConfig(n_grams=5, num_buckets=chosen.bands, hashes_per_bucket=chosen.rows)
    source = chosen.inputs[0].parent
    tasks = len(chosen.inputs)
    listing = Path(folder) / "paths.txt"
    listing.write_text("".join(f"{path.name}\n" for path in chosen.inputs))

    def run(name: str, n_tasks: int, *pipeline: object) -> None:
        LocalPipelineExecutor(
            [*pipeline], tasks=n_tasks, workers=min(n_tasks, chosen.workers), logging_dir=f"{folder}/logs/{name}"
        ).run()

    def rows() -> JsonlReader:
        return JsonlReader(str(source), paths_file=str(listing), compression="gzip")

    run("sign", tasks, rows(), MinhashDedupSignature(f"{folder}/signatures", config))
    run("buckets", chosen.bands, MinhashDedupBuckets(f"{folder}/signatures", f"{folder}/buckets", config=config))
    run("cluster", 1, MinhashDedupCluster(f"{folder}/buckets", f"{folder}/remove", config, save_cluster_id=bool(chosen.clusters)))
    run("filter", tasks, rows(), MinhashDedupFilter(f"{folder}/remove"), JsonlWriter(str(chosen.output), compression="zstd"))


def write_clusters(chosen: argparse.Namespace, folder: Path) -> None:
    import gzip

    with gzip.open(chosen.inputs[0]) as file:
        clusters = list(range(sum(1 for _ in file)))
    first: dict[int, int] = {}
    found = folder / "remove" / "000000.clusters"
    for row, cluster in sorted(struct.iter_unpack("<2I", found.read_bytes())) if found.exists() else ():
        clusters[row] = first.setdefault(cluster, row)
    chosen.clusters.write_text(json.dumps(clusters))


if __name__ == "__main__":
    main()
