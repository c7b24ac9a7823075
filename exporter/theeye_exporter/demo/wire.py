"""HTTP/1.1 over one connection: reads requests, and sends responses intact or like a bad network."""

import socket
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Final

from theeye_exporter.demo.answers import Answer
from theeye_exporter.demo.api import Request

__all__ = ["Sender", "read_request"]

_LONGEST_LINE: Final = 65_536
_MOST_HEADERS: Final = 100
_LARGEST_UPLOAD: Final = 1 << 20
_CHUNK: Final = 1 << 20
_BLOCK: Final = 1 << 20
_GIGABYTES: Final = 4
_SHORTEST_CLAIM: Final = 1000
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class BadRequestError(ValueError):
    """The input is not an HTTP request."""


def read_request(stream: BinaryIO) -> tuple[Request, bool] | None:
    """The next request, and whether the connection can be kept afterwards; None at the end.

    Raises:
        BadRequestError: The input is not an HTTP request.
    """
    line = stream.readline(_LONGEST_LINE)
    if not line.strip():
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 - method, target, version
        raise BadRequestError("no request line")
    method, target, version = words
    headers: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = stream.readline(_LONGEST_LINE)
        if not line.strip():
            break
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _LARGEST_UPLOAD:
        raise BadRequestError("no sensible length")
    body = stream.read(int(length))
    path, _, query = target.partition("?")
    wish = headers.get("connection", "keep-alive" if version == "HTTP/1.1" else "close").lower()
    if version != "HTTP/1.1":
        headers["accept-encoding"] = ""  # without chunks there is no gzip
    return Request(method, path, query, headers, body), wish != "close"


@dataclass(slots=True)
class Sender:
    """Sends responses.

    Attributes:
        connection: The client's connection.
        wait: Waits for the given seconds; returns True if the server stops meanwhile.
        date: The Date header's value.
        drip_seconds: Pause between two bytes of a dripping response.
    """

    connection: socket.socket
    wait: Callable[[float], bool]
    date: Callable[[], str]
    drip_seconds: float = 1.0

    def send(self, answer: Answer, request: Request, *, go_on: bool) -> bool:
        """Sends a response; True if the connection can be used for another request."""
        match answer.transport:
            case "hang":
                while self.connection.recv(_CHUNK):
                    pass  # until the client gives up, or the server stops
            case "drop":
                pass
            case "bomb":
                self._endless(answer, _bomb(), "Content-Encoding: gzip\r\n")
            case "too-large":
                self._endless(answer, _plain_flood(), "")
            case "truncate":
                body = answer.body.plain()
                claimed = max(len(body), _SHORTEST_CLAIM)
                self.connection.sendall(self._head(answer, f"Content-Length: {claimed}\r\n", go_on=False))
                self.connection.sendall(body[: len(body) // 2])
            case "drip":
                body = answer.body.plain()
                self.connection.sendall(self._head(answer, f"Content-Length: {len(body)}\r\n", go_on=False))
                self._drip(body)
            case "drip-headers":
                body = answer.body.plain()
                self._drip(self._head(answer, f"Content-Length: {len(body)}\r\n", go_on=False))
                self.connection.sendall(body)
            case _:
                self._whole(answer, request, go_on=go_on)
                return go_on
        return False

    def _whole(self, answer: Answer, request: Request, *, go_on: bool) -> None:
        if request.method == "HEAD" or answer.status in _WITHOUT_BODY:
            self.connection.sendall(self._head(answer, "Content-Length: 0\r\n", go_on=go_on))
        elif _accepts_gzip(request.headers.get("accept-encoding", "")):
            body = memoryview(answer.body.gzip())
            length = "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"
            start = self._head(answer, length, go_on=go_on)
            for offset in range(0, len(body), _CHUNK):
                chunk = body[offset : offset + _CHUNK]
                self.connection.sendall(b"".join((start, b"%x\r\n" % len(chunk), chunk, b"\r\n")))
                start = b""
            self.connection.sendall(b"0\r\n\r\n")
        else:
            body = memoryview(answer.body.plain())
            head = self._head(answer, f"Content-Length: {len(body)}\r\n", go_on=go_on)
            first = min(_CHUNK, len(body))
            self.connection.sendall(b"".join((head, body[:first])))
            self.connection.sendall(body[first:])

    def _head(self, answer: Answer, length: str, *, go_on: bool) -> bytes:
        status = answer.status
        known = status in HTTPStatus.__members__.values()
        phrase = HTTPStatus(status).phrase if known else "Unknown"
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        return (
            f"HTTP/1.1 {int(status)} {phrase}\r\n"
            f"Server: restify\r\nContent-Type: {answer.content_type}\r\nDate: {self.date()}\r\n"
            f"{length}{more}Connection: {'keep-alive' if go_on else 'close'}\r\n\r\n"
        ).encode("latin-1")

    def _drip(self, data: bytes) -> None:
        for index in range(len(data)):
            self.connection.sendall(data[index : index + 1])
            if self.wait(self.drip_seconds):
                return

    def _endless(self, answer: Answer, blocks: Iterator[bytes], encoding: str) -> None:
        self.connection.sendall(self._head(answer, f"{encoding}Transfer-Encoding: chunked\r\n", go_on=False))
        for block in blocks:
            self.connection.sendall(b"%x\r\n%b\r\n" % (len(block), block))
            if self.wait(0):
                return
        self.connection.sendall(b"0\r\n\r\n")


def _accepts_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _plain_flood() -> Iterator[bytes]:
    yield b"["
    for _ in range(_GIGABYTES << 10):
        yield b" " * _BLOCK


def _bomb() -> Iterator[bytes]:
    # A full flush makes an independent compressed block, which can be repeated for all the gigabytes.
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield compressor.compress(b"[") + compressor.flush(zlib.Z_FULL_FLUSH)
    block = compressor.compress(b" " * _BLOCK) + compressor.flush(zlib.Z_FULL_FLUSH)
    for _ in range(_GIGABYTES << 10):
        yield block
