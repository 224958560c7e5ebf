"""E-mail, IPv4 and IPv6 addresses in one text, by regular expressions and `ipaddress`: what the kernel must find."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from filters.data.domains import top_level_domains
from filters.kernels.pii.pii_tables import CHANGES, FILES, SHORT_WORDS, VERSION_WORDS

EMAIL, IPV4, IPV6 = 0, 1, 2
_LOCAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_+%'-]|\.(?!\.))*$")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")
_BETWEEN = r"""[ :="'(.#]{0,16}$"""
_ANNOUNCED = re.compile(
    rf"(?:(?<![a-z0-9_])(?:{'|'.join(map(re.escape, SHORT_WORDS))})|{'|'.join(VERSION_WORDS)}){_BETWEEN}".replace("$", r"\Z"),
    re.ASCII,
)
_CHANGED = re.compile(rf"(?<![a-z0-9_])(?:{'|'.join(CHANGES)})\w*(?:[: ]{{1,2}}\w+){{0,2}}[: ]{{1,2}}\Z", re.ASCII)
_PRODUCT = re.compile(r"""(?:\A|[ \n\t("])[A-Z](?:[A-Za-z0-9_-]{0,31})/\Z""")
_PACKAGE = re.compile(r"""(?:\A|[ \n\t("])[a-z](?:[A-Za-z0-9_-]{0,31})/\Z""")
_SEPARATOR = re.compile(r"([0-9.]+)(?:[ ,;/&]{1,3}|[ ,;]{1,2}(?:and|or) {1,2})\Z")
_FILE = re.compile(rf"\.(?:{'|'.join(FILES)})(?![A-Za-z0-9_])", re.ASCII)
_NO_HOSTS = [
    ipaddress.ip_network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
        *("192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20"),
    )
]
"""IANA IPv4 and IPv6 Special-Purpose Address Registries, and multicast and reserved IPv4 space."""


def public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.version == 6:
        held = address.ipv4_mapped or address.sixtofour
        if held is None and address in ipaddress.ip_network("64:ff9b::/96"):
            held = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if held is not None:
            return public(held)
        if address in ipaddress.ip_network("2001::/32"):
            return True
        if address not in ipaddress.ip_network("2000::/3"):
            return False
    return not any(address.version == block.version and address in block for block in _NO_HOSTS)


def _lower(text: str) -> str:
    """A-Z only, as the kernel does: one character stays one."""
    return re.sub("[A-Z]", lambda found: found[0].lower(), text)


def _word(char: str) -> bool:
    return re.fullmatch("[A-Za-z0-9_]", char) is not None


def email(text: str, floor: int, at: int) -> tuple[int, int] | None:
    start = at
    while start > floor and re.fullmatch(r"[A-Za-z0-9_+%'.-]", text[start - 1]):
        if text[start - 1] == "." and (start == at or text[start] == "."):
            break
        start -= 1
    local = re.sub("^[^A-Za-z0-9]+", "", text[start:at])
    if not _LOCAL.match(local) or len(local) > 64 or local[-1] in "'%":
        return None
    stop = _domain(text, at + 1)
    if stop is None or (local == "git" and text[stop : stop + 1] in (":", "/")):
        return None
    return at - len(local), stop


def _domain(text: str, start: int) -> int | None:
    if re.compile(r"[0-9]+\.[0-9]").match(text, start):
        return None
    stop, place, first = None, start, True
    while label := _LABEL.match(text, place):
        if not first and (end := _top(text, label[0], label.end())):
            stop = end
        if label[0].endswith("-") or text[label.end() : label.end() + 1] != ".":
            break
        place, first = label.end() + 1, False
    return stop


def _top(text: str, label: str, end: int) -> int | None:
    name = label if re.match("(?i)xn--.", label) else label.split("-")[0]
    end -= len(label) - len(name)
    if re.compile("_[A-Za-z0-9]").match(text, end):
        return None
    if name.lower() in top_level_domains():
        return end
    small = re.match("([a-z]+)[A-Z]", name)
    return end - len(name) + len(small[1]) if small and small[1] in top_level_domains() else None


