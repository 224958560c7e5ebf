"""A realistic metrics.json, and one whose every string from outside is hostile."""

import copy

from pipeline.plan.compute import Compute
from pipeline.report.compute import ledger

RULES = [
    ("gopher_quality.too_few_words", 182_340, 21_400_000, 201_233, 150_112),
    ("gopher_quality.too_many_words", 12, 41_000_000, 12, 9),
    ("gopher_quality.too_few_stop_words", 44_102, 88_300_000, 71_020, 21_004),
    ("gopher_quality.too_few_words_with_letters", 8_120, 14_200_000, 32_401, 1_204),
    ("gopher_quality.too_many_symbols", 3_001, 9_900_000, 9_341, 711),
    ("gopher_quality.too_many_bullet_lines", 10_230, 33_000_000, 15_330, 8_010),
    ("gopher_quality.too_many_ellipsis_lines", 6_511, 19_100_000, 9_922, 3_104),
    ("gopher_repetition.too_many_duplicate_lines", 28_410, 132_000_000, 41_000, 6_010),
    ("gopher_repetition.too_many_characters_in_duplicate_lines", 1_120, 12_000_000, 30_210, 14),
    ("gopher_repetition.too_much_of_the_top_2_gram", 9_871, 41_000_000, 14_000, 4_220),
    ("gopher_repetition.too_much_in_duplicate_5_grams", 31_004, 120_400_000, 48_220, 12_400),
    ("gopher_repetition.too_much_in_duplicate_10_grams", 402, 2_100_000, 29_400, 3),
]
DEDUP = [("exact_duplicate", 71_225, 240_100_000), ("near_duplicate", 101_988, 402_500_000)]
QUARANTINE = [("invalid_json", 120, 48_000), ("invalid_utf8", 31, 22_100), ("row_too_large", 2, 131_000_000)]
READ, BYTES_READ = 1_234_567, 4_210_000_000


def _totals(read: int, bytes_read: int) -> dict:
    dropped = 14 + sum(r[1] for r in RULES) + sum(r[1] for r in DEDUP)
    bytes_dropped = sum(r[2] for r in RULES) + sum(r[2] for r in DEDUP)
    quarantined, bytes_quarantined = sum(q[1] for q in QUARANTINE), sum(q[2] for q in QUARANTINE)
    return {
        "read": read,
        "kept": read - dropped - quarantined,
        "dropped": dropped,
        "quarantined": quarantined,
        "bytes_read": bytes_read,
        "bytes_kept": bytes_read - bytes_dropped - bytes_quarantined,
        "bytes_dropped": bytes_dropped,
        "bytes_quarantined": bytes_quarantined,
    }


def _line(stage: str, label: str, documents: int, size: int) -> dict:
    return {"stage": stage, "label": label, "documents": documents, "bytes": size}


