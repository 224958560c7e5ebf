"""What the runs of a draw read: one start for all arms, then for each arm a branch, as chunks of one context each.

The start is the baseline's text up to a place of the draw's order, and every branch goes on from that place: nothing is read
twice. The baseline's branch is a window of the order. Another arm reads first what it shares with that window, chunk after chunk
in the baseline's own sequence, and then what follows: when the baseline has read C bytes, an arm that keeps a share k of them has
read the same ones after k C. Within the window chunks are shuffled, as neighbours in a document make poor batches; what the same
arms have is spread evenly.

Documents are read in pieces, each with a place of its own: a run of a small model would else see few documents, an arm that reads
the window's first and then others fewer of them at a time than the baseline, and be worse for it with the same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PIECE = 256
"""Tokens of a piece."""
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
    window = arms[0].until(begun, branch + context)
    shared = [np.stack([np.isin(text.keys, other.keys) for other in arms]).T @ (1 << np.arange(len(arms))) for text in arms]
    first = _mixed(arms[0], shared[0], arms[0].places <= begun, context=context, seed=[draw, 0])
    branches = []
    for text, strata in zip(arms, shared, strict=True):
        inside = (text.places > begun) & (text.places <= window)
        wanted = branch + context - int(np.diff(text.starts)[inside].sum())
        beyond = (text.places > window) & (text.places <= text.until(window, wanted))
        parts = [_mixed(text, strata, chosen, context=context, seed=[draw, 1 + n]) for n, chosen in enumerate((inside, beyond))]
        branches.append(np.concatenate(parts))
    least = min(branch // context, *map(len, branches))
    return first[: start // context], [rows[:least] for rows in branches]


def _mixed(text: Text, strata: np.ndarray, chosen: np.ndarray, *, context: int, seed: Sequence[int]) -> np.ndarray:
    """Chunks of the chosen pieces, cut and shuffled within each stratum, the strata spread evenly over one another."""
    order = text.ordered()
    order = order[chosen[order]]
    rows, places = [np.empty((0, context + 1), np.int64)], [np.empty(0)]
    for stratum in np.unique(strata[order]):
        cut = _cut(text, order[strata[order] == stratum], context)
        turns = np.random.default_rng([*seed, int(stratum)]).random(len(cut))
        rows.append(cut)
        places.append((np.argsort(np.argsort(turns)) + 0.5) / max(1, len(cut)))
    return np.concatenate(rows)[np.argsort(np.concatenate(places), kind="stable")]


def _cut(text: Text, pieces: np.ndarray, context: int) -> np.ndarray:
    """The pieces one after the other, in chunks that begin with the last token of the one before."""
    parts = [text.tokens[text.starts[at] : text.starts[at + 1]] for at in pieces]
    stream = np.concatenate([np.zeros(1, np.uint16), *parts])
    chunks = (len(stream) - 1) // context
    return stream[np.arange(chunks)[:, None] * context + np.arange(context + 1)].astype(np.int64)
