"""Made-up addresses and strings that only look like some, for `tests/bench/pii.py`. Item k of a kind and seed is always the same.

An item is `(category, before, address, after)`: set into text as one string; `address` is empty in a look-alike.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from random import Random

Item = tuple[str, str, str, str]
Maker = Callable[[Random], tuple[str, str, str]]

_NAMES, _FIRMS, _TLDS, _WORDS = (
    line.split()
    for line in (
        "anna ben chen dara elif femi goran hana ivan jae kofi lena mira noor olga paul rosa sven tariq uma vera wei yusuf zoe",
        "acme blue-sky nordwind kaffeehaus tanaka river2 fjord data-lab 4seasons petrol uni-marburg brightside mx1 lumen",
        "com org net de co.uk fr jp io gov edu info com.br ac.in museum app xn--p1ai cn ru eu technology",
        "vector map string list view index render update node path value",
    )
)


def _host(rng: Random) -> str:
    sub = rng.choice(["", "", "", "mail.", "lists.", "smtp-out."])
    return f"{sub}{rng.choice(_FIRMS)}.{rng.choice(_TLDS)}"


def _local(rng: Random) -> str:
    name, other = rng.choice(_NAMES), rng.choice(_NAMES)
    year = rng.randint(0, 99)
    made = rng.choice(
        [
            name,
            f"{name}.{other}",
            f"{name[0]}{other}",
            f"{name}_{other}{year:02d}",
            f"{name}+{other}",
            f"{name}-{other}",
            f"{name}{year}",
        ]
    )
    return rng.choice([made, made, made, made.title(), made.upper()])


def _email(before: str, after: str) -> Maker:
    return lambda rng: (before, f"{_local(rng)}@{_host(rng)}", after)


EMAILS: dict[str, Maker] = {
    "plain": _email("", ""),
    "end of sentence": _email("", "."),
    "angle brackets": _email("<", ">"),
    "mailto": _email('<a href="mailto:', '">'),
    "query of a URL": _email("https://x.org/?q=", "&page=2"),
    "path of a URL": _email("https://lists.x.org/archives/", "/thread/7"),
    "single quotes": _email("'", "',"),
    "markdown bold": _email("**", "**"),
    "code": _email("`", "`"),
    "Chinese around it": _email("请联系", "谢谢"),
    "list": _email("a;", ";b"),
    "apostrophe": lambda rng: ("", f"o'{rng.choice(_NAMES)}@{_host(rng)}", ""),
    "glued": lambda rng: ("", f"{rng.choice(_NAMES)}@{rng.choice(_FIRMS)}.de", "Berlin"),
}


def _semver(rng: Random) -> str:
    return f"{rng.randint(0, 30)}.{rng.randint(0, 30)}.{rng.randint(0, 30)}"


def _hex(rng: Random, n: int) -> str:
    return f"{rng.getrandbits(4 * n):0{n}x}"


LIKE_EMAILS: dict[str, Callable[[Random], str]] = {
    "mention": lambda rng: f"@{rng.choice(_NAMES)}",
    "npm version": lambda rng: f"{rng.choice(_WORDS)}@{_semver(rng)}",
    "npm pre-release": lambda rng: (
        f"@scope/{rng.choice(_WORDS)}@{_semver(rng)}-{rng.choice(['rc', 'alpha', 'next'])}.{rng.choice(['1', 'dev', '12'])}"
    ),
    "decorator": lambda rng: f"@{rng.choice(_WORDS)}.{rng.choice(_WORDS)}()",
    "decorator in code marks": lambda rng: f"``@{rng.choice(_WORDS)}.final``",
    "no dot": lambda rng: f"{_local(rng)}@{rng.choice(['localhost', 'server01', 'gmail'])}",
    "address of a machine": lambda rng: f"root@10.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
    "reserved name": lambda rng: f"{_local(rng)}@{rng.choice(_FIRMS)}.{rng.choice(['test', 'invalid', 'localhost', 'example'])}",
    "git over ssh": lambda rng: (
        f"git@{rng.choice(['github.com', 'gitlab.com', 'git.corp.io'])}:{rng.choice(_NAMES)}/{rng.choice(_WORDS)}.git"
    ),
    "git URL": lambda rng: f"ssh://git@{rng.choice(['github.com', 'gitlab.com'])}/{rng.choice(_NAMES)}/{rng.choice(_WORDS)}.git",
    "git reference": lambda rng: f"{rng.choice(['HEAD', 'main', 'origin/dev'])}@{{{rng.randint(0, 20)}}}",
    "image digest": lambda rng: f"{rng.choice(_WORDS)}@sha256:{_hex(rng, 64)}",
    "image density": lambda rng: f"{rng.choice(_WORDS)}@{rng.choice('23')}x.{rng.choice(['png', 'jpg', 'webp', 'gif'])}",
    "CSS": lambda rng: f"@media (min-width: {rng.randint(300, 1200)}px) {{ .a@b {{",
    "matrix product": lambda rng: f"{rng.choice(_WORDS)}@self.weight_{rng.randint(0, 9)}",
    "spaces": lambda rng: f"{rng.choice(_NAMES)} @ {_host(rng)}",
    "words": lambda rng: f"{rng.choice(_NAMES)} at {rng.choice(_FIRMS)} dot com",
    "price": lambda rng: f"{rng.randint(2, 90)}@${rng.randint(1, 99)}.{rng.randint(10, 99)}",
}


def _public4(rng: Random) -> str:
    while True:
        address = ipaddress.IPv4Address(rng.getrandbits(32))
        if address.is_global and not address.is_multicast and not str(address).endswith(".0.0"):
            return str(address)


def _v4(before: str, after: str) -> Maker:
    return lambda rng: (before, _public4(rng), after)


IPV4S: dict[str, Maker] = {
    "plain": _v4("", ""),
    "end of sentence": _v4("", "."),
    "port": _v4("", ":8080"),
    "URL": _v4("http://", "/index.html"),
    "brackets": _v4("[", "]"),
    "prefix": _v4("", "/24"),
    "log line": _v4("", ' - - [10/Oct/2020:13:55:36] "GET / HTTP/1.1"'),
    "name before it": _v4("ip=", ";"),
    "header": _v4("Received: from mx (", ")"),
    "JSON": _v4('{"address": "', '"}'),
    "Chinese around it": _v4("地址", "。"),
    "host by address": _v4("root@x ping ", ","),
}


def _quad(rng: Random, low: int = 1, high: int = 255) -> str:
    return ".".join(str(rng.randint(low, high)) for _ in range(4))


def _inside(*blocks: str) -> Callable[[Random], str]:
    nets = [ipaddress.ip_network(block) for block in blocks]

    def make(rng: Random) -> str:
        net = rng.choice(nets)
        return str(net[rng.randrange(min(net.num_addresses, 1 << 62))])

    return make


LIKE_IPV4S: dict[str, Callable[[Random], str]] = {
    "private": _inside("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    "loopback and link": _inside("127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/8"),
    "documentation": _inside("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    "multicast": _inside("224.0.0.0/4", "240.0.0.0/4"),
    "version, named": lambda rng: (
        f"{rng.choice(['version', 'Version:', 'Version=', 'v', 'release', 'firmware', 'build'])} {_quad(rng)}"
    ),
    "version, joined to a v": lambda rng: f"v{_quad(rng)}",
    "product in a header": lambda rng: f"{rng.choice(['Chrome', 'Firefox', 'Opera', 'Safari'])}/{_quad(rng)}",
    "package": lambda rng: f"{rng.choice(_WORDS)}-{_quad(rng)}.tar.gz",
    "upgrade": lambda rng: f"{rng.choice(['upgrade', 'Updated', 'bump', 'patch'])} {rng.choice(_WORDS)} to {_quad(rng)}",
    "assembly": lambda rng: f"{rng.randint(1, 99)}.{rng.randint(0, 30)}.0.0",
    "section": lambda rng: f"{rng.choice(['Section', 'Abschnitt', 'Nummer', '§', 'Table'])} {_quad(rng, 1, 40)}",
    "heading": lambda rng: f"{rng.randint(1, 9)}.{rng.randint(1, 12)}.{rng.randint(1, 15)}.{rng.randint(1, 15)}",
    "three parts": _semver,
    "object identifier": lambda rng: f"1.3.6.1.4.1.{rng.randint(1, 60000)}",
    "part over 255": lambda rng: f"{rng.randint(1, 99)}.0.{rng.randint(1000, 9999)}.{rng.randint(1, 255)}",
    "leading zero": lambda rng: f"{rng.randint(1, 99)}.0{rng.randint(1, 9)}.{rng.randint(1, 99)}.{rng.randint(1, 99)}",
    "date and time": lambda rng: f"{rng.randint(1, 28):02d}.{rng.randint(1, 12):02d}.20{rng.randint(10, 29)}",
}
_TOOLS = ("Stinger", "V8", "zlib", "Reader")
BARE_VERSIONS: dict[str, Callable[[Random], str]] = {
    "version without a word": lambda rng: (
        f"{rng.choice(_TOOLS)} {rng.randint(1, 20)}.{rng.randint(0, 9)}.{rng.randint(20, 255)}.7"
    ),
}
"""No form tells these from addresses: printed beside the target."""


def _spelled(rng: Random, address: ipaddress.IPv6Address) -> str:
    short, long = str(address), address.exploded
    middle = ":".join(f"{int(group, 16):x}" for group in long.split(":"))
    return rng.choice([short, short, short, long, middle, short.upper(), long.upper()])


def _public6(rng: Random) -> ipaddress.IPv6Address:
    block = rng.choice(["2a00::/12", "2600::/12", "2400::/12", "2001:4800::/24", "2800::/12", "2c00::/12"])
    net = ipaddress.ip_network(block)
    high = int(net[0]) >> 64 | rng.getrandbits(44)
    low = rng.choice([rng.getrandbits(64), rng.getrandbits(16), rng.getrandbits(8) + 1, rng.getrandbits(32) << 16])
    return ipaddress.IPv6Address(high << 64 | low)


def _v6(before: str, after: str) -> Maker:
    return lambda rng: (before, _spelled(rng, _public6(rng)), after)


IPV6S: dict[str, Maker] = {
    "plain": _v6("", ""),
    "end of sentence": _v6("", "."),
    "brackets and port": _v6("http://[", "]:8080/"),
    "prefix": _v6("", "/64"),
    "zone": _v6("", "%eth0"),
    "after a word": _v6("ip6:", ""),
    "before a colon": _v6("", ": no answer"),
    "parentheses": _v6("(", ")"),
    "log": _v6("", ' - - "GET /'),
    "v4-mapped": lambda rng: ("", rng.choice(["::ffff:", "::FFFF:", "0:0:0:0:0:ffff:"]) + _public4(rng), ""),
    "v4-mapped, hexadecimal": lambda rng: ("", str(ipaddress.IPv6Address("::ffff:" + _public4(rng))), ""),
    "NAT64": lambda rng: ("", "64:ff9b::" + _public4(rng), ""),
    "6to4": lambda rng: (
        "",
        str(ipaddress.IPv6Address((0x2002 << 112) | int(ipaddress.IPv4Address(_public4(rng))) << 80 | 1)),
        "",
    ),
    "dotted end": lambda rng: ("", f"2a01:{_hex(rng, 4)}:1:2:3:4:" + _public4(rng), ""),
}


def _some6(*blocks: str) -> Callable[[Random], str]:
    make = _inside(*blocks)
    return lambda rng: _spelled(rng, ipaddress.IPv6Address(make(rng)))


LIKE_IPV6S: dict[str, Callable[[Random], str]] = {
    "documentation": _some6("2001:db8::/32", "3fff::/20"),
    "local": _some6("fe80::/10", "fd00::/8", "::1/128", "ff02::/16"),
    "unassigned": _some6("4000::/3", "8000::/3"),
    "v4-mapped private": lambda rng: "::ffff:" + _inside("10.0.0.0/8", "192.168.0.0/16")(rng),
    "time": lambda rng: f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}",
    "date and time": lambda rng: (
        f"20{rng.randint(10, 29)}:{rng.randint(1, 12):02d}:03 {rng.randint(0, 23)}:{rng.randint(10, 59)}"
    ),
    "MAC address": lambda rng: ":".join(_hex(rng, 2) for _ in range(6)),
    "EUI-64": lambda rng: ":".join(_hex(rng, 2) for _ in range(8)),
    "fingerprint": lambda rng: ":".join(_hex(rng, 2) for _ in range(16)),
    "C++": lambda rng: f"std::{rng.choice(_WORDS)}<{rng.choice(_FIRMS)}>::iterator",
    "C++, hexadecimal letters": lambda rng: (
        f"{rng.choice(['ace', 'bad', 'cafe', 'dead', 'face'])}::{rng.choice(['add', 'beef', 'feed', 'fade'])}"
    ),
    "Rust path": lambda rng: f"crate::{rng.choice(_WORDS)}::{rng.choice(_WORDS)}",
    "CSS": lambda rng: f"a::{rng.choice(['before', 'after'])} {{",
    "end of a reST line": lambda rng: f"in {rng.randint(2000, 3999)}::",
    "type of a number": lambda rng: f"{rng.randint(2000, 3999)}::{rng.choice(['Int', 'Float', 'Double', 'integer'])}",
    "verse": lambda rng: f"{rng.randint(1, 60)}:{rng.randint(1, 30)}-{rng.randint(31, 60)}",
    "too many groups": lambda rng: ":".join(f"2{_hex(rng, 3)}" for _ in range(9)),
    "two gaps": lambda rng: f"2a00::{_hex(rng, 3)}::{_hex(rng, 3)}",
    "hash": lambda rng: f"sha1:{_hex(rng, 40)}",
}

Kind = tuple[dict[str, Maker], dict[str, Callable[[Random], str]]]
KINDS: dict[str, Kind] = {"e-mail": (EMAILS, LIKE_EMAILS), "IPv4": (IPV4S, LIKE_IPV4S), "IPv6": (IPV6S, LIKE_IPV6S)}


def valid(kind: str, n: int, *, seed: int) -> Iterator[Item]:
    """n addresses of a kind, its categories in turn."""
    rng, makers = Random(f"{kind} valid {seed}"), list(KINDS[kind][0].items())
    for k in range(n):
        category, make = makers[k % len(makers)]
        yield category, *make(rng)


def look_alikes(made: dict[str, Callable[[Random], str]], n: int, *, seed: int) -> Iterator[Item]:
    rng, makers = Random(f"{sorted(made)} {seed}"), list(made.items())
    for k in range(n):
        category, make = makers[k % len(makers)]
        yield category, make(rng), "", ""
