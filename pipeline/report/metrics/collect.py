"""metrics.json: the funnel, reasons, sources, languages, signals, duplicates, quarantine, tokens. Summed from disk.

`SCHEMA_VERSION` rises when a key changes its meaning; `README.md` and the page are rendered from this and from samples/. No key
holds texts of documents. What grows with the corpus: a line for each source, and one for each size of a cluster (at most the
square root of twice the documents). All else is bounded by the plan: `overlap` by its rules squared, `crossed` by MOST_NAMED,
`signals` by the bins of `tally.EDGES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from filters import FILTERS
from filters.contract import Tier
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.report.compute import ledger
from pipeline.report.metrics import limits
from pipeline.report.metrics.limits import Turn
from pipeline.report.metrics.tally import EDGES, NO_LANGUAGE, OTHER, Tally, totals

SCHEMA_VERSION = 2
"""2: bins of signals by type, in place of the same ones for all."""
MOST_NAMED = {"language": 10, "source": 10, "reason": 12}
"""Of each, those of the most documents; the rest are summed as `other`. Chosen so that the table has under 2,000 cells."""
_VERDICTS = ("kept", "dropped", "quarantined")


def collect(
    recipe: Recipe,
    tally: Tally,
    *,
    generation: int,
    live: list[int],
    plan_name: str,
    duplicates: dict[str, Any] | None,
) -> dict[str, Any]:
    """The part of metrics.json that follows from the rows. Costs, checks and files are added by the publisher."""
    total = totals(tally)
    final_kept = tally.get("verdict", "kept", "final")
    final_read = final_kept + tally.get("verdict", "dropped", "final")
    return {
        "schema_version": SCHEMA_VERSION,
        "generation": generation,
        "live": live,
        "plan_name": plan_name,
        "recipe_hash": recipe.hash,
        "totals": total,
        "final_bytes": {"read": final_read, "kept": final_kept},
        "funnel": _funnel(tally, total, final_kept),
        "reasons": _reasons(tally),
        "by_source": _by_source(tally),
        "by_language": _by_language(tally),
        "edits": [{"edit": name, "documents": n} for (name,), n in sorted(tally.rows("edit").items())],
        "overlap": _overlap(tally),
        "crossed": _crossed(tally),
        "signals": _signals(tally, recipe, limits.of(recipe)),
        "models": _models(tally, recipe),
        "duplicates": _duplicates(tally, duplicates),
        "quarantine": [
            {"cause": reason, "rows": n, "bytes": tally.get("reason", "quarantined", stage, reason, "bytes")}
            for (verdict, stage, reason, what), n in sorted(tally.rows("reason").items())
            if verdict == "quarantined" and what == "documents"
        ],
        "tokens": _tokens(tally, recipe.plan, final_read, final_kept),
    }


def _dropped(tally: Tally) -> list[tuple[str, str, int, int]]:
    """`(stage, reason, documents, bytes)` of dropped rows, in the order in which reasons are listed."""
    order = ["normalise", "filter", "model", "dedup", "select", "takedown"]
    names = [f.name for f in FILTERS]
    found = [
        (stage, reason, n, tally.get("reason", "dropped", stage, reason, "bytes"))
        for (verdict, stage, reason, what), n in tally.rows("reason").items()
        if verdict == "dropped" and what == "documents"
    ]
    return sorted(found, key=lambda r: (order.index(r[0]), _filter_rank(names, r[1]), r[1]))


def _filter_rank(names: list[str], reason: str) -> int:
    name = reason.partition(".")[0]
    return names.index(name) if name in names else len(names)


def _funnel(tally: Tally, total: dict[str, int], final_kept: int) -> list[dict[str, Any]]:
    lines = [_line("read", "rows read", total["read"], total["bytes_read"])]
    lines.append(_line("read", "quarantined", -total["quarantined"], -total["bytes_quarantined"]))
    for stage, reason, n, size in _dropped(tally):
        lines.append(_line(stage, reason, -n, -size))
    lines.append(_line("kept", "kept", total["kept"], total["bytes_kept"]))
    lines.append(_line("edit", "changed by normalise and edits", 0, final_kept - total["bytes_kept"]))
    lines.append(_line("kept", "kept, final text", total["kept"], final_kept))
    return lines


def _line(stage: str, label: str, documents: int, size: int) -> dict[str, Any]:
    return {"stage": stage, "label": label, "documents": documents, "bytes": size}


def _reasons(tally: Tally) -> list[dict[str, Any]]:
    first = {reason: (stage, n, size) for stage, reason, n, size in _dropped(tally)}
    names = [*first, *sorted(name for (name,) in tally.rows("any") if name not in first)]
    lines = []
    for name in names:
        stage, n, size = first.get(name, ("filter", 0, 0))
        by_rule = stage in ("filter", "model")
        lines.append(
            {
                "reason": name,
                "stage": stage,
                "first": n,
                "first_bytes": size,
                "any": tally.get("any", name) if by_rule else n,
                "only": tally.get("only", name) if by_rule else n,
            }
        )
    return lines


def _overlap(tally: Tally) -> dict[str, Any]:
    """`counts[i][j]`: documents that failed both rule i and rule j (on the diagonal: rule i at all)."""
    found = [name for (name,) in tally.rows("any")]
    order = {line["reason"]: number for number, line in enumerate(_reasons(tally))}
    names = sorted(found, key=lambda name: order[name])
    both = {frozenset(pair): n for pair, n in tally.rows("pair").items()}
    counts = [[tally.get("any", a) if a == b else both.get(frozenset((a, b)), 0) for b in names] for a in names]
    return {"reasons": names, "counts": counts}


def _crossed(tally: Tally) -> dict[str, Any]:
    """Documents by language, source and reason ("" = kept): the largest of each, the rest as `other`."""
    sums: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for name, n in tally.cross.items():
        for counter, part in zip(sums, name, strict=True):
            counter[part] += n
    sums[2].pop("", None)
    kept = [
        [part for part, _ in sorted(counter.items(), key=lambda item: (item[0] == OTHER, -item[1], item[0]))[:most]]
        for counter, most in zip(sums, MOST_NAMED.values(), strict=True)
    ]
    cells: Counter[tuple[str, ...]] = Counter()
    for name, n in tally.cross.items():
        cells[tuple(part if part in own or not part else OTHER for part, own in zip(name, kept, strict=True))] += n
    lines = sorted(cells.items(), key=lambda cell: (-cell[1], cell[0]))
    return {
        "reasons": kept[2],
        "cells": [{"language": a, "source": b, "reason": c or None, "documents": n} for (a, b, c), n in lines],
    }


def _by_source(tally: Tally) -> list[dict[str, Any]]:
    lines = []
    for source in sorted({name[0] for name in tally.rows("source")}):
        n = {v: tally.get("source", source, v, "documents") for v in _VERDICTS}
        size = {v: tally.get("source", source, v, "bytes") for v in _VERDICTS}
        lines.append(
            {"source": source, "read": sum(n.values()), **n, "bytes_read": sum(size.values()), "bytes_kept": size["kept"]}
        )
    return lines


def _by_language(tally: Tally) -> list[dict[str, Any]]:
    lines = []
    for language in {name[0] for name in tally.rows("language")}:
        n = {v: tally.get("language", language, v, "documents") for v in _VERDICTS}
        size = {v: tally.get("language", language, v, "bytes") for v in _VERDICTS}
        lines.append(
            {
                "language": language,
                "documents": sum(n.values()),
                "kept": n["kept"],
                "bytes_read": sum(size.values()),
                "bytes_kept": size["kept"],
            }
        )
    return sorted(lines, key=lambda line: (-line["documents"], line["language"]))


def _signals(tally: Tally, recipe: Recipe, turned: Sequence[Turn]) -> list[dict[str, Any]]:
    lines = []
    for item in recipe.filters:
        thresholds = {k: v for k, v in item.thresholds.model_dump(mode="json").items() if isinstance(v, int | float)}
        types = {field.name: field.type for field in item.filter.signals}
        for name, counts in tally.histograms.items():
            owner, _, column = name.partition("/")
            if owner == item.filter.name:
                whole = pa.types.is_integer(types[column])
                used = [i for i, n in enumerate(counts) if n]
                lo, hi = (used[0], used[-1] + 1) if used else (0, -1)
                lines.append(
                    {
                        "signal": column,
                        "filter": owner,
                        "whole": whole,
                        "edges": [float(e) for e in EDGES[whole][lo : hi + 1]],
                        "counts": [int(n) for n in counts[lo:hi]] if used else [],
                        "nulls": tally.get("nulls", name),
                        "thresholds": thresholds,
                        "limits": [
                            {
                                "reason": turn.reason,
                                "value": turn.value,
                                "by_row": turn.by_row,
                                "least": turn.least,
                                "failed": tally.get("any", turn.reason),
                            }
                            for turn in turned
                            if (turn.filter, turn.signal) == (owner, column)
                        ],
                    }
                )
    return lines


def _models(tally: Tally, recipe: Recipe) -> list[dict[str, Any]]:
    """What each filter of the model tier scored, and how many rows it was asked for in languages that it does not cover."""
    lines = []
    for item in recipe.filters:
        if item.filter.tier is Tier.MODEL:
            left = {name[2]: n for name, n in tally.rows("model").items() if name[:2] == (item.filter.name, "not covered")}
            ordered = sorted(left.items(), key=lambda pair: (-pair[1], pair[0]))
            scored = tally.get("model", item.filter.name, "scored")
            lines.append({"filter": item.filter.name, "scored": scored, "not_covered": [[code, n] for code, n in ordered]})
    return lines


def unscored_notes(models: list[dict[str, Any]]) -> list[str]:
    """What to do where a model scored nothing because the plan has no language filter."""
    return [
        f"filters.{model['filter']} scored nothing: it covers some languages, and filters.language is off; switch that on"
        f" (filters.language: {{}}), or set filters.{model['filter']}.languages: all"
        for model in models
        if not model["scored"] and [code for code, _ in model["not_covered"]] == [NO_LANGUAGE]
    ]


def _duplicates(tally: Tally, run: dict[str, Any] | None) -> dict[str, Any] | None:
    if run is None:
        return None
    sizes = sorted((int(size), n) for (size,), n in tally.rows("cluster").items())
    return {
        "exact": tally.get("reason", "dropped", "dedup", "exact_duplicate", "documents"),
        "near": tally.get("reason", "dropped", "dedup", "near_duplicate", "documents"),
        **run,
        "cluster_sizes": [[size, n] for size, n in sizes],
        "largest": [
            {"id": e.id, "source_ref": e.source_ref, "size": int(e.value or 0)} for e in tally.examples.of("largest").get("", [])
        ],
    }


def _tokens(tally: Tally, plan: Plan, final_read: int, final_kept: int) -> dict[str, Any]:
    if plan.output.tokenizer is not None:
        kept = tally.get("verdict", "kept", "tokens")
        read = kept + tally.get("verdict", "dropped", "tokens")
        basis = "counted with the plan's tokenizer"
        return {
            "kind": "counted",
            "read": read,
            "kept": kept,
            "bytes_per_token": final_read / read if read else None,
            "basis": basis,
        }
    return {
        "kind": "estimated",
        "read": ledger.estimate(final_read, plan.compute.bytes_per_token),
        "kept": ledger.estimate(final_kept, plan.compute.bytes_per_token),
        "bytes_per_token": plan.compute.bytes_per_token,
        "basis": "bytes of final text divided by an assumed number of bytes a token; name output.tokenizer to count",
    }
