"""What is expected of languages: the input names those that a reader would accept."""

from __future__ import annotations

import json
from typing import Any

from tests.cases.expect import Expect
from tests.cases.runs import Ran

HIGH = 0.5
"""A score from which a wrong language is a fault: `filters.language.min_score` of the default plan."""
NEAR = {"hr": {"hr", "bs", "sr", "sh"}}
"""Languages that one text may be in."""


def _documents(ran: Ran) -> list[dict[str, Any]]:
    return [*ran.rows("data"), *ran.rows("rejected")]


def _named(row: dict[str, Any]) -> set[str]:
    return {str(row["language"]), f"{row['language']}_{row['language_script']}"}


def wrong(ran: Ran) -> list[str]:
    """Ids of documents with a language that their reader would not accept, at a high score."""
    found = []
    for row in _documents(ran):
        wanted = {*json.loads(row["metadata"])["want"].split(), "und", "None"}
        if not _named(row) & wanted and (row["language_score"] or 0) >= HIGH:
            found.append(row["id"])
    return sorted(found)


def wanted() -> Expect:
    return Expect(
        "the wanted language, und or a low score", lambda ran: ran.code == 0 and bool(_documents(ran)) and not wrong(ran)
    )


def same_in_capitals() -> Expect:
    """An id is LANGUAGE_CASE: that language, or a near one, in each case."""

    def holds(ran: Ran) -> bool:
        rows = _documents(ran)
        right = [row["language"] in NEAR.get(row["id"][:2], {row["id"][:2]}) for row in rows]
        return ran.code == 0 and bool(right) and all(right)

    return Expect("one language in small letters and capitals", holds)


def keeps(*ids: str) -> Expect:
    return Expect(f"keeps {' '.join(ids)}", lambda ran: set(ids) <= {row["id"] for row in ran.rows("data")})
