"""Masks for personal data: e-mail and public IP addresses; as switches, IBANs, payment cards and phone numbers.

As in FineWeb's PII formatter (datatrove 0.10.1, `formatters/pii.py`) addresses that are globally routable are masked; private,
loopback and documentation addresses stay. Unlike there, the replacement does not rotate with a counter that outlives the
document: the final text depends on its row alone. Masking a masked text changes nothing.

**E-mail**: `local@domain`. FineWeb's local part is RFC 5322's dot-atom, which takes the URL, the quote or the markup before an
address for a part of it (`https://x.org/?q=a@b.org`). Here it is A-Z a-z 0-9 and, inside, `_ + - % ' .`, at most 64 characters;
it begins with a letter or digit and does not end in `' % .`. An address with one of ! # $ & * / = ? ^ ` { | } ~ is masked from
the character after it on. The domain has a dot and ends in a name that IANA lists as a top-level domain, or once did, or that
private networks use (filters/data/domains.py); FineWeb takes `icon@2x.png`, `pkg@1.2.3` and `user@host.test` for addresses.
`git@host:` and `git@host/` are places of repositories.

**IPv4**: a dotted quad without leading zeros that stands by itself, of the public unicast space. Quads are versions, sections
and object identifiers as well; these are left alone: `.0.0` at the end (a network, or 4.0.0.0); all parts below 20, not all equal
(7.1.11.3; one public address in 27,000); after a word for versions, sections or enzymes (EC 3.4.21.4), or in a list that goes on
from there; with update, upgrade, patch … among the three words before; after `name-`, `Product/`, or `name/` and `==` where the
first part is low (nginx/1.25.3.1); before `-rc1` or a file's ending; at the beginning of a line as a heading's number (12.3.4.25
Results); 2.5.4.x, 2.5.29.x and 2.23.140.x. FineWeb masks them all.

**IPv6**: every spelling of RFC 4291, section 2.2, with two groups at least, of global unicast space (2000::/3 without 2001::/23,
2001:db8::/32 and 3fff::/20), of Teredo, and of 6to4, v4-mapped and NAT64 addresses that hold a public IPv4 address. Brackets,
ports, zones and prefix lengths stay. Times, MAC addresses, fingerprints and C++ names have other groups, or not the first one.

Letters beyond ASCII, full-width characters: `pii_unicode.py`. IBANs, cards and phone numbers: `pii_numbers.py`, `pii_phones.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from filters.contract import Settings
from filters.edits import pii_numbers, pii_phones, pii_unicode
from filters.edits.contract import Edit, Step, Walk, apply
from filters.kernels import buffers
from filters.kernels.pii import pii

PASSES = 8
"""Most times that a text is masked; a third pass is rare, and more than a few take a text made for it."""


class PiiParams(Settings):
    email: bool = Field(True, description="mask e-mail addresses")
    email_mask: str = Field("email@example.com", description="what replaces an e-mail address (FineWeb's first)")
    ip: bool = Field(True, description="mask public IPv4 and IPv6 addresses")
    ip_mask: str = Field("22.214.171.124", description="what replaces an IPv4 address (FineWeb's first)")
    ipv6_mask: str = Field("2001:db8::1", description="what replaces an IPv6 address (RFC 3849: for documentation, no one's)")
    iban: bool = Field(False, description="mask IBANs: length by country, checksum")
    iban_mask: str = Field("<iban-pii>", description="what replaces an IBAN (Apertus's)")
    card: bool = Field(False, description="mask payment card numbers: issuer, length, checksum")
    card_mask: str = Field("<card-pii>", description="what replaces a payment card number")
    phone: bool = Field(False, description="mask phone numbers: international and common national forms")
    phone_mask: str = Field("<phone-pii>", description="what replaces a phone number")

    @model_validator(mode="after")
    def _masks_stay(self) -> PiiParams:
        """A mask that joins its neighbours, or is masked itself, would make another text each time."""
        for name in ("email_mask", "ip_mask", "ipv6_mask", "iban_mask", "card_mask", "phone_mask"):
            mask = getattr(self, name)
            # The defaults need no kernel to be loaded.
            if mask == type(self).model_fields[name].default:
                continue
            if not any(char.isalnum() for char in mask):
                raise ValueError(f"{name}: expected a text with a letter or a digit in it, got {mask!r}")
            if (made := mask_text(mask, self)) != mask:
                raise ValueError(f"{name}: expected a text that the masks leave alone, {mask!r} would become {made!r}")
        if pii_phones.named(self.phone_mask):
            raise ValueError(
                f"phone_mask: expected no word for phones at its end, got {self.phone_mask!r}; numbers after it would be masked"
            )
        return self


def mask_text(text: str, params: PiiParams) -> str:
    """One text, masked."""
    masked: str = apply(steps(params), pa.array([text], pa.large_string()))[0][0].as_py()
    return masked


def _addresses(params: PiiParams) -> Walk:
    masks = (params.email_mask, params.ip_mask, params.ipv6_mask)
    wanted = (params.email, params.ip, params.ip)
    names = (*(["pii.email"] if params.email else []), *(["pii.ip"] if params.ip else []))

    def walk(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        starts, made, kinds, other = pii.masked(offsets, data, wanted=wanted, masks=masks)
        if other.any():
            rows, chosen = np.flatnonzero(other), pa.array(other)
            texts, found = pii_unicode.masked(_strings(offsets, data).filter(chosen).to_pylist(), wanted=wanted, masks=masks)
            *ended, more, _ = pii.masked(*buffers.views(pa.array(texts, pa.large_string())), wanted=wanted, masks=masks)
            kinds[rows] = found | more
            starts, made = buffers.views(pa.compute.replace_with_mask(_strings(starts, made), chosen, _strings(*ended)))
        ip = (kinds >> pii.IPV4 | kinds >> pii.IPV6) & 1
        return starts, made, kinds & 1 | ip << 1 if params.email else ip

    return Walk(names=names, apply=walk, mask=True)


def _strings(offsets: np.ndarray, data: np.ndarray) -> pa.LargeStringArray:
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def _step(name: str, change: Callable[[pl.Series], pl.Series]) -> Step:
    return Step(name=f"pii.{name}", apply=change, mask=True)


def _kinds(params: PiiParams) -> list[Step | Walk]:
    chosen: list[Step | Walk] = [_addresses(params)] if params.email or params.ip else []
    if params.iban:
        chosen.append(_step("iban", partial(pii_numbers.mask_ibans, mask=params.iban_mask)))
    if params.card:
        chosen.append(_step("card", partial(pii_numbers.mask_cards, mask=params.card_mask)))
    if params.phone:
        chosen.append(_step("phone", partial(pii_phones.mask_phones, mask=params.phone_mask)))
    return chosen


def _once(kinds: Sequence[Step | Walk], text: pa.LargeStringArray) -> tuple[pa.LargeStringArray, np.ndarray]:
    """The masked texts, and uint8[n] with bit k set where the k-th name changed one."""
    made, changed = apply(kinds, text)
    bits = np.zeros(len(text), np.uint8)
    for k, (_, found) in enumerate(changed):
        bits |= found.astype(np.uint8) << k
    return made, bits


def steps(params: PiiParams) -> list[Walk]:
    """All kinds as one walk, repeated on the rows that it changes: a mask can set free what touched the text it replaced."""
    kinds = _kinds(params)
    names = [name for kind in kinds for name in (kind.names if isinstance(kind, Walk) else (kind.name,))]

    def walk(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        text, changes = _once(kinds, _strings(offsets, data))
        rows = np.flatnonzero(changes)
        part = text.take(pa.array(rows))
        for _ in range(PASSES - 1):
            part, more = _once(kinds, part)
            touched = more != 0
            if not touched.any():
                break
            rows, part, more = rows[touched], part.filter(pa.array(touched)), more[touched]
            changes[rows] |= more
            mask = np.zeros(len(text), bool)
            mask[rows] = True
            text = pa.compute.replace_with_mask(text, pa.array(mask), part)
        return (*buffers.views(text), changes)

    return [Walk(names=tuple(names), apply=walk, mask=True)] if kinds else []


EDIT = Edit(
    name="pii",
    version=3,
    summary="masks for e-mail and IP addresses; as switches, IBANs, cards and phone numbers",
    params=PiiParams,
    steps=steps,
)
