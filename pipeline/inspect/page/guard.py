"""Access control: a request must have the token in its path, be addressed to this machine's loopback name, and not be sent by
another site's page.

The token keeps out other users of the machine; Host keeps out DNS rebinding (a name of the attacker's that resolves to
127.0.0.1); Origin and Sec-Fetch-Site keep out requests that another page makes the browser send. Headers of every answer forbid
scripts, styles and requests that are not this server's, framing, and referrers (which would carry the token).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

TOKEN_BYTES = 16
"""Length of the token: 128 bits are beyond guessing over a socket."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

Message = MutableMapping[str, Any]
Application = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


def new_token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)


def guarded(app: Application, *, token: str, port: int) -> Application:
    """`app` behind the checks; it sees paths without the token."""
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def checked(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [
                    (name, value) for name, value in message.get("headers", []) if name.decode("latin-1").lower() not in HEADERS
                ]
                message["headers"] = [*own, *((name.encode(), value.encode()) for name, value in HEADERS.items())]
            await send(message)

        refusal = _refusal(scope, hosts, token)
        if refusal is not None:
            await _answer(with_headers, *refusal)
            return
        prefix = f"/{token}"
        if scope["path"] == prefix:
            await _answer(with_headers, 307, b"", location=f"{prefix}/")
            return
        path = scope["path"][len(prefix) :]
        await app({**scope, "path": path, "raw_path": path.encode(), "root_path": ""}, receive, with_headers)

    return checked


def _refusal(scope: Message, hosts: set[str], token: str) -> tuple[int, bytes] | None:
    """Status and text for a request that is not let in."""
    if scope["type"] != "http":
        return 400, b"no websockets here\n"
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    if len(headers.get("host", [])) != 1 or headers["host"][0].lower() not in hosts:
        return 421, b"this page answers to 127.0.0.1 and localhost only\n"
    if any(origin.lower() not in {f"http://{host}" for host in hosts} for origin in headers.get("origin", [])):
        return 403, b"requests from other sites are refused\n"
    followed = scope["method"] == "GET" and headers.get("sec-fetch-mode") == ["navigate"]  # a link in someone's notebook
    if not followed and any(site not in ("same-origin", "none") for site in headers.get("sec-fetch-site", [])):
        return 403, b"requests from other sites are refused\n"
    given = scope["path"].split("/")[1] if scope["path"].startswith("/") else ""
    if not secrets.compare_digest(given.encode("utf-8", "replace"), token.encode()):
        return 403, b"open the address that `winnow inspect` printed, with its token\n"
    if scope["method"] not in ("GET", "HEAD", "POST"):
        return 405, b"GET and POST only\n"
    return None


async def _answer(send: Callable[[Message], Awaitable[None]], status: int, body: bytes, *, location: str | None = None) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    if location is not None:
        headers.append((b"location", location.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
