"""How the TheEye of an organisation is reached."""

from typing import Final

from theeye_exporter import __version__
from theeye_exporter.config.sections import OrganizationSettings
from theeye_exporter.observability.logs import protect
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.tokens import TokenSource, fixed_token, token_from_file

__all__ = ["protected", "token_source", "transport_settings"]

_USER_AGENT: Final = f"theeye-exporter/{__version__}"


def transport_settings(organization: OrganizationSettings, max_bytes: int) -> TransportSettings:
    """Return where and how requests are sent; `max_bytes` limits the size of a response."""
    tls, proxy = organization.tls_config, organization.proxy_url
    return TransportSettings(
        url=organization.url,
        auth=organization.auth,
        timeout=organization.timeout,
        max_bytes=max_bytes,
        user_agent=_USER_AGENT,
        tls=tls.files,
        server_name=tls.server_name,
        proxy_url=None if proxy is None else proxy.get_secret_value(),
        no_proxy=organization.no_proxy or "",
        follow_redirects=organization.follow_redirects,
    )


def token_source(organization: OrganizationSettings) -> TokenSource:
    """Return the source of its token; every token that it returns is kept out of the log."""
    if organization.token_file is not None:
        return protected(token_from_file(organization.token_file))
    if organization.token is None:
        raise UpstreamError(Reason.TOKEN_UNREADABLE, f"organisation {organization.name} has no token")
    return protected(fixed_token(organization.token.get_secret_value()))


def protected(source: TokenSource) -> TokenSource:
    """Return a source whose tokens are kept out of the log."""

    def read() -> str:
        token = source()
        protect(token)
        return token

    return read
