"""`inspect why --json`: what `why` says, as a record (`docs/schemas/why.schema.json`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, cast

from pipeline.inspect.margins import Measured, RuleMargin
from pipeline.inspect.verdict import TextVerdict
from pipeline.inspect.weighed import Reasons
from pipeline.inspect.why import Found, in_order, without_limit
from pipeline.records.why_json import SCHEMA_VERSION, Duplicate, Explanation, Rule, Weight, Why


def written(made: Why) -> str:
    """The record in ASCII: what is hidden in a text or an id reaches no terminal."""
    return json.dumps(made.model_dump(mode="json"), indent=1)


def of_documents(found: Sequence[Found]) -> Why:
    """What is known of documents of an output."""
    return Why(schema_version=SCHEMA_VERSION, documents=tuple(map(_document, found)))


def of_text(given: str, made: TextVerdict) -> Why:
    """What the plan makes of a text that is no document."""
    failed = tuple(rule.name for rule in made.measured.rules if rule.fails and rule.action == "drop")
    one = Explanation(
        id=None,
        source=None,
        source_ref=None,
        generation=None,
        verdict="dropped" if made.reason else "kept",
        stage=None,
        reason=made.reason,
        failed=failed if made.reason in failed else (),
        duplicate=None,
        edits=made.edits,
        n_bytes_read=len(given.encode("utf-8", "surrogatepass")),
        n_bytes=len(made.text.encode()),
        file=None,
        detail=None,
        text=made.text,
        values="judged",
        rules=_rules(made.measured),
        signals=dict(made.measured.signals),
        weighed=_weighed(made.reasons),
        notes=tuple(without_limit(made.measured)),
    )
    return Why(schema_version=SCHEMA_VERSION, documents=(one,))


def _document(found: Found) -> Explanation:
    row, kept, values, other = found.row, found.kept, found.values, found.survivor
    duplicate = None
    if other is not None:
        place = {"generation": row["duplicate_generation"], "similarity": row["similarity"]}
        duplicate = Duplicate.model_validate({"id": other.id, "source_ref": other.source_ref, "text": other.text, **place})
    return Explanation(
        id=row["id"],
        source=row["source"],
        source_ref=row["source_ref"],
        generation=row["generation"],
        verdict=cast(Literal["kept", "dropped", "quarantined"], row["verdict"]),
        stage=row["stage"],
        reason=row["reason"],
        failed=tuple(row["failed"] or ()),
        duplicate=duplicate,
        edits=tuple(row["edits"] or ()),
        n_bytes_read=row["n_bytes_read"],
        n_bytes=row["n_bytes"],
        file=kept.file if kept is not None else None if found.unread is None else found.unread.file,
        detail=None if found.unread is None else found.unread.detail,
        text=None if kept is None else kept.text,
        values=None if values is None else values.origin,
        rules=() if values is None else _rules(values.measured),
        signals={} if values is None else dict(values.measured.signals),
        weighed=_weighed(found.reasons),
        notes=found.notes,
    )


def _weighed(found: Sequence[Reasons]) -> dict[str, tuple[Weight, ...]]:
    return {
        one.filter: tuple(Weight(feature=name, value=value, weight=weight) for name, value, weight in one.features)
        for one in found
    }


def _rules(measured: Measured) -> tuple[Rule, ...]:
    return tuple(map(_rule, in_order(measured)))


def _rule(one: RuleMargin) -> Rule:
    return Rule(
        rule=one.name,
        action=cast(Literal["drop", "annotate"], one.action),
        signal=one.signal,
        value=one.value,
        passes=one.passes,
        limit=one.limit,
        fails=one.fails,
        near=one.near,
    )
