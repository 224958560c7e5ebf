"""Top-level domains: IANA's list (tlds.txt beside this file; its second line names the version), and names outside it."""

from __future__ import annotations

from functools import cache
from importlib import resources

RETIRED = ("an", "cs", "dd", "tp", "um", "yu", "zr")
"""Country codes that were delegated once: old pages hold addresses under them."""
PRIVATE = ("bitnet", "corp", "decnet", "home", "internal", "intranet", "lan", "local", "onion", "uucp")
"""Names of private networks (RFC 6762 appendix G), of old mail networks, and RFC 7686. RFC 6761's reserved names (test, example,
invalid, localhost) are no one's address, and not among them."""


@cache
def unicode_domains() -> frozenset[str]:
    """The internationalised ones in Unicode: рф, 中国."""
    return frozenset(name[4:].encode().decode("punycode") for name in top_level_domains() if name.startswith("xn--"))


@cache
def top_level_domains() -> frozenset[str]:
    """In lower case, punycode as it is."""
    lines = resources.files("filters.data").joinpath("tlds.txt").read_text("ascii").splitlines()
    return frozenset((*(line.lower() for line in lines if line and not line.startswith("#")), *RETIRED, *PRIVATE))
