"""How every run ends: what training on the kept text costs, what curation may save, what was measured, or how it is measured.

The one place that puts these into words; terminal, page, dataset card and Prefect quote it. Invariant: what is only computed is
never called a saving, and no plan is assumed: a number of passes is said of a run that the plan names alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.plan.compute import TOKENS_A_PARAMETER
from pipeline.records.ledger import Ledger, Prospect
from pipeline.records.metrics_json import Metrics
from pipeline.records.savings_json import Savings, Tier
from pipeline.report import sentences
from pipeline.report.compute.ledger import PARAMETERS
from pipeline.report.compute.prospect import LEAST_COUNTED, LEAST_TOKENS, PASSES
from pipeline.report.sentences import Finding, Word
from pipeline.text import numbers
from pipeline.text.shell import quoted

UNMEASURED = "Whether a model trained on it is as good has not been measured."

LEAST_DOLLARS = 0.01
"""Below this a pass over all of the text is called less than a cent."""


@dataclass(frozen=True)
class Statement:
    """Plain sentences, None where there is nothing to say.

    `cost`: of one pass over the kept text against one over all, and `share`, the figure in it; `bracket`: between what the saving
    lies; `enough`: for what model the text is enough; `plan`: of the run that the user planned; `measured`: what was found, or
    that nothing was measured, and `word`, its verdict; `command`: what measures it, and `takes`: how long, and with what."""

    cost: str
    share: str | None = None
    bracket: str | None = None
    enough: str | None = None
    plan: str | None = None
    measured: str | None = None
    word: Word | None = None
    command: str | None = None
    takes: str = ""

    @property
    def todo(self) -> str:
        """What stands in front of the command."""
        return f"To measure {'it' if self.word is None else 'how much'} ({self.takes})"

    @property
    def finding(self) -> str | None:
        """What was measured, the verdict in front."""
        return self.measured if self.word is None or self.measured is None else Finding(self.word, self.measured).whole

    def sentences(self) -> list[str]:
        """All but the command, from the top down."""
        return [said for said in (self.cost, self.bracket, self.enough, self.plan, self.finding) if said]


@dataclass(frozen=True)
class Way:
    """A tier of measurement: its option, and how long it takes."""

    option: str
    takes: str


RANKS = Way("", "under a minute; it gives an order, no size")
TRAINS = Way(" --tier cpu", "about 6 minutes on two cores; it needs torch")
"""The times that `tests/bench/savings.py` holds the tiers to."""


def of(metrics: Metrics, savings: Savings | None, *, out: str) -> Statement:
    """`savings`: what savings.json holds, None before it was measured; `out`: the output as its reader finds it."""
    finding, best = _measured(metrics, savings)
    found, word = (None, None) if finding is None else (finding.sentence, finding.word)
    ledger = metrics.compute
    text = ledger.prospect
    if text is None:  # of an earlier release, which took a plan for granted
        return Statement("Not reckoned: an earlier release curated this.", measured=found, word=word)
    if not text.kept.value:
        return Statement("Nothing was kept: there is nothing to train on.")
    enough, plan = _enough(text), _plan(ledger)
    if text.kept.value == text.read.value:
        said = "No text was dropped: training on it costs what it would on all of it."
        return Statement(said, enough=enough, plan=plan, measured=found, word=word)
    if text.kept.number > text.read.number:
        said = "Edits added more text than was dropped: training on it costs no less than on all that was read."
        return Statement(said, enough=enough, plan=plan, measured=found, word=word)
    counts, trains = (text.kept.number >= least for least in (LEAST_COUNTED, LEAST_TOKENS))
    todo = _todo(best, trains=trains) if counts else None
    share = numbers.share(text.kept.number, text.read.number)
    return Statement(
        _cost(ledger, share),
        share=share,
        bracket=_bracket(text),
        enough=enough,
        plan=plan,
        measured=found or (UNMEASURED if counts else "Too little text to measure."),
        word=word,
        command=None if todo is None else f"winnow savings {quoted(out)}{todo.option}",
        takes="" if todo is None else todo.takes,
    )


def _todo(best: Tier | None, *, trains: bool) -> Way | None:
    """What is still to be measured. `best`: the strongest evidence that holds; `trains`: the text is enough to train on."""
    if best is None:
        return TRAINS if trains else RANKS
    return TRAINS if best == "ngram" and trains else None


def _measured(metrics: Metrics, savings: Savings | None) -> tuple[Finding | None, Tier | None]:
    """What was found, None where nothing was measured, and the tier of it, None where it does not hold any more."""
    found = None if savings is None else sentences.headline(savings)
    if savings is None or found is None:
        return None, None
    if savings.best is None:  # by an earlier release
        return found, None
    if savings.generation not in (None, metrics.generation):
        said = f"{found.sentence} This is of generation {numbers.count(savings.generation)}: measure again."
        return Finding(found.word, said), None
    return found, savings.best.tier


def _cost(ledger: Ledger, share: str) -> str:
    """Of one pass over the kept text against one over all: the share, and dollars where there are cents."""
    said = f"One pass over the kept text takes {share} of the compute of one over all of it"
    if not ledger.passes:
        return f"{said}."
    whole, kept, model = *ledger.passes[:2], ledger.assumptions[PARAMETERS]
    price = f"{numbers.money(kept.dollars.value)} instead of {numbers.money(whole.dollars.value)}"
    if whole.dollars.number < LEAST_DOLLARS:
        price = "less than a cent either way"
    return f"{said}: {price}, for a model of {numbers.short(model.value)} parameters."


def _bracket(text: Prospect) -> str:
    most = numbers.digits(text.most.value)
    return f"At equal quality: {most} × less compute if nothing that was dropped was of use; none if it was all as good."


def _enough(text: Prospect) -> str:
    if text.one_pass is None or text.four_passes is None:
        kept = text.kept.number
        figure = numbers.short if float(f"{kept:.3g}") < LEAST_TOKENS else numbers.count
        least = f"{figure(kept)} tokens ({text.kept.tag}), and {numbers.count(LEAST_TOKENS)} are the least"
        return f"Too little text to plan a run: {least}."
    one, four = numbers.short(text.one_pass.value), numbers.short(text.four_passes.value)
    rule = f"{TOKENS_A_PARAMETER} tokens a parameter, Hoffmann et al. 2022; few repeats cost little, Muennighoff et al. 2023"
    about = "" if text.kept.tag == "counted" else "about "
    return f"Enough for a model of {about}{one} parameters in one pass over it, of {four} in {PASSES} passes ({rule})."


def _plan(ledger: Ledger) -> str | None:
    """How often the run that the user planned reads the kept text."""
    run = ledger.sufficiency
    if run is None:
        return None
    times = f"{numbers.digits(run.epochs.value)} time{'s' if run.epochs.value != 1 else ''}"
    return f"The planned run of {numbers.short(run.planned_tokens.value)} tokens reads it {times}. {run.sentence}"
