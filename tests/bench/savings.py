"""`make bench B=savings`: the saving on a mix of real good text and real junk, curated by the default plan and not by the labels.

The mix: labelled good documents (`hq=1`), labelled junk (`hq=0`), exact and near duplicates of some good ones, other languages.
Two targets are good text of groups that are in no arm: the labels have
trained no model of the plan. Two parts, each in a process of its own:
- `ngram` compares default plan, dedup only, raw, and a bad filter that drops two thirds of the good text: at most 20 CPU seconds,
  standard deviation of the default plan's log multiplier between draws at most 0.04, the bad filter's upper bound below 0.8.
- `cpu` trains raw, default plan and raw text of the same mix; at most 6 minutes on 2 cores, interval at most 5 % to both sides.

Needs WINNOW_EVAL_DATA (real text that is not part of the project); `cpu` needs torch. Ends with 1 where a target is missed.

    python -m tests.bench.savings [--tier ngram|cpu|both] [--thorough] [--folder DIR]
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.throughput import DEFAULT_DATA

if TYPE_CHECKING:
    from pipeline.records.savings_json import Comparison, Measured

TARGETS = {"held_out": 0.12, "held_out_too": 0.06}
"""Shares of the good groups."""
DUPLICATED, MOST_COPIES = 300, 80
"""Good documents that get copies, and how many the first gets (then Zipf): copies are a tenth of the bytes."""
LANGUAGE_BYTES = 700_000
OTHERS = ("react_dev_fr", "react_dev_ru", "react_dev_ja", "react_dev_es")
NGRAM_S = 20
MOST_SD = 0.04
BAD = 0.8
CPU_S = 360
PRECISE = 1.05


def rows(path: Path) -> Iterator[dict[str, object]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def near_copy(text: str, rng: random.Random) -> str:
    """The text without one of its sentences, and with a line before it, as pages that quote others have."""
    sentences = text.split(". ")
    if len(sentences) > 12:
        del sentences[rng.randrange(len(sentences))]
    return f"Posted {rng.randrange(1, 29)}.{rng.randrange(1, 13)}.\n" + ". ".join(sentences)


def make_mix(data: Path, folder: Path) -> dict[str, int]:
    """Write `mix.jsonl` and the targets; returns bytes by kind."""
    rng = random.Random(0)
    labelled = list(rows(data / "quality/quality.jsonl.gz"))
    groups = sorted({str(row["group"]) for row in labelled if row["hq"]})
    held: dict[str, str] = {}
    for name, share in TARGETS.items():
        held |= dict.fromkeys(rng.sample([group for group in groups if group not in held], int(share * len(groups))), name)
    good = [str(row["text"]) for row in labelled if row["hq"] and row["group"] not in held]
    of_target = [(held[str(row["group"])], str(row["text"])) for row in labelled if row["hq"] and row["group"] in held]
    targets = {name: [text for of, text in of_target if of == name] for name in TARGETS}
    junk = [str(row["text"]) for row in labelled if not row["hq"]]
    copies = []
    for rank, text in enumerate(rng.sample([text for text in good if len(text) < 20_000], DUPLICATED), start=1):
        for number in range(max(1, MOST_COPIES // rank)):
            copies.append(text if number % 2 else near_copy(text, rng))
    others = []
    for name in OTHERS:
        size = 0
        for row in rows(data / f"throughput/{name}.jsonl.gz"):
            others.append(str(row["text"])[:6000])
            size += len(others[-1].encode())
            if size > LANGUAGE_BYTES:
                break
    kinds = {"good": good, "junk": junk, "copies": copies, "other languages": others}
    mixed = [(kind, text) for kind, texts in kinds.items() for text in texts]
    rng.shuffle(mixed)
    with open(folder / "mix.jsonl", "w", encoding="utf-8") as file:
        for number, (kind, text) in enumerate(mixed):
            file.write(json.dumps({"id": str(number), "kind": kind, "text": text}) + "\n")
    for name, texts in targets.items():
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    return {kind: sum(len(text.encode()) for text in texts) for kind, texts in {**kinds, **targets}.items()}


def run(*arguments: str) -> tuple[str, float, float]:
    """A command's output, wall seconds and CPU seconds of its tree."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", *arguments], check=False, stdout=subprocess.PIPE, text=True, env=os.environ | {"NO_COLOR": "1"}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}")
    return done.stdout, time.monotonic() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def curate(folder: Path, name: str, plan: str, *settings: str) -> Path:
    """An output of the mix; all share one work directory."""
    out = folder / name
    sets = [part for setting in settings for part in ("--set", setting)]
    if not (out / "manifest.json").is_file():
        where = ["--input", str(folder / "mix.jsonl"), "--output", str(out), "--work", str(folder / "work")]
        run("flows.curate", plan, *where, "--inline", *sets)
    total = json.loads((out / "metrics.json").read_text())["totals"]
    size = f"{total['bytes_kept'] / 1e6:.1f} of {total['bytes_read'] / 1e6:.1f} MB"
    print(f"{name:<14}{total['kept']:>8,} of {total['read']:,} documents, {size}")
    return out


