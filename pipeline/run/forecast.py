"""From what was seen of some pieces of the input to figures of all of it, each with its 95 % interval.

Ratio estimators within strata, over a finite population (Cochran, Sampling Techniques, 3rd ed., 1977, chapters 6.10 and 7): a
figure is known exactly once every piece was judged, and nothing is said where too few were. The strata are formats: bytes on disk
say as much of a compressed file as of any other compressed file, and of no plain one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SURE = 0.2
"""Half of an interval, as a share of its figure, up to which a figure is told."""
FEWEST = 10
"""Pieces from which a figure of all is told, where not all were judged: chosen because the normal quantile, corrected for the
degrees of freedom, is then that of Student, and because a few files of many are seldom like the others."""
Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Figure:
    """An estimate and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the truth is likely within 20 %."""
        return self.high - self.low <= 2 * SURE * abs(self.value)

    def times(self, factor: float) -> Figure:
        return Figure(self.value * factor, self.low * factor, self.high * factor)


Maybe = Figure | None


def between(low: float, high: float) -> Figure:
    """The middle of two bounds."""
    return Figure((low + high) / 2, low, high)


def added(parts: Sequence[Maybe]) -> Maybe:
    """The sum; None where a part is unknown. Intervals add up as if all erred to one side, which parts of one input do."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Figure(*(sum(getattr(part, name) for part in known) for name in ("value", "low", "high")))


def told(figure: Maybe) -> Maybe:
    """The figure where it is sure, else None."""
    return figure if figure is not None and figure.sure else None


@dataclass(frozen=True)
class Piece:
    """A unit, or a compressed stream, of the input. `seen`: what its judging found, by name; None where it was not judged."""

    stratum: str
    n_bytes: int
    seen: dict[str, float] | None


def total(pieces: Sequence[Piece], name: str) -> Maybe:
    """What all pieces have of something, from its ratio to bytes; None where too few were judged."""
    return _over_strata(pieces, lambda piece: 0.0 if piece.seen is None else piece.seen.get(name, 0.0))


def share(pieces: Sequence[Piece], name: str, of: str = "rows") -> Maybe:
    """The ratio of two things that were seen, such as rows kept to rows read."""
    seen = [piece.seen for piece in pieces if piece.seen is not None]
    part, whole = (np.array([one.get(key, 0.0) for one in seen]) for key in (name, of))
    if not whole.sum():
        return None
    value = float(part.sum() / whole.sum())
    if len(seen) == len(pieces):
        return Figure(value, value, value)
    if len(seen) < FEWEST:
        return None
    spread = _half(part - value * whole, len(pieces), degrees=len(seen) - 1) / (len(pieces) * float(whole.mean()))
    return Figure(value, max(0.0, value - spread), min(1.0, value + spread))


def _over_strata(pieces: Sequence[Piece], quantity: Callable[[Piece], float]) -> Maybe:
    seen = [piece for piece in pieces if piece.seen is not None]
    if len(seen) < min(FEWEST, len(pieces)):
        return None
    found, squares = 0.0, 0.0
    strata = _strata(pieces)
    degrees = sum(max(0, sum(piece.seen is not None for piece in group) - 1) for group in strata)
    for group in strata:
        judged = [piece for piece in group if piece.seen is not None]
        if not judged:
            return None
        sizes, values = np.array([p.n_bytes for p in judged], float), np.array([quantity(p) for p in judged])
        ratio = values.sum() / sizes.sum()
        found += float(ratio) * sum(piece.n_bytes for piece in group)
        if len(judged) < len(group):
            squares += _half(values - ratio * sizes, len(group), degrees=max(1, degrees)) ** 2
    half = math.sqrt(squares)
    return Figure(found, max(0.0, found - half), found + half)


def _strata(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces by stratum; those of strata of which too few were judged are one."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.stratum, []).append(piece)
    judged = {name: sum(piece.seen is not None for piece in group) for name, group in groups.items()}
    apart = [name for name, group in groups.items() if judged[name] >= min(2, len(group))]
    rest = [piece for name, group in groups.items() if name not in apart for piece in group]
    if rest and sum(piece.seen is not None for piece in rest) < 2:
        return [list(pieces)]
    return [groups[name] for name in apart] + ([rest] if rest else [])


def _half(residuals: np.ndarray, pieces: int, *, degrees: int) -> float:
    """Half of the 95 % interval of a total over so many pieces, of which these residuals were seen."""
    n = len(residuals)
    if n < 2:
        return math.inf
    error = pieces * math.sqrt((1 - n / pieces) / n * float((residuals**2).sum() / (n - 1)))
    return _quantile(degrees) * error


def _quantile(degrees: int) -> float:
    """Student's 97.5 % quantile, by Fisher and Cornish's expansion in 1/degrees (1960, Technometrics 2, p. 210)."""
    z = Z_95
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
