"""The layouts of conversations that an output has columns for: one dataset has one set of columns, in all its generations."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import RecipeDiffers
from pipeline.output.manifest import Manifest
from pipeline.records.inputs import SourceSettings
from pipeline.store.store import Store
from pipeline.text.conversations import TEXT


def of_run(out: Store, live: Sequence[Manifest], sources: dict[str, SourceSettings]) -> tuple[str, ...]:
    """Layouts of conversations whose columns shards of the output have: those of its sources, or of a first run's.

    Raises RecipeDiffers for a layout that shards of earlier generations have no columns for: one dataset has one set of columns.
    """
    now = {settings.format for settings in sources.values()} - {TEXT}
    if not live:
        return tuple(sorted(now))
    held = of_output(live)
    if more := sorted(now.difference(held)):
        has = f"conversations of the format {', '.join(held)}" if held else "texts"
        raise RecipeDiffers(
            f"{out.root} holds {has}, and its shards have no columns for {', '.join(more)}; give these conversations an --output"
            " of their own, or make this one anew with --replace"
        )
    return held


def of_output(live: Sequence[Manifest]) -> tuple[str, ...]:
    """Layouts of conversations whose columns shards of these generations have."""
    return tuple(sorted({settings.format for settings in live[-1].sources.values()} - {TEXT})) if live else ()
