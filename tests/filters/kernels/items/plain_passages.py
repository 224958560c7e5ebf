"""The kernel of passages in plain Python: a dict from tuples of words to the places where they begin in items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from filters.kernels.items.passages import APART, ASKED, LEAST, TELLING, TELLING_WITH_OPTIONS
from filters.kernels.items.tables import COMMON, GRAM, HEAVY
from filters.kernels.items.verbatim import FEW_OPTIONS, LONG, NEAR, SAID, SHORT, SLACK, WHOLE

Segment = list[tuple[str, int]]
"""Words and their weights."""


class Plain(NamedTuple):
    segments: list[Segment]
    answer: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return [word for word, _ in chain.from_iterable(self.segments)]


def threes(words: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)}


def seeds(items: Sequence[Plain]) -> dict[tuple[str, ...], dict[int, int]]:
    """Gram → item → its first word there."""
    found: dict[tuple[str, ...], dict[int, int]] = {}
    for number, item in enumerate(items):
        first = 0
        for segment in item.segments:
            for i in range(len(segment) - GRAM + 1):
                words, weights = zip(*segment[i : i + GRAM], strict=True)
                if all(weights) and max(weights) >= HEAVY:
                    found.setdefault(words, {}).setdefault(number, first + i)
            first += len(segment)
    return {gram: places for gram, places in found.items() if len(places) <= COMMON}


def best(text: Sequence[str], items: Sequence[Plain]) -> tuple[float, int, int, int] | None:
    """`(coverage, item, first word, last word)`."""
    known = seeds(items)
    hits: dict[int, list[tuple[int, int]]] = {}
    for place in range(len(text) - GRAM + 1):
        for number, within in known.get(tuple(text[place : place + GRAM]), {}).items():
            hits.setdefault(number, []).append((place, within))
    found = [(*one[:1], number, *one[1:]) for number in sorted(hits) for one in passages(text, items[number], hits[number])]
    return max(found, key=lambda one: (one[0], -one[2], -one[1]), default=None)


def passages(text: Sequence[str], item: Plain, hits: list[tuple[int, int]]) -> Iterator[tuple[float, int, int]]:
    question = [word for word, _ in item.segments[0]]
    for at in sorted({place - within for place, within in hits if within < len(question)}):
        stop = at + len(question)
        same = at >= 0 and len(question) >= SHORT and list(text[at:stop]) == question
        if same and (len(question) >= LONG or answered(text, at, stop, item.answer)):
            yield 1.0, at, stop - 1
    yield from whole(text, item, hits)
    wide = 2 * len(item.words) + APART
    rest = hits
    while rest:
        start = rest[0][0]
        here = [hit for hit in rest if hit[0] - start <= wide]
        after = rest[len(here) :]
        if any(p - start >= GRAM and abs(w - rest[0][1]) >= GRAM for p, w in here):
            share = coverage(text, start, here[-1][0] + GRAM, item)
            if share >= LEAST:
                first, last = dense(here)
                yield share, extended(text, item, first, way=-1), extended(text, item, last, way=1)
            else:
                after = [hit for i, hit in enumerate(rest) if i and (i >= len(here) or hit[0] > start + wide // 2)]
        rest = after


def whole(text: Sequence[str], item: Plain, hits: list[tuple[int, int]]) -> Iterator[tuple[float, int, int]]:
    question, *options = ([word for word, _ in segment] for segment in item.segments)
    if not question or not 2 <= len(options) <= FEW_OPTIONS or len(item.words) >= WHOLE:
        return
    span = len(question) + 2 * sum(map(len, options)) + SLACK
    for at in sorted({at for place, _ in hits for at in range(max(0, place - span + 1), place + 1)}):
        stop = at + len(question)
        if list(text[at:stop]) != question:
            continue
        places = [
            next((p for p in range(stop, at + span - len(one) + 1) if one and list(text[p : p + len(one)]) == one), -1)
            for one in options
        ]
        found = [(p + len(one), len(one)) for p, one in zip(places, options, strict=True) if p >= 0]
        said = len(question) + sum(size for _, size in found)
        if len(found) >= 2 and 4 * len(found) >= 3 * len(options) and said >= SAID:
            yield 1.0, at, max(end for end, _ in found) - 1


def answered(text: Sequence[str], first: int, stop: int, answer: tuple[str, ...]) -> bool:
    size = len(answer)
    near = range(max(0, first - NEAR - size + 1), min(len(text) - size, stop + NEAR - 1) + 1)
    return bool(answer) and any(tuple(text[at : at + size]) == answer for at in near if at + size <= first or at >= stop)


def coverage(text: Sequence[str], first: int, stop: int, item: Plain) -> float:
    reach = len(item.words)
    begin, end = max(0, first - reach), min(len(text), stop + reach + 2)
    window = threes(text[begin:end])
    weights: Segment = []
    covered: list[bool] = []
    question, asked = 0.0, True
    for number, segment in enumerate(item.segments):
        words = [word for word, _ in segment]
        marks = [False] * len(words)
        for i in range(len(words) - 2):
            if tuple(words[i : i + 3]) in window:
                marks[i : i + 3] = [True] * 3
        weights += segment
        covered += marks
        if number == 0:
            total = sum(weight for _, weight in segment)
            some = sum(weight for (_, weight), mark in zip(segment, marks, strict=True) if mark)
            asked = total == 0 or some / total >= ASKED
            question = share(weights, covered, TELLING) if len(segment) >= LONG else 0.0
    if asked and len(item.words) >= LONG and len(item.segments) > 1:
        return max(question, share(weights, covered, TELLING_WITH_OPTIONS))
    return question


def share(words: Segment, covered: list[bool], least: int) -> float:
    heaviest: dict[str, int] = {}
    held: dict[str, int] = {}
    for (word, weight), mark in zip(words, covered, strict=True):
        heaviest[word] = max(heaviest.get(word, 0), weight)
        if mark:
            held[word] = max(held.get(word, 0), weight)
    total = sum(weight for _, weight in words)
    if not total or sum(weight >= HEAVY for weight in held.values()) < least:
        return 0.0
    some = sum(weight for (_, weight), mark in zip(words, covered, strict=True) if mark)
    return min(some / total, sum(held.values()) / sum(heaviest.values()))


def dense(hits: list[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    parts: list[list[tuple[int, int]]] = [[]]
    for hit in hits:
        if parts[-1] and hit[0] - parts[-1][-1][0] > APART:
            parts.append([])
        parts[-1].append(hit)
    chosen = max(parts, key=len)
    return chosen[0], chosen[-1]


def extended(text: Sequence[str], item: Plain, hit: tuple[int, int], *, way: int) -> int:
    place, within = hit
    first = 0
    for segment in item.segments:
        if within < first + len(segment):
            break
        first += len(segment)
    at, of = (place, within) if way < 0 else (place + GRAM - 1, within + GRAM - 1)
    reached = same = 0
    step = 1
    while 0 <= at + way * step < len(text) and first <= of + way * step < first + len(segment):
        same += text[at + way * step] == item.words[of + way * step]
        reached = step if 2 * same >= step and text[at + way * step] == item.words[of + way * step] else reached
        step += 1
    return at + way * reached
