"""What may be expected of a run: named predicates, each of which also says what it saw.

Invariant: an expectation holds counts, names, causes, numbers and words of messages; what a text ought to be is worked out
from the input itself (`pages.py`), never written down here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.cases.runs import Ran

GARBAGE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffd]")
"""Characters that no text of the cases has: controls, the mark of byte order, the mark of what could not be decoded."""


@dataclass(frozen=True)
class Expect:
    about: str
    holds: Callable[[Ran], bool]


def seen(ran: Ran) -> str:
    """In a few words, what a run did."""
    if ran.code == -1:
        return "traceback: " + ran.printed.strip().splitlines()[-1][:110]
    if ran.code:
        last = [line for line in ran.printed.splitlines() if line.strip()]
        return f"exit {ran.code}: " + " ".join(last)[-150:]
    counts = {folder: len(ran.rows(folder)) for folder in ("data", "rejected", "quarantine")}
    causes = sorted({row["cause"] for row in ran.rows("quarantine")} | {str(row["reason"]) for row in ran.rows("rejected")})
    return f"{counts['data']} kept, {counts['rejected']} dropped, {counts['quarantine']} bad" + (
        f" ({', '.join(causes)})" if causes else ""
    )


def both(*parts: Expect) -> Expect:
    return Expect("; ".join(part.about for part in parts), lambda ran: all(part.holds(ran) for part in parts))


def either(*parts: Expect) -> Expect:
    return Expect(" or ".join(part.about for part in parts), lambda ran: any(part.holds(ran) for part in parts))


def kept(count: int) -> Expect:
    """So many rows are read, all are documents that are kept, and none is garbage."""

    def holds(ran: Ran) -> bool:
        whole = ran.code == 0 and len(ran.rows("ledger")) == len(ran.texts) == count
        return whole and not any(GARBAGE.search(text) for text in ran.texts)

    return Expect(f"{count} kept", holds)


def counts(*, keep: int, drop: int = 0, bad: int = 0) -> Expect:
    def holds(ran: Ran) -> bool:
        found = tuple(len(ran.rows(folder)) for folder in ("data", "rejected", "quarantine"))
        return ran.code == 0 and found == (keep, drop, bad)

    return Expect(f"{keep} kept, {drop} dropped, {bad} bad", holds)


def bad(count: int, *words: str) -> Expect:
    """So many rows in quarantine, with a cause or detail that has all of these words, whatever their case."""

    def holds(ran: Ran) -> bool:
        rows = ran.rows("quarantine")
        said = [f"{row['cause']} {row['detail']}" for row in rows]
        return ran.code == 0 and len(rows) == count and all(ran.says(*words, of=line) for line in said)

    return Expect(f"{count} bad" + (f" ({', '.join(words)})" if words else ""), holds)


def none_read() -> Expect:
    return Expect("no rows, no error", lambda ran: ran.code == 0 and not ran.rows("ledger"))


def refused(*words: str, codes: tuple[int, ...] = (1, 2)) -> Expect:
    """The run fails, publishes nothing, and its message has all of these words, whatever their case."""

    def holds(ran: Ran) -> bool:
        return ran.code in codes and not ran.committed and ran.says(*words, of=ran.printed)

    return Expect("refused" + (f", naming {', '.join(words)}" if words else ""), holds)


def told(*words: str) -> Expect:
    """The terminal or the quarantine names these, whatever happened; no traceback."""

    def holds(ran: Ran) -> bool:
        return ran.code >= 0 and ran.says(*words, of=ran.told)

    return Expect(f"told: {', '.join(words)}", holds)


def ids(*wanted: str) -> Expect:
    """The ids of what is kept, in any order."""
    return Expect(f"ids {' '.join(wanted)}", lambda ran: sorted(row["id"] for row in ran.rows("data")) == sorted(wanted))


def metadata(name: str, *wanted: str) -> Expect:
    """What is kept has these values of that name in its metadata: as many, in any order, digit for digit."""

    def holds(ran: Ran) -> bool:
        found = [json.loads(row["metadata"], parse_int=str, parse_float=str).get(name) for row in ran.rows("data")]
        return sorted(str(value) for value in found if value is not None) == sorted(wanted)

    return Expect(f"metadata.{name}: {' '.join(sorted(set(wanted)))}", holds)


def metadata_begins(name: str, *wanted: str) -> Expect:
    """Some row has a value of that name that begins so, for each."""

    def holds(ran: Ran) -> bool:
        found = [str(json.loads(row["metadata"]).get(name)) for row in ran.rows("data")]
        return all(any(value.startswith(want) for value in found) for want in wanted)

    return Expect(f"metadata.{name} begins {' '.join(wanted)}", holds)


def column(name: str, *begins: str) -> Expect:
    """The values of a column of data/ begin so, in order of rows."""

    def holds(ran: Ran) -> bool:
        found = [str(row[name]) for row in ran.rows("data")]
        return len(found) == len(begins) and all(map(str.startswith, found, begins))

    return Expect(f"{name} {' '.join(dict.fromkeys(begins))}", holds)


def texts_have(*words: str) -> Expect:
    return Expect(f"text has {' '.join(words)}", lambda ran: all(any(word in text for text in ran.texts) for word in words))


def texts_lack(*words: str) -> Expect:
    return Expect(f"no text has {' '.join(words)}", lambda ran: not any(word in text for text in ran.texts for word in words))


def names_lack(*words: str) -> Expect:
    """No id and no metadata has these characters, as a header read with its byte-order mark would."""

    def holds(ran: Ran) -> bool:
        return not any(word in f"{row['id']} {row['metadata']}" for row in ran.rows("data") for word in words)

    return Expect("clean names", holds)
