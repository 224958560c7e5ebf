"""Attempts are counted, so that who looks often is seen to."""

from __future__ import annotations

from pathlib import Path

from pipeline.savings import history
from pipeline.store.store import open_store


def about(tier: str, targets: str) -> history.About:
    return history.About(
        targets=targets,
        identity=f"{tier} {targets}",
        tier=tier,
        primary=None,
        draws=3,
        arms=("raw", "curated"),
        sets={},
        recipe=None,
    )


def test_a_tier_after_another_is_no_second_look_and_another_target_in_one_tier_is(tmp_path: Path):
    """Before, the README's own order (ngram, then cpu) was attempt 2, and a new target file began at 1 again."""
    out = open_store(str(tmp_path))
    asked = (("ngram", "web"), ("cpu", "web"), ("cpu", "books"), ("gpu", "web"), ("cpu", "web"), ("ngram", "books"))
    assert [history.started(out, about(tier, targets)) for tier, targets in asked] == [1, 1, 2, 1, 1, 2]
    assert len(history.lines(out)) == 5
