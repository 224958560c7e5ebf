"""`python -m tests.bench.results`: the compute that curation saves on raw web text, as a table and a picture in docs/results/.

Raw text: the pages of WINNOW_EVAL_DATA/web (forums, news, recipes, courts, crawls in many languages; with the duplicates and the
junk that they have), and `junk_and_good` for JUNK_SHARE of all bytes. Target: pages of sites that are in no arm (half of
HELD_SHARE of the sites, by a hash of the host), a second target of the other half. Both are raw pages too, junk included, which
favours the raw text. Each plan curates the raw text and is measured against it by the commands that a user types. What is done is
not done again: the same command resumes; `--write` makes table and picture of what is there, whatever it says.

    python -m tests.bench.results [--folder DIR] [--quick] [--plan NAME ...] [--target FILE] [--minutes M] [--write]

`--quick`: a tenth of the text, and counts of n-grams in place of trained models; without it torch is needed, and some seven
minutes a plan on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import zstandard

from pipeline.records.metrics_json import Metrics
from pipeline.records.savings_json import SCHEMA, Measured, Savings
from pipeline.report import sentences
from pipeline.report.page import curves
from pipeline.report.page.svg import README, Sheets, standalone
from pipeline.text import markdown, numbers
from tests.bench.throughput import DEFAULT_DATA

PLANS = ("default@2", "default@1", "fineweb@1", "gopher@1", "c4@1", "dclm@1", "dolma@1", "minimal@1")
JUNK_SHARE, HELD_SHARE, QUICK_SHARE = 0.15, 0.12, 0.1
LEAST_CHARACTERS = 200
"""Of a target's page: shorter ones tell next to nothing."""
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
TARGETS = ("held_out_sites", "other_held_out_sites")


@dataclass(frozen=True)
class Row:
    """A plan's output, and what was measured of it; None: not yet."""

    plan: str
    metrics: Metrics
    measured: Measured | None


def pages(folder: Path) -> Iterator[tuple[str, str]]:
    """Site (a page without address is a site of its own) and text of every page of a folder, file by file."""
    for path in sorted(folder.glob("*.jsonl.zst")):
        with open(path, "rb") as file:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
                row = json.loads(line)
                host = urlsplit(str(row.get("url") or "")).hostname
                yield host or f"{path.name}:{row['id']}", str(row["text"])


def draw(site: str) -> float:
    """A number in [0, 1) that a site always has."""
    return int.from_bytes(hashlib.blake2b(site.encode(), digest_size=8).digest(), "big") / 2**64


def make_mix(data: Path, folder: Path, *, share: float, without: set[str]) -> None:
    """Write `raw.jsonl` and the targets. `share`: of the pages that are taken; `without`: sites of the user's own target."""
    held: dict[str, list[str]] = {name: [] for name in TARGETS}
    raw: list[str] = []
    for site, text in pages(data / "web"):
        at = draw(site)
        if at < HELD_SHARE:
            held[TARGETS[at < HELD_SHARE / 2]].append(text)
        elif site not in without and draw(f"{site} {len(raw)}") < share:
            raw.append(text)
    rng = random.Random(0)
    junk = [text for _, text in pages(data / "junk_and_good")]
    rng.shuffle(junk)
    room = JUNK_SHARE / (1 - JUNK_SHARE) * sum(len(text.encode()) for text in raw)
    while junk and room > 0:
        raw.append(junk.pop())
        room -= len(raw[-1].encode())
    rng.shuffle(raw)
    for name, texts in {"raw": raw, **held}.items():
        kept = texts if name == "raw" else [text for text in texts if len(text) >= LEAST_CHARACTERS]
        _write(folder / f"{name}.jsonl", kept)
        print(f"{name}: {numbers.counted(len(kept), 'document')}, {numbers.size(sum(len(text.encode()) for text in kept))}")


