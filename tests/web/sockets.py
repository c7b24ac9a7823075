"""Clients that send exactly what a test wants."""

import contextlib
import socket
import ssl

__all__ = ["DEADLINE", "begin_scrape", "connect", "ended", "port_of", "read_to_end"]

DEADLINE = 30.0


def connect(port: int, tls: ssl.SSLContext | None = None, *, receive_buffer: int | None = None) -> socket.socket:
    """Connect to the loopback, and shake hands if there is a context."""
    with contextlib.ExitStack() as unfinished:
        sock = unfinished.enter_context(socket.socket())
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(DEADLINE)
        sock.connect(("127.0.0.1", port))
        if tls is not None:
            sock = unfinished.enter_context(tls.wrap_socket(sock, server_hostname="127.0.0.1"))
        unfinished.pop_all()
    return sock


def port_of(url: str) -> int:
    """Return the port of a URL without a path."""
    return int(url.rpartition(":")[2])


def read_to_end(sock: socket.socket) -> bytes:
    """Return all that the server sends until it ends the connection properly."""
    return b"".join(iter(lambda: sock.recv(1 << 20), b""))


def ended(sock: socket.socket) -> bool:
    """Wait until the server has ended the connection, be it by a reset; raises TimeoutError if it does not."""
    try:
        read_to_end(sock)
    except TimeoutError:
        raise
    except OSError:
        pass
    return True


def begin_scrape(port: int, tls: ssl.SSLContext | None = None) -> socket.socket:
    """Ask for the exposition without compression and read only the first byte of the answer."""
    sock = connect(port, tls, receive_buffer=4096)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sock.recv(1) == b"H"
    return sock
