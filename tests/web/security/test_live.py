"""Tests that the file is read again when it, or a file that it names, changes, and that an invalid file has no effect."""

import errno
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
from structlog.testing import capture_logs

from processes import eventually
from samples import labels, parse
from theeye_exporter.config import ConfigError
from theeye_exporter.exposition.render import Format
from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.polling.telemetry import Telemetry
from theeye_exporter.web.security.live import LiveWebFile
from web.certificates import Authority
from web.exporters import NOW
from web.security.files import TLS, Protected, hashed, protected
from web.sockets import connect, port_of, read_to_end

VERIFY = TLS + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"

Site = tuple[Protected, str]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with protected(tmp_path, TLS) as site:
        yield site


def users(**passwords: str) -> str:
    return "basic_auth_users:\n" + "".join(f"  {name}: {hashed(text)}\n" for name, text in passwords.items())


def status(site: Site, http: requests.Session, name: str, password: str) -> int:
    what, url = site
    return http.get(url, auth=(name, password), verify=str(what.authority.file), timeout=30).status_code


def is_good(what: Protected) -> bool:
    return what.live.successful


def served_certificate(site: Site) -> bytes:
    context = site[0].authority.context()
    with connect(port_of(site[1]), context) as sock:
        assert isinstance(sock, ssl.SSLSocket)
        return sock.getpeercert(binary_form=True) or b""


def test_a_renewed_certificate_is_shown_to_the_next_connection(site: Site) -> None:
    what = site[0]
    first = served_certificate(site)

    what.authority.issue("server", "127.0.0.1")

    assert served_certificate(site) != first


def test_files_that_are_replaced_by_a_link_are_seen(tmp_path: Path) -> None:
    """So Kubernetes changes the files of a secret: all at once, by one link."""
    versions = []
    for version in ("first", "second"):
        folder = tmp_path / version
        folder.mkdir()
        versions.append(Authority(folder))
        (folder / "web.yml").write_text(TLS)
    (tmp_path / "data").symlink_to("first")
    for name in ("web.yml", "server.pem", "server.key", "ca.pem"):
        (tmp_path / name).symlink_to(f"data/{name}")
    live = LiveWebFile(tmp_path / "web.yml", lambda: NOW)
    before = live.current().tls

    (tmp_path / "next").symlink_to("second")
    (tmp_path / "next").rename(tmp_path / "data")

    assert live.current().tls is not before
    assert live.successful


def test_another_authority_for_clients_counts_from_the_next_connection(site: Site) -> None:
    what = site[0]
    what.write(VERIFY)
    old = what.authority.issue("old", "prometheus.example")
    server_trust = what.authority.context

    def is_let_in(context: ssl.SSLContext) -> bool:
        try:
            with connect(port_of(site[1]), context) as sock:
                sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
                return sock.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        except TimeoutError:
            raise
        except OSError:
            return False

    with_old = server_trust(old)
    assert is_let_in(with_old)
    what.authority.renew()
    new = what.authority.issue("new", "prometheus.example")
    with_new = server_trust()
    with_new.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(with_old.get_ca_certs(binary_form=True)[0]))
    with_new.load_cert_chain(*new)

    assert not is_let_in(with_old)
    assert is_let_in(with_new)


def test_a_connection_made_on_old_terms_is_answered_once_more(site: Site) -> None:
    what = site[0]
    # Files that have just been written are read once more.
    eventually(lambda: what.live.current() is what.live.current(), "the files rest")
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(port_of(site[1]), what.authority.context()) as sock:
        sock.sendall(request)
        answer = sock.recv(1 << 16)
        while not answer.endswith(b"OK\n"):
            answer += sock.recv(1 << 16)
        assert b"connection: close" not in answer
        what.authority.issue("server", "127.0.0.1")
        sock.sendall(request)
        last = read_to_end(sock)

    assert last.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in last


def test_users_come_and_go(site: Site, http: requests.Session) -> None:
    what = site[0]
    what.write(TLS + users(alice="one"))
    assert [status(site, http, "alice", "one"), status(site, http, "bob", "two")] == [200, 401]

    what.write(TLS + users(bob="two"))
    assert [status(site, http, "alice", "one"), status(site, http, "bob", "two")] == [401, 200]

    what.write(TLS + users(bob="new"))
    assert [status(site, http, "bob", "two"), status(site, http, "bob", "new")] == [401, 200]

    what.write(TLS)
    assert status(site, http, "nobody", "") == 200


@pytest.mark.parametrize(
    "broken",
    ["tls_server_config: {", "basic_auth_users: {alice: plain}\n", TLS.replace("server.pem", "none.pem"), ""],
    ids=["no YAML", "no hash", "no certificate", "empty"],
)
def test_a_broken_file_keeps_the_last_good_state_and_is_told_once(
    broken: str, site: Site, http: requests.Session
) -> None:
    what = site[0]
    what.write(TLS + users(alice="one"))
    assert status(site, http, "alice", "one") == 200

    with capture_logs() as logs:
        what.write(broken)
        assert [status(site, http, "alice", "one") for _ in range(5)] == [200] * 5
        assert status(site, http, "alice", "two") == 401
    assert not is_good(what)
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert f"{what.file}:" in logs[0]["problems"]

    with capture_logs() as logs:
        what.write(TLS + users(alice="two"))
        assert status(site, http, "alice", "two") == 200
    assert is_good(what)
    assert [entry["log_level"] for entry in logs] == ["info"]


def test_a_file_that_is_gone_keeps_the_last_good_state(site: Site) -> None:
    what = site[0]
    first = served_certificate(site)

    for name in ("server.pem", "web.yml"):
        (what.authority.folder / name).unlink()
        assert served_certificate(site) == first
        assert not is_good(what)


