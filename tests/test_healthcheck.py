"""Tests that the health check finds the exporter and requests its health, whatever its flags are."""

import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from playback import Reply, http_server
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.healthcheck import answers, listening, main
from tools import require_tool

PROC = Path("/proc")


@contextmanager
def serving(status: int = 200, challenge: str = "", context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer everything with a status, and with the header that asks for a user, on a loopback port."""
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    with http_server(lambda _: Reply(b"", status, headers), context) as server:
        yield server.port


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ssl.TLSVersion, bool], ssl.SSLContext]:
    """Return what makes a server's context: the newest version, and whether clients need a certificate."""
    folder = tmp_path_factory.mktemp("tls")
    command = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout {folder}/key"
    arguments = [*command.split(), "-subj", "/CN=exporter.example.com", "-out", f"{folder}/certificate"]
    subprocess.run([require_tool("openssl"), *arguments], check=True, capture_output=True)

    def context(newest: ssl.TLSVersion, mutual: bool) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(folder / "certificate", folder / "key")
        made.maximum_version = newest
        if mutual:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(folder / "certificate")
        return made

    return context


def test_an_answer_is_healthy_and_a_failure_is_not() -> None:
    with serving(200) as good, serving(503) as bad, serving(404) as other:
        assert [answers("127.0.0.1", port) for port in (good, bad, other)] == [True, False, False]


def test_nobody_there_is_not_healthy() -> None:
    assert not answers("127.0.0.1", free_port())


def test_silence_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not answers("127.0.0.1", silent.getsockname()[1], seconds=0.2)


def test_who_asks_for_a_user_lives() -> None:
    with serving(401, 'Basic realm="metrics"') as asking, serving(401) as refusing:
        assert [answers("127.0.0.1", asking), answers("127.0.0.1", refusing)] == [True, False]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("mutual", [False, True])
def test_tls_is_spoken_where_it_is_on(
    tls: Callable[[ssl.TLSVersion, bool], ssl.SSLContext], newest: ssl.TLSVersion, mutual: bool
) -> None:
    with serving(200, context=tls(newest, mutual)) as port:
        assert answers("127.0.0.1", port)


def test_a_reset_that_overtakes_the_reason_is_understood(
    tls: Callable[[ssl.TLSVersion, bool], ssl.SSLContext],
) -> None:
    context = tls(ssl.TLSVersion.TLSv1_3, False)

    def reset_after_the_handshake(listener: socket.socket) -> None:
        for _ in range(2):  # without TLS, then with it
            raw, _address = listener.accept()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):
                context.wrap_socket(raw, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=reset_after_the_handshake, args=[listener])
        thread.start()
        assert answers("127.0.0.1", listener.getsockname()[1])
        thread.join()


def test_silence_behind_tls_is_not_healthy(tls: Callable[[ssl.TLSVersion, bool], ssl.SSLContext]) -> None:
    context = tls(ssl.TLSVersion.TLSv1_3, False)
    asked = threading.Event()

    def say_nothing_after_the_handshake(listener: socket.socket) -> None:
        for _ in range(2):
            raw, _address = listener.accept()
            with suppress(OSError), context.wrap_socket(raw, server_side=True):
                asked.wait()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=say_nothing_after_the_handshake, args=[listener])
        thread.start()
        assert not answers("127.0.0.1", listener.getsockname()[1], seconds=0.5)
        asked.set()
        thread.join()


def test_a_failure_behind_tls_is_a_failure(tls: Callable[[ssl.TLSVersion, bool], ssl.SSLContext]) -> None:
    with serving(503, context=tls(ssl.TLSVersion.TLSv1_3, False)) as port:
        assert not answers("127.0.0.1", port)


def test_an_exporter_is_found_whatever_its_flags(tmp_path: Path) -> None:
    port, upstream = free_port(), free_port()
    addresses = [f"--web.listen-address=:{port}", f"--demo.listen-address=127.0.0.1:{upstream}"]
    with running(exporter_command("demo", *addresses), tmp_path / "log") as exporter:
        endpoints = eventually(
            lambda: found if len(found := listening(PROC).get(exporter.pid, [])) > 1 else None, "both addresses"
        )

        assert ("127.0.0.1", port) in endpoints
        assert ("127.0.0.1", upstream) in endpoints
        assert answers("127.0.0.1", port)
        assert not answers("127.0.0.1", upstream)

    assert exporter.pid not in listening(PROC)


def test_this_process_and_others_are_no_exporters() -> None:
    assert os.getpid() not in listening(PROC)


def made_up(proc: Path, process: int, cmdline: str, **tables: str) -> None:
    """Write the files of one process that holds the sockets 71 and 72."""
    folder = proc / str(process)
    (folder / "fd").mkdir(parents=True)
    (folder / "net").mkdir()
    (folder / "cmdline").write_text(cmdline.replace(" ", "\0") + "\0")
    for number, target in {"3": "socket:[71]", "4": "socket:[72]", "5": "/dev/null"}.items():
        (folder / "fd" / number).symlink_to(target)
    for table, lines in tables.items():
        (folder / "net" / table).write_text("  sl  local_address rem_address   st inode\n" + lines)


def row(local: str, state: str, inode: int) -> str:
    return (
        f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 65532        0 {inode} 1 0 100\n"
    )


@pytest.mark.skipif(sys.byteorder != "little", reason="the addresses are written as a little-endian kernel does")
def test_addresses_are_read_as_linux_writes_them(tmp_path: Path) -> None:
    made_up(
        tmp_path,
        1,
        "/opt/bin/python /opt/bin/theeye-exporter --log.level=debug",
        tcp=row("0100007F:1F90", "0A", 71) + row("0100007F:1F91", "01", 72) + row("00000000:1F92", "0A", 99),
        tcp6=row("00000000000000000000000000000000:267F", "0A", 72),
    )

    assert listening(tmp_path) == {1: [("127.0.0.1", 8080), ("127.0.0.1", 9855), ("::1", 9855)]}


@pytest.mark.parametrize(
    ("cmdline", "found"),
    [
        ("/opt/bin/python /opt/bin/theeye-exporter", True),
        ("/opt/bin/theeye-exporter demo", True),
        ("python -m theeye_exporter demo", True),
        ("/sbin/docker-init -- /opt/bin/other", False),
        ("python -m theeye_exporter.healthcheck", False),
        ("vim --noplugin -- theeye-exporter", False),
    ],
)
def test_an_exporter_is_known_by_its_command(tmp_path: Path, cmdline: str, found: bool) -> None:
    made_up(tmp_path, 7, cmdline, tcp=row("0100007F:1F90", "0A", 71))

    assert (7 in listening(tmp_path)) == found


def test_no_exporter_is_not_healthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path) == 1
    assert capsys.readouterr().out == "no exporter listens here\n"


@pytest.mark.skipif(sys.byteorder != "little", reason="the addresses are written as a little-endian kernel does")
def test_one_that_does_not_answer_makes_all_unhealthy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(200) as good, serving(503) as bad:
        for process, port in ((1, good), (2, bad)):
            made_up(tmp_path, process, "theeye-exporter", tcp=row(f"0100007F:{port:04X}", "0A", 71))

        assert main(tmp_path) == 1

    assert capsys.readouterr().out == "exporter 1 is healthy\nexporter 2 does not answer at /-/healthy\n"
