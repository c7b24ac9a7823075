"""Tests that the exporter reaches a TheEye of a private authority through a proxy with a password."""

import signal
import ssl
from pathlib import Path

import pytest
import requests

from playback import T0, TOKEN, Recording, http_server
from processes import eventually, exporter_command, free_port, running
from proxy import PASSWORD, proxy_server
from web.certificates import Authority

pytestmark = pytest.mark.e2e


def test_through_a_proxy_to_a_private_authority_by_file_and_by_environment(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("theeye", "theeye.example"))
    address = f"127.0.0.1:{free_port()}"
    log = tmp_path / "exporter.log"
    with http_server(Recording(T0), context) as server, proxy_server(target=("127.0.0.1", server.port)) as proxy:
        (tmp_path / "exporter.yml").write_text(
            f"""\
theeye: {{url: "https://theeye.example"}}
organizations:
  - {{name: demo, token: {TOKEN}, proxy_url: "{proxy.url}", tls_config: {{ca_file: ca.pem}}}}
  - {{name: other, token: {TOKEN}, tls_config: {{server_name: other.example, ca_file: ca.pem}}}}
"""
        )
        command = exporter_command(
            f"--config.file={tmp_path / 'exporter.yml'}", f"--web.listen-address={address}", "--log.level=debug"
        )

        def told() -> str | None:
            text = requests.get(f"http://{address}/metrics", timeout=10).text
            done = 'theeye_up{organization="demo"} 1' in text and 'theeye_up{organization="other"} 0' in text
            return text if done else None

        with running(command, log, env={"HTTPS_PROXY": proxy.url}) as exporter:
            metrics = eventually(told, "one organisation is up, and one down")
            page = requests.get(f"http://{address}/", timeout=10).text
            exporter.send_signal(signal.SIGTERM)
            assert exporter.wait(60) == 0
    assert 'theeye_monitors{organization="demo"' in metrics
    assert "is not for the name other.example" in page
    assert set(proxy.requests) == {"CONNECT theeye.example:443"}
    logged = log.read_text()
    assert "reason=tls" in logged
    for secret in (PASSWORD, "correct-horse%2Fbattery", TOKEN):
        assert secret not in metrics + page + logged
