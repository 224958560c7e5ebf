"""What a run leaves at Prefect: artifacts, and its output as an asset.

Invariant: a server that cannot take them fails no run that was published; what is shown holds no text and no secret.
"""

# No `from __future__ import annotations`: Prefect reads the types of tasks at run time.
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.assets import Asset, AssetProperties, add_asset_metadata, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.serving import artifacts
from pipeline.report.publish import savings_of
from pipeline.run.options import Result
from pipeline.store.secrets import refuse_secrets
from pipeline.store.store import open_store
from pipeline.text.visible import folded, visible

PREFIX = "winnow-curate-"
COMPUTE = "One training pass, raw and curated (accounting, not a saving), and the saving"
_UNFIT = re.compile(r"""[\s#?&%"'<>\[\]{}|\\^`]""")
"""Characters that Prefect refuses in the key of an asset."""
MOST_UPSTREAM = 20


def of_result(result: Result, inputs: Sequence[str] = ()) -> None:
    """`inputs`: the folders and files that the plan reads, for the asset's lineage."""
    _quietly(lambda: _rename(result))
    savings = _quietly(lambda: savings_of(open_store(result.out, create=False)))
    _quietly(lambda: _markdown("summary", artifacts.summary(result, savings), "What was kept and dropped"))
    _quietly(lambda: _markdown("inputs", artifacts.inputs(result.notes), "Inputs that changed or vanished since they were read"))
    if result.generation is None:
        return
    _quietly(lambda: _markdown("funnel", artifacts.funnel(result.metrics), "Where the documents went"))
    _quietly(lambda: _markdown("compute", artifacts.compute(result.metrics, savings, result.out), COMPUTE))
    _quietly(lambda: _markdown("changes", artifacts.changes(result.metrics), "Since the last generation"))
    _quietly(lambda: _asset(result, inputs))


def of_failure(error: BaseException) -> None:
    """Why nothing was published."""
    _quietly(lambda: _markdown("failure", artifacts.failure(error), "Why nothing was published"))


def _quietly(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:
        message = folded(f"{type(error).__name__}: {error}", limit=300)
        get_run_logger().warning("an artifact could not be stored: %s", message)
        return None


def last_name(place: str) -> str:
    """The last name of a path or URL: what a list of runs has room for."""
    return Path(place).name or place


def _rename(result: Result) -> None:
    """The flow run's name says from now on what became of the output."""
    became = "nothing new" if result.generation is None else f"generation {result.generation}"
    with get_client(sync_client=True) as client:
        client.update_flow_run(
            UUID(flow_run.get_id()), name=visible(f"{last_name(result.out)}: {became}", limit=artifacts.NAME_LENGTH)
        )


def _markdown(key: str, text: str | None, about: str) -> None:
    if text is not None:
        create_markdown_artifact(markdown=text, key=PREFIX + key, description=about)


def asset_key(place: str) -> str:
    """`place` as the key of an asset: its URL, with `-` for what Prefect refuses in a key."""
    refuse_secrets(place)
    return _UNFIT.sub("-", place if "://" in place else f"file://{Path(place).absolute()}")[:512]


def _asset(result: Result, inputs: Sequence[str]) -> None:
    """The output as an asset with this generation's counts, made of the inputs."""
    about = AssetProperties(
        name=visible(last_name(result.out), limit=artifacts.NAME_LENGTH), description="Curated text: Parquet shards"
    )
    asset = Asset(key=asset_key(result.out), properties=about)
    upstream: list[Asset | str] = []
    upstream += list(dict.fromkeys(asset_key(place) for place in inputs))[:MOST_UPSTREAM]

    @materialize(
        asset,
        by="winnow",
        asset_deps=upstream,
        name="output",
        task_run_name=f"output, generation {result.generation}",
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def output() -> None:
        counts = result.metrics.totals.documents()
        add_asset_metadata(asset, {"generation": result.generation, "documents": counts})

    output()
