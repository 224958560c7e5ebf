"""`python -m tests.bench.results`: the compute that curation saves on raw web text, as a table and a picture in docs/results/.

Raw text: the pages of WINNOW_EVAL_DATA/web (forums, news, recipes, courts, crawls in many languages; with the duplicates and the
junk that they have), and `junk_and_good` for JUNK_SHARE of all bytes. No page is of a site of the judgements' part `test`: those
sites, which no shipped weight and no limit has seen, are held out and give two targets. `pages_readers_keep`: pages that a reader
would keep. `all_pages`: pages as they are, junk included, which favours the raw text. `tidy_text`: labelled good English, books
and articles from elsewhere, chosen by nobody here. Each plan curates the raw text and is measured against it by the commands that
a user types. What is done is not done again: the same command resumes; `--write` makes table and picture of what is there,
whatever it says.

    python -m tests.bench.results [--folder DIR] [--quick] [--plan NAME ...] [--draws N] [--minutes M] [--write]

`--quick`: a tenth of the text, and counts of n-grams in place of trained models; without it torch is needed, and some five
minutes a plan on two cores.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import zstandard

from pipeline.records.metrics_json import Metrics
from pipeline.records.savings_json import SCHEMA, Measured, Savings
from pipeline.report import sentences
from pipeline.report.page import curves
from pipeline.report.page.svg import README, standalone
from pipeline.text import markdown, numbers
from pipeline.training import judged
from tests.bench.throughput import DEFAULT_DATA

PLANS = ("default@2", "default@1", "fineweb@1", "gopher@1", "c4@1", "dclm@1", "dolma@1", "minimal@1")
JUNK_SHARE, QUICK_SHARE = 0.15, 0.1
AS_THEY_ARE = 0.25
"""Share of the held-out sites whose pages are a target as they are; those of the others where a reader would keep them."""
LEAST_CHARACTERS = 200
"""Of a target's page: shorter ones tell next to nothing."""
README_MD = Path(__file__).resolve().parents[2] / "README.md"
RESULTS = README_MD.parent / "docs" / "results"
BEGIN, END = "<!-- saving: begin -->", "<!-- saving: end -->"
TARGETS = {
    "pages_readers_keep": "pages of sites that are in no arm and that no shipped weight has seen, those that a reader would keep",
    "all_pages": "pages of other such sites as they are, junk included: it rewards modelling junk",
    "tidy_text": "labelled good English text, books and articles of other collections",
}


@dataclass(frozen=True)
class Row:
    """A plan's output, and what was measured of it; None: not yet."""

    plan: str
    metrics: Metrics
    measured: Measured | None


@dataclass(frozen=True)
class Page:
    id: str
    url: str | None
    text: str

    @property
    def site(self) -> str:
        """As the judgements name it."""
        return judged.site(self.id, self.url)


def pages(folder: Path) -> Iterator[Page]:
    """Every page of a folder, file by file."""
    for path in sorted(folder.glob("*.jsonl.zst")):
        with open(path, "rb") as file:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
                row = json.loads(line)
                yield Page(str(row["id"]), row.get("url"), str(row["text"]))


def make_mix(data: Path, folder: Path, *, share: float) -> None:
    """Write `raw.jsonl` and the targets. `share`: of the pages that are taken."""
    labels = list(judged.labels())
    held = {part["site"] for _, part in labels if part["part"] == "test"}
    good = {label["id"] for label, part in labels if part["part"] == "test" and label["keep"] == "y"}
    rng = random.Random(0)
    texts: dict[str, list[Page]] = {name: [] for name in ("raw", *TARGETS)}
    for page in pages(data / "web"):
        if page.site in held or judged.part_of(page.site) == "test":
            if int(page.site[-4:], 16) < AS_THEY_ARE * 16**4:
                texts["all_pages"].append(page)
            elif page.id in good:
                texts["pages_readers_keep"].append(page)
        elif rng.random() < share:
            texts["raw"].append(page)
    junk = list(pages(data / "junk_and_good"))
    rng.shuffle(junk)
    room = JUNK_SHARE / (1 - JUNK_SHARE) * sum(len(page.text.encode()) for page in texts["raw"])
    while junk and room > 0:
        texts["raw"].append(junk.pop())
        room -= len(texts["raw"][-1].text.encode())
    rng.shuffle(texts["raw"])
    texts["tidy_text"] = list(_tidy(data))
    for name, found in texts.items():
        kept = found if name == "raw" else [page for page in found if len(page.text) >= LEAST_CHARACTERS]
        _write(folder / f"{name}.jsonl", kept)
        size = sum(len(page.text.encode()) for page in kept)
        print(f"{name}: {numbers.counted(len(kept), 'document')}, {numbers.size(size)}")


