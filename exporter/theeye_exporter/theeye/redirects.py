"""Which redirects are followed: those within one scheme, host and port."""

from urllib.parse import urljoin, urlsplit

from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["redirect_target"]


def redirect_target(url: str, location: str, token: str) -> str:
    """Return the target of a redirect, without any token in its query.

    Raises:
        UpstreamError: the target has another scheme, host or port, and must not get the token.
    """
    try:
        target = urljoin(url, location)
        there = _origin(target)
    except ValueError:
        raise UpstreamError(Reason.REDIRECTED, "TheEye redirects to an invalid address") from None
    if there != _origin(url):
        named = "another host" if token and token.lower() in there else there
        raise UpstreamError(Reason.REDIRECTED, f"TheEye redirects to {named}")
    return _without_token(target)


def _without_token(url: str) -> str:
    # Many servers keep the query when they redirect; TheEye answers 401 to two tokens.
    parts = urlsplit(url)
    kept = [field for field in parts.query.split("&") if field.partition("=")[0] != "access_token"]
    return parts._replace(query="&".join(kept)).geturl()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
