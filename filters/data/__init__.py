"""Figures that rule sets publish: by profile, and by language (FineWeb-2's, from fineweb2.json beside this file).

A threshold that a plan leaves at null takes the figure of the profile; `figure` makes it, language by language where that
profile has figures for languages. A profile without a figure does not have the rule.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

from filters.rules import Among, ByRow

Languages = Literal["none", "fineweb2"]
"""Whose figures by language a plan takes."""


@dataclass(frozen=True)
class Figures:
    """The figures of one threshold by profile, as published."""

    paper: float | None
    datatrove: float | None
    dclm: float | None
    dolma: float | None

    def __str__(self) -> str:
        named = {"paper": self.paper, "datatrove": self.datatrove, "dclm": self.dclm, "dolma": self.dolma}
        return ", ".join(f"{name} {'none' if value is None else f'{value:g}'}" for name, value in named.items())


def same(value: float) -> Figures:
    """One figure for every profile."""
    return Figures(value, value, value, value)


FineWeb2 = dict[str, Any]
"""One language's figures as fineweb2.json has them: numbers, lists of numbers, and the words that it stops at."""


@cache
def fineweb2() -> dict[str, FineWeb2]:
    """FineWeb-2's figures by language, as lid.176 names it: the keys of fineweb2.json."""
    text = resources.files(__name__).joinpath("fineweb2.json").read_text("utf-8")
    figures: dict[str, dict[str, Any]] = json.loads(text)["languages"]
    return figures


def published(key: str, place: int | None = None) -> dict[str, float]:
    """One of FineWeb-2's figures by language; `place` in a list of them."""
    return {name: float(own[key] if place is None else own[key][place]) for name, own in fineweb2().items()}


def figure(chosen: float | None, default: float | None, by_language: dict[str, float]) -> float | ByRow | None:
    """The limit: `chosen` by the plan wins; else the figure of the row's language, column `language`; else the profile's.

    None where the profile has no such rule.
    """
    if chosen is not None or default is None or not by_language:
        return default if chosen is None else chosen
    return ByRow(tuple((Among("language", (name,)), own) for name, own in by_language.items()), default)
