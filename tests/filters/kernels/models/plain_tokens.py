"""The tokens of `filters.kernels.models.features` in plain Python: what the kernel is held to."""

from __future__ import annotations

import re

from filters.kernels.models.features import LINE, PLAIN

_ELONGATED = re.compile(r"([a-z])\1\1+")
_LETTER = r"[a-z\u00c0-\u1fff\u2040-\U0010ffff]"
_WORD = rf"(?P<word>{_LETTER}+(?:[0-9'*@$]+{_LETTER}+)*)"
_TOKEN = re.compile(_WORD + r"|(?P<number>[0-9]+)|(?P<line>\n[ \n]*)|(?P<mark>[^ ])(?P<more>(?P=mark)*)")


def plain(text: str) -> str:
    """The tokens of a text, a space behind each."""
    text = _ELONGATED.sub(r"\1", text.translate(PLAIN))
    return "".join(f"{_token(match)} " for match in _TOKEN.finditer(text))


def _token(match: re.Match[str]) -> str:
    if match["word"]:
        return match["word"]
    if match["number"]:
        return "0"
    return LINE if match["line"] else match["mark"] * (2 if match["more"] else 1)