def metrics() -> dict:
    """A run over two sources, one check failed."""
    total = _totals(READ, BYTES_READ)
    final = total["bytes_kept"] - 11_300_000
    made = {
        "schema_version": 2,
        "generation": 2,
        "live": [1, 2],
        "plan_name": "default@1",
        "recipe_hash": "5f1c0f6e0a9be2a7c3d4417d2f1a0b39",
        "totals": total,
        "all_generations": {name: 2 * n for name, n in total.items()},
        "final_bytes": {"read": 4_001_000_000, "kept": final},
        "funnel": [
            _line("read", "rows read", total["read"], total["bytes_read"]),
            _line("read", "quarantined", -total["quarantined"], -total["bytes_quarantined"]),
            _line("normalise", "empty", -14, 0),
            *(_line("filter", name, -n, -size) for name, n, size, _, _ in RULES),
            *(_line("dedup", name, -n, -size) for name, n, size in DEDUP),
            _line("kept", "kept", total["kept"], total["bytes_kept"]),
            _line("edit", "changed by normalise and edits", 0, final - total["bytes_kept"]),
            _line("kept", "kept, final text", total["kept"], final),
        ],
        "reasons": [
            {"reason": "empty", "stage": "normalise", "first": 14, "first_bytes": 0, "any": 14, "only": 14},
            *(
                {"reason": name, "stage": "filter", "first": n, "first_bytes": size, "any": any_, "only": only}
                for name, n, size, any_, only in RULES
            ),
            *(
                {"reason": name, "stage": "dedup", "first": n, "first_bytes": size, "any": n, "only": n}
                for name, n, size in DEDUP
            ),
        ],
        "by_source": [
            _source("crawl", 1_100_000, 640_000, 459_900, 100),
            _source("wiki", 134_514, 96_000, 38_461, 53),
            _source("menus", 53, 0, 53, 0),
        ],
        "by_language": [
            {"language": code, "documents": n, "kept": kept, "bytes_read": 3_000 * n, "bytes_kept": 3_200 * kept}
            for code, n, kept in [("en", 801_000, 520_100), ("de", 140_000, 88_010), ("ja", 92_000, 61_000), ("und", 1_414, 12)]
        ],
        "edits": [{"edit": "pii.email", "documents": 41_223}, {"edit": "pii.ip", "documents": 1_201}],
        "overlap": {
            "reasons": [name for name, *_ in RULES],
            "counts": [
                [any_ if i == j else (i * j * 97) % 5_000 for j in range(len(RULES))] for i, (*_, any_, _) in enumerate(RULES)
            ],
        },
        "crossed": {
            "reasons": ["gopher_quality.too_few_words", "near_duplicate"],
            "cells": [
                {"language": "en", "source": "crawl", "reason": None, "documents": 500_100},
                {"language": "en", "source": "crawl", "reason": "gopher_quality.too_few_words", "documents": 152_003},
                {"language": "de", "source": "wiki", "reason": "near_duplicate", "documents": 31_988},
                {"language": "other", "source": "other", "reason": "other", "documents": 12},
            ],
        },
        "signals": [
            _signal("gopher_words"),
            _signal("gopher_mean_word_length"),
            {**_signal("none_scored"), "counts": [], "edges": []},
        ],
        "duplicates": {
            "exact": 71_225,
            "near": 101_988,
            "threshold": 0.8,
            "bands": 18,
            "rows": 7,
            "ngram": 5,
            "bucket_cap": 64,
            "verified_pairs": 2_412_330,
            "refused_pairs": 801_224,
            "documents_in_full_buckets": 3_120,
            "measured": [[0.7, 20, 15, 0.785], [0.8, 20, 20, 0.985], [0.9, 20, 20, 1.0]],
            "detection": [[s, 1 - (1 - s**7) ** 18] for s in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)],
            "cluster_sizes": [[1, 640_121], [2, 61_000], [3, 20_114], [4, 6_003], [5, 2_110], [18, 12], [60_000, 1]],
            "largest": [
                {"id": "4c1b0f2e9d774f0f8e2b", "source_ref": "crawl/2024-10/part-0001.jsonl.gz#812", "size": 60_000},
                {"id": "https://example.org/impressum", "source_ref": "crawl/2024-10/part-0007.jsonl.gz#12", "size": 18},
            ],
        },
        "models": [
            {"filter": "quality", "scored": 402_113, "not_covered": [["fr", 91_002], ["de", 88_710], ["und", 12]]},
            {"filter": "toxicity", "scored": 402_113, "not_covered": [["fr", 91_002], ["de", 88_710], ["und", 12]]},
        ],
        "selection": {
            "score": "quality_score",
            "selected": 301_224,
            "not_selected": 190_117,
            "unscored": 179_724,
            "tokens": 410_000_000,
            "budget": 400_000_000,
            "tokens_of_all_generations": 821_000_000,
            "over_budget": 421_000_000,
            "groups": [
                {"group": '["en"]', "kind": "at", "score": 0.4321, "scored": 402_113, "kept": 301_224},
                {"group": "[null]", "kind": "all", "score": None, "scored": 12, "kept": 12},
            ],
        },
        "changes": {
            "since": 1,
            "documents": {"before": 1_000_000, "now": READ},
            "kept_share": {"before": 0.61, "now": 0.596, "change": -0.014},
            "reasons": [{"reason": "near_duplicate", "before": 0.05, "now": 0.083, "change": 0.033}],
            "sources": [{"source": "menus", "read_before": 10, "read": 90, "before": 0.5, "now": 0.0, "change": -0.5}],
            "languages": [],
            "signals": [{"filter": "gopher_quality", "signal": "gopher_words", "drift": 0.12}],
        },
        "quarantine": [{"cause": cause, "rows": n, "bytes": size} for cause, n, size in QUARANTINE],
        "tokens": {
            "kind": "estimated",
            "read": ledger.estimate(4_001_000_000, 4.0),
            "kept": ledger.estimate(final, 4.0),
            "bytes_per_token": 4.0,
            "basis": "bytes of final text divided by an assumed number of bytes a token; name output.tokenizer to count",
        },
        "cost": {
            "wall_s": 71.4,
            "cpu_s": 131.8,
            "lost_cpu_s": 12.0,
            "exact": False,
            "workers": 2,
            "stages": [
                {"stage": stage, "cpu_s": s}
                for stage, s in [
                    ("read", 31.2),
                    ("normalise", 9.7),
                    ("signals", 48.4),
                    ("dedup", 30.1),
                    ("write", 12.0),
                    ("report", 0.04),
                ]
            ],
            "peak_memory_bytes": 812_000_000,
            "work_bytes": 2_310_000_000,
            "output_bytes": 1_450_000_000,
            "mb_per_cpu_s": 31.9,
        },
        "checks": [
            {"check": "max_drop_share", "limit": 0.95, "value": 0.403, "failed": False, "detail": "of the rows read"},
            {"check": "max_source_loss", "limit": 0.99, "value": 1.0, "failed": True, "detail": "of source menus"},
            {"check": "max_change", "limit": 0.3, "value": 0.012, "failed": False, "detail": "change of the kept share"},
        ],
        "notes": ["no longer there (its rows stay in the output): crawl/2024-09/part-0001.jsonl.gz"],
        "versions": {"python": "3.11.9", "winnow-curation": "0.1.0", "pyarrow": "26.0.0", "polars": "2.1.0", "numba": "0.68.0"},
        "architecture": "x86_64",
        "files": [
            {"path": f"data/train-0000{i}-of-00003-g0002.parquet", "rows": 211_000, "bytes": 91_000_000, "sha256": f"{i}ab9" * 16}
            for i in range(3)
        ],
    }
    made["compute"] = ledger.ledger(
        Compute(),
        tokens_read=made["tokens"]["read"],
        tokens_kept=made["tokens"]["kept"],
        tokens_kind="estimated",
        curation_cpu_s=131.8,
        lost_cpu_s=12.0,
        languages=[(line["language"], line["bytes_kept"]) for line in made["by_language"] if line["language"]],
    )
    return made


