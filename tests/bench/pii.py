"""PII masks, measured: addresses and look-alikes set into real text, a labelled synthetic set, and speed.

1. E-mail, IPv4, IPv6: strings of `pii_strings.py`, half of them addresses, each set between two words of real text. Right is
   a match of exactly the address's bytes. Targets: precision 0.99, recall 0.98.
2. Cards, phones, IBANs: presidio-research's sentences (Faker's values in templates). What fails a checksum is counted: no mask
   that verifies it can find it.
3. MB of real text per CPU-second.

Needs WINNOW_EVAL_DATA (text that is not part of the project). Ends with status 1 where a target is missed.

    python -m tests.bench.pii [--each 4000] [--seed 0] [--mb 100]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
from stdnum import iban, luhn

from filters.edits import pii_numbers, pii_phones
from filters.edits.contract import apply
from filters.edits.pii import PiiParams, steps
from filters.kernels import buffers
from filters.kernels.pii import pii
from pipeline.records.interval import share
from tests.bench import pii_strings
from tests.bench.kernels import DEFAULT_DATA, seconds, texts

PRECISION, RECALL = 0.99, 0.98
PASSAGE = 600
"""Characters of real text around each string."""
ORDER = {"e-mail": pii.EMAIL, "IPv4": pii.IPV4, "IPv6": pii.IPV6}


def wilson(good: int, n: int) -> str:
    """A share and its 95 % interval."""
    if n == 0:
        return "    -"
    found = share(good, n)
    return f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"


def passages(folder: Path, rng: Random) -> Iterator[tuple[str, str]]:
    """Endless passages of real text, cut in two behind a space or a line break."""
    parts = [text[k : k + PASSAGE] for text in texts(folder, 8e6) for k in range(0, min(len(text), 20 * PASSAGE), PASSAGE)]
    rng.shuffle(parts)
    for part in cycle(parts):
        places = [k + 1 for k, char in enumerate(part) if char in " \n"]
        if places:
            place = rng.choice(places)
            yield part[:place], part[place:]


def found(rows: list[str]) -> list[list[tuple[int, int, int]]]:
    """`(start, end, kind)` of the matches in each row, in bytes of the row."""
    offsets, data = buffers.views(pa.array(rows, pa.large_string()))
    spans = pii.spans(offsets, data, wanted=(True, True, True))
    rest = iter(zip(spans.starts.tolist(), spans.ends.tolist(), spans.kinds.tolist(), strict=True))
    return [
        [(a - offset, b - offset, kind) for a, b, kind in (next(rest) for _ in range(n))]
        for n, offset in zip(spans.counts.tolist(), offsets[:-1].tolist(), strict=True)
    ]


def judge(
    items: list[pii_strings.Item], carriers: Iterator[tuple[str, str]], kind: int
) -> tuple[Counter[str], Counter[str], int]:
    """By category: addresses found exactly, false matches that touch the string; and matches in the real text around."""
    placed = [(*next(carriers), item) for item in items]
    rows = [
        left + before + address + after + (" " if not after[-1:].isspace() else "") + right
        for left, right, (_, before, address, after) in placed
    ]
    hits: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    outside = 0
    for (left, _, (category, before, address, after)), spans in zip(placed, found(rows), strict=True):
        begin = len(left.encode())
        start = begin + len(before.encode())
        stop = start + len(address.encode())
        end = stop + len(after.encode())
        for a, b, what in spans:
            if what != kind:
                continue
            if address and (a, b) == (start, stop):
                hits[category] += 1
            elif a < end and b > begin:
                wrong[category] += 1
            else:
                outside += 1
    return hits, wrong, outside


def strings(folder: Path, each: int, seed: int) -> bool:
    rng = Random(seed)
    carriers = passages(folder, rng)
    missed = False
    for name, (_, alike) in pii_strings.KINDS.items():
        good = list(pii_strings.valid(name, each, seed=seed))
        bad = list(pii_strings.look_alikes(alike, each, seed=seed))
        hits, cut, around = judge(good, carriers, ORDER[name])
        _, wrong, more = judge(bad, carriers, ORDER[name])
        right, false = hits.total(), cut.total() + wrong.total()
        met = right >= PRECISION * (right + false) and right >= RECALL * each
        missed |= not met
        print(f"{name}: {each:,} addresses, {each:,} look-alikes; {around + more} matches in the text around are not judged")
        print(f"  precision {wilson(right, right + false)}   recall {wilson(right, each)}   {'met' if met else 'MISSED'}")
        for category, n in Counter(item[0] for item in good).items():
            if hits[category] < n:
                print(f"    missed  {category:<28} {n - hits[category]:>5} of {n}")
        for category, n in Counter(item[0] for item in bad).items():
            if wrong[category]:
                print(f"    matched {category:<28} {wrong[category]:>5} of {n}")
        for category in cut:
            print(f"    cut     {category:<28} {cut[category]:>5}")
    bare = list(pii_strings.look_alikes(pii_strings.BARE_VERSIONS, each // 4, seed=seed))
    _, wrong, _ = judge(bare, carriers, pii.IPV4)
    print(f"beside the target: versions of four parts without a word before, matched as IPv4 {wilson(wrong.total(), len(bare))}")
    return missed


def labelled(folder: Path) -> None:
    path = folder / "pii_eval" / "pii.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    kinds: dict[str, tuple[str, Callable[[str], Iterator[tuple[int, int]]]]] = {
        "card": ("CREDIT_CARD", pii_numbers.cards),
        "phone": ("PHONE_NUMBER", pii_phones.phones),
        "IBAN": ("IBAN_CODE", pii_numbers.ibans),
    }
    print(f"\npresidio-research, {len(rows)} synthetic sentences; found = a match touches it")
    for name, (label, find) in kinds.items():
        spans = [[(s["start"], s["end"]) for s in row["spans"] if s["type"] == label] for row in rows]
        matches = [list(find(row["text"])) for row in rows]
        n, m = sum(map(len, spans)), sum(map(len, matches))
        hit = sum(any(a < e and b > s for a, b in own) for own, want in zip(matches, spans, strict=True) for s, e in want)
        exact = sum((s, e) in own for own, want in zip(matches, spans, strict=True) for s, e in want)
        right = sum(any(a < e and b > s for s, e in want) for own, want in zip(matches, spans, strict=True) for a, b in own)
        print(f"  {name:<6} {n:>3} labelled: precision {wilson(right, m)}  recall {wilson(hit, n)}, exactly {exact}")
        values = [row["text"][s:e] for row, want in zip(rows, spans, strict=True) for s, e in want]
        if name == "card":
            digits = ["".join(filter(str.isdigit, value)) for value in values]
            print(
                f"         of them {sum(not luhn.is_valid(d) for d in digits)} fail the Luhn check, "
                f"{sum(luhn.is_valid(d) and not pii_numbers.is_card(d) for d in digits)} more have no known issuer and length"
            )
        if name == "IBAN":
            print(f"         of them {sum(not iban.is_valid(value, check_country=False) for value in values)} fail the checksum")


def speed(folder: Path, mb: float) -> None:
    text = pa.array(list(texts(folder, mb * 1e6)), pa.large_string())
    print(f"\nMB of real text per CPU-second ({text.nbytes / 1e6:.0f} MB)")
    for name, params in {"default": PiiParams(), "all kinds": PiiParams(iban=True, card=True, phone=True)}.items():
        chosen = steps(params)
        _, changed = apply(chosen, text)
        rows = int(np.logical_or.reduce([made for _, made in changed]).sum())
        rate = text.nbytes / 1e6 / seconds(lambda chosen=chosen: apply(chosen, text))
        print(f"  {name:<10} {rate:8.0f}   {rows:,} of {len(text):,} texts changed")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=4000, help="addresses, and look-alikes, of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mb", type=float, default=100)
    options = parser.parse_args()
    folder = Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA))
    missed = strings(folder, options.each, options.seed)
    labelled(folder)
    speed(folder, options.mb)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
