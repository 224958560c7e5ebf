"""What changed since the last generation: counts, shares by reason and by source, drift of the signals.

Drift of a signal is the total variation distance of its two histograms: the share of documents that would have to move to another
bin, 0 to 1. Invariant: computed from the two generations' metrics alone, so it can be remade from their manifests. Where the bins
were others (`schema_version`), no drift is told.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MOST = 20
"""Lines of each list; chosen so that a page shows them at once. Metrics of both generations have all."""


def since(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """`before`, `now`: metrics of two generations. Lists are ordered by the size of the change, largest first."""
    return {
        "since": before["generation"],
        "documents": {"before": before["totals"]["read"], "now": now["totals"]["read"]},
        "kept_share": _change(before["totals"]["kept"], before["totals"]["read"], now["totals"]["kept"], now["totals"]["read"]),
        "reasons": _shares("reason", "first", before["reasons"], now["reasons"], before, now),
        "sources": _sources(before["by_source"], now["by_source"]),
        "languages": _shares("language", "documents", before["by_language"], now["by_language"], before, now),
        "signals": _drift(before["signals"], now["signals"]) if before["schema_version"] == now["schema_version"] else [],
    }


def _change(part: int, whole: int, new_part: int, new_whole: int) -> dict[str, float]:
    then, now = part / whole if whole else 0.0, new_part / new_whole if new_whole else 0.0
    return {"before": then, "now": now, "change": now - then}


def _shares(name: str, count: str, old: Any, new: Any, before: dict[str, Any], now: dict[str, Any]) -> list[dict[str, Any]]:
    """Share of the rows read, by `name`."""
    then, today = ({line[name]: line[count] for line in lines} for lines in (old, new))
    read, read_now = before["totals"]["read"], now["totals"]["read"]
    lines = [{name: n, **_change(then.get(n, 0), read, today.get(n, 0), read_now)} for n in sorted({*then, *today})]
    return sorted((line for line in lines if line["change"]), key=lambda line: -abs(line["change"]))[:MOST]


def _sources(old: Any, new: Any) -> list[dict[str, Any]]:
    """Kept share of each source; `read` and `read_before` are 0 where it gave nothing."""
    then, today = ({line["source"]: line for line in lines} for lines in (old, new))
    lines = []
    for name in sorted({*then, *today}):
        a, b = (found.get(name, {"kept": 0, "read": 0}) for found in (then, today))
        lines.append(
            {"source": name, "read_before": a["read"], "read": b["read"], **_change(a["kept"], a["read"], b["kept"], b["read"])}
        )
    return sorted(lines, key=lambda line: (-abs(line["change"]), -line["read"], line["source"]))[:MOST]


def _drift(old: Any, new: Any) -> list[dict[str, Any]]:
    then = {(line["filter"], line["signal"]): line for line in old}
    lines = []
    for line in new:
        other = then.get((line["filter"], line["signal"]))
        if other is not None and sum(line["counts"]) and sum(other["counts"]):
            distance = _distance(other, line)
            lines.append({"filter": line["filter"], "signal": line["signal"], "drift": distance})
    return sorted(lines, key=lambda line: (-line["drift"], line["filter"], line["signal"]))[:MOST]


def _distance(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Total variation distance of two histograms, whose bins are those of `tally.EDGES`, named by their lower edge."""
    shares = [{edge: n / sum(h["counts"]) for edge, n in zip(h["edges"], h["counts"], strict=False)} for h in (one, other)]
    bins = {*shares[0], *shares[1]}
    return float(np.abs([shares[0].get(b, 0.0) - shares[1].get(b, 0.0) for b in bins]).sum() / 2)