def bad_filter(folder: Path) -> Path:
    """The mix without two thirds of its good documents, copies left: what a filter gives that takes them for junk."""
    rng, path = random.Random(1), folder / "bad.jsonl"
    with open(folder / "mix.jsonl", encoding="utf-8") as mix, open(path, "w", encoding="utf-8") as file:
        for line in mix:
            if json.loads(line)["kind"] not in ("good", "copies") or rng.random() > 2 / 3:
                file.write(line)
    return path


def measure(out: Path, folder: Path, *arguments: str) -> tuple[Measured, float, float]:
    """The measurement, wall and CPU seconds."""
    from pipeline.records.savings_json import Savings
    from pipeline.report import table
    from pipeline.report.page.savings import summary

    targets = [part for name in TARGETS for part in ("--target", str(folder / f"{name}.jsonl"))]
    text, wall, cpu = run("flows.savings", str(out), *targets, "--work", str(folder / "work"), "--inline", "--json", *arguments)
    made = Savings.model_validate_json(text)
    table.show(summary(made, out=None), sys.stdout)
    tier = arguments[arguments.index("--tier") + 1]
    return next(one for one in made.measured if one.tier == tier), wall, cpu


def ranked(folder: Path) -> bool:
    default = curate(folder, "default", "default")
    dedup = curate(folder, "dedup", "minimal")
    bad = bad_filter(folder)
    arms = ["--arm", "raw=source", "--arm", f"default={default}", "--arm", f"dedup={dedup}", "--arm", f"bad={bad}"]
    made, wall, cpu = measure(default, folder, "--tier", "ngram", *arms)
    for name in (made.primary, made.control):
        for line in next(held for held in made.sets if held.name == name).comparisons:
            print(f"{name} {line.arm}: {figures(line)}")
    found = {line.arm: line for line in made.sets[0].comparisons}
    values = {"raw": 1.0} | {name: line.multiplier or 0.0 for name, line in found.items()}
    order = sorted(values, key=lambda name: -values[name])
    sd, high = found["default"].sd or 0.0, (found["bad"].interval or (0, math.inf))[1]
    expected = order == ["default", "dedup", "raw", "bad"]
    print(f"ngram: {wall:.0f} s, {cpu:.0f} CPU-s (at most {NGRAM_S}); order as expected: {expected} ({' > '.join(order)})")
    print(f"ngram: sd of the default plan's draws {sd:.3f} (at most {MOST_SD}); bad filter at most {high:.2f} (below {BAD})")
    return expected and cpu <= NGRAM_S and sd <= MOST_SD and high < BAD


def figures(line: Comparison) -> str:
    interval = "no interval" if line.interval is None else f"{line.interval[0]:.2f} to {line.interval[1]:.2f}"
    draws = ", ".join("-" if draw.multiplier is None else f"{draw.multiplier:.2f}" for draw in line.per_draw)
    parts = "" if line.sd is None else f", sd {line.sd:.3f}, target {line.target_error:.3f}"
    worth = "" if line.worth is None else f", w {line.worth:.2f}"
    return f"{line.multiplier or math.nan:.3f} ({interval}{parts}{worth}; {draws})"


def trained(folder: Path, *, thorough: bool) -> bool:
    default = curate(folder, "default", "default")
    made, wall, cpu = measure(default, folder, "--tier", "cpu", *(["--thorough"] if thorough else []))
    for held in made.sets:
        for line in held.comparisons:
            print(f"{held.name} {line.arm}: {figures(line)}")
    line = made.comparison(made.primary)
    low, high = (line.interval if line is not None else None) or (1, math.inf)
    half = math.sqrt(high / low)
    print(f"cpu: {wall:.0f} s, {cpu:.0f} CPU-s (at most {2 * CPU_S}: {CPU_S} s on 2 cores of their own, without --thorough)")
    print(f"cpu: interval {half - 1:.1%} to both sides (at most {PRECISE - 1:.0%}); {made.draws} draws")
    return half <= PRECISE and (thorough or cpu <= 2 * CPU_S)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    asked.add_argument("--tier", choices=("ngram", "cpu", "both"), default="both")
    asked.add_argument("--thorough", action="store_true")
    asked.add_argument("--folder", type=Path, help="keep the mix, the outputs and the runs here")
    given = asked.parse_args()
    data = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA))
    if not data.is_dir():
        print("WINNOW_EVAL_DATA is unset: this measurement needs the evaluation data")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sizes = make_mix(data, folder)
        print("mix: " + ", ".join(f"{kind} {size / 1e6:.1f} MB" for kind, size in sizes.items()))
        met = ranked(folder) if given.tier != "cpu" else True
        return 0 if (trained(folder, thorough=given.thorough) if given.tier != "ngram" else True) and met else 1


if __name__ == "__main__":
    raise SystemExit(main())
