"""Answers: a status, a body that is prepared once and sent many times, and the server's error bodies."""

import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

__all__ = ["Answer", "Body", "array", "bad_token", "conflict", "json_answer", "not_found", "one_object"]

_GZIP: Final = 31
_LEVEL: Final = 1
_PIECE: Final = 1 << 20
_STACK: Final = (
    "{name}: {message}\n"
    "    at Strategy.verify (/srv/simulated/lib/auth.js:10:5)\n"
    "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"
)


class Body:
    """The bytes of an answer, and the same compressed; both are made when first asked for, and kept."""

    __slots__ = ("_gzip", "_lock", "_parts", "_plain")

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = tuple(parts)
        self._plain: bytes | None = None
        self._gzip: bytes | None = None
        self._lock = threading.Lock()

    def plain(self) -> bytes:
        """As it is."""
        with self._lock:
            if self._plain is None:
                self._plain = b"".join(self._parts)
            return self._plain

    def gzip(self) -> bytes:
        """As gzip, level 1; made from the parts, so that a large body is never held in one piece for it."""
        with self._lock:
            if self._gzip is None:
                self._gzip = b"".join(_compressed(self._parts))
            return self._gzip


def _compressed(parts: Iterable[bytes]) -> Iterable[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    pieces: list[bytes] = []
    size = 0
    for part in parts:
        pieces.append(part)
        size += len(part)
        if size >= _PIECE:
            yield compressor.compress(b"".join(pieces))
            pieces, size = [], 0
    yield compressor.compress(b"".join(pieces))
    yield compressor.flush()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is sent.

    Attributes:
        status: The HTTP status.
        body: The body.
        headers: Headers besides those of every answer.
        content_type: The type the body claims to have.
        transport: How it is sent: in full, or as one of the faults that are about sending, by its name.
    """

    status: int
    body: Body
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    transport: str = field(default="full")


def json_answer(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    """An answer with any JSON value as its body."""
    return Answer(status, Body([msgspec.json.encode(value)]), headers)


def array(parts: Iterable[bytes]) -> Body:
    """A JSON array of parts; the last of them, or of each object's, ends with a comma."""
    pieces = [b"[", *parts]
    if len(pieces) > 1:
        pieces[-1] = pieces[-1][:-1]
    return Body([*pieces, b"]"])


def one_object(parts: Iterable[bytes]) -> Body:
    """A JSON object of parts that end with a comma."""
    return Body([b"".join(parts)[:-1]])


def not_found(path: str) -> Answer:
    """There is no such route."""
    return json_answer(HTTPStatus.NOT_FOUND, {"code": "ResourceNotFound", "message": f"{path} does not exist"})


def bad_token() -> Answer:
    """The token is unknown, or its user is disabled; with a stack, as the server answers."""
    said = "authentication failed"
    body = {"stack": _STACK.format(name=said, message=said), "message": said, "name": said}
    return json_answer(
        HTTPStatus.UNAUTHORIZED,
        {**body, "body": '{"message": "Unauthorized"}', "statusCode": int(HTTPStatus.UNAUTHORIZED)},
    )


def conflict() -> Answer:
    """The organisation exists, but the token is another one's; with a stack, as the server answers."""
    said = "Incorrect Organizations. Session conflict"
    stack = _STACK.format(name="ClientError", message=said)
    return json_answer(HTTPStatus.CONFLICT, {"stack": stack, "message": said, "statusCode": int(HTTPStatus.CONFLICT)})
