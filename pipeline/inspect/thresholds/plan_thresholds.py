"""The thresholds of an output's plan: which rules each decides, and which limit it means where the plan has null."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa

from filters.rules import Rule
from pipeline.inspect.output import Output, value_of
from pipeline.plan import scores
from pipeline.plan.recipe import ActiveFilter
from pipeline.text import numbers


@dataclass(frozen=True)
class Threshold:
    """A key of the plan that decides verdicts.

    `value`: the plan's. `line`: the limit that it means for a document of which nothing is known; the plan's number where no
    rule compares with that; None where there is neither. `in_force`: a rule that it decides is on.
    """

    key: str
    description: str
    value: object
    line: float | None
    by: tuple[str, ...]  # columns that the limit depends on
    in_force: bool
    least: bool  # larger values of the signals pass
    whole: bool  # takes whole numbers only
    choices: tuple[bool | str, ...]  # of a key that takes no number
    kind: Literal["number", "choice", "text"]
    signals: tuple[str, ...]  # that its rules compare with it
    rules: tuple[str, ...]  # `<filter>.<reason>`, also those that are off
    drops: bool

    @property
    def filter(self) -> str:
        return self.key.split(".")[1]

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    @property
    def now(self) -> str:
        """The plan's value or what it stands for, as one writes it in a plan."""
        return json.dumps(self.value if self.line is None else self.line, ensure_ascii=False).strip('"')

    @property
    def meaning(self) -> str:
        """`now` for a reader, with what has to be said about it."""
        said = numbers.plain(self.line) if self.line is not None else "none" if self.value is None else self.now
        own = "null: the filter's own figure" if self.line is not None else "null: the profile has no such rule"
        notes = [own] if self.value is None else []
        notes += [f"differs by {' and '.join(self.by)}"] if self.by else []
        notes += ["no rule is on"] if not self.in_force and self.value is not None else []
        return f"{said} ({'; '.join(notes)})" if notes else said


def thresholds(output: Output) -> list[Threshold]:
    """Every threshold of the plan's filters, in the order of the plan."""
    filters = [item for item in output.recipe.filters if item.filter.name != scores.NAME]
    signals = {field.name: field.type for item in output.recipe.filters for field in item.filter.signals}
    drawn = {name for name, kind in signals.items() if not (pa.types.is_string(kind) or pa.types.is_large_string(kind))}
    return [found for item in filters for found in _of_filter(item, drawn)]


def meaning(output: Output, key: str) -> str:
    """What the output's plan has at a key of `filters`, an action as well."""
    found = [one.meaning for one in thresholds(output) if one.key == key]
    return found[0] if found else json.dumps(value_of(output, key))


def _of_filter(item: ActiveFilter, drawn: set[str]) -> Iterator[Threshold]:
    """`drawn`: signals that can be drawn."""
    values = item.thresholds.model_dump(mode="json")
    for name, field in item.filter.thresholds.model_fields.items():
        deciding = [rule for rule in item.rules if name in rule.keys]
        own = [rule for rule in deciding if isinstance(rule, Rule) and rule.keys[0] == name]
        figures = [(rule.figure, rule) for rule in own if rule.figure is not None]
        kinds = set(get_args(field.annotation) or (field.annotation,))
        plain = kinds <= {int, float, NoneType}
        choices = _choices(field.annotation)
        yield Threshold(
            key=f"filters.{item.filter.name}.{name}",
            description=field.description or "",
            value=values[name],
            line=figures[0][0] if figures else values[name] if plain else None,
            by=figures[0][1].by if figures else (),
            in_force=any(rule.on for rule in deciding),
            least=any(rule.least for rule in own),
            whole=kinds == {int},
            choices=choices,
            kind="choice" if choices else "number" if plain else "text",
            signals=tuple(dict.fromkeys(rule.signal for rule in own if rule.signal in drawn)),
            rules=tuple(f"{item.filter.name}.{rule.reason}" for rule in deciding),
            drops=item.action == "drop",
        )


def _choices(annotation: Any) -> tuple[bool | str, ...]:
    if annotation is bool:
        return (False, True)
    return get_args(annotation) if get_origin(annotation) is Literal else ()
