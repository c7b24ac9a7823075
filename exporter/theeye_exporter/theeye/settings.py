"""How to connect to one TheEye."""

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from theeye_exporter.theeye.proxies import bypasses, origin_of
from theeye_exporter.theeye.trust import TlsFiles

__all__ = ["Route", "TransportSettings"]


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one TheEye, in words for messages.

    Attributes:
        server: host and port of TheEye.
        name: the name that its certificate must have.
        proxy: host and port of the proxy; empty without one.
        authorities: the file of the authorities that are trusted.
    """

    server: str
    name: str
    proxy: str
    authorities: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """How to connect to one TheEye.

    Attributes:
        url: base URL of TheEye's supervisor, without a trailing slash.
        auth: send the token as `Authorization: Bearer` header or as `access_token` in the query, never both
            (TheEye answers 401 to two tokens).
        timeout: seconds for a whole request, including connecting, retries and pauses.
        list_timeout: the same for lists, if that is longer and TheEye answers other requests meanwhile.
        max_bytes: size limit of a body after decompression.
        user_agent: value of the User-Agent header.
        tls: the files for TLS.
        server_name: the name in TheEye's certificate, if it is not the host's.
        proxy_url: address of the HTTP proxy, which may contain a user and a password; None for none.
        no_proxy: hosts to connect to without the proxy, as `bypasses` reads them.
        follow_redirects: whether a redirect within the same scheme, host and port is followed.
    """

    url: str
    auth: Literal["header", "query"]
    timeout: float
    max_bytes: int
    user_agent: str
    list_timeout: float = 300.0
    tls: TlsFiles = field(default_factory=TlsFiles)
    server_name: str | None = None
    proxy_url: str | None = field(default=None, repr=False)
    no_proxy: str = ""
    follow_redirects: bool = True

    @property
    def proxy(self) -> str | None:
        """The proxy that is used for the URL."""
        return None if bypasses(self.url, self.no_proxy) else self.proxy_url

    @property
    def route(self) -> Route:
        """The way to TheEye, for messages."""
        return Route(
            server=origin_of(self.url),
            name=self.server_name or urlsplit(self.url).hostname or "",
            proxy=origin_of(self.proxy) if self.proxy else "",
            authorities=str(self.tls.authorities),
        )
