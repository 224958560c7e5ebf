"""How much each group of documents gives to an export: weights, a budget, and caps on how often a document may be repeated.

All in whole numbers, so that a mix is the same everywhere: weights are scaled to integers, a budget is divided by the largest
remainders (Hamilton's method), and a group's cap is its size times the epochs that it may be read, rounded down. Sizes are
tokens, the one that ends each document among them, or bytes where nothing is tokenised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm

from pipeline.errors import UsageError
from pipeline.text import numbers

OTHERS = "*"
"""The group of all documents that no other group names."""
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class Wanted:
    """A mix as the user asks for it. `by`: the column whose values name groups; without `weights` there is one group of all.
    `epochs`: how often documents of a group may be read at most, `others` those of a group that it does not name."""

    by: str
    weights: tuple[tuple[str, Fraction], ...] = ()
    epochs: tuple[tuple[str, Fraction], ...] = ()
    others: Fraction = Fraction(1)
    budget: int | None = None

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups that give something, in the order that the user names them in."""
        return tuple(name for name, weight in self.weights if weight) or (OTHERS,)

    def most_epochs(self, group: str) -> Fraction:
        return dict(self.epochs).get(group, self.others)


@dataclass(frozen=True)
class Supply:
    """What there is of a group: documents and their size, each counted once."""

    group: str
    documents: int
    size: int


@dataclass(frozen=True)
class Share:
    """What a group gives: `target` of `supply.size` × epochs, at most `cap`."""

    supply: Supply
    weight: int
    cap: int
    target: int

    @property
    def rest(self) -> int:
        """Of the last epoch, which is not read to its end."""
        return self.target % self.supply.size


def wanted(by: str, *, weights: Sequence[str], epochs: Sequence[str], budget: str | None) -> Wanted:
    """The mix of these options: `NAME=WEIGHT`; `NAME=N` or `N`; a number of tokens. Raises UsageError."""
    named = tuple(_named(given, "--weight") for given in weights)
    caps = [_named(given, "--epochs") if "=" in given else ("", decimal(given, "--epochs")) for given in epochs]
    for option, names in (("--weight", [name for name, _ in named]), ("--epochs", [name for name, _ in caps])):
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"{option} {twice[0] or epochs[-1]}: given twice; name each group once")
    if named and not any(weight for _, weight in named):
        raise UsageError("--weight: all weights are 0, so nothing would be exported; give one group a weight")
    groups = [name for name, weight in named if weight] or [OTHERS]
    for name, most in caps:
        if name and name not in groups:
            raise UsageError(f"--epochs {name}: no such group; expected one that --weight names: {', '.join(groups[:10])}")
        if not most:
            raise UsageError(f"--epochs {name or 0}: 0 reads nothing; leave the group out, or give --weight {name or 'NAME'}=0")
    others = dict(caps).get("", Fraction(1))
    return Wanted(by, named, tuple(cap for cap in caps if cap[0]), others, None if budget is None else count(budget, "--tokens"))


def count(given: str, option: str) -> int:
    """A whole number, as people write large ones: `300_000`, `3e9`, `1.5e9`."""
    found = re.fullmatch(r"([0-9]{1,20})(?:\.([0-9]{1,12}))?(?:[eE]([0-9]{1,2}))?", given.replace("_", "").replace(",", ""))
    made = Fraction(f"{found[1]}.{found[2] or 0}") * 10 ** int(found[3] or 0) if found else Fraction(0)
    if made < 1 or made.denominator != 1 or made >= 1 << 62:
        raise UsageError(f"{option} {given}: expected a whole number of 1 or more, such as 3e9")
    return int(made)


def _named(given: str, option: str) -> tuple[str, Fraction]:
    name, mark, value = given.rpartition("=")
    if not mark or not name:
        raise UsageError(f"{option} {given}: expected NAME=NUMBER; NAME is a value of the column that --by names, or {OTHERS}")
    return name, decimal(value, f"{option} {name}")


def decimal(value: str, where: str) -> Fraction:
    """A number as people write it, exactly. Raises UsageError."""
    if not _DECIMAL.fullmatch(value):
        raise UsageError(f"{where}: {value} is no weight or count; expected a number such as 2 or 0.5")
    return Fraction(value)


def shares(mix: Wanted, supplies: Iterable[Supply]) -> tuple[Share, ...]:
    """What each group gives. Without a budget it is the largest that the caps allow. Raises UsageError for one beyond."""
    there = tuple(supplies)
    weights = _integers([dict(mix.weights)[one.group] for one in there] if mix.weights else [Fraction(1)])
    caps = [int(mix.most_epochs(one.group) * one.size) for one in there]
    largest = largest_budget(weights, caps)
    budget = largest if mix.budget is None else mix.budget
    if budget > largest:
        raise UsageError(beyond(mix, tightest(shares(replace(mix, budget=None), there)), budget=budget, largest=largest))
    return tuple(
        Share(one, weight, cap, target)
        for one, weight, cap, target in zip(there, weights, caps, divided(budget, weights), strict=True)
    )


def tightest(of: Sequence[Share]) -> Supply:
    """The group that ends first as a budget grows."""
    return min(of, key=lambda share: Fraction(share.cap, share.weight)).supply


def beyond(mix: Wanted, tight: Supply, *, budget: int, largest: int, about: bool = False) -> str:
    """Why a budget is too large: the group that ends first."""
    group = "the corpus" if tight.group == OTHERS and len(mix.groups) == 1 else f"group {tight.group}"
    epochs = mix.most_epochs(tight.group)
    read = f"{numbers.plain(float(epochs))} {'epoch' if epochs == 1 else 'epochs'}"
    roughly = "about " if about else ""
    return (
        f"--tokens {budget:,} is more than {group} gives: it has {roughly}{numbers.count(tight.size)} tokens and may be read for"
        f" {read}, so the largest budget of this mix is {roughly}{largest:,}; give that, or allow more with --epochs"
    )


def largest_budget(weights: Sequence[int], caps: Sequence[int]) -> int:
    """The largest budget of which no group gives more than its cap."""
    return min(cap * sum(weights) // weight for weight, cap in zip(weights, caps, strict=True))


def divided(budget: int, weights: Sequence[int]) -> list[int]:
    """The budget in proportion to the weights, in whole numbers: the largest remainders get what rounding leaves, the first of
    equal ones first."""
    total = sum(weights)
    made = [budget * weight // total for weight in weights]
    left = budget - sum(made)
    order = sorted(range(len(weights)), key=lambda at: (-(budget * weights[at] % total), at))
    for at in order[:left]:
        made[at] += 1
    return made


def _integers(weights: Sequence[Fraction]) -> list[int]:
    """The weights in the same proportions, as the smallest whole numbers."""
    scale = lcm(*(weight.denominator for weight in weights))
    whole = [int(weight * scale) for weight in weights]
    common = gcd(*whole)
    return [weight // common for weight in whole]
