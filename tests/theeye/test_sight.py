"""What responses show of the server: its clock and its certificate."""

import socket
import ssl
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from answers import answered
from playback import TOKEN, Reply, http_server
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.sight import ServerSight
from theeye_exporter.theeye.tokens import fixed_token
from theeye_exporter.theeye.transport import Transport

NOW = 1_795_352_944.0  # Sun, 22 Nov 2026 13:09:04 GMT
DATE = "Sun, 22 Nov 2026 13:09:04 GMT"
EXPIRY = 1_900_000_000


def client(url: str, auth: str = "header", wall: float = NOW) -> TheEyeClient:
    settings = TransportSettings(url=url, auth=auth, timeout=20, max_bytes=10**6, user_agent="tests/1")  # type: ignore[arg-type]
    return TheEyeClient(Transport(settings, fixed_token(TOKEN), lambda *_: None, wall=lambda: wall), "demo")


def test_half_the_round_trip_is_taken_off_and_the_shortest_one_counts() -> None:
    sight = ServerSight(lambda: NOW)
    sight.note(NOW + 5, 30.0, None)
    assert sight.take().clock_skew == 5 + 0.5 + 15
    for date, seconds in ((NOW + 5, 30.0), (NOW + 2, 0.2), (NOW + 4, 8.0), (None, 0.1)):
        sight.note(date, seconds, None)
    assert sight.take().clock_skew == pytest.approx(2 + 0.5 + 0.1, abs=1e-3)
    assert sight.take() == (None, None)


def test_a_response_shows_the_clock_whatever_it_is() -> None:
    with http_server(lambda _: Reply(b"no", 403, {"Date": DATE})) as server:
        made = client(server.url, wall=NOW - 60)
        with pytest.raises(UpstreamError):
            made.webhooks()
        skew, expiry = made.sighting()
        made.close()
    assert skew is not None
    assert 60.5 <= skew < 70.5
    assert expiry is None


def test_the_status_is_asked_for_without_the_token() -> None:
    for auth in ("header", "query"):
        with answered(lambda _: Reply(b'{"theeye_version": "4.15.3", "status": "Node is ok."}')) as server:
            made = client(server.url, auth)
            assert made.status().theeye_version == "4.15.3"
            made.close()
        (asked,) = server.asked
        assert (asked.path, asked.query) == ("/api/status", "")
        assert TOKEN not in str(asked)
        assert "Authorization" not in asked.headers


def test_the_certificate_says_when_it_expires_if_it_was_verified(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost", not_after=datetime.fromtimestamp(EXPIRY, UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    trusting, blind = ssl.create_default_context(cafile=tmp_path / "ca.pem"), ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with http_server(lambda _: Reply(b"[]"), context) as server:
        for client_context, expected in ((blind, None), (trusting, EXPIRY)):
            sight = ServerSight(lambda: NOW)
            with (
                socket.create_connection(("127.0.0.1", server.port)) as plain,
                closing(client_context.wrap_socket(plain, server_hostname="localhost")) as secured,
            ):
                sight.note(None, 0.1, secured)
                secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while secured.recv(1000):
                    pass
            assert sight.take().certificate_expiry == expected
            sight.note(None, 0.1, plain)
            assert sight.take().certificate_expiry == expected
