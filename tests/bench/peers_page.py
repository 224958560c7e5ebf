"""`python -m tests.bench.peers_page`: docs/results/speed.md and README's paragraph, from docs/results/speed.json.

Where a peer is better stands in the first line. `tests.bench.peers_speed --write` measures and calls this.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.output.releases import PACKAGE
from pipeline.text import markdown

README_MD = Path(__file__).resolve().parents[2] / "README.md"
PAGE = README_MD.parent / "docs" / "results" / "speed.md"
RESULTS = PAGE.with_suffix(".json")
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
WINNOW, DEDUP, WHOLE = "winnow", "near-dedup", "whole job"
PRICE = 0.0432
"""US dollars of an hour of a virtual CPU: half of an m6a.large (AMD EPYC), which costs 0.0864 on demand in us-east-1."""
PRICED = (
    "https://github.com/aws/karpenter-provider-aws/blob/265ee0ba5b8e337dec6b82dde965b03021ccb418/"
    "pkg/providers/pricing/zz_generated.pricing_aws.go"
)
PRICED_ON = "9 February 2026"
CORPORA = {"throughput": "A, tidy text in long documents", "web": "B, raw web text in short documents"}
BEST_OF = {"rensa": ("rensa", "rensa-rho", "rensa-rho-blanks")}
"""Settings of one peer: the faster one counts."""
AGAINST = {("throughput", "daft"): 2.0, ("throughput", "rensa"): 3.0, ("web", "daft"): 1.3, ("web", "rensa"): 1.5}
"""How many times less CPU than the peer Winnow is to use."""
SPEEDS = {("throughput", "winnow default"): 24.0, ("web", "winnow default"): 14.0, ("throughput", "winnow fineweb"): 20.0}
"""MB of text per CPU-second."""
SIGNATURES = 1.5
DOES = {
    "winnow": "verifies each pair exactly; names the survivor of each removal; rejected rows, ledger, index, report",
    "daft": "takes candidates for duplicates; no evidence",
    "rensa-rho": "flags by bands and a check of its own, then its deduplicator on what was flagged; no evidence",
    "rensa-rho-blanks": "the same over words that keep their punctuation, which Python cuts faster",
    "rensa": "checks candidates by the estimate from signatures; no evidence",
    "gaoya": "checks candidates by the estimate from signatures; no evidence",
    "datasketch": "takes candidates for duplicates; no evidence",
    "datatrove": "takes candidates of 14 bands of 8 for duplicates (nominal threshold .72); no evidence",
}


@dataclass(frozen=True)
class Ratio:
    what: str
    value: float
    target: float

    @property
    def met(self) -> bool:
        return self.value >= self.target


def machine() -> str:
    """The processor and what runs on it; no name of the machine."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} virtual CPUs ({model}), {platform.system()}, Python {platform.python_version()}"


def version() -> str:
    return f"{PACKAGE}=={metadata.version(PACKAGE)}"


def seconds(line: dict[str, Any]) -> float:
    return statistics.median(line["cpu"])


def found(measured: dict[str, Any], job: str, corpus: str) -> dict[str, dict[str, Any]]:
    """Lines of a job over a corpus by tool, the fastest first."""
    lines = [line for line in measured["lines"] if (line["job"], line["corpus"]) == (job, corpus)]
    return {line["tool"]: line for line in sorted(lines, key=seconds)}


def ratios(measured: dict[str, Any]) -> Iterator[Ratio]:
    """What is measured beside its target."""
    for (corpus, peer), target in AGAINST.items():
        lines = found(measured, DEDUP, corpus)
        took = [seconds(lines[name]) for name in BEST_OF.get(peer, (peer,)) if name in lines]
        if took:
            yield Ratio(f"near-dedup of {corpus}: CPU-s of {peer} / winnow", min(took) / seconds(lines[WINNOW]), target)
    if "daft" in measured["signatures"]:
        signed = measured["signatures"]
        yield Ratio("signatures alone: MB per CPU-s, winnow / daft", signed[WINNOW] / signed["daft"], SIGNATURES)
    for (corpus, tool), target in SPEEDS.items():
        line = found(measured, WHOLE, corpus)[tool]
        yield Ratio(f"whole job, {tool}, {corpus}: MB per CPU-s", line["megabytes"] / seconds(line), target)


def better(measured: dict[str, Any]) -> str:
    """Where a peer takes less CPU than Winnow, in a sentence."""
    said = []
    for corpus in CORPORA:
        lines = found(measured, DEDUP, corpus)
        own = seconds(lines[WINNOW])
        ahead = [f"{tool} ({seconds(line):.1f} CPU-seconds)" for tool, line in lines.items() if seconds(line) < own]
        if ahead:
            said.append(f"{' and '.join(ahead)} on {CORPORA[corpus].partition(', ')[2]}, where Winnow takes {own:.1f}")
    if not said:
        return "No peer that was measured takes less CPU than Winnow."
    return f"**A peer is faster**: {'; '.join(said)}."


def _clock(measured: dict[str, Any]) -> str:
    """Who is done sooner than Winnow with one worker."""
    said = []
    for corpus, what in CORPORA.items():
        lines = found(measured, DEDUP, corpus)
        own = min(lines[WINNOW]["wall"])
        sooner = [f"{tool} {min(line['wall']):.1f} s" for tool, line in lines.items() if min(line["wall"]) < own]
        said += [f"{', '.join(sooner)} on {what.partition(', ')[2]} (Winnow with one worker {own:.1f})"] if sooner else []
    return f"By the clock, on as many threads as a tool starts by itself: {'; '.join(said)}." if said else ""