def _write(path: Path, texts: Sequence[str]) -> None:
    """In one step, so that a file that is there is whole."""
    beside = path.with_suffix(".part")
    with open(beside, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    os.replace(beside, path)


def sites_of(target: Path | None) -> set[str]:
    """Hosts of a target's pages, where it has addresses."""
    if target is None:
        return set()
    with open(target, encoding="utf-8") as file:
        hosts = (urlsplit(str(json.loads(line).get("url") or "")).hostname for line in file)
        return {host for host in hosts if host}


def run(*arguments: str) -> None:
    print("python -m", *arguments, flush=True)
    done = subprocess.run([sys.executable, "-m", *arguments], check=False, stdout=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit {done.returncode}; the same command resumes")


def measured_of(out: Path, tier: str) -> Measured | None:
    """What savings.json of an output has of a tier."""
    path = out / "savings.json"
    found = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if found.get("schema") != SCHEMA:
        return None
    return next((one for one in Savings.model_validate(found).measured if one.tier == tier), None)


def one_plan(plan: str, folder: Path, *, tier: str, targets: Sequence[str], minutes: float | None) -> None:
    """Curate and measure, each unless it is done."""
    out = folder / plan.replace("@", "-")
    work = ["--work", str(folder / "work")]
    if not (out / "manifest.json").is_file():
        run("flows.curate", plan, "--input", str(folder / "raw.jsonl"), "--output", str(out), *work, "--inline", *_warn())
    if measured_of(out, tier) is None:
        given = [part for target in targets for part in ("--target", target)]
        limit = [] if minutes is None else ["--minutes", f"{minutes:g}"]
        run("flows.savings", str(out), "--tier", tier, *given, *work, "--inline", *limit)


def _warn() -> list[str]:
    """A preset that drops most of the text is to be measured all the same."""
    return ["--set", "checks.on_fail=warn"]


def rows_of(folder: Path, *, tier: str) -> list[Row]:
    found = []
    for plan in PLANS:
        out = folder / plan.replace("@", "-")
        if (out / "metrics.json").is_file():
            metrics = Metrics.model_validate_json((out / "metrics.json").read_bytes())
            found.append(Row(plan, metrics, measured_of(out, tier)))
    return found


HEAD = (
    "plan",
    ">kept tokens",
    ">multiplier",
    "95 % interval",
    "finding",
    ">w of a dropped token",
    ">curation, CPU",
    ">measurement, CPU",
)


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown: a line a plan, whatever was found."""
    return markdown.table(HEAD, [_line(row) for row in rows])


def _line(row: Row) -> tuple[str, ...]:
    tokens, made = row.metrics.tokens, row.measured
    curated = numbers.seconds(row.metrics.cost.cpu_s)
    kept = numbers.share(tokens.kept, tokens.read)
    compared = None if made is None else made.comparison(made.primary)
    if made is None or compared is None:
        return row.plan, kept, numbers.NONE, numbers.NONE, "not measured", numbers.NONE, curated, numbers.NONE
    figures = ("", "") if made.tier == "ngram" else (sentences.multiplier(compared), sentences.pair(compared.interval))
    worth = numbers.NONE if compared.worth is None or made.tier == "ngram" else sentences.worth_figures(compared)
    spent = numbers.NONE if made.costs is None else numbers.seconds(3600 * made.costs.measuring.cpu_hours.number)
    return row.plan, kept, *figures, sentences.of(made).word, worth, curated, spent


def page(rows: Sequence[Row], *, folder: Path) -> str:
    """docs/results/compute.md."""
    sizes = {
        name: (folder / f"{name}.jsonl").stat().st_size for name in ("raw", *TARGETS) if (folder / f"{name}.jsonl").is_file()
    }
    raw = rows[0].metrics
    made = next((row.measured for row in rows if row.measured is not None), None)
    lines = ["# The compute that curation saves on raw web text", ""]
    lines += [
        f"Raw text: {numbers.counted(raw.totals.read, 'document')}, {numbers.size(raw.totals.bytes_read)};"
        f" {numbers.percent(JUNK_SHARE)} of it, by bytes, is labelled junk and good text that was mixed into web pages. Targets:"
        f" raw pages of {numbers.percent(HELD_SHARE)} of the sites, which are in no arm ({sizes}).",
        "",
        "Multiplier: compute of the raw text / compute at which the curated text has the raw text's final loss on the first"
        " target; w: what a dropped token was worth in kept ones, with its interval. Page and picture are made by"
        " `python -m tests.bench.results`.",
        "",
    ]
    if made is not None:
        note = sentences.ORDER_ONLY if made.tier == "ngram" else sentences.CAVEATS
        lines += [f"Learner: {made.learner.what}, {numbers.counted(made.draws, 'draw')}. {note}", ""]
    lines += table(rows)
    for row in rows:
        if row.measured is not None:
            said = [sentences.of(row.measured).whole, *sentences.details(row.measured)]
            lines += ["", f"**{row.plan}**: " + " ".join(map(markdown.escaped, said))]
    return "\n".join([*lines, "", f"![loss against compute, raw and curated]({PICTURE})", ""])


PICTURE = "compute.svg"


def picture(row: Row) -> str | None:
    """Loss against compute on the first target, of the raw and of the curated text."""
    made = row.measured
    held = None if made is None else next((one for one in made.sets if one.name == made.primary), None)
    if made is None or held is None:
        return None
    two = {arm: curve for arm, curve in held.curves.items() if arm in (made.arms[0].arm, made.arms[1].arm)}
    shown = held.model_copy(update={"curves": two})
    found = sentences.of(made)
    chart = curves.picture(shown, Sheets(), baseline=made.arms[0].arm, unit=made.learner.unit, size=README)
    return standalone(chart, title=f"Loss against compute on {held.name}. {found.whole}")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    asked.add_argument("--folder", type=Path, help="of text, outputs and runs (default: results-work here)")
    asked.add_argument("--quick", action="store_true", help="a tenth of the text, counts of n-grams")
    asked.add_argument("--plan", action="append", default=[], help="these plans alone")
    asked.add_argument("--target", type=Path, help="JSONL; its sites are in no arm (default: held-out sites)")
    asked.add_argument("--minutes", type=float, help="of one measurement; the same command goes on")
    asked.add_argument("--write", action="store_true", help="write docs/results/ from what is there, and measure nothing")
    given = asked.parse_args()
    data = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA))
    folder = given.folder or Path.cwd() / ("results-quick" if given.quick else "results-work")
    tier = "ngram" if given.quick else "cpu"
    if not given.write:
        folder.mkdir(parents=True, exist_ok=True)
        if not all((folder / f"{name}.jsonl").is_file() for name in ("raw", *TARGETS)):
            share = QUICK_SHARE if given.quick else 1.0
            make_mix(data, folder, share=share, without=sites_of(given.target))
        targets = [str(given.target)] if given.target else []
        targets += [str(folder / f"{name}.jsonl") for name in TARGETS]
        for plan in given.plan or PLANS:
            one_plan(plan, folder, tier=tier, targets=targets, minutes=given.minutes)
    rows = rows_of(folder, tier=tier)
    if not rows:
        raise SystemExit(f"{folder}: nothing was curated there")
    print("\n".join(table(rows)))
    if given.write or not given.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "compute.md").write_text(page(rows, folder=folder), "utf-8")
        drawn = picture(rows[0])
        if drawn is not None:
            (RESULTS / PICTURE).write_text(drawn, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
