"""Which language: eldc's table of n-grams first, and lid.176 where the table is not sure, or has no word for relatives.

Two logistic regressions say how sure. `alone`: whether the table's best language is right, from how much its n-grams say beside
what they say of a text in that language on average, by how much the best leads, and how many they are. `together`: which of the
table's two best and lid.176's two best is right, or none. Relatives (`labels.RELATIVES`) are one candidate; lid.176 says which
of them.

Invariant: the answer for a text depends on its sample alone. Both were fitted on one half of lid_eval and lid_more and are told
on the other (`python -m tests.bench.language_fit`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from filters.kernels.models import eldc
from filters.models import Model, labels
from filters.models.eldc import ALONE, TOGETHER, Ngrams

ABSENT = eldc.LANGUAGES - 1  # a place in `Found.sums` where no n-gram says anything
_LEAST = 1e-4  # a score of lid.176 whose logarithm is still told from smaller ones
_SPREAD = 0.05  # share of what lid.176 leaves to others that one of them gets


@dataclass(frozen=True)
class Evidence:
    """What is known of some texts (or parts), a row each. `best`, `says`: the table's two best languages and their sums, of
    `counts` n-grams; `sums`: of all languages, None for parts; `others`, `scores`: lid.176's best labels, -1 where it gives
    none."""

    best: np.ndarray
    says: np.ndarray
    counts: np.ndarray
    sums: np.ndarray | None
    others: np.ndarray
    scores: np.ndarray


class Languages:
    """Both models. `labels`: lid.176's; an answer is the number of one of them."""

    def __init__(self, ngrams: Ngrams, lid: Model) -> None:
        card = ngrams.card
        self.ngrams, self.lid, self.path = ngrams, lid, lid.path
        self.labels: tuple[str, ...] = (*lid.labels, *(name for name in card.languages if name not in lid.labels))
        self.group = labels.kin(self.labels, labels.RELATIVES)
        self._label_of = np.array([self.labels.index(name) for name in card.languages])
        self._averages = ngrams.averages
        self._alone = np.array([card.alone.features[name] for name in ALONE])
        self._alone_of = np.array([card.alone.languages.get(name, 0.0) for name in card.languages])
        self._together = np.array([card.together.features[name] for name in TOGETHER])
        self._members = np.full((len(self.labels), 2), ABSENT)
        for number, group in enumerate(self.group):
            own = [i for i, label in enumerate(self._label_of) if self.group[label] == group]
            self._members[number, : len(own)] = own[:2]
        self._covered = self._members[:, 0] != ABSENT
        self._bias = np.array([0.0 if c else card.together.languages.get(name, 0.0) for name, c in self._named()])
        self._asked = np.bincount(self.group, minlength=len(self.labels))[self.group[self._label_of]] > 1

    def _named(self) -> zip[tuple[str, bool]]:
        return zip(self.labels, self._covered.tolist(), strict=True)

    def judge(
        self, data: np.ndarray, spans: np.ndarray, small: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As `Model.judge` of `data` and `spans`; of the two labels of a text no relatives. `small`: data and spans
        of some rows as lid.176 reads them (those in capitals in small letters)."""
        found = self.ngrams.judge(data, spans)
        sure = self._sure(found.best[:, :, 0], found.says, found.counts)
        best, scores = self._label_of[found.best].astype(np.int32), np.zeros(found.says.shape, np.float32)
        scores[:, :, 0] = sure
        scores[:, -1, 1] = np.where(found.says[:, -1, 1] > 0, 1 - sure[:, -1], 0)
        best[scores == 0] = -1
        alone = (sure >= self.ngrams.card.sure) & ~self._asked[found.best[:, :, 0]]
        rows = np.flatnonzero(~alone[:, -1])
        if len(rows):
            others, their_scores, part_others, part_scores = self.lid.judge(*small(rows))
            whole = Evidence(
                found.best[rows, -1], found.says[rows, -1], found.counts[rows, -1], found.sums[rows], others, their_scores
            )
            best[rows, -1], scores[rows, -1] = self._decide(whole)
            row, part = np.nonzero(~alone[rows, :-1] & (found.counts[rows, :-1] > 0))
            at = (rows[row], part)
            one = Evidence(
                found.best[at], found.says[at], found.counts[at], None, part_others[row, part, None], part_scores[row, part, None]
            )
            best[at], scores[at] = self._decide(one)
        return best[:, -1], scores[:, -1], np.ascontiguousarray(best[:, :-1, 0]), np.ascontiguousarray(scores[:, :-1, 0])

    def _sure(self, best: np.ndarray, says: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The probability that the table's best language is right, of texts and parts alike; 0 where no n-gram is known."""
        n = np.maximum(counts, 1)
        root, share = np.sqrt(np.sqrt(n)), says[..., 0] / n / self._averages[best]
        lead = share - says[..., 1] / n / self._averages[best]
        a = self._alone
        logit = (a[0] * share + a[1] + a[3] * lead) * root + a[2] + a[4] * np.minimum(share, 1) + self._alone_of[best]
        return np.where(says[..., 0] > 0, 1 / (1 + np.exp(-logit)), 0)

    def _decide(self, seen: Evidence) -> tuple[np.ndarray, np.ndarray]:
        """`(labels int32[n, 2], scores float32[n, 2])`: of the candidates the likeliest and the next, -1 where there is none."""
        candidates, valid, others_log, agreed = self._candidates(seen)
        n = np.maximum(seen.counts, 1)[:, None]
        root, average = np.sqrt(np.sqrt(n)), self._averages[seen.best[:, :1]]
        if seen.sums is None:
            says = np.concatenate((seen.says, np.zeros(seen.others.shape, np.float32)), axis=1)
        else:
            says = seen.sums[np.arange(len(n))[:, None, None], self._members[candidates]].max(axis=2)
        lead, share = (says - seen.says[:, :1]) / n / average, seen.says[:, :1] / n / average
        t, covered = self._together, self._covered[candidates]
        logits = (
            t[0] * others_log
            + t[7] * agreed
            + np.where(covered, (t[1] * lead + t[2] * share + t[3]) * root + t[4], self._bias[candidates])
        )
        logits = np.where(valid, logits, -np.inf)
        none = t[5] + t[6] * root[:, 0]
        top = np.maximum(logits.max(axis=1), none)
        odds = np.exp(logits - top[:, None])
        p = odds / (odds.sum(axis=1) + np.exp(none - top))[:, None]
        order = np.argsort(-p, axis=1, kind="stable")[:, :2]
        scores = np.take_along_axis(p, order, axis=1).astype(np.float32)
        found = np.take_along_axis(candidates, order, axis=1)
        for k in reversed(range(seen.others.shape[1])):
            same = (self.group[found] == self.group[seen.others[:, k]][:, None]) & (seen.others[:, k] >= 0)[:, None]
            found = np.where(same, seen.others[:, k][:, None], found)
        return np.where(scores > 0, found, -1).astype(np.int32), scores

    def _candidates(self, seen: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """`(labels, valid, log, agreed)`, [n, 2 + others]: the table's best and lid.176's as labels, relatives once;
        the logarithm of what lid.176 gives it; what it gives those that the table gives too."""
        other = np.maximum(seen.others, 0)
        candidates = np.concatenate((self._label_of[seen.best], other), axis=1)
        group, given = self.group[candidates], np.clip(seen.scores.astype(float), _LEAST, 1)
        left = np.minimum(np.clip(1 - given.sum(axis=1), _LEAST, 1) * _SPREAD, given[:, -1])
        score = np.concatenate((np.repeat(left[:, None], 2, axis=1), given), axis=1)
        valid = np.concatenate((seen.says > 0, seen.others >= 0), axis=1)
        valid[:, 1] &= group[:, 1] != group[:, 0]
        agreed = np.zeros(score.shape)
        for k in range(2, candidates.shape[1]):
            for i in range(k):
                same = (group[:, k] == group[:, i]) & valid[:, i] & valid[:, k]
                score[:, i] = np.where(same, np.maximum(score[:, i], score[:, k]), score[:, i])
                if i < 2:
                    agreed[:, i] = np.where(same, np.maximum(agreed[:, i], score[:, k]), agreed[:, i])
                valid[:, k] &= ~same
        return candidates, valid, np.log(score), agreed
