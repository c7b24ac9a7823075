"""Clients that may start runs, for tests."""

from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.starting import StartingClient
from theeye_exporter.theeye.tokens import TokenSource, fixed_token
from theeye_exporter.theeye.transport import Transport


def starting_client(
    url: str, token: str | TokenSource, *, organization: str = "demo", timeout: float = 30.0, auth: str = "header"
) -> StartingClient:
    """Return a client of a TheEye."""
    settings = TransportSettings(
        url=url,
        auth="query" if auth == "query" else "header",
        timeout=timeout,
        max_bytes=64 * 2**20,
        user_agent="test",
    )
    source = fixed_token(token) if isinstance(token, str) else token
    transport = Transport(settings, source, lambda *_: None)
    return StartingClient(transport, settings, source, organization)