def _source(name: str, read: int, kept: int, dropped: int, quarantined: int) -> dict:
    counts = {"source": name, "read": read, "kept": kept, "dropped": dropped, "quarantined": quarantined}
    return {**counts, "bytes_read": 3_400 * read, "bytes_kept": 3_500 * kept}


def _signal(name: str) -> dict:
    return {
        "signal": name,
        "filter": "gopher_quality",
        "whole": name == "gopher_words",
        "edges": [0.0, 16.0, 64.0, 256.0, 1024.0],
        "counts": [120_000, 80_000, 600_000, 420_000],
        "nulls": 14,
        "thresholds": {"min_words": 50, "max_words": 100_000, "min_mean_word_length": 3.0},
        "limits": [
            {"reason": "gopher_quality.too_few_words", "value": 50.0, "by_row": False, "least": True, "failed": 201_233},
            {"reason": "gopher_quality.too_many_words", "value": 100_000.0, "by_row": True, "least": False, "failed": 12},
        ],
    }


def samples() -> dict:
    """What samples/ holds of that run."""
    near = {"signal": "gopher_words", "limit": 50.0, "other": None, "failed": []}
    line = {"id": "d1", "source_ref": "crawl/part-0001.jsonl.gz#812", "text": "Buy now.\n\nBuy  cheap.\t" * 9, "survivor": None}
    return {
        "schema_version": 1,
        "generation": 2,
        "largest": [{**line, **near, "source_ref": "crawl/2024-10/part-0001.jsonl.gz#812", "value": 60_000.0}],
        "dropped": {
            "gopher_quality.too_few_words": [{**line, **near, "value": 37.0, "failed": ["a", "b"]}],
            "near_duplicate": [
                {
                    **line,
                    "signal": None,
                    "value": 0.8125,
                    "limit": None,
                    "other": "crawl/part-0000.jsonl.gz#3",
                    "failed": [],
                    "survivor": "Buy later.",
                }
            ],
            "empty": [{**line, "signal": None, "value": None, "limit": None, "other": None, "failed": [], "text": None}],
        },
        "near": {"gopher_quality.too_few_words": [{**line, **near, "value": 50.0}]},
        "quarantine": {
            "invalid_json": [{**line, "signal": None, "value": None, "limit": None, "other": "line ends early", "failed": []}]
        },
    }


