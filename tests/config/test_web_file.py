"""Tests valid web configuration files and their effect."""

import ssl
from pathlib import Path

import pytest

from theeye_exporter.config.problems import Report
from theeye_exporter.config.web_file import RateLimit, WebFile, read_web_file
from theeye_exporter.theeye.fingerprints import Fingerprint, fingerprint
from web.certificates import Authority

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Authority(tmp_path_factory.mktemp("web")).folder


def read(folder: Path, text: str, seen: dict[Path, Fingerprint] | None = None) -> WebFile:
    file = folder / "web.yml"
    file.write_text(text, encoding="utf-8")
    report = Report()
    result = read_web_file(file, report, seen)
    assert report.problems() == ()
    return result


def context_of(folder: Path, text: str) -> ssl.SSLContext:
    context = read(folder, TLS + text).tls
    assert context is not None
    return context


def test_a_file_that_says_nothing_changes_nothing(folder: Path) -> None:
    assert read(folder, "{}") == WebFile()
    assert read(folder, "tls_server_config:\nbasic_auth_users:\nrate_limit: {interval: 0, burst: 0}\n") == WebFile()


def test_everything_of_a_file(folder: Path) -> None:
    file = read(
        folder,
        TLS
        + "  client_auth_type: RequireAndVerifyClientCert\n"
        + "  client_ca_file: ca.pem\n"
        + "  client_allowed_sans: [prometheus.example, 10.0.0.1]\n"
        + "http_server_config:\n"
        + "  http2: true\n"
        + "  headers:\n"
        + "    Strict-Transport-Security: max-age=31536000\n"
        + "    X-Frame-Options: deny\n"
        + "    X-XSS-Protection: ''\n"
        + "    Content-Security-Policy:\n"
        + f"basic_auth_users:\n  alice: {HASH}\n  '007': {HASH}\n"
        + "rate_limit: {interval: 1s, burst: 20}\n",
    )

    assert file.tls is not None
    assert file.tls.verify_mode is ssl.CERT_REQUIRED
    assert file.allowed_sans == frozenset({"prometheus.example", "10.0.0.1"})
    assert file.headers == {"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "deny"}
    assert file.users == {"alice": HASH.encode(), "007": HASH.encode()}
    assert file.rate_limit == RateLimit(1.0, 20)
    assert file.remarks == ()


def test_all_files_are_watched(folder: Path) -> None:
    seen: dict[Path, Fingerprint] = {}

    read(folder, TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n", seen)

    assert {path.name for path in seen} == {"web.yml", "server.pem", "server.key", "ca.pem"}
    assert {path.parent for path in seen} == {folder}


def test_certificates_may_stand_in_the_file(folder: Path) -> None:
    def indented(name: str) -> str:
        return "".join(f"    {line}\n" for line in (folder / name).read_text().splitlines())

    text = (
        f"tls_server_config:\n  cert: |\n{indented('server.pem')}  key: |\n{indented('server.key')}"
        f"  client_ca: |\n{indented('ca.pem')}  client_auth_type: VerifyClientCertIfGiven\n"
    )
    context = read(folder, text).tls

    assert context is not None
    assert context.verify_mode is ssl.CERT_OPTIONAL
    assert len(context.get_ca_certs()) == 1


def test_comments_around_certificates_are_ignored(folder: Path) -> None:
    commented = folder / "commented.pem"
    commented.write_text("Zertifizierungsstelle für Prüfungen\n" + (folder / "ca.pem").read_text() + "\n# ende\n")

    context = context_of(folder, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: commented.pem\n")

    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("1s", 1.0), ("500ms", 0.5), ("1m30s", 90.0), ("1.5h", 5400.0), ("250us", 0.00025), ("100ns", 1e-7), (".5s", 0.5)],
)
def test_intervals_are_written_as_go_does(written: str, seconds: float, folder: Path) -> None:
    limit = read(folder, f"rate_limit: {{interval: {written}, burst: 1}}\n").rate_limit

    assert limit is not None
    assert limit.interval == pytest.approx(seconds)


def test_versions(folder: Path) -> None:
    default = context_of(folder, "")
    limited = context_of(folder, "  min_version: TLS12\n  max_version: TLS12\n")

    assert (default.minimum_version, default.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert (limited.minimum_version, limited.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)


def test_ciphers_are_those_of_the_file_in_its_order(folder: Path) -> None:
    context = context_of(
        folder, "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n"
    )

    ciphers = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    assert ciphers == ["ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-GCM-SHA256"]


def test_ciphers_of_tls_13_alone_leave_no_older_version(folder: Path) -> None:
    context = context_of(folder, "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n")

    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(("text", "preferred"), [("", True), ("true", True), ("false", False)])
def test_whose_order_of_ciphers_counts(text: str, preferred: bool, folder: Path) -> None:
    context = context_of(folder, f"  prefer_server_cipher_suites: {text}\n" if text else "")

    assert bool(context.options & ssl.OP_CIPHER_SERVER_PREFERENCE) is preferred


def test_differences_from_go_are_reported(folder: Path) -> None:
    curves = read(folder, TLS + "  curve_preferences: [CurveP384, X25519]\n")
    clients = read(folder, TLS + "  client_auth_type: RequestClientCert\n")
    clear = read(folder, f"basic_auth_users: {{alice: {HASH}}}\n")

    assert curves.remarks == ("only CurveP384 of curve_preferences is used",)
    assert clients.remarks == (
        "client_auth_type RequestClientCert works like NoClientCert: no certificate is requested, as none would be verified",
    )
    assert clear.remarks == ("passwords are sent unencrypted: there are basic_auth_users, but no tls_server_config",)
    assert read(folder, TLS + "  curve_preferences: [X25519]\n").remarks == ()


def test_a_file_that_has_just_changed_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be written once more within the same tick of the file system's clock."""
    file = tmp_path / "file"
    file.write_text("a")
    changed = file.stat().st_ctime_ns
    times = iter((changed + 1, changed + 2))
    monkeypatch.setattr("time.time_ns", lambda: next(times))

    first, second = fingerprint(file), fingerprint(file)

    assert first != second
    assert first.settled == second.settled


def test_a_file_that_rests_keeps_its_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("a")
    later = file.stat().st_ctime_ns + 10**9
    monkeypatch.setattr("time.time_ns", lambda: later)

    assert fingerprint(file) == fingerprint(file)
    assert fingerprint(file).looked_ns == 0
    assert fingerprint(tmp_path / "none") == Fingerprint()
