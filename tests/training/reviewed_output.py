"""An output with reviews of our own: prose, and lists of goods, each on a site of its own, judged by somebody who wants lists."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

from pipeline.inspect import output as opened
from pipeline.output import reviews
from pipeline.output.reviews import KEPT, Label
from tests.support import curate, prose, table, write_rows

PLAN = """extends: none@1
filters:
  language: {}
  quality: {model: readers, keep: balanced, min_score: 0}
"""
GOODS = ["kettle", "lamp", "chair", "rug", "shelf", "mirror", "clock", "vase", "bench", "stool", "basket", "ladder", "candle"]


def goods(k: int) -> str:
    """A list of goods with prices, in lines of a few words."""
    chance = random.Random(k)
    lines = [f"{chance.choice(GOODS)} {k}-{n}: {chance.randrange(5, 90)} euros, in stock" for n in range(20)]
    return "\n".join(["Home", "Cart (0)", "Log in", *lines, "Terms of use", "Contact us"])


def make(folder: Path, *, each: int = 130) -> Path:
    """An output of as many texts of either kind."""
    rows = [{"id": f"p{k}", "text": prose(k), "url": f"https://p{k}.example/"} for k in range(each)]
    rows += [{"id": f"g{k}", "text": goods(k), "url": f"https://g{k}.example/"} for k in range(each)]
    path = write_rows(folder / "in" / "a.jsonl", rows)
    (folder / "plan.yaml").write_text(PLAN, "utf-8")
    curate(folder / "plan.yaml", "--input", path, "--output", folder / "out")
    return folder / "out"


def review(out: Path, keeps: Callable[[str], bool | None], **changes: object) -> int:
    """Somebody's reviews of every document, by its id: whether to keep it, None for none. Returns how many."""
    store = opened.open_output_of(str(out)).store
    recipe = json.loads((out / "manifest.json").read_text())["recipe_hash"]
    count = 0
    for folder in ("data", "rejected"):
        for row in table(out, folder).iter_rows(named=True):
            reason = row.get("reason", KEPT)
            keep = keeps(row["id"])
            if keep is not None:
                right = keep == (reason == KEPT)
                values = {"generation": 1, "source_ref": row["source_ref"], "reason": reason, "recipe": recipe}
                label = Label(**{**values, "label": "right" if right else "wrong", "drawn": "random", **changes})  # type: ignore[arg-type]
                reviews.add(store, label)
                count += 1
    return count