def hostile_samples() -> dict:
    """The same, with EVIL for every string that the input chooses."""
    made = samples()
    kinds = [made["largest"], *(found for kind in ("dropped", "near", "quarantine") for found in made[kind].values())]
    for found in kinds:
        for line in found:
            line |= {
                "id": EVIL,
                "source_ref": EVIL,
                "other": EVIL,
                "text": EVIL,
                "survivor": EVIL,
                "signal": EVIL,
                "failed": [EVIL, EVIL],
            }
    made["dropped"] = dict.fromkeys([EVIL, *made["dropped"]], made["dropped"]["near_duplicate"])
    made["quarantine"][EVIL] = made["quarantine"]["invalid_json"]
    return made


def empty() -> dict:
    """A run over nothing, with dedup and every filter off."""
    made = metrics()
    zero = dict.fromkeys(made["totals"], 0)
    lists = (
        "funnel",
        "reasons",
        "by_source",
        "by_language",
        "edits",
        "signals",
        "models",
        "quarantine",
        "checks",
        "notes",
        "files",
    )
    made |= {name: [] for name in (*lists, "files")} | {
        "totals": zero,
        "all_generations": zero,
        "duplicates": None,
        "selection": None,
        "changes": None,
        "live": [1],
        "generation": 1,
    }
    made["overlap"] = {"reasons": [], "counts": []}
    made["crossed"] = {"reasons": [], "cells": []}
    made["funnel"] = [_line("read", "rows read", 0, 0), _line("kept", "kept", 0, 0)]
    made["final_bytes"] = {"read": 0, "kept": 0}
    made["tokens"] = {"kind": "counted", "read": 0, "kept": 0, "bytes_per_token": None, "basis": "counted"}
    made["compute"] = ledger.ledger(Compute(), tokens_read=0, tokens_kept=0, tokens_kind="counted", curation_cpu_s=0.0)
    made["cost"] |= {
        "wall_s": 0.0,
        "cpu_s": 0.0,
        "stages": [],
        "peak_memory_bytes": 0,
        "work_bytes": 0,
        "mb_per_cpu_s": 0.0,
    }
    return made


EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(1)> \x1b[31m\x07\u202egpj.exe\u2066\u200b\x00\ud800 `|[a](http://e.example)"
"""Markup, an escape sequence, bidi overrides, a zero-width space, NUL, a lone surrogate, Markdown."""


def hostile() -> dict:
    """Every string that an input, a plan or a file name can choose is EVIL."""
    made = copy.deepcopy(metrics())
    places = [
        (made["funnel"], "label"),
        (made["reasons"], "reason"),
        (made["by_source"], "source"),
        (made["by_language"], "language"),
        (made["edits"], "edit"),
        (made["signals"], "signal"),
        (made["signals"], "filter"),
        (made["quarantine"], "cause"),
        (made["models"], "filter"),
        (made["changes"]["reasons"], "reason"),
        (made["changes"]["sources"], "source"),
        (made["changes"]["signals"], "signal"),
        (made["selection"]["groups"], "group"),
        (made["duplicates"]["largest"], "id"),
        (made["duplicates"]["largest"], "source_ref"),
        (made["checks"], "detail"),
        (made["cost"]["stages"], "stage"),
        (made["files"], "path"),
    ]
    for rows, key in places:
        for row in rows:
            row[key] = EVIL
    for signal in made["signals"]:
        signal["limits"] = [{**limit, "reason": EVIL} for limit in signal["limits"]]
    made["overlap"]["reasons"] = [EVIL] * len(RULES)
    made["crossed"]["reasons"] = [EVIL, EVIL]
    made["crossed"]["cells"] = [{**c, "language": EVIL, "source": EVIL, "reason": EVIL} for c in made["crossed"]["cells"]]
    for model in made["models"]:
        model["not_covered"] = [[EVIL, 12]] * 70
    made["selection"]["score"] = EVIL
    made |= {"plan_name": EVIL, "notes": [EVIL], "versions": {EVIL: EVIL}, "architecture": EVIL, "recipe_hash": EVIL}
    return made


def full() -> dict:
    """Metrics of ten million documents with every list as long as it can get, or far longer than the page shows."""
    made = copy.deepcopy(metrics())
    scale = 10_000_000 / READ
    for name, n in made["totals"].items():
        made["totals"][name] = int(n * scale)
    rules = [f"plugin_{i:02}.a_rule_with_quite_a_long_name_{i:02}" for i in range(90)]
    made["reasons"] = [dict(made["reasons"][1], reason=name, first=i * 999, any=i * 1_999 + 1) for i, name in enumerate(rules)]
    made["overlap"] = {"reasons": rules, "counts": [[1 + i * j * 97 for j in range(90)] for i in range(90)]}
    places = [*(f"language-{i}" for i in range(10)), "other"], [*(f"https://source-{i}.example.org" for i in range(10)), "other"]
    made["crossed"] = {
        "reasons": rules[:12],
        "cells": [
            {"language": a, "source": b, "reason": c, "documents": 9_999}
            for a in places[0]
            for b in places[1]
            for c in (None, *rules[:12], "other")
        ],
    }
    edges = [i / 40 for i in range(41)]
    shares = {"edges": edges, "counts": [(i * 7919) % 99_991 for i in range(40)], "whole": False}
    made["signals"] = [{**_signal(f"signal_{i}"), **shares, "filter": f"plugin_{i // 6}"} for i in range(90)]
    made["by_source"] = [dict(made["by_source"][0], source=f"https://source-{i}.example.org/") for i in range(5_000)]
    made["by_language"] = [dict(made["by_language"][0], language=f"l{i}") for i in range(180)]
    made["duplicates"]["cluster_sizes"] = [[size, 5_000 - size] for size in range(1, 4_472)]
    largest = {"source_ref": "crawl/2024-10/part-0001.jsonl.gz#812", "size": 60_000}
    made["duplicates"]["largest"] = [{"id": "4c1b0f2e9d774f0f8e2b" * 5, **largest}] * 10
    made["checks"] = [dict(made["checks"][1], detail=f"of source-{i}") for i in range(5_000)]
    made["files"] = made["files"] * 200
    return made


def full_samples() -> dict:
    """Three dropped and three kept documents of each of its reasons, all as long as they can get."""
    made = samples()
    text = ("The quick brown fox jumps over the lazy dog. " * 9)[:300]
    line = {**made["dropped"]["gopher_quality.too_few_words"][0], "text": text, "source_ref": "crawl/" * 49, "failed": ["a"] * 90}
    reasons = [reason["reason"] for reason in full()["reasons"]]
    return {**made, "dropped": {name: [line] * 3 for name in reasons}, "near": {name: [line] * 3 for name in reasons}}
