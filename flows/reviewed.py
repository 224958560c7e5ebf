"""What `flows.train quality --reviews` says: figures before and after, what crosses over, the line of the plan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.report.table import Said
    from pipeline.training.judge.judgements import Head
    from pipeline.training.reviews_card import Crossing, Trained


def of_model(head: Head, left_out: dict[str, int], n: int, *, output: str) -> Said:
    """What a model judged, and how far it agrees with the user."""
    from flows import judge
    from pipeline.text import numbers
    from pipeline.text.visible import visible

    gone = "".join(f"; left out: {numbers.count(count)} {cause}" for cause, count in left_out.items())
    said = f"{numbers.counted(n, 'judgement')} of {visible(head.model, limit=60)}, at half the weight of yours{gone}"
    return [said, *list(judge.agreement(head.agreement, output))[:-1]]


def plan_line(made: Trained) -> str:
    """The line of a plan that uses the model, as YAML."""
    path = json.dumps(str(made.path), ensure_ascii=False)
    return f"filters: {{quality: {{model: {path}, keep: {made.level}, min_score: 0}}}}"


def shown(made: Trained) -> Said:
    """The result."""
    from pipeline.report.table import table
    from pipeline.text import numbers
    from pipeline.training import reviews_card

    keep = sum(one.keep for one in made.found.examples)
    used = len(made.found.examples)
    learnt = "corrected by your reviews" if made.corrected else "as shipped, with a calibration and limits of your reviews"
    enters = [one for one in made.crossed if one.enters]
    leaves = [one for one in made.crossed if not one.enters]
    (more, right), (fewer, rightly) = made.reviewed_crossings
    of = f"of {numbers.count(made.looked_at)} documents of the output, drawn at random,"
    return [
        f"{made.path}: {learnt}; {numbers.count(used)} reviews, {numbers.count(keep)} keep and {numbers.count(used - keep)} drop",
        *([f"{numbers.count(made.found.other_recipes)} of them given under another recipe"] if made.found.other_recipes else []),
        *(f"left out: {numbers.count(n)} {cause}" for cause, n in made.found.left_out.items()),
        "",
        f"at keep: {made.level}, held out by {'site' if made.by_site else 'document'} (brackets: 95 % intervals):",
        table(*reviews_card.figures_rows(made.figures)),
        f"reviews that cross over: {more} enter, {right} of them to be kept; {fewer} leave, {rightly} of them to be dropped",
        "",
        f"{of} {len(enters)} would enter and {len(leaves)} leave, by the quality model alone:",
        *_listed("enters", enters, most=reviews_card.SHOWN),
        *_listed("leaves", leaves, most=reviews_card.SHOWN),
        "",
        "use it with:",
        plan_line(made),
    ]


def _listed(word: str, crossed: Sequence[Crossing], *, most: int) -> Said:
    from pipeline.text.visible import visible

    lines = [f"  {word}  {one.before:.2f} → {one.after:.2f}  {visible(one.source_ref, limit=90)}" for one in crossed[:most]]
    return [*lines, *([f"  … {len(crossed) - most} more (--json lists them)"] if len(crossed) > most else [])]
