"""Tests that a real Prometheus can scrape an exporter with a web configuration file."""

import signal
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import requests

from e2e_prometheus import prometheus, query, scraped_target
from processes import eventually, exporter_command, free_port, running
from web.certificates import Authority

pytestmark = pytest.mark.e2e

TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
VERIFY = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
SANS = "  client_allowed_sans: [prometheus.example]\n"


def users(password: str) -> str:
    return f"basic_auth_users:\n  prometheus: {bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()}\n"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    folder = tmp_path / "web"
    folder.mkdir()
    authority = Authority(folder)
    authority.issue("prometheus", "prometheus.example")
    return authority


@pytest.fixture
def file(authority: Authority) -> Path:
    return authority.folder / "web.yml"


@pytest.fixture
def address(file: Path, tmp_path: Path) -> Iterator[str]:
    """Return the address of a demo that goes by the file; the file is the test's to write."""
    file.write_text(TLS)
    address = f"127.0.0.1:{free_port()}"
    command = exporter_command(
        "demo",
        f"--web.listen-address={address}",
        f"--web.config.file={file}",
        f"--demo.listen-address=127.0.0.1:{free_port()}",
    )
    with running(command, tmp_path / "demo.log") as demo:
        eventually(lambda: f"status     https://{address}/" in (tmp_path / "demo.log").read_text(), "the demo runs")
        yield address
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == 0
    assert "Traceback" not in (tmp_path / "demo.log").read_text()


def outcome(url: str) -> tuple[str, str] | None:
    target = scraped_target(url)
    return None if target is None else (target["health"], target["lastError"])


def test_tls_with_password_and_client_certificate(
    address: str, file: Path, authority: Authority, tmp_path: Path
) -> None:
    settings = {
        "scheme": "https",
        "basic_auth": {"username": "prometheus", "password": "secret"},
        "tls_config": {
            "ca_file": str(authority.file),
            "cert_file": str(authority.folder / "prometheus.pem"),
            "key_file": str(authority.folder / "prometheus.key"),
        },
    }
    file.write_text(TLS + VERIFY + SANS + users("secret"))
    with prometheus(address, tmp_path, settings=settings) as url:
        eventually(lambda: query(url, "theeye_monitor_info"), "samples in Prometheus")
        assert outcome(url) == ("up", "")
        (successful,) = query(url, "theeye_exporter_web_config_last_reload_successful")
        assert successful["value"][1] == "1"

        # Everything changes while both run.
        authority.renew()
        authority.issue("server", "127.0.0.1")
        eventually(lambda: (outcome(url) or ("",))[0] == "down", "the old certificate of Prometheus is refused")
        authority.issue("prometheus", "prometheus.example")
        file.write_text(TLS + VERIFY + SANS + users("secret") + "http_server_config: {http2: true}\n")
        eventually(lambda: outcome(url) == ("up", ""), "the new one is let in")
        file.write_text(TLS + VERIFY + SANS + users("changed"))
        eventually(
            lambda: outcome(url) == ("down", "server returned HTTP status 401 Unauthorized"), "the password is wrong"
        )
        file.write_text(TLS + VERIFY + "  client_allowed_sans: [grafana.example]\n" + users("secret"))
        eventually(
            lambda: (seen := outcome(url)) and seen[0] == "down" and "401" not in seen[1], "the name is not allowed"
        )


def test_a_broken_file_does_not_stop_scrapes_and_shows_in_prometheus(
    address: str, file: Path, authority: Authority, tmp_path: Path
) -> None:
    settings = {"scheme": "https", "tls_config": {"ca_file": str(authority.file)}}
    with prometheus(address, tmp_path, settings=settings) as url:
        eventually(lambda: query(url, "theeye_exporter_web_config_last_reload_successful == 1"), "it is right")
        file.write_text("basic_auth_users: {prometheus: secret}\n")
        eventually(lambda: query(url, "theeye_exporter_web_config_last_reload_successful == 0"), "it is broken")
        assert outcome(url) == ("up", "")
    log = (tmp_path / "demo.log").read_text()
    assert log.count("web configuration rejected; the last valid one stays in effect") == 1
    assert "secret" not in log


def test_a_wrong_file_is_told_and_nothing_starts(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config:\n  cert_fil: server.pem\n  key_file: server.key\n")
    log = tmp_path / "demo.log"

    with running(
        exporter_command("demo", f"--web.config.file={file}", "--demo.listen-address=127.0.0.1:0"), log
    ) as demo:
        assert demo.wait(60) == 2

    assert log.read_text().splitlines() == [
        f"theeye-exporter: error: {file}:1: tls_server_config: neither cert_file nor cert is given",
        f'theeye-exporter: error: {file}:2: tls_server_config.cert_fil: unknown key; did you mean "cert_file"?',
        f"theeye-exporter: error: {file}:3: tls_server_config.key_file: no such file: {tmp_path}/server.key",
    ]


def test_every_page_asks_for_the_password(address: str, file: Path, authority: Authority) -> None:
    file.write_text(TLS + users("secret"))
    with requests.Session() as http:
        http.trust_env = False
        http.verify = str(authority.file)
        for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
            assert http.get(f"https://{address}{path}", timeout=30).status_code == 401
            answer = http.get(f"https://{address}{path}", auth=("prometheus", "secret"), timeout=30)
            assert answer.status_code in {200, 503}