@pytest.mark.parametrize("way", [(os, "memfd_create"), (Path, "open")], ids=["OpenSSL", "reading"])
def test_what_was_in_the_way_of_reading_may_go_without_a_trace(
    way: tuple[object, str], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    what = site[0]
    first = served_certificate(site)
    what.authority.issue("server", "127.0.0.1")

    def fail(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(*way, fail)
        meanwhile = served_certificate(site), is_good(what)
        exhausted.setattr("time.time_ns", lambda: 2**62)  # all files have been at rest for long
        what.live.current()
    assert meanwhile == (first, False)

    what.now += 5.0
    assert served_certificate(site) != first
    assert is_good(what)


def test_a_path_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    """As in a folder that is closed to us, for which the superuser who may run this test has no example."""
    what = Protected(tmp_path, TLS)
    what.file.unlink()
    what.file.symlink_to("x" * 256)

    assert what.live.current().tls
    assert not is_good(what)
    with pytest.raises(ConfigError, match=r"cannot be read \(File name too long\)"):
        LiveWebFile(what.file, lambda: NOW)
    what.auth.close()


def test_a_certificate_without_its_key_is_not_taken_until_the_key_comes(site: Site) -> None:
    what = site[0]
    first = served_certificate(site)
    certificate, key = what.authority.issue("next", "127.0.0.1")

    certificate.replace(what.authority.server[0])
    assert served_certificate(site) == first
    assert not is_good(what)
    key.replace(what.authority.server[1])
    assert served_certificate(site) != first
    assert is_good(what)


@pytest.mark.parametrize(("before", "after", "switched"), [(TLS, "{}", "off"), ("{}", TLS, "on")])
def test_tls_cannot_be_switched_without_a_restart(before: str, after: str, switched: str, tmp_path: Path) -> None:
    what = Protected(tmp_path, before)

    with capture_logs() as logs:
        what.write(after)
        state = what.live.current()

    assert (state.tls is None) is (before == "{}")
    assert not is_good(what)
    assert logs[0]["problems"] == (
        f"{what.file}: tls_server_config: TLS cannot be switched {switched} while the exporter runs; restart to apply"
    )
    what.auth.close()


def test_files_that_rest_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what = Protected(tmp_path, TLS)
    later = max(path.stat().st_ctime_ns for path in tmp_path.iterdir()) + 10**9
    monkeypatch.setattr("time.time_ns", lambda: later)
    state = what.live.current()

    with capture_logs() as logs:
        assert what.live.current() is what.live.current()
        assert what.live.current().tls is state.tls
    assert logs == []
    what.auth.close()


def test_remarks_are_told_once(tmp_path: Path) -> None:
    with capture_logs() as logs:
        what = Protected(tmp_path, TLS + "  curve_preferences: [CurveP256, X25519]\n")
        what.write(TLS + "  curve_preferences: [CurveP256, X25519]\nhttp_server_config: {http2: true}\n")
        what.live.current()

    remarks: list[Any] = [entry["remark"] for entry in logs if "remark" in entry]
    assert remarks == ["only CurveP256 of curve_preferences is used"]
    what.auth.close()


def test_a_file_that_is_wrong_at_the_start_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("tls_server_config: {}\n")

    with pytest.raises(ConfigError, match="neither cert_file nor cert is given"):
        LiveWebFile(file, lambda: NOW)


def test_the_metrics_tell_a_broken_file(tmp_path: Path) -> None:
    what = Protected(tmp_path, TLS)
    telemetry = Telemetry(SnapshotStore((), lambda: NOW))
    telemetry.web_file = what.live

    def value(name: str) -> float | None:
        shown = parse(telemetry.exposition(Format.TEXT_0_0_4).decode(), Format.TEXT_0_0_4)
        return shown.get((f"theeye_exporter_web_config_last_reload_{name}", labels()))

    assert (value("successful"), value("success_timestamp_seconds")) == (1.0, NOW)
    what.now += 60
    what.write("{")
    what.live.current()
    assert (value("successful"), value("success_timestamp_seconds")) == (0.0, NOW)
    what.write(TLS)
    what.live.current()
    assert (value("successful"), value("success_timestamp_seconds")) == (1.0, NOW + 60)
    what.auth.close()


@pytest.mark.parametrize("before", [TLS + users(prometheus="right"), VERIFY], ids=["password", "certificate"])
@pytest.mark.parametrize(
    "after", [TLS, TLS + "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n"]
)
def test_a_file_that_loses_the_demanded_authentication_has_no_effect(before: str, after: str, tmp_path: Path) -> None:
    what = Protected(tmp_path, before, demand_authentication=True)
    state = what.live.current()

    with capture_logs() as logs:
        what.write(after)
        assert what.live.current() is state
        what.now += 60
        assert what.live.current() is state
    assert not is_good(what)
    assert len(logs) == 1
    assert logs[0]["problems"] == (
        f"{what.file}: basic_auth_users: missing; whoever reaches the port could start runs; "
        "give a password, demand client certificates, or listen on 127.0.0.1"
    )
    what.write(TLS + users(another="right"))
    assert set(what.live.current().users) == {"another"}
    assert is_good(what)
    what.auth.close()


def test_a_file_without_the_demanded_authentication_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    file.write_text("{}")
    with pytest.raises(ConfigError, match="basic_auth_users: missing; whoever reaches the port could start runs"):
        LiveWebFile(file, lambda: NOW, demand_authentication=True)


def test_passwords_may_go_where_nothing_is_demanded(tmp_path: Path) -> None:
    what = Protected(tmp_path, TLS + users(prometheus="right"))
    what.write(TLS)
    assert what.live.current().users == {}
    assert is_good(what)
    what.auth.close()
