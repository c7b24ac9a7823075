"""One connection to a client, with limits to what the client may send and to how long it may take.

uvicorn does not limit the size of a request's head that arrives at once, the time until the head is complete, or the
time until a response is sent. Here, heads are cut out of the input before h11 sees them, bodies are read only where the
application has a use for them, and every state of a connection has a deadline.
"""

import asyncio
import contextlib
import http
import re
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from theeye_exporter.web.idle_connections import IdleConnections

__all__ = ["HEADER_BYTES", "ConnectionTerms", "LimitedProtocol"]

HEADER_BYTES: Final = 16 * 1024
"""Maximum size of a request's head: its first line, its header fields and the empty line after them."""
_LINE_BYTES: Final = 8 * 1024
"""Maximum length of the first line of a request."""
_UNREAD_BYTES: Final = 4 * 1024 * 1024
"""This many bytes of unread input are received and thrown away; a client that sends more has to wait."""

_REQUEST_SECONDS = 10.0
"""Seconds from the connection, or from the last response, until a request's head must be complete."""
_RESPONSE_SECONDS = 120.0
"""Seconds from a request until its response must be sent; no reasonable scrape takes this long."""
_LINGER_SECONDS = 2.0
"""Seconds for which further input is thrown away, so that the client sees the response and not a reset."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
"""Forbidden in a head (RFC 9110, section 5.5). h11 refuses it too, but takes quadratic time for blanks before it."""
_OTHER_VERSION: Final = re.compile(rb"[^\n]* HTTP/[02-9](?:\.[0-9])?\r?\n")
"""The first line of a request in another major version, which h11 would treat as HTTP/1.1."""
_FIRST_PRINTABLE: Final = 0x21
_REFUSALS: Final = {
    400: "bad request",
    414: f"the first line of a request may have at most {_LINE_BYTES} bytes",
    431: f"the head of a request may have at most {HEADER_BYTES} bytes",
    505: "only HTTP/1.1 and HTTP/1.0 are supported",
}


@dataclass(frozen=True, slots=True)
class ConnectionTerms:
    """The rules for a connection."""

    tls: ssl.SSLContext | None = None
    """How to establish TLS; None for plain HTTP."""
    admits: Callable[[asyncio.BaseTransport], bool] = lambda _: True
    """Returns whether the client of an established connection is admitted."""
    in_force: Callable[[], bool] = lambda: True
    """Returns whether these rules still apply to new connections; if not, the next response is the last."""


class LimitedProtocol(H11Protocol):
    """Answers the requests of one connection, one after the other.

    Args:
        config: uvicorn's configuration.
        server_state: state that uvicorn's connections share.
        idle: keeps the connection while nothing happens on it.
        terms: the rules for the connection.
        reads_bodies: whether the application reads the bodies of requests; it limits their size.
    """

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        idle: IdleConnections,
        terms: ConnectionTerms,
        reads_bodies: bool = False,
    ) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._idle = idle
        self._terms = terms
        self.raw: asyncio.Transport
        self._input = bytearray()
        self._searched = 0
        self._more_to_come = False
        """Whether the client announced, or is still sending, input that is not read."""
        self._reads_bodies = reads_bodies
        self._in_body = False
        """Whether what arrives belongs to a body that is read."""
        self._thrown_away = 0
        self._lingering = False
        self._ended = False
        """Whether the client will send no more, although it may still read."""
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start once TLS is established."""
        self.raw = transport
        super().connection_made(cast("asyncio.Transport", _Transport(self)))
        if self._terms.admits(transport):
            self._wait()
        else:
            self._lingering = True  # input that arrives in the meantime is not read
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Receive input; while a response is being sent, the input waits."""
        if self._in_body and self._answering and not self._lingering:
            self._take_body(data)
            return
        if self._lingering or (self._answering and self._more_to_come):
            self._throw_away(len(data))
            return
        self._unset_keepalive_if_required()
        self._input += data
        if not self._answering:
            self._take()
        elif len(self._input) > HEADER_BYTES:
            self.flow.pause_reading()

    def _take_body(self, data: bytes) -> None:
        """Pass on a part of a body; uvicorn stops reading while the application does not take it."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.more_body:
            self._in_body = self._more_to_come = False

    def _throw_away(self, size: int) -> None:
        self._thrown_away += size
        if self._thrown_away > _UNREAD_BYTES:
            self.flow.pause_reading()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature; its text names no reason
        """Answer input that is not HTTP."""
        if (error := sys.exception()) is not None:
            error.__traceback__ = None  # h11's error refers to itself; do not let it hold TLS, as in `connection_lost`
        self._refuse(400)

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        if self._lingering:
            return
        self._wait()
        if self._input and not self._answering and not self.raw.is_closing():
            self._take()
        if self._ended and not self._answering:
            self.close()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer requests from before the client closed its side, except over TLS, which is never half open."""
        self._ended = True
        return self._answering and self.scheme == "http"

    def pause_writing(self) -> None:
        """Record that the client does not read."""
        super().pause_writing()
        self._idle.stalled.setdefault(self, (self.loop.time(), self.raw.abort))

    def resume_writing(self) -> None:
        """Record that the client reads again."""
        super().resume_writing()
        self._idle.stalled.pop(self, None)

    def shutdown(self) -> None:
        """Close now, or after the current response."""
        super().shutdown()
        if self._lingering or self.cycle is None:
            self.raw.abort()  # TLS would wait for the client's consent

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything."""
        self._idle.discard(self)
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)
        # This object and uvicorn's objects refer to each other, so only the garbage collector frees them, maybe late.
        # Release the transport now: TLS holds a quarter of a megabyte in it.
        self.raw = _Gone()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        """Set a deadline for the client to send a request, to read pending output, or to agree to the end of TLS."""
        if self.cycle is not None and self.raw.get_write_buffer_size():
            self._idle.stalled.setdefault(self, (self.loop.time(), self.raw.abort))
            self._arm(_RESPONSE_SECONDS, self.raw.abort)
            return
        self._idle.silent[self] = self.raw.abort
        if not self.raw.is_closing():
            self._arm(_REQUEST_SECONDS, self.raw.abort)

    def _take(self) -> None:
        """Pass on the next head of a request, once it is complete."""
        line_end = self._input.find(b"\n", 0, _LINE_BYTES)
        head = _HEAD_END.search(self._input, self._searched, HEADER_BYTES)
        self._searched = max(0, len(self._input) - 2)
        if self._input[0] < _FIRST_PRINTABLE:  # TLS, or no known protocol
            self._refuse(400)
        elif line_end < 0 and len(self._input) >= _LINE_BYTES:
            self._refuse(414)
        elif head is not None and _CONTROL.search(self._input, 0, head.end()):
            self._refuse(400)
        elif head is not None and _OTHER_VERSION.match(self._input):
            self._refuse(505)
        elif head is not None:
            self._answer(bytes(self._input[: head.end()]))
        elif len(self._input) >= HEADER_BYTES:
            self._refuse(431)

    def _answer(self, head: bytes) -> None:
        del self._input[: len(head)]
        self._searched = 0
        super().data_received(head)
        if self.cycle is None or not self._answering:
            return  # refused
        self._idle.silent.pop(self, None)
        if not self.raw.get_write_buffer_size():  # a client that sends more requests without reading is still stalled
            self._idle.stalled.pop(self, None)
        self._arm(_RESPONSE_SECONDS, self.raw.abort)
        body = b""
        if _announces_body(self.headers):
            self._more_to_come = True
            self._in_body = self._reads_bodies
            body = bytes(self._input)
            self._input.clear()
        if self._more_to_come or not self._terms.in_force():
            # The task that responds has not started yet. uvicorn repeats this field, and closes.
            self.headers.append((b"connection", b"close"))
            self.cycle.keep_alive = False
        if self._in_body and body:
            self._take_body(body)

    def _refuse(self, status: int) -> None:
        text = f"{_REFUSALS[status]}\n".encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(text)).encode()),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=status, headers=headers, reason=http.HTTPStatus(status).phrase.encode())
        for event in (response, h11.Data(data=text), h11.EndOfMessage()):
            self.raw.write(self.conn.send(event) or b"")
        self._more_to_come = True
        self.close()

    def is_closing(self) -> bool:
        """Whether no more requests are answered."""
        return self._lingering or self.raw.is_closing()

    def close(self) -> None:
        """Close the connection; if the client is still sending, first give it time to see the response."""
        if self.raw.is_closing():
            return  # asyncio's TLS can no longer be aborted after two calls of close
        if not self._more_to_come or self._ended:
            self.raw.close()
            self._arm(_RESPONSE_SECONDS, self.raw.abort)  # the output may not have been sent yet
        elif not self._lingering:
            self._lingering = True
            self._idle.silent[self] = self.raw.abort
            self._input.clear()
            if self._thrown_away <= _UNREAD_BYTES:
                self.flow.resume_reading()
            if self.raw.can_write_eof():
                with contextlib.suppress(OSError):  # the client has gone; `connection_lost` is about to be called
                    self.raw.write_eof()
            self._arm(_RESPONSE_SECONDS if self.raw.get_write_buffer_size() else _LINGER_SECONDS, self._end)

    def _end(self) -> None:
        if not self.raw.is_closing():
            self.raw.close()
        self._arm(_LINGER_SECONDS, self.raw.abort)

    def _arm(self, seconds: float, end: Callable[[], object]) -> None:
        if self._limit is not None:
            self._limit.cancel()
        self._limit = self.loop.call_later(seconds, end)


class _Transport:
    """The transport as uvicorn sees it: the connection's transport, except that closing goes through our protocol."""

    def __init__(self, connection: LimitedProtocol) -> None:
        self._connection = connection
        self.close = connection.close

    def is_closing(self) -> bool:
        return self._connection.is_closing()

    def write(self, data: bytes) -> None:
        """Write, unless the client has gone: asyncio would log a warning whenever a client aborts a scrape."""
        if not self._connection.raw.is_closing():
            self._connection.raw.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.raw, name)


class _Gone(asyncio.Transport):
    """The transport of a closed connection."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def write(self, data: object) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def _announces_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 ")) for name, value in headers
    )
