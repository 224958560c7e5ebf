"""metrics.json: the funnel, reasons, sources, languages, duplicates, quarantine, tokens. Summed from disk.

`SCHEMA_VERSION` rises when a key changes its meaning; `README.md` and the page are rendered from this alone.
"""

from __future__ import annotations

from typing import Any

from filters import FILTERS
from filters.contract import Tier
from pipeline import compute
from pipeline.plan import Plan
from pipeline.recipe import Recipe
from pipeline.tally import EDGES, Tally, totals

SCHEMA_VERSION = 1
_VERDICTS = ("kept", "dropped", "quarantined")


def collect(
    recipe: Recipe, tally: Tally, *, generation: int, live: list[int], plan_name: str, duplicates: dict[str, Any] | None
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
        "signals": _signals(tally, recipe),
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


def _signals(tally: Tally, recipe: Recipe) -> list[dict[str, Any]]:
    lines = []
    for item in recipe.filters:
        thresholds = {k: v for k, v in item.thresholds.model_dump(mode="json").items() if isinstance(v, int | float)}
        for name, counts in tally.histograms.items():
            owner, _, column = name.partition("/")
            if owner == item.filter.name:
                used = [i for i, n in enumerate(counts) if n]
                lo, hi = (used[0], used[-1] + 1) if used else (0, 0)
                lines.append(
                    {
                        "signal": column,
                        "filter": owner,
                        "edges": [float(e) for e in EDGES[lo : hi + 1]],
                        "counts": [int(n) for n in counts[lo:hi]],
                        "nulls": tally.get("nulls", name),
                        "thresholds": thresholds,
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


def _duplicates(tally: Tally, run: dict[str, Any] | None) -> dict[str, Any] | None:
    if run is None:
        return None
    sizes = sorted((int(size), n) for (size,), n in tally.rows("cluster").items())
    return {
        "exact": tally.get("reason", "dropped", "dedup", "exact_duplicate", "documents"),
        "near": tally.get("reason", "dropped", "dedup", "near_duplicate", "documents"),
        **run,
        "cluster_sizes": [[size, n] for size, n in sizes],
        "largest": [{"id": id_, "source_ref": ref, "size": size} for size, id_, ref in tally.largest],
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
        "read": compute.estimate(final_read, plan.compute.bytes_per_token),
        "kept": compute.estimate(final_kept, plan.compute.bytes_per_token),
        "bytes_per_token": plan.compute.bytes_per_token,
        "basis": "bytes of final text divided by an assumed number of bytes a token; name output.tokenizer to count",
    }
