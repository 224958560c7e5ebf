"""Input, work directory and output on an object store, and a cluster of separate processes: same bytes as on disk."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.run.cluster import clusters
from tests.support import SAMPLE, digests

pytestmark = pytest.mark.slow
s3 = pytest.importorskip("tests.store.s3", reason="needs outputs on object stores")

FOLDERS = ("data", "rejected", "ledger", "quarantine", "index")


@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_a_cluster_that_shares_nothing_but_an_object_store_has_the_bytes_of_a_local_run(runner, tmp_path, curated):
    if find_spec("distributed" if runner == "dask" else "ray") is None:
        pytest.skip(f"{runner} is not installed: pip install winnow-curation[{runner}]")
    with s3.served(tmp_path) as server, getattr(clusters, runner)(tmp_path, **server.environment) as cluster:
        import fsspec

        os.environ.update(server.environment)
        try:
            store = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
            for path in sorted((SAMPLE / "input").iterdir()):
                store.put_file(str(path), f"{s3.BUCKET}/input/{path.name}")
            given = ("--input", f"s3://{s3.BUCKET}/input", "--output", f"s3://{s3.BUCKET}/{runner}/curated")
            ran = clusters.curate(cluster, SAMPLE / "plan.yaml", *given, **server.environment)
            assert ran.returncode == 0, ran.stderr
            store.get(f"{s3.BUCKET}/{runner}/curated", str(tmp_path / "copy"), recursive=True)
        finally:
            for name in server.environment:
                os.environ.pop(name, None)
    assert digests(Path(tmp_path / "copy"), FOLDERS) == digests(curated, FOLDERS)
