"""Checks whether the exporter on this machine responds: ``python -m theeye_exporter.healthcheck``.

It is meant for container runtimes. A health check is part of an image and cannot know the flags of a container. So it
finds the exporter's addresses from Linux, and tries them with or without TLS. It only imports Python's standard
library: it runs every few seconds, and must be cheap.
"""

import http.client
import ipaddress
import os
import ssl
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

__all__ = ["answers", "listening", "main"]

_PATH: Final = "/-/healthy"
_SECONDS: Final = 3.0
_LISTEN: Final = "0A"  # TCP_LISTEN of Linux' include/net/tcp_states.h
_PROGRAMS: Final = {b"theeye-exporter", b"theeye_exporter"}


def main(proc: Path = Path("/proc")) -> int:
    """Check the exporters that are found, and print the results.

    Returns:
        The exit code: 0 if all are healthy, 1 if one does not respond or none is found.
    """
    found = listening(proc)
    if not found:
        print("no exporter listens here")
        return 1
    healthy = {process: any(answers(*endpoint) for endpoint in endpoints) for process, endpoints in found.items()}
    for process, alive in healthy.items():
        print(f"exporter {process} {'is healthy' if alive else f'does not answer at {_PATH}'}")
    return 0 if all(healthy.values()) else 1


def listening(proc: Path) -> dict[int, list[tuple[str, int]]]:
    """Find the running exporters.

    Args:
        proc: the path at which Linux shows its processes.

    Returns:
        For each process id, the hosts and ports to try: those on which it listens, or the loopback address if it
        listens on all addresses. Processes of other users, and processes that do not listen, are left out.
    """
    found = {}
    for process in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()):
        folder = proc / str(process)
        with suppress(OSError):  # has ended, or belongs to another user
            if process == os.getpid() or not _is_exporter(folder):
                continue
            sockets = {str(entry.readlink()) for entry in (folder / "fd").iterdir()}
            endpoints = list(_endpoints(folder / "net", sockets))
            if endpoints:
                found[process] = endpoints
    return found


def _is_exporter(folder: Path) -> bool:
    # The script itself, the script as an interpreter's argument, or `-m` and the module.
    words = (folder / "cmdline").read_bytes().split(b"\0")[:3]
    return any(word.rpartition(b"/")[2] in _PROGRAMS for word in words)


def _endpoints(net: Path, sockets: Iterable[str]) -> Iterator[tuple[str, int]]:
    for table in ("tcp", "tcp6"):
        with suppress(OSError):  # the system may not have IPv6
            for line in (net / table).read_text(encoding="ascii").splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == _LISTEN and f"socket:[{inode}]" in sockets:
                    address, port = local.split(":")
                    for host in _hosts(address):
                        yield host, int(port, 16)


def _hosts(address: str) -> Sequence[str]:
    # The kernel prints the address as 32-bit words in the machine's order.
    words = (int(address[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(address), 8))
    host = ipaddress.ip_address(b"".join(words))
    if not host.is_unspecified:
        return [str(host)]
    # An IPv6 socket for all addresses usually takes IPv4 too, and a container need not have ::1.
    return ["127.0.0.1"] if host.version == 4 else ["127.0.0.1", "::1"]  # noqa: PLR2004 - the protocol's version


def answers(host: str, port: int, seconds: float = _SECONDS) -> bool:
    """Return whether an exporter responds at this address that it is healthy.

    With TLS, the certificate is not verified: it is issued for another name than the loopback's. An exporter that
    requires a user or a client certificate counts as healthy, because its refusal is a response.
    """
    with suppress(OSError, http.client.HTTPException):
        if _healthy(http.client.HTTPConnection(host, port, timeout=seconds)):
            return True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    secure = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
    try:
        secure.connect()
    except ssl.SSLError as error:  # TLS 1.2 asks for the client's certificate before the end of the handshake
        return "CERTIFICATE_REQUIRED" in (error.reason or "") or "HANDSHAKE_FAILURE" in (error.reason or "")
    except OSError:
        return False
    try:
        return _healthy(secure)
    except (ssl.SSLError, ConnectionError):  # TLS 1.3 only afterwards; the reset may arrive before the reason
        return True
    except (OSError, http.client.HTTPException):
        return False


def _healthy(connection: http.client.HTTPConnection) -> bool:
    with closing(connection):
        connection.request("GET", _PATH)
        answer = connection.getresponse()
        asks_for_a_user = (
            answer.status == HTTPStatus.UNAUTHORIZED and "basic" in answer.headers.get("WWW-Authenticate", "").lower()
        )
        return answer.status == HTTPStatus.OK or asks_for_a_user


if __name__ == "__main__":
    sys.exit(main())
