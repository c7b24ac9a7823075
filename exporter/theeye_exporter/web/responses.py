"""Kinds of responses."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from theeye_exporter.web.humanize import clean

__all__ = ["COMMON_HEADERS", "Pieces", "line", "lines"]

COMMON_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_BLOCK_SIZE: Final = 512 * 1024
"""Bytes passed to a connection at once; a slow or vanished reader can keep no more than this in memory."""

_LONGEST: Final = 16 * 1024
"""Maximum characters in a line of text; the names of all metrics fit."""

_SMALL: Final = 64 * 1024
"""Pieces of fewer bytes than this are joined."""


def line(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of one line of text, without unprintable characters."""
    return PlainTextResponse(f"{clean(text, _LONGEST)}\n", status, {**COMMON_HEADERS, **(headers or {})})


def lines(texts: Iterable[str], status: int = 200) -> Response:
    """Return a response of several such lines."""
    return PlainTextResponse("".join(f"{clean(text, _LONGEST)}\n" for text in texts), status, COMMON_HEADERS)


class Pieces(Response):
    """A body that is sent in pieces and never joined.

    Args:
        pieces: the body; each piece is taken when the ones before it are sent.
        length: bytes of the body.
        headers: headers of the response.
    """

    def __init__(self, pieces: Iterable[bytes], length: int, headers: Mapping[str, str]) -> None:
        self._pieces = pieces
        super().__init__(headers={**headers, "Content-Length": str(length)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            for block in _blocks(self._pieces):
                # The server makes this wait while the connection's buffer is full.
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut and join `pieces` to blocks of a good size: a packet per header line is as bad as 100 MB at once."""
    small: list[bytes] = []
    room = _BLOCK_SIZE
    for piece in pieces:
        if len(piece) < min(room, _SMALL):
            small.append(piece)
            room -= len(piece)
            continue
        if small:
            yield b"".join(small)
            small, room = [], _BLOCK_SIZE
        if len(piece) <= _BLOCK_SIZE:
            yield piece  # unchanged: nothing to copy
        else:
            yield from (piece[start : start + _BLOCK_SIZE] for start in range(0, len(piece), _BLOCK_SIZE))
    if small:
        yield b"".join(small)