def ipv4(text: str, floor: int, run: tuple[int, int]) -> tuple[int, int] | None:
    start, end = run
    found = _QUAD.match(text, start, end)
    if found is None or text[found.end() : end].strip("."):
        return None
    stop = found.end()
    parts = [int(part) for part in found[0].split(".")]
    if max(parts) > 255 or parts[2:] == [0, 0] or not public(ipaddress.IPv4Address(found[0])):
        return None
    before, after = text[:start][-1:], text[end : end + 2] if stop == end else ""
    if _word(before) or before == "." or re.match("[A-Za-z0-9_@]|[+-][A-Za-z]", after):
        return None
    heading = before in ("", "\n") and stop == end and re.match(" [A-Z][a-z]", text[end : end + 3])
    if heading and max(parts) < 64 and parts[0] < 40:
        return None
    if end - stop == 1 and _FILE.match(_lower(text), stop):
        return None
    if (max(parts) < 20 and len(set(parts)) > 1) or parts[:3] in ([2, 5, 4], [2, 5, 29], [2, 23, 140]):
        return None
    behind = text[floor:start]
    if before and behind:
        if before == "-":
            return None if re.search("[A-Za-z]-$", behind) else (start, stop)
        if before == "/":
            product = _PRODUCT.search(behind) or (parts[0] < 40 and _PACKAGE.search(behind))
            return None if product or _listed(behind) else (start, stop)
        if parts[0] < 40 and re.search(r"[\^~]\Z|[=<>~!]=\Z", behind):
            return None
        if _ANNOUNCED.search(_lower(behind)) or _CHANGED.search(_lower(behind)) or _listed(behind):
            return None
    return start, stop


def _listed(behind: str) -> bool:
    for _ in range(16):
        found = _SEPARATOR.search(behind)
        if not found or len(found[1]) > 15 or not re.fullmatch(r"[0-9]+(?:\.[0-9]+){3}", found[1]):
            return False
        behind = behind[: found.start()]
        if _ANNOUNCED.search(_lower(behind)):
            return True
    return False


def ipv6(text: str, run: tuple[int, int]) -> tuple[int, int] | None:
    start, end = run
    while start < end and text[start] == ".":
        start += 1
    if _word(text[:start][-1:]):
        colon = text.find(":", start, end)
        if colon < 0 or colon + 1 >= end or text[colon + 1] == ":":
            return None
        start = colon + 1
    elif re.compile(":[^:]").match(text, start, end):
        start += 1
    stop = start + len(text[start:end].rstrip("."))
    ends = stop < end
    if re.search("(?:[^:]|::):$", text[start:stop]) and stop - start > 2:
        stop, ends = stop - 1, False
    if not ends and _word(text[end : end + 1]):
        return None
    if len(re.findall(r"[0-9A-Fa-f]+", text[start:stop])) < 2:
        return None
    try:
        found = ipaddress.IPv6Address(text[start:stop])
    except ipaddress.AddressValueError:
        return None
    if "::" in text[start:stop] and _groups(text[start:stop]) > 7:
        return None
    return (start, stop) if public(found) else None


def _groups(address: str) -> int:
    return sum(2 if "." in part else 1 for part in address.split(":") if part)


def _run(text: str, floor: int, place: int, chars: str) -> tuple[int, int]:
    start, end = place, place + 1
    while start > floor and text[start - 1] in chars:
        start -= 1
    while end < len(text) and text[end] in chars:
        end += 1
    return start, end


def spans(text: str, wanted: tuple[bool, bool, bool] = (True, True, True)) -> Iterator[tuple[int, int, int]]:
    """`(start, end, kind)` of each address, in characters."""
    floor = past4 = past6 = 0
    for found in re.finditer(r"@|(?<=[0-9])\.(?=[0-9])|(?<=[0-9A-Fa-f:]):(?=[0-9A-Fa-f:])|:(?=:)", text):
        place, span, kind = found.start(), None, EMAIL
        if place < floor:
            continue
        if found[0] == "@":
            span = email(text, floor, place) if wanted[EMAIL] else None
        elif found[0] == "." and wanted[IPV4] and place >= past4:
            kind, run = IPV4, _run(text, floor, place, "0123456789.")
            span, past4 = ipv4(text, floor, run), run[1]
        elif found[0] == ":" and wanted[IPV6] and place >= past6:
            kind, run = IPV6, _run(text, floor, place, "0123456789abcdefABCDEF:.")
            span, past6 = ipv6(text, run), run[1]
        if span is not None:
            yield *span, kind
            floor = span[1]


def masked(text: str, masks: tuple[str, str, str], wanted: tuple[bool, bool, bool] = (True, True, True)) -> str:
    parts, last = [], 0
    for start, end, kind in spans(text, wanted):
        parts += [text[last:start], masks[kind]]
        last = end
    return "".join((*parts, text[last:]))
