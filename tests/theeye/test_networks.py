"""Private authorities, client certificates and proxies over real sockets; what is said if they fail."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from playback import TOKEN, Reply, Server, http_server
from processes import eventually
from proxy import PASSWORD, Proxy, proxy_server
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.proxies import bypasses
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.tokens import fixed_token
from theeye_exporter.theeye.transport import Transport
from theeye_exporter.theeye.trust import TlsFiles
from web.certificates import Authority

EMPTY = Reply(b"[]")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def transport(url: str, **network: Any) -> Iterator[Transport]:
    settings = TransportSettings(
        url=url, auth="header", timeout=network.pop("timeout", 20), max_bytes=10**6, user_agent="tests/1", **network
    )
    made = Transport(settings, fixed_token(TOKEN), lambda *_: None)
    # Files that have just changed are read twice, and connections with the first content are closed.
    files = settings.tls.fingerprints
    eventually(lambda: files() == tuple(seen.settled for seen in files()), "the files are older than a clock's tick")
    try:
        yield made
    finally:
        made.close()


@contextmanager
def tls_server(
    certificate: tuple[Path, Path], prepare: Callable[[ssl.SSLContext], None] = lambda _: None
) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    prepare(context)
    with http_server(lambda _: EMPTY, context) as server:
        server.url = server.url.replace("http:", "https:")
        yield server


def fetch(made: Transport) -> bytes:
    with made.get("/monitor", "/monitor") as answer:
        return bytes(answer.body)


def failure(made: Transport) -> tuple[Reason, str]:
    with pytest.raises(UpstreamError) as caught:
        fetch(made)
    assert PASSWORD not in str(caught.value)
    assert TOKEN not in str(caught.value)
    return caught.value.reason, caught.value.detail


def test_a_private_authority_is_trusted_if_its_file_is_given(authority: Authority) -> None:
    with tls_server(authority.server) as server:
        peer = f"127.0.0.1:{server.port}"
        with transport(server.url) as made:
            assert failure(made) == (
                Reason.TLS,
                f"the certificate of {peer} is not trusted: no CA in {DEFAULT_CA_BUNDLE_PATH} has signed it",
            )
        with transport(server.url, tls=TlsFiles(ca_file=authority.file)) as made:
            assert fetch(made) == b"[]"
        with transport(server.url, tls=TlsFiles(verify=False)) as made:
            assert fetch(made) == b"[]"
    assert len(server.asked) == 2


def test_an_intermediate_authority_and_a_folder_are_enough(authority: Authority, tmp_path: Path) -> None:
    certificate = authority.issue_by_intermediate("by-intermediate", "127.0.0.1")
    with (
        tls_server(certificate) as server,
        transport(server.url, tls=TlsFiles(ca_file=tmp_path / "intermediate.pem")) as made,
    ):
        assert fetch(made) == b"[]"


def test_a_new_authority_is_read_when_its_file_changes(authority: Authority, tmp_path: Path) -> None:
    old = authority.issue("old", "127.0.0.1")
    ca_file = tmp_path / "trusted.pem"
    ca_file.write_bytes(authority.file.read_bytes())
    authority.renew()
    new = authority.issue("new", "127.0.0.1")
    contexts: list[ssl.SSLContext] = []
    with tls_server(old, contexts.append) as server, transport(server.url, tls=TlsFiles(ca_file=ca_file)) as made:
        assert fetch(made) == b"[]"
        contexts[0].load_cert_chain(*new)
        assert fetch(made) == b"[]"  # the connection is kept
        ca_file.write_text("half a certi")
        assert failure(made) == (
            Reason.TLS,
            f"ca_file {ca_file}: no certificate in PEM form, or a damaged one",
        )
        ca_file.unlink()
        assert failure(made) == (Reason.TLS, f"cannot read {ca_file}: no such file or directory")
        ca_file.write_bytes(authority.file.read_bytes())
        assert fetch(made) == b"[]"


def test_a_server_that_wants_a_certificate_gets_the_current_one(authority: Authority) -> None:
    def demand(context: ssl.SSLContext) -> None:
        context.load_verify_locations(authority.file)
        context.verify_mode = ssl.CERT_REQUIRED

    certificate, key = authority.issue("client", "exporter.example")
    foreign = authority.issue_from_elsewhere("foreign", "exporter.example")
    with tls_server(authority.server, demand) as server:
        peer = f"127.0.0.1:{server.port}"
        with transport(server.url, tls=TlsFiles(ca_file=authority.file)) as made:
            assert failure(made) == (Reason.TLS, f"{peer} needs a client certificate; set cert_file and key_file")
        with transport(server.url, tls=TlsFiles(authority.file, certificate, key)) as made:
            assert fetch(made) == b"[]"
            certificate.write_bytes(foreign[0].read_bytes())
            assert failure(made) == (
                Reason.TLS,
                f"key_file {key}: the key does not belong to the certificate in cert_file",
            )
            key.write_bytes(foreign[1].read_bytes())
            assert failure(made) == (Reason.TLS, f"{peer} does not accept our client certificate")
            for file, good in zip((certificate, key), authority.issue("again", "exporter.example"), strict=True):
                file.write_bytes(good.read_bytes())
            assert fetch(made) == b"[]"


def test_the_name_of_the_server_is_asked_for_and_expected(authority: Authority) -> None:
    asked: list[str | None] = []

    def listen(context: ssl.SSLContext) -> None:
        context.sni_callback = lambda _socket, name, _context: asked.append(name)

    certificate = authority.issue("named", "theeye.example")
    tls = TlsFiles(ca_file=authority.file)
    with tls_server(certificate, listen) as server:
        with transport(server.url, tls=tls, server_name="theeye.example") as made:
            assert fetch(made) == b"[]"
        with transport(server.url, tls=tls) as made:
            peer = f"127.0.0.1:{server.port}"
            assert failure(made) == (Reason.TLS, f"the certificate of {peer} is not for the name 127.0.0.1")
        with transport(server.url, tls=tls, server_name="other.example") as made:
            assert failure(made)[1].endswith("is not for the name other.example")
    assert asked == ["theeye.example", None, "other.example"]


def test_an_expired_certificate_is_called_expired(authority: Authority) -> None:
    with (
        tls_server(authority.issue_expired("expired", "127.0.0.1")) as server,
        transport(server.url, tls=TlsFiles(ca_file=authority.file)) as made,
    ):
        assert failure(made) == (Reason.TLS, f"the certificate of 127.0.0.1:{server.port} has expired")
    assert server.asked == []


def test_a_port_without_tls_is_called_that() -> None:
    with (
        http_server(lambda _: EMPTY) as server,
        transport(server.url.replace("http:", "https:")) as made,
    ):
        assert failure(made) == (Reason.TLS, f"127.0.0.1:{server.port} does not speak TLS")


@contextmanager
def socket_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve the first connection; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def read_a_byte(connection: socket.socket) -> None:
    connection.recv(1)


def wait(event: threading.Event) -> None:
    event.wait()


def test_a_connection_that_ends_in_the_handshake_and_one_that_hangs() -> None:
    with socket_server(read_a_byte) as port, transport(f"https://127.0.0.1:{port}") as made:
        reason, words = failure(made)
        assert reason is Reason.TLS
        assert words in {
            f"127.0.0.1:{port} {how} the connection during the TLS handshake" for how in ("closed", "reset")
        }
    ending = threading.Event()
    with socket_server(lambda _: wait(ending)) as port, transport(f"https://127.0.0.1:{port}", timeout=0.5) as made:
        assert failure(made) == (Reason.TIMEOUT, f"127.0.0.1:{port} did not complete the TLS handshake in time")
        ending.set()


def test_no_connection_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        try:
            with transport(f"http://127.0.0.1:{port}", timeout=0.5) as made:
                assert failure(made) == (Reason.UNREACHABLE, f"127.0.0.1:{port} did not accept a connection in time")
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def behind(authority: Authority, **terms: Any) -> Iterator[tuple[Server, Proxy]]:
    with tls_server(authority.issue("theeye", "theeye.example")) as server:
        server.url = "https://theeye.example"
        with proxy_server(target=("127.0.0.1", server.port), **terms) as proxy:
            yield server, proxy


def test_a_proxy_with_a_password_leads_to_theeye_and_does_not_see_the_token(authority: Authority) -> None:
    with (
        behind(authority) as (server, proxy),
        transport(server.url, tls=TlsFiles(ca_file=authority.file), proxy_url=proxy.url) as made,
    ):
        assert fetch(made) == b"[]"
        assert fetch(made) == b"[]"
        assert PASSWORD not in repr(made._settings)
    assert proxy.requests == ["CONNECT theeye.example:443"]
    assert {asked.headers.get("Proxy-Authorization") for asked in server.asked} == {None}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (407, "it needs a user and a password, or the given ones are wrong"),
        (403, "it does not allow connections to theeye.example:443"),
        (502, "it cannot reach theeye.example:443"),
        (418, "it does not connect to theeye.example:443"),
    ],
)
def test_a_proxy_that_refuses_is_asked_once(status: int, words: str, authority: Authority) -> None:
    with behind(authority, refusal=status) as (server, proxy), transport(server.url, proxy_url=proxy.url) as made:
        assert failure(made) == (Reason.PROXY, f"the proxy 127.0.0.1:{proxy.port} answered {status}: {words}")
    assert len(proxy.requests) == 1
    assert Reason.PROXY.concerns_everything


def test_a_proxy_without_the_right_password_refuses(authority: Authority) -> None:
    with behind(authority) as (server, proxy):
        wrong = proxy.url.replace("horse", "mule")
        with transport(server.url, proxy_url=wrong) as made:
            assert failure(made)[1].startswith(f"the proxy 127.0.0.1:{proxy.port} answered 407: ")


def test_a_proxy_that_is_not_there_and_one_that_is_something_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with transport("https://theeye.example", proxy_url=f"http://127.0.0.1:{port}") as made:
        assert failure(made) == (Reason.PROXY, f"connection refused by the proxy 127.0.0.1:{port}")
    with (
        socket_server(lambda connection: connection.sendall(b"220 mail ready\r\n")) as port,
        transport("https://theeye.example", proxy_url=f"http://127.0.0.1:{port}") as made,
    ):
        assert failure(made) == (Reason.PROXY, f"the proxy 127.0.0.1:{port} does not speak HTTP")
    with transport("https://theeye.example", proxy_url="http://proxy.invalid:3128") as made:
        assert failure(made)[0] is Reason.PROXY


def test_plain_http_goes_through_a_proxy_too() -> None:
    with (
        http_server(lambda asked: EMPTY if asked.headers.get("Proxy-Authorization") else Reply(b"", 407)) as proxy,
        transport("http://theeye.example", proxy_url=proxy.url.replace("//", "//user:pass@")) as made,
    ):
        assert fetch(made) == b"[]"
        with transport("http://theeye.example", proxy_url=proxy.url) as without:
            assert failure(without) == (
                Reason.PROXY,
                "the proxy answered 407: it needs a user and a password, or the given ones are wrong",
            )
    assert [asked.path for asked in proxy.asked] == ["/monitor"] * 2


def test_a_proxy_with_tls_is_trusted_by_the_same_authority(authority: Authority) -> None:
    with tls_server(authority.server) as proxy:
        with transport("http://theeye.example", proxy_url=proxy.url, tls=TlsFiles(ca_file=authority.file)) as made:
            assert fetch(made) == b"[]"
        with transport("http://theeye.example", proxy_url=proxy.url) as made:
            reason, words = failure(made)
            assert reason is Reason.PROXY
            assert words.startswith(f"the certificate of the proxy 127.0.0.1:{proxy.port} is not trusted: ")


def test_hosts_without_a_proxy_are_asked_directly() -> None:
    with (
        http_server(lambda _: EMPTY) as server,
        transport(server.url, proxy_url="http://127.0.0.1:1", no_proxy="127.0.0.0/8") as made,
    ):
        assert fetch(made) == b"[]"


@pytest.mark.parametrize(
    ("url", "no_proxy", "expected"),
    [
        ("https://theeye.example", "", False),
        ("https://theeye.example", "*", True),
        ("https://theeye.example", "other.example, theeye.example", True),
        ("https://TheEye.example.", "theeye.EXAMPLE", True),
        ("https://a.theeye.example", "theeye.example", True),
        ("https://theeye.example", ".theeye.example", False),
        ("https://a.theeye.example", ".theeye.example", True),
        ("https://a.theeye.example", "*.theeye.example", True),
        ("https://nottheeye.example", "theeye.example", False),
        ("https://theeye.example", "theeye.example:443", True),
        ("https://theeye.example", "theeye.example:8443", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.1.2.3:443", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://[fd00::1]:8443", "fd00::/8", True),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True),
        ("https://[fd00::1]:8443", "[fd00::1]:443", False),
        ("https://10.1.2.3", "fd00::/8,,", False),
    ],
)
def test_no_proxy(url: str, no_proxy: str, expected: bool) -> None:
    assert bypasses(url, no_proxy) is expected


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    with http_server(lambda _: EMPTY) as server, transport(server.url) as made:
        assert fetch(made) == b"[]"
