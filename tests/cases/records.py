"""What rows of the input ought to have become, worked out from the input: ids, pages of an archive."""

from __future__ import annotations

import base64
import json
import re
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.cases.expect import GARBAGE, Expect
from tests.cases.runs import Ran


def _rows(given: Path) -> list[dict[str, Any]]:
    if given.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(given).to_pylist()
        return found
    return [json.loads(line) for line in given.read_text("utf-8").splitlines()]


def _forms(value: Any) -> set[str]:
    """How an id may be written: as it is, as JSON, bytes as hexadecimal digits, base64 or a UUID."""
    forms = {str(value), json.dumps(value, default=str), json.dumps(value, default=str, separators=(",", ":"))}
    if isinstance(value, bytes):
        forms |= {value.hex(), base64.b64encode(value).decode()}
        forms |= {str(uuid.UUID(bytes=value))} if len(value) == 16 else set()
    if isinstance(value, float) and value.is_integer():
        forms.add(str(int(value)))
    return forms


def same_ids() -> Expect:
    """Each row's id is that of the input, digit for digit, or stands so in its metadata; different ids stay different."""

    def holds(ran: Ran) -> bool:
        given = _rows(ran.given)
        made = {int(row["source_ref"].rpartition("#")[2]): row for row in ran.rows("data")}
        if ran.code or len(made) != len(given):
            return False
        for number, row in enumerate(given, 1):
            value = row.get("id")
            beside = json.loads(made[number]["metadata"]).get("id")
            written = {str(made[number]["id"]), json.dumps(beside), str(beside)}
            if value not in (None, "") and not written & _forms(value):
                return False
        different = {json.dumps(row.get("id"), default=str) for row in given if row.get("id") not in (None, "")}
        return len({row["id"] for row in made.values()}) >= len(different)

    return Expect("ids as given", holds)


def same_numbers(name: str) -> Expect:
    """A whole number of another column stays itself in metadata, digit for digit."""

    def holds(ran: Ran) -> bool:
        wanted = sorted(str(row[name]) for row in _rows(ran.given))
        found = sorted(str(json.loads(row["metadata"], parse_int=str)[name]) for row in ran.rows("data"))
        return ran.code == 0 and found == wanted

    return Expect(f"metadata.{name} digit for digit", holds)


def pages(*, whole: str, whole_or_bad: str = "", bad: str = "") -> Expect:
    """Pages of an archive, by the last part of their URL: all say the same but for their name, none is garbage.

    `whole` are read, `bad` are in quarantine with a cause, `whole_or_bad` are one or the other.
    """

    def holds(ran: Ran) -> bool:
        read = {row["url"].rpartition("/")[2].rstrip(">"): row["text"] for row in ran.rows("data") if row["url"]}
        said = {re.sub(rf"\b{name}\b", "NAME", text) for name, text in read.items()}
        wanted, allowed = set(whole.split()), set(whole_or_bad.split())
        rest = len(wanted) + len(allowed) + len(bad.split()) - len(read)
        clean = len(said) == 1 and not any(GARBAGE.search(text) for text in said)
        return ran.code == 0 and clean and wanted <= set(read) <= wanted | allowed and len(ran.rows("quarantine")) == rest

    parts = [f"pages {whole}", f"pages or bad {whole_or_bad}" * bool(whole_or_bad), f"bad {bad}" * bool(bad)]
    return Expect("; ".join(filter(None, parts)), holds)
