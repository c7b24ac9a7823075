"""Responses: a status, a body that is prepared once and sent many times, and the server's error bodies."""

import threading
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import msgspec

from theeye_exporter.demo.ids_and_time import ID_DIGITS

__all__ = [
    "NO_ANSWER",
    "Answer",
    "Body",
    "array",
    "bad_request",
    "bad_token",
    "conflict",
    "forbidden",
    "json_answer",
    "not_found",
    "one_object",
    "unknown",
]

_HEX: Final = frozenset("0123456789abcdefABCDEF")
_GZIP: Final = 31
_LEVEL: Final = 1
_PIECE: Final = 1 << 20
_STACK: Final = (
    "{name}: {message}\n"
    "    at Strategy.verify (/srv/simulated/lib/auth.js:10:5)\n"
    "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"
)


class Body:
    """The bytes of a response, plain and compressed; both are created at first use, and kept.

    Attributes:
        objects: number of objects that a list has.
    """

    __slots__ = ("_gzip", "_lock", "_parts", "_plain", "objects")

    def __init__(self, parts: Iterable[bytes], objects: int = 0) -> None:
        self.objects = objects
        self._parts = tuple(parts)
        self._plain: bytes | None = None
        self._gzip: bytes | None = None
        self._lock = threading.Lock()

    def plain(self) -> bytes:
        """The body, uncompressed."""
        with self._lock:
            if self._plain is None:
                self._plain = b"".join(self._parts)
            return self._plain

    def gzip(self) -> bytes:
        """The body as gzip, level 1; compressed part by part, so that a large body is never joined for it."""
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
    """A response before it is sent.

    Attributes:
        status: The HTTP status.
        body: The body.
        headers: Headers in addition to those of every response.
        content_type: The type that the body claims to have.
        transport: How it is sent: in full, or the name of a fault that concerns sending.
    """

    status: int
    body: Body
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    transport: str = field(default="full")


NO_ANSWER: Final = Answer(HTTPStatus.OK, Body([]), transport="hang")
"""What the real server does when a user asks for an object that is not shared with them."""


def json_answer(status: int, value: Any, *headers: tuple[str, str]) -> Answer:
    """A response with any JSON value as its body."""
    objects = len(value) if isinstance(value, list) else 0
    return Answer(status, Body([msgspec.json.encode(value)], objects), headers)


def array(parts: Iterable[bytes], objects: int) -> Body:
    """A JSON array of parts; the last part of each object ends with a comma."""
    pieces = [b"[", *parts]
    if len(pieces) > 1:
        pieces[-1] = pieces[-1][:-1]
    return Body([*pieces, b"]"], objects)


def one_object(parts: Iterable[bytes]) -> Body:
    """A JSON object of parts that end with a comma."""
    return Body([b"".join(parts)[:-1]])


def not_found(path: str) -> Answer:
    """The route does not exist."""
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
    """The organisation exists, but the token belongs to another one; with a stack, as the server answers."""
    said = "Incorrect Organizations. Session conflict"
    stack = _STACK.format(name="ClientError", message=said)
    return json_answer(HTTPStatus.CONFLICT, {"stack": stack, "message": said, "statusCode": int(HTTPStatus.CONFLICT)})


def forbidden(said: str) -> Answer:
    """The caller may not do this."""
    return json_answer(HTTPStatus.FORBIDDEN, said)


def bad_request(said: str) -> Answer:
    """The request is wrong."""
    return json_answer(HTTPStatus.BAD_REQUEST, {"statusCode": int(HTTPStatus.BAD_REQUEST), "message": said})


def unknown(what: str, object_id: str) -> Answer:
    """There is no object with this id, or it is no id."""
    if len(object_id) == ID_DIGITS and _HEX.issuperset(object_id):
        return json_answer(HTTPStatus.NOT_FOUND, f"{what} not found")
    return json_answer(HTTPStatus.BAD_REQUEST, f"{what} id is invalid")
