"""What a plan does, in about ten lines: filters with their limits, edits, dedup, selection, output, checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from filters import quality
from filters.evaluations import index
from filters.models import coverage
from filters.rules import AnyRule, ByRow, Rule
from pipeline.plan.model import Plan
from pipeline.plan.recipe import ActiveFilter, Recipe
from pipeline.records import interval
from pipeline.text import numbers

MOST_CHARACTERS = 90
"""Of a filter's rules, in its line; the plan's keys are all in `winnow plan keys`. Chosen so that a line stays a line."""


_NEVER = (1.0, 1e9)
"""More than all of a text, more words than any has."""


def outline(resolved: Recipe) -> Iterator[str]:
    """The lines; a filter has one."""
    plan = resolved.plan
    for item in resolved.filters:
        yield f"  {item.filter.name}: {_filter(item)}"
        if item.filter.name == "quality" and quality.of_readers(item.params.model):
            yield from (f"    {line}" for line in _choice(item))
        if item.filter.name == "decontaminate":
            yield from (f"    {counts}" for counts in index.load(item.params).own)
    if not resolved.filters:
        yield "  filters: none: no document is dropped for what it says"
    edits = [name if not (on := _settings(params)) else f"{name} ({on})" for name, _, params in resolved.edits]
    yield f"  edits: {'; '.join(edits) or 'none: texts stay as they are'}"
    yield f"  dedup: {_dedup(plan)}"
    yield from [f"    of duplicates stays the first by: {', '.join(plan.dedup.keep)}"] if plan.dedup else []
    yield f"  select: {_select(plan)}"
    yield f"  output: {_output(plan)}"
    checks = plan.checks
    then = "stop before publishing" if checks.on_fail == "stop" else "are warnings"
    limits = f"{numbers.percent(checks.max_drop_share)} dropped, {numbers.percent(checks.max_source_loss)} of a source lost"
    yield f"  checks: more than {limits}, {numbers.percent(checks.max_change)} changed since last time: {then}"


def _filter(item: ActiveFilter) -> str:
    on = [rule for rule in item.rules if rule.on]
    rules = [rule for rule in on if not _idle(rule)] or on
    said = [_rule(rule) if isinstance(rule, Rule) else rule.reason.replace("_", " ") for rule in rules]
    while len(", ".join(said)) > MOST_CHARACTERS and len(said) > 1:
        said.pop()
    if not said:
        return "drops nothing"
    more = f", and {numbers.counted(len(on) - len(said), 'more rule')}" if len(on) > len(said) else ""
    return f"{'drops' if item.action == 'drop' else 'marks, and drops nothing'}: {', '.join(said)}{more}"


def _idle(rule: AnyRule) -> bool:
    """Whether its limit is one that presets give a rule that is to drop nothing: such rules are only counted."""
    return isinstance(rule, Rule) and rule.fails == ">" and rule.figure in _NEVER


def _rule(rule: Rule) -> str:
    if not rule.numeric:
        return rule.reason.replace("_", " ")
    by = f" by {' and '.join(rule.by)}" if isinstance(rule.limit, ByRow) and rule.by else ""
    limit = f"a limit{by}" if rule.figure is None else f"{numbers.signal(rule.figure)}{f' (others{by})' if by else ''}"
    return f"{rule.signal} {rule.fails} {limit}"


def _settings(params: dict[str, Any]) -> str:
    """The switches of an edit that are on."""
    return ", ".join(name for name, value in params.items() if value is True)


def _dedup(plan: Plan) -> str:
    dedup = plan.dedup
    if dedup is None:
        return "none: copies stay"
    scope = "" if dedup.scope == "corpus" else f", only among documents of the same {', '.join(dedup.scope)}"
    url = ", equal URLs" if dedup.exact_url else ""
    counted = "; sources that hold a copy are counted" if dedup.source_count else ""
    near = f"near ones from {dedup.threshold:g} {dedup.similarity} of {dedup.ngram}-word shingles on"
    return f"exact copies{url}, {near}{scope}{counted}"


def _select(plan: Plan) -> str:
    chosen = plan.select
    said = []
    if chosen.keep_top is not None:
        by = f" among documents of the same {', '.join(chosen.keep_top.by)}" if chosen.keep_top.by else ""
        said.append(f"the best {numbers.percent(chosen.keep_top.share)} by {chosen.score}{by}")
    if chosen.token_budget is not None:
        said.append(f"the best up to {numbers.count(chosen.token_budget)} tokens by {chosen.score}")
    return ", then ".join(said) or "all that is left"


def _output(plan: Plan) -> str:
    rejected = plan.output.rejected
    kept = "none of them" if rejected == "none" else "in full" if rejected == "full" else f"{numbers.percent(rejected)} of them"
    tokens = f"tokens counted by {plan.output.tokenizer}" if plan.output.tokenizer else "tokens not counted (no output.tokenizer)"
    return f"shards of {numbers.size(int(plan.output.shard_bytes))}; dropped documents kept {kept}; {tokens}"


def _choice(item: ActiveFilter) -> list[str]:
    """What this setting of `filters.quality.keep` kept and dropped of judged documents that its model had not seen."""
    if not any(rule.on for rule in item.rules if rule.reason == "low_quality"):
        return ["filters.quality drops nothing by its score: the limits are by language, and filters.language is off"]
    choices = quality.card(item.params).choices.get(item.thresholds.keep)
    if not choices:
        return ["by filters.quality.min_score alone"]
    own = item.params.model != coverage.READERS
    who = "you" if own else "they"
    judged = "what you keep and drop in the reviews that the model learnt from" if own else "what careful readers keep and drop"
    (kept, good), (dropped, bad) = choices[0].kept, choices[0].dropped
    return [
        f"keep: {item.thresholds.keep}, by {judged}: keeps {_share(kept, good)} of what {who} keep,",
        f"  drops {_share(dropped, bad)} of what {who} drop",
    ]


def _share(hits: int, n: int) -> str:
    """A share of n documents and its 95 % interval."""
    if not n:
        return "? (of none)"
    found = interval.share(hits, n)
    return f"{numbers.share(hits, n)} ({numbers.share(found.low, 1)} to {numbers.share(found.high, 1)}, {hits} of {n})"
