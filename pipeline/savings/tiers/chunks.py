"""What the runs of a draw read: one start for all arms, then for each arm a branch, as chunks of one context each.

The start is the baseline's text up to a place of the draw's order, and every branch goes on from that place: nothing is read
twice. Each arm reads what it has after that place in the order's sequence, so that an arm that keeps a share k of the baseline
has read the same documents after k C tokens as the baseline after C. As neighbours in a document make poor batches, a chunk is
put off by up to half of what was read before it, the same chunk by as much in every arm: at every point of a branch an arm reads
from the last third of its text so far. What an arm reads thus follows from its own order alone: two arms of equal text are read
alike, and neither sees fewer documents at a time.

Documents are read whole up to 1,024 tokens. In small pieces an arm of half the documents would read more pieces of each, so fewer
documents in as many tokens, and be worse for it with the same text: two equal arms in pieces of 256 tokens had 1,560 documents
and 1,300, and were .004 bits per byte apart under counts of n-grams, for which there is no order at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PIECE = 1024
"""Tokens of a piece: longer documents are read in pieces, each with a place of its own."""
SPREAD = 0.5
"""How far a chunk is put off, at most, as a share of what stands before it. A ratio, so that every share of a branch is mixed as
the whole is."""
FRONT = 0.1
"""Share of a branch whose chunks are mixed as those are that stand there: at its very beginning there is nothing to mix with."""
AHEAD = SPREAD / math.log1p(SPREAD)
"""Text that a branch needs for every token that it reads: some of the last documents is put off beyond its end."""
GOLDEN = (5**0.5 - 1) / 2
"""What a piece's place is turned by against the one before it: first pieces, second ones and so on of evenly spread groups are
evenly spread, and so are the pieces of a long document."""


@dataclass(frozen=True)
class Text:
    """An arm in pieces of its documents: tokens, `starts` of each piece and the end; `keys` of the documents, the same in every
    arm; `places`: where the draw's order has each piece, copies of a document at the same places."""

    tokens: np.ndarray
    starts: np.ndarray
    keys: np.ndarray
    places: np.ndarray

    @staticmethod
    def read(path: str, turned: np.ndarray) -> Text:
        """`turned`: where a draw has each group (`Order.turned`)."""
        with np.load(Path(path)) as saved:
            starts = saved["starts"]
            pieces = np.maximum(1, -(-np.diff(starts) // PIECE))
            document = np.repeat(np.arange(len(pieces)), pieces)
            number = np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
            places = (turned[saved["groups"]][document] + number * GOLDEN) % 1.0
            return Text(
                saved["tokens"], np.append(starts[document] + number * PIECE, starts[-1]), saved["keys"][document], places
            )

    def ordered(self) -> np.ndarray:
        """Its pieces in the order of the draw."""
        return np.lexsort((self.keys, self.places))

    def until(self, after: float, wanted: int) -> float:
        """The place up to which pieces after `after` have `wanted` tokens together."""
        if wanted <= 0:
            return after
        order = self.ordered()
        order = order[self.places[order] > after]
        reached = int(np.searchsorted(np.cumsum(np.diff(self.starts)[order]), wanted))
        return float(self.places[order[reached]]) if reached < len(order) else 1.0


def read_in_draw(
    arms: Sequence[Text], *, start: int, branch: int, context: int, draw: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Chunks of the start, and of each arm's branch: int64[chunks, context + 1]. `start` and `branch`: tokens wanted; branches
    are equally long, and shorter where an arm has less."""
    begun = arms[0].until(-1.0, start + 1)
    first, _ = _cut(arms[0], -1.0, begun, context=context)
    np.random.default_rng([draw, 0]).shuffle(first)
    branches = []
    for text in arms:
        rows, turns = _cut(text, begun, text.until(begun, math.ceil(AHEAD * branch) + context), context=context)
        at = np.maximum(np.arange(len(rows)), FRONT * AHEAD * branch / context)
        order = np.argsort(at * (1 + SPREAD * _fractions(turns, draw)), kind="stable")
        branches.append(rows[order[: int(len(rows) / AHEAD)]])
    least = min(branch // context, *map(len, branches))
    return first[: start // context], [rows[:least] for rows in branches]


def _cut(text: Text, after: float, last: float, *, context: int) -> tuple[np.ndarray, np.ndarray]:
    """The pieces between two places one after the other, in chunks that begin with the last token of the one before; and a name
    of each chunk, by the document that it begins in and how far into it that is: the same in arms that share the document."""
    order = text.ordered()
    order = order[(text.places[order] > after) & (text.places[order] <= last)]
    sizes = np.diff(text.starts)[order]
    stream = np.concatenate([np.zeros(1, np.uint16), *(text.tokens[text.starts[at] : text.starts[at + 1]] for at in order)])
    begins = np.arange((len(stream) - 1) // context) * context
    ends = np.cumsum(sizes)
    piece = np.searchsorted(ends, begins, side="right")
    inside = (begins - (ends - sizes)[piece]) // context
    names = text.keys[order[piece]] * np.uint64(0x9E3779B97F4A7C15) + inside.astype(np.uint64)
    names ^= (text.places[order[piece]] * 2**32).astype(np.uint64)
    return stream[begins[:, None] + np.arange(context + 1)].astype(np.int64), names


def _fractions(names: np.ndarray, draw: int) -> np.ndarray:
    """Of each chunk, in [0, 1): one hash of its name and the draw."""
    mixed = names + np.uint64((draw + 1) * 0xD1B54A32D192ED03 % 2**64)
    for shift in (30, 27, 31):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(11)) / 2.0**53
