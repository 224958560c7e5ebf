"""Secrets in URLs: which URLs carry one, and text without them. Credentials come from the environment, where stores find them."""

from __future__ import annotations

import re

from pipeline.errors import InputError, UsageError

_PARAMETER = (
    r"[?&;](x-amz-[a-z-]*|x-goog-[a-z-]*|signature|awsaccesskeyid|sig|token|access_token|api_?key|key|password|passwd|pwd"
    r"|secret|auth)="
)
SECRET = re.compile(rf"://[^/?#]*@|{_PARAMETER}", re.IGNORECASE)
"""User info, or a parameter that is a key or signature."""
_USER = re.compile(r"(\w*)://([^/?#\s]*)@")
_QUERY = re.compile(r"(://[^\s\"'?]*)\?[^\s\"']*")
_LONGEST = 4_000
"""Characters of a text that are looked at: the patterns take time with its square."""
_WORD = re.compile(rf"\S*(?:{_PARAMETER})\S*", re.IGNORECASE)


def refuse_secrets(path: str, *, what: str = "input", error: type[UsageError] = InputError) -> None:
    """Raises `error` for a URL with user info or a signature, without repeating either. `abfs://container@account` has none."""
    for found in SECRET.finditer(path) if "://" in path else ():
        scheme = re.split(r"[^A-Za-z0-9+-]", path[: path.rindex("://", 0, found.start() + 3)])[-1]
        if not (found[0].endswith("@") and _is_container(scheme, found[0][3:])):
            break
    else:
        return
    article = "an" if what[0] in "aeiou" else "a"
    raise error(
        f"{article} {what} on {scheme}:// carries a user, password, key or signature; credentials come from the environment "
        "(for example AWS_PROFILE), so that no plan, log or output holds them"
    )


def without_secrets(text: str) -> str:
    """`text`, cut, whose URLs lost their user info and queries; a word with a key or signature is replaced whole."""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    named = _USER.sub(lambda found: found[0] if _is_container(found[1], found[2]) else f"{found[1]}://", text)
    return _WORD.sub("(a URL with a secret)", _QUERY.sub(r"\1", named))


def _is_container(scheme: str, before_at: str) -> bool:
    return scheme.lower() in ("abfs", "abfss") and ":" not in before_at
