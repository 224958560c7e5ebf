"""Masks for personal data: e-mail addresses and public IPv4 addresses.

Follows FineWeb's PII formatter (datatrove 0.10.1, `formatters/pii.py`): an RFC 5322 dot-atom address, and dotted quads that
are globally routable; private, loopback and documentation addresses stay. Unlike there, the replacement does not rotate
with a counter that outlives the document: the final text depends on its row alone.
Text is hostile: the e-mail pattern runs on Rust's regex engine (linear time); the IPv4 pattern has bounded repeats only.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

import numpy as np
import polars as pl
from pydantic import Field

from filters.contract import Settings
from filters.edits.contract import Edit, Step

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
EMAIL = rf"{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{2,59}})"
"""The last label is a top-level domain's: letters, or punycode. FineWeb's pattern takes `react@18.3.1` for an address."""
IPV4 = re.compile(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w]|\.[0-9])")


class PiiParams(Settings):
    email: bool = Field(True, description="mask e-mail addresses")
    email_mask: str = Field("email@example.com", description="what replaces an e-mail address (FineWeb's first)")
    ip: bool = Field(True, description="mask public IPv4 addresses")
    ip_mask: str = Field("22.214.171.124", description="what replaces an IPv4 address (FineWeb's first)")


def _is_public(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address).is_global
    except ipaddress.AddressValueError:  # a part over 255, or a leading zero: not an address
        return False


def _where(text: pl.Series, rows: pl.Series, edit: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """`text` with `edit` applied to `rows` only: most documents hold neither address."""
    if not rows.any():
        return text
    picked = np.arange(len(text))
    picked[rows.to_numpy()] = len(text) + np.arange(int(rows.sum()))
    return pl.concat([text, edit(text.filter(rows))]).gather(picked)


def mask_emails(text: pl.Series, mask: str) -> pl.Series:
    """Every e-mail address in every text replaced by `mask`."""
    literal = mask.replace("$", "$$")
    return _where(text, text.str.contains("@", literal=True), lambda part: part.str.replace_all(EMAIL, literal))


def mask_ips(text: pl.Series, mask: str) -> pl.Series:
    """Every globally routable IPv4 address in every text replaced by `mask`."""

    def edit(part: pl.Series) -> pl.Series:
        masked = [IPV4.sub(lambda m: mask if _is_public(m[0]) else m[0], text) for text in part]
        return pl.Series(part.name, masked, dtype=pl.String)

    return _where(text, text.str.contains(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]"), edit)


def steps(params: PiiParams) -> list[Step]:
    chosen = []
    if params.email:
        chosen.append(Step(name="pii.email", apply=lambda text: mask_emails(text, params.email_mask), mask=True))
    if params.ip:
        chosen.append(Step(name="pii.ip", apply=lambda text: mask_ips(text, params.ip_mask), mask=True))
    return chosen


EDIT = Edit(name="pii", version=1, summary="masks for e-mail and IP addresses", params=PiiParams, steps=steps)
