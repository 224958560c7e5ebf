"""`make bench B=NAME` (`python -m tests.bench NAME [OPTIONS]`): measurements by name.

`list` prints them. Status 1: a target was missed. A name may stand for several
programs, which run one after the other; options go to a program that has its name for itself.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

DEFAULT = "throughput"


@dataclass(frozen=True)
class Bench:
    about: str
    programs: tuple[str, ...]
    """Modules of this package, with their options."""


BENCHES = {
    "throughput": Bench("the default plan over real text, as a user runs it", ("throughput",)),
    "dedup": Bench(
        "dedup beside its peers on labelled sets, each in environments of their own: minutes to install", ("dedup_accuracy",)
    ),
    "peers": Bench("speed beside peers, each in an environment of its own; docs/results/speed.md", ("peers_speed",)),
    "speed_page": Bench("docs/results/speed.md and README's paragraph, from what was measured", ("peers_page",)),
    "signatures": Bench("MB of text per CPU-second of MinHash signatures, on one thread", ("signatures_speed",)),
    "conversations": Bench(
        "short conversations a minute, and what dedup takes of planted copies and of what only looks so", ("conversations",)
    ),
    "increment": Bench("what it costs to add 5 % to a curated corpus", ("dedup_increment",)),
    "scale": Bench(
        "a million and ten million documents of known fates; 10 GB in the temporary folder, TMPDIR names another",
        ("dedup_scale --documents 1e6 --also 1e7",),
    ),
    "scale_page": Bench("docs/results/scale.md, from what was measured", ("scale_page",)),
    "flat": Bench("MB per CPU-second, memory and disk as the same text comes 1 and 4 times", ("flat",)),
    "workers": Bench("wall seconds with one worker and with two, beside what the machine gives to two loops", ("workers",)),
    "choice": Bench("what every preset and the quality models keep and drop beside careful readers", ("choice",)),
    "reviews": Bench("what reviews teach the shipped quality model, by tastes other than its readers'", ("own_taste",)),
    "decontaminate": Bench("evaluation items in text: speed, recall by words changed, false marks", ("decontaminate",)),
    "curve": Bench("would more judgements help? the readers' model fitted on a quarter of them to all", ("learning_curve",)),
    "memory": Bench("memory against --memory, on inputs that cost it by row, source or metadata: half an hour", ("memory",)),
    "digests": Bench("content_sha256 of the sample and of 21 MB of real text: did a change move a byte?", ("digests",)),
    "kernels": Bench("rule kernels alone, on one core", ("kernels",)),
    "first_minute": Bench("what a newcomer waits for: kernels from nothing, the sample's run, the second one", ("first_minute",)),
    "parity": Bench(
        "every published rule set beside datatrove's filters and dolma's taggers, in environments of theirs", ("parity",)
    ),
    "language": Bench("the language filter: speed, agreement with fastText, accuracy in 129 languages", ("language",)),
    "language_fit": Bench("the weights of the language engine, fitted again beside those that are shipped", ("language_fit",)),
    "pii": Bench("masks: addresses and look-alikes set into real text, and a labelled synthetic set", ("pii",)),
    "models": Bench(
        "the recipes of the quality and toxicity models with sources held out: minutes",
        ("quality_model", "toxicity_model", "toxicity2_model"),
    ),
    "model-tier": Bench("MB per CPU-second of the default plan's models", ("model_tier",)),
    "savings": Bench("the saving on a mix of good text and junk, by n-grams and small models; needs torch", ("savings",)),
    "savings_validity": Bench(
        "what the `cpu` tier reads of planted savings: an hour of CPU, needs torch; it goes on where it was",
        ("savings_validity",),
    ),
    "results": Bench("docs/results/: what each preset saves on raw web text, an hour; needs torch", ("results",)),
    "inspect": Bench("the page of `inspect browse`: the slider over a million rows, pages and searches", ("inspect_page",)),
    "why": Bench("seconds of `inspect why` on an output of many documents", ("why_scale",)),
    "summary": Bench("figures of a public summary over ten million documents", ("summary",)),
    "reupload": Bench("what of data/ is new to a store that knows pieces of files, after a change", ("reupload",)),
    "export": Bench("tokens of an export per CPU-second, beside the tokenizers library alone", ("export",)),
    "estimates": Bench("what `--sample` says beside what the run then takes, by input: some ten minutes", ("estimates",)),
    "formats": Bench("MB of input per CPU-second, by format", ("formats",)),
    "extraction": Bench(
        "main text of HTML beside its peers, each in environments of their own: quality, speed, characters lost", ("extraction",)
    ),
    "parquet": Bench("what decoding Parquet in another process costs", ("parquet_decoder",)),
    "urls": Bench("what `exact_url` costs: URLs per CPU-second, and their share of a run", ("urls",)),
    "threshold": Bench("what deciding again with another threshold costs", ("changed_threshold",)),
    "nothing-new": Bench("what a scheduled run costs that finds nothing new", ("nothing_new",)),
    "nights": Bench("what the 300th nightly run of 15 documents costs beside the tenth: ten minutes", ("nights",)),
    "prefect": Bench("what Prefect costs over --inline, against a running server", ("prefect_overhead",)),
    "fixed": Bench("CPU time that a command takes whatever its input has", ("fixed",)),
    "help": Bench("CPU time of `winnow COMMAND --help` and of a completion", ("help_cpu",)),
    "tricks": Bench("what each trick with the interpreter saves of a start, or of a run", ("tricks",)),
    "prefect_server": Bench("the server that Prefect starts by itself, beside ours", ("prefect_server",)),
    "words": Bench("how many characters say as much as one English word, by script", ("words_per_script",)),
}


def main(arguments: list[str]) -> int:
    name, *options = arguments or [DEFAULT]
    if name == "list":
        width = max(map(len, BENCHES))
        print("\n".join(f"{known:{width}}  {bench.about}" for known, bench in BENCHES.items()))
        return 0
    if name not in BENCHES or (options and len(BENCHES[name].programs) > 1):
        wrong = f"{name} takes no options" if name in BENCHES else f"no measurement is called {name}"
        print(f"{wrong}; `make bench B=list` prints their names", file=sys.stderr)
        return 2
    failed = False
    for program in BENCHES[name].programs:
        module, *own = program.split()
        failed |= subprocess.run([sys.executable, "-m", f"tests.bench.{module}", *own, *options], check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
