"""Whether the kept text is enough for the planned run: how often each kept token would be read, overall and by language."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.plan.compute import TrainingPlan
from pipeline.records.base import Quantity
from pipeline.records.ledger import Enough, LanguageSufficiency, Sufficiency

EPOCHS_CHEAP = 4
EPOCHS_COSTLY = 16
"""Value of the marginal epoch against new text: 4th 0.82, 8th 0.63, 16th 0.38 (law of Muennighoff et al., arXiv 2305.16264,
with the constants of huggingface/datablations: R_D = 15.39)."""

MOST_LANGUAGES = 20
"""Languages listed, the largest first; a planned language is always among them."""


def sufficiency(planned: Quantity, kept: Quantity, plan: TrainingPlan, *, languages: Sequence[tuple[str, int]]) -> Sufficiency:
    """How often the planned run reads each kept token: planned tokens / kept tokens.

    `languages`: name and kept bytes; tokens of a language are its share of the kept bytes.
    """
    epochs = planned.number / kept.value if kept.value else None
    verdict, sentence = judge(epochs)
    return Sufficiency(
        planned_tokens=planned,
        kept_tokens=kept,
        epochs=Quantity.computed(epochs, "epochs", "planned tokens / kept tokens (unique as far as dedup compared them)"),
        verdict=verdict,
        sentence=sentence,
        by_language=_by_language(planned, kept, plan, languages=languages),
    )


def _by_language(
    planned: Quantity, kept: Quantity, plan: TrainingPlan, *, languages: Sequence[tuple[str, int]]
) -> tuple[LanguageSufficiency, ...]:
    whole = sum(size for _, size in languages)
    sizes = dict(languages)
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST_LANGUAGES]
    lines = []
    for name in dict.fromkeys((*plan.languages, *largest)):
        share = sizes.get(name, 0) / whole if whole else 0.0
        tokens = kept.number * share
        wanted = planned.number * plan.languages.get(name, 0.0 if plan.languages else share)
        epochs = wanted / tokens if tokens else None
        asked = "compute.plan.languages" if plan.languages else "its share of the kept text"
        lines.append(
            LanguageSufficiency(
                language=name,
                kept_tokens=Quantity(tokens, "tokens", "estimated", "kept tokens x its share of the kept bytes"),
                planned_tokens=Quantity(wanted, "tokens", "assumed", f"planned tokens x {asked}"),
                epochs=Quantity.computed(epochs, "epochs", "planned tokens / kept tokens of the language"),
                verdict=judge(epochs)[0] if wanted else "not planned",
            )
        )
    return tuple(lines)


def judge(epochs: float | None) -> tuple[Enough, str]:
    """Verdict and sentence; None: nothing was kept."""
    if epochs is None:
        return "nothing", "Nothing was kept, so there is nothing to train on."
    if epochs <= 1:
        return "enough", "Enough: the planned run does not read any document twice."
    if epochs <= EPOCHS_CHEAP:
        return "repeats", "Enough with repeats: up to about 4 epochs cost little (the 4th is worth 0.82 of new text)."
    if epochs <= EPOCHS_COSTLY:
        return "costly", "Scarce: later epochs are worth much less (the 8th 0.63, the 16th 0.38 of new text)."
    return "too_few", "Too few for that plan: past 16 epochs a repeat is worth little. Curate more text, or plan a shorter run."
