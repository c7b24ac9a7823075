"""TLS as the file describes it, on real connections."""

import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import require_tool
from web.certificates import Authority
from web.security.files import TLS, Protected, protected
from web.sockets import connect, port_of, read_to_end

REQUEST = b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
VERIFY = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
IF_GIVEN = TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"

Site = tuple[Protected, str]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with protected(tmp_path, TLS) as site:
        yield site


def is_served(site: Site, context: ssl.SSLContext) -> bool:
    """Whether a client gets an answer; if not, TLS ended the connection."""
    try:
        with connect(port_of(site[1]), context) as sock:
            sock.sendall(REQUEST)
            return read_to_end(sock).endswith(b"ready\n")
    except TimeoutError:
        raise
    except OSError:
        return False


def limited(authority: Authority, lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.context()
    context.minimum_version, context.maximum_version = lowest, highest
    return context


# Which clients get in: without a certificate, with a good one, with one of an unknown authority.
@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        (TLS, (True, True, True)),
        (TLS + "  client_auth_type: NoClientCert\n", (True, True, True)),
        (TLS + "  client_auth_type: RequestClientCert\n", (True, True, True)),
        (IF_GIVEN, (True, True, False)),
        (VERIFY, (False, True, False)),
    ],
    ids=["default", "NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates(text: str, admitted: tuple[bool, bool, bool], version: ssl.TLSVersion, site: Site) -> None:
    what = site[0]
    what.write(text)
    good = what.authority.issue("client", "prometheus.example")
    unknown = what.authority.issue_from_elsewhere("stranger", "prometheus.example")

    outcomes = []
    for certificate in (None, good, unknown):
        context = what.authority.context(certificate)
        context.minimum_version = context.maximum_version = version
        outcomes.append(is_served(site, context))

    assert tuple(outcomes) == admitted


def test_expired_certificates_of_clients_are_refused(site: Site) -> None:
    what = site[0]
    what.write(VERIFY)

    assert is_served(site, what.authority.context(what.authority.issue("fresh", "prometheus.example")))
    assert not is_served(site, what.authority.context(what.authority.issue_expired("old", "prometheus.example")))


def test_an_intermediate_authority_is_trusted_without_its_root(site: Site) -> None:
    """As by Go: often only what it signs may come in, and not all that its root vouches for."""
    what = site[0]
    what.write(VERIFY.replace("ca.pem", "intermediate.pem"))
    own = what.authority.issue_by_intermediate("client", "prometheus.example")
    others = what.authority.issue("other", "prometheus.example")

    assert is_served(site, what.authority.context(own))
    assert not is_served(site, what.authority.context(others))


def test_clients_cannot_renegotiate(site: Site) -> None:
    what, url = site
    what.write(TLS + "  max_version: TLS12\n")

    seen = subprocess.run(
        [require_tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port_of(url)}", "-CAfile", what.authority.file],
        input=b"R\n",
        capture_output=True,
        timeout=60,
        check=False,
    ).stderr.decode()

    assert "RENEGOTIATING" in seen
    assert "no renegotiation" in seen


@pytest.mark.parametrize(
    ("identity", "allowed", "admitted"),
    [
        ("prometheus.example", "prometheus.example", True),
        ("prometheus.example", "other.example, prometheus.example", True),
        ("prometheus.example", "prometheus.exampl", False),
        ("prometheus.example", "example", False),
        ("a.prometheus.example", "'*.prometheus.example'", False),
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::7", "'2001:db8::7'", True),
        ("2001:db8::7", "'2001:DB8:0::0:7'", True),
        ("ops@example.com", "ops@example.com", True),
        ("ops@example.com", "example.com", False),
    ],
)
def test_alternative_names_of_clients(identity: str, allowed: str, admitted: bool, site: Site) -> None:
    what = site[0]
    what.write(f"{VERIFY}  client_allowed_sans: [{allowed}]\n")

    assert is_served(site, what.authority.context(what.authority.issue("client", identity))) is admitted


def test_uris_of_clients(site: Site) -> None:
    what = site[0]
    client = what.authority.context(what.authority.issue_for_uri("client", "spiffe://example.com/prometheus"))

    what.write(f"{VERIFY}  client_allowed_sans: ['spiffe://example.com/prometheus']\n")
    assert is_served(site, client)
    what.write(f"{VERIFY}  client_allowed_sans: ['spiffe://example.com/grafana', example.com]\n")
    assert not is_served(site, client)


def test_the_common_name_of_a_client_counts_for_nothing(site: Site) -> None:
    what = site[0]
    what.write(f"{VERIFY}  client_allowed_sans: [prometheus.example]\n")
    client = what.authority.issue("client", "other.example", common_name="prometheus.example")

    assert not is_served(site, what.authority.context(client))


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("", True, True),
        ("  min_version: TLS13\n", False, True),
        ("  max_version: TLS12\n", True, False),
        ("  cipher_suites: [TLS_AES_256_GCM_SHA384]\n", False, True),
        ("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256]\n", True, True),
        ("  cipher_suites: [TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]\n", False, True),  # the key is no RSA key
    ],
)
def test_versions_and_ciphers(text: str, old: bool, new: bool, site: Site) -> None:
    what = site[0]
    what.write(TLS + text)
    tls12, tls13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

    assert is_served(site, limited(what.authority, tls12, tls12)) is old
    assert is_served(site, limited(what.authority, tls13, tls13)) is new


def test_clients_without_tls_and_of_old_tls_are_refused(site: Site) -> None:
    with connect(port_of(site[1])) as sock, contextlib.suppress(ConnectionResetError):
        sock.sendall(REQUEST)
        assert not read_to_end(sock).startswith(b"HTTP")
    assert is_served(site, site[0].authority.context())


def test_what_openssl_sees(site: Site) -> None:
    what, url = site
    what.write(
        f"{VERIFY}  min_version: TLS12\n  max_version: TLS12\n"
        "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP384, X25519]\n"
    )
    certificate, key = what.authority.issue("client", "prometheus.example")

    seen = subprocess.run(
        [
            *(require_tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port_of(url)}"),
            *("-CAfile", what.authority.file, "-verify_return_error", "-verify_ip", "127.0.0.1"),
            *("-cert", certificate, "-key", key, "-alpn", "h2,http/1.1"),
        ],
        input=REQUEST,
        capture_output=True,
        timeout=60,
        check=False,
    ).stdout.decode()

    for expected in (
        "Verification: OK",
        "Protocol  : TLSv1.2",
        "Cipher    : ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDH, secp384r1",
        "ALPN protocol: http/1.1",
    ):
        assert expected in seen