def _tidy(data: Path) -> Iterator[Page]:
    with gzip.open(data / "quality/quality.jsonl.gz", "rt", encoding="utf-8") as file:
        for number, row in enumerate(map(json.loads, file)):
            if row["hq"]:
                yield Page(f"tidy-{number}", None, str(row["text"]))


def _write(path: Path, pages: Sequence[Page]) -> None:
    """In one step, so that a file that is there is whole."""
    beside = path.with_suffix(".part")
    with open(beside, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(vars(page)) + "\n" for page in pages)
    os.replace(beside, path)


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


def one_plan(plan: str, folder: Path, *, tier: str, limits: Sequence[str]) -> None:
    """Curate and measure, each unless it is done. `limits`: of the measurement, as arguments."""
    out = folder / plan.replace("@", "-")
    work = ["--work", str(folder / "work")]
    if not (out / "manifest.json").is_file():
        run("flows.curate", plan, "--input", str(folder / "raw.jsonl"), "--output", str(out), *work, "--inline", *_warn())
    if measured_of(out, tier) is None:
        targets = [part for name in TARGETS for part in ("--target", str(folder / f"{name}.jsonl"))]
        run("flows.savings", str(out), "--tier", tier, *targets, *work, "--inline", *limits)


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


HEAD = ("plan", ">kept tokens", *(f">{name}" for name in TARGETS), "finding", ">w", ">CPU of curation", ">CPU of measurement")


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown: a line a plan, whatever was found. Of each target the multiplier and its 95 % interval."""
    return markdown.table(HEAD, [_line(row) for row in rows])


def _line(row: Row) -> tuple[str, ...]:
    tokens, made = row.metrics.tokens, row.measured
    cost = row.metrics.cost
    curated = numbers.seconds(cost.cpu_s - sum(stage.cpu_s for stage in cost.stages if stage.stage == "compile"))
    kept = numbers.share(tokens.kept, tokens.read)
    compared = None if made is None else made.comparison(made.primary)
    if made is None or compared is None:
        return row.plan, kept, *(numbers.NONE for _ in TARGETS), "not measured", numbers.NONE, curated, numbers.NONE
    figures = [_figures(made, name) for name in TARGETS]
    worth = numbers.NONE if compared.worth is None or made.tier == "ngram" else sentences.worth_figures(compared)
    spent = numbers.NONE if made.costs is None else numbers.seconds(3600 * made.costs.measuring.cpu_hours.number)
    return row.plan, kept, *figures, sentences.of(made).word, worth, curated, spent


def _figures(made: Measured, target: str) -> str:
    """Of the curated text on a target; counts of n-grams give words alone."""
    held = next((one for one in made.sets if one.name == target), None)
    compared = None if held is None else next((one for one in held.comparisons if one.arm == made.arms[1].arm), None)
    if held is None or compared is None:
        return numbers.NONE
    if made.tier == "ngram":
        return sentences.about(made, held, compared).word
    return sentences.times(compared)


def page(rows: Sequence[Row], *, folder: Path) -> str:
    """docs/results/compute.md."""
    raw = rows[0].metrics
    made = next((row.measured for row in rows if row.measured is not None), None)
    lines = ["# The compute that curation saves on raw web text", ""]
    lines += [
        f"Raw text: {numbers.counted(raw.totals.read, 'document')}, {numbers.size(raw.totals.bytes_read)}, as the web has it:"
        " forums, news, recipes, courts, crawls in many languages, with their duplicates and junk;"
        f" {numbers.percent(JUNK_SHARE)} of it, by bytes, is labelled junk and good text that was mixed in.",
        "",
        *(f"- `{name}`: {what}{_size(folder / f'{name}.jsonl')}" for name, what in TARGETS.items()),
        "",
        "Multiplier: compute of the raw text / compute at which the curated text has the raw text's final loss on a target, with"
        " its 95 % interval. The finding is about the first target. w: what a dropped token was worth in kept ones there, with"
        " its interval. A plan that keeps English alone never has the raw text's loss in other languages; what it gains on"
        " English is to be read beside *same mix*, raw text with as much of each language. CPU of curation: without compiling"
        " kernels, which is done once a machine; the sentences below count it where it was done. Page and picture are made by"
        " `python -m tests.bench.results`.",
        "",
    ]
    if made is not None:
        note = sentences.ORDER_ONLY if made.tier == "ngram" else sentences.CAVEATS
        lines += [f"Learner: {made.learner.what}. {note}", ""]
    lines += table(rows)
    for row in rows:
        if row.measured is not None:
            drawn = f"({numbers.counted(row.measured.draws, 'draw')})"
            said = [sentences.of(row.measured).whole, *sentences.details(row.measured), _third(row.measured)]
            lines += ["", f"**{row.plan}** {drawn}: " + " ".join(said)]
    return "\n".join([*lines, "", f"![loss against compute, raw and curated]({PICTURE})", ""])


def _third(made: Measured) -> str:
    """Both arms on the last target."""
    name = list(TARGETS)[-1]
    held = next((one for one in made.sets if one.name == name), None)
    if held is None or made.tier == "ngram":
        return ""
    return f"On {name}: " + ", ".join(f"{line.arm} {sentences.times(line)}" for line in held.comparisons) + "."


def _size(path: Path) -> str:
    if not path.is_file():
        return "."
    with open(path, "rb") as file:
        lines = sum(1 for _ in file)
    return f" ({numbers.counted(lines, 'document')}; a measurement takes up to 600 pieces of them)."


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
    chart = curves.picture(shown, baseline=made.arms[0].arm, unit=made.learner.unit, size=README)
    return standalone(chart, title=f"Loss against compute on {held.name}. {found.whole}")


def in_readme(row: Row) -> None:
    """Puts the finding about the first plan, and its picture, into README.md."""
    made = row.measured
    compared = None if made is None else made.comparison(made.primary)
    if made is None or compared is None:
        return
    worth = sentences.worth(compared)
    text = README_MD.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    said = " ".join(filter(None, (f"**{row.plan}**:", sentences.of(made).whole, worth)))
    shown = f"[![Loss against compute, raw and curated](docs/results/{PICTURE})](docs/results/compute.md)"
    README_MD.write_text("\n".join((f"{before}{BEGIN}", said, "", shown, f"{END}{after}")), "utf-8")


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    asked.add_argument("--folder", type=Path, help="of text, outputs and runs (default: results-work here)")
    asked.add_argument("--quick", action="store_true", help="a tenth of the text, counts of n-grams")
    asked.add_argument("--plan", action="append", default=[], help="these plans alone")
    asked.add_argument("--draws", type=int, help="of one measurement, at most (default: the tier's own)")
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
            make_mix(data, folder, share=share)
        asked_for = {"--draws": given.draws, "--minutes": given.minutes}
        limits = [part for name, value in asked_for.items() if value is not None for part in (name, f"{value:g}")]
        for plan in given.plan or PLANS:
            one_plan(plan, folder, tier=tier, limits=limits)
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
            in_readme(rows[0])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
