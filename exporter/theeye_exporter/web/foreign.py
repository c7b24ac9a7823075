"""Refuses requests that a page of another site makes a browser send."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from theeye_exporter.web.responses import line

__all__ = ["OnlyOurPages"]

_READING: Final = frozenset({"GET", "HEAD"})
_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""Values of Sec-Fetch-Site (Fetch Metadata) for requests that no page of another site has caused."""


class OnlyOurPages:
    """An application that passes on requests to read, those of tools, and those of its own pages.

    A browser says in `Origin` which page sends a request with another method than GET and HEAD (Fetch standard); tools send
    no such field. The name in `Host` proves nothing then: the owner of a name can let it lead to this machine (DNS
    rebinding). So a page is our own only if it was opened by an IP address, or as localhost.

    Args:
        app: The wrapped application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it to the application."""
        app = self._app
        if scope["type"] == "http" and scope["method"] not in _READING and _is_foreign(Headers(scope=scope)):
            app = line(
                "a browser may send this only from a page of this process, opened by IP address or as localhost", 403
            )
        await app(scope, receive, send)


def _is_foreign(headers: Headers) -> bool:
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    if not sites and not origins:
        return False
    host = headers.get("host", "").lower()
    # The scheme of the origin is not compared: a proxy in front of us may terminate TLS.
    ours = {f"{scheme}://{host}" for scheme in ("http", "https")}
    own = _OWN_SITES.issuperset(sites) and ours.issuperset(map(str.lower, origins))
    return not (own and _is_nobodys_name(host))


def _is_nobodys_name(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ipaddress.ip_address(name))
    except ValueError:
        return False