def dollars(line: dict[str, Any]) -> float:
    """US dollars of a TB of text."""
    return seconds(line) / line["megabytes"] * 1e6 / 3600 * PRICE


def page(measured: dict[str, Any]) -> str:
    """docs/results/speed.md."""
    versions = ", ".join(dict.fromkeys(measured["versions"].values()))
    parts = [
        "# Speed beside peers",
        better(measured),
        f"Measured by `make bench B=peers` in one run on {measured['machine']}; CPU-seconds are user and system time of the"
        f" whole process tree, medians of {measured['rounds']} rounds (one of datasketch and datatrove), in which tools take"
        f" turns. MB are of text alone. Dollars: at {PRICE} an hour of a virtual CPU, half of an m6a.large"
        f" (AMD EPYC) on demand in us-east-1, by [AWS's prices of {PRICED_ON}]({PRICED}). Versions: {versions}.",
        _clock(measured),
        "## Near-dedup, read to written",
        "Every tool reads the same files (JSONL with zstd or gzip) and writes the rows that stay, with all columns. Word 5-grams,"
        " 128 hashes, threshold 0.8. The scripts stand in `tests/bench/peers/`.",
    ]
    for corpus, what in CORPORA.items():
        parts += [f"### {what}", _table(found(measured, DEDUP, corpus))]
    if slices := [line["corpus"] for line in measured["lines"] if line["tool"] == "datatrove"]:
        parts += ["### A slice of B", _table(found(measured, DEDUP, slices[0]))]
    parts += ["What each does beside that:", "\n".join(f"- {tool}: {what}." for tool, what in DOES.items())]
    parts += ["## Signatures alone", _signatures(measured)]
    if measured["known"]:
        parts += ["## Documents of known fates", _known(measured["known"])]
    parts += [
        "## The whole job",
        "Default plan: language, rules, two models, masks, dedup; `fineweb`: FineWeb's filters and dedup.",
    ]
    parts += [_table({f"{t}, {c}": line for c in CORPORA for t, line in found(measured, WHOLE, c).items()})]
    parts += ["## Targets", _targets(measured)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(lines: dict[str, dict[str, Any]]) -> str:
    head = ["tool", ">CPU-seconds", ">MB a CPU-second", ">$ a TB", ">seconds", ">peak MB", ">documents kept", "command"]
    rows = [
        [
            tool,
            f"{seconds(line):.1f}",
            f"{line['megabytes'] / seconds(line):.1f}",
            f"{dollars(line):.2f}",
            f"{min(line['wall']):.1f}",
            f"{line['peak_mb']:,}",
            f"{line['kept']:,}",
            f"`{line['command']}`",
        ]
        for tool, line in lines.items()
    ]
    return _markdown(head, rows)


def _signatures(measured: dict[str, Any]) -> str:
    rows = [[tool, f"{speed:.0f}"] for tool, speed in measured["signatures"].items()]
    told = (
        "From texts in memory, on one thread, small letters and words cut included in both; daft's minhash alone takes about half"
        " of its time."
    )
    return f"{told}\n\n{_markdown(['tool', '>MB of text a CPU-second'], rows)}"


def _known(known: list[dict[str, Any]]) -> str:
    rows = [[k["tool"], f"{k['cpu']:.1f}", f"{k['wrong']:,}", f"{k['found']:.4f}"] for k in known]
    told = (
        f"{known[0]['documents']:,} short documents with planted copies (`tests/bench/synthetic.py`). Wrongly removed: gone"
        " although nothing at 0.8 or more to it stayed. Found: of copies at 0.85 or more the share of which one is gone."
    )
    return f"{told}\n\n{_markdown(['tool', 'CPU-seconds', 'wrongly removed', 'found'], rows)}"


def _targets(measured: dict[str, Any]) -> str:
    rows = [[r.what, f"{r.value:.2f}", f"{r.target:g}", "met" if r.met else "missed"] for r in ratios(measured)]
    return _markdown(["what", "measured", "target", ""], rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(markdown.table(head, rows))


def paragraph(measured: dict[str, Any]) -> str:
    """README's."""
    lines = found(measured, DEDUP, "throughput")
    own = lines[WINNOW]
    times = [f"{tool} {seconds(line) / seconds(own):.1f}" for tool, line in lines.items() if tool != WINNOW]
    whole = found(measured, WHOLE, "throughput")["winnow default"]
    return (
        f"**Speed beside peers.** Reading {own['megabytes']:.0f} MB of documents and writing them without near duplicates takes"
        f" one worker of Winnow {seconds(own):.1f} CPU-seconds ({own['megabytes'] / seconds(own):.0f} MB a CPU-second), exact"
        " verification, evidence and report included. How many times as long its peers take, which write none:"
        f" {', '.join(times)}. The default"
        f" plan with its models: {whole['megabytes'] / seconds(whole):.0f} MB a CPU-second. {better(measured)}"
        f" [All figures](docs/results/speed.md); `make bench B=peers` prints those of your machine."
    )


def write() -> None:
    measured = json.loads(RESULTS.read_text())
    PAGE.write_text(page(measured))
    text = README_MD.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    README_MD.write_text(f"{before}{BEGIN}\n{paragraph(measured)}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    write()
