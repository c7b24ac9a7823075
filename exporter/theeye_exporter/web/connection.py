"""One connection to a client: what it may send, and for how long it may take.

uvicorn limits neither the size of a request's head that arrives at once, nor the time until it is complete, nor the
time until an answer has left. Here, heads are cut out of the input before h11 sees them, bodies are never read, and
every state of a connection has a deadline.
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

from theeye_exporter.web.idle import Idle

__all__ = ["HEADER_BYTES", "LimitedProtocol", "Terms"]

HEADER_BYTES: Final = 16 * 1024
"""A request's head: its first line, its header fields and the empty line after them."""
_LINE_BYTES: Final = 8 * 1024
"""The first line of a request."""

_REQUEST_SECONDS = 10.0
"""From the connection, or from the last answer, until a request's head is complete."""
_RESPONSE_SECONDS = 120.0
"""From a request until its answer has left: longer than any scrape may sensibly take."""
_LINGER_SECONDS = 2.0
"""For which what a client still sends is thrown away, so that it sees the answer and not a reset."""

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
"""What no head may contain (RFC 9110, section 5.5). h11 would say so too, but looks at blanks before it quadratically."""
_FIRST_PRINTABLE: Final = 0x21
_REFUSALS: Final = {
    400: "bad request",
    414: f"the first line of a request may have {_LINE_BYTES} bytes",
    431: f"the head of a request may have {HEADER_BYTES} bytes",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a connection is made."""

    tls: ssl.SSLContext | None = None
    """How to establish TLS; None for plain HTTP."""
    admits: Callable[[asyncio.BaseTransport], bool] = lambda _: True
    """Whether the client of an established connection is let in."""
    in_force: Callable[[], bool] = lambda: True
    """Whether a new connection would be made on the same terms; if not, the next answer is the last."""


class LimitedProtocol(H11Protocol):
    """Answers one request after the other.

    Args:
        config: uvicorn's configuration.
        server_state: what uvicorn's connections share.
        idle: where the connection stands while nothing happens on it.
        terms: who is let in, and for how long.
    """

    cycle: RequestResponseCycle | None  # type: ignore[assignment]  # None before the first request

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        idle: Idle,
        terms: Terms,
    ) -> None:
        super().__init__(config, server_state, {}, asyncio.get_running_loop())
        self._idle = idle
        self._terms = terms
        self.raw: asyncio.Transport
        self._input = bytearray()
        self._searched = 0
        self._more_to_come = False
        """Whether the client announced, or is still sending, what nobody will read."""
        self._lingering = False
        self._ended = False
        """Whether the client will send no more, although it may still read."""
        self._limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, once TLS is established."""
        self.raw = transport
        super().connection_made(cast("asyncio.Transport", _Transport(self)))
        if self._terms.admits(transport):
            self._wait()
        else:
            self._lingering = True  # whatever arrives meanwhile is not looked at
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent; while an answer is under way it waits."""
        if self._lingering:
            return
        self._unset_keepalive_if_required()
        self._input += data
        if not self._answering:
            self._take()
        elif self._more_to_come:
            self._input.clear()
        elif len(self._input) > HEADER_BYTES:
            self.flow.pause_reading()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature; its text names no reason
        """Answer what is no HTTP."""
        if (error := sys.exception()) is not None:
            error.__traceback__ = None  # h11's error refers to itself; let it not keep TLS, as in `connection_lost`
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
        """Answer what was asked before the client closed its side, unless it is TLS, which is never half open."""
        self._ended = True
        return self._answering and self.scheme == "http"

    def pause_writing(self) -> None:
        """Take note that the client does not read."""
        super().pause_writing()
        self._idle.stalled.setdefault(self, (self.loop.time(), self.raw.abort))

    def resume_writing(self) -> None:
        """Take note that the client reads again."""
        super().resume_writing()
        self._idle.stalled.pop(self, None)

    def shutdown(self) -> None:
        """End now, or after the answer that is under way."""
        super().shutdown()
        if self._lingering or self.cycle is None:
            self.raw.abort()  # TLS would wait for the client to agree

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave nothing behind."""
        self._idle.discard(self)
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)
        # We and uvicorn's objects refer to each other, so that only the garbage collector finds us, and maybe late.
        # The transport goes now: TLS has a quarter of a megabyte in it.
        self.raw = _Gone()

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        """Give the client time to ask; or to take what the kernel has not taken yet, or to agree to the end of TLS."""
        if self.cycle is not None and self.raw.get_write_buffer_size():
            self._idle.stalled.setdefault(self, (self.loop.time(), self.raw.abort))
            self._arm(_RESPONSE_SECONDS, self.raw.abort)
            return
        self._idle.silent[self] = self.raw.abort
        if not self.raw.is_closing():
            self._arm(_REQUEST_SECONDS, self.raw.abort)

    def _take(self) -> None:
        """Hand the next head of a request on, once it is complete."""
        line_end = self._input.find(b"\n", 0, _LINE_BYTES)
        head = _HEAD_END.search(self._input, self._searched, HEADER_BYTES)
        self._searched = max(0, len(self._input) - 2)
        if self._input[0] < _FIRST_PRINTABLE:  # TLS, or nothing of any protocol
            self._refuse(400)
        elif line_end < 0 and len(self._input) >= _LINE_BYTES:
            self._refuse(414)
        elif head is not None and _CONTROL.search(self._input, 0, head.end()):
            self._refuse(400)
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
        if not self.raw.get_write_buffer_size():  # who asks for more without reading is no less stalled
            self._idle.stalled.pop(self, None)
        self._arm(_RESPONSE_SECONDS, self.raw.abort)
        if _announces_body(self.headers):
            self._more_to_come = True
            self._input.clear()
        if self._more_to_come or not self._terms.in_force():
            # The task that answers has not begun yet. uvicorn repeats this field, and closes.
            self.headers.append((b"connection", b"close"))
            self.cycle.keep_alive = False

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
        """Whether nothing more is answered."""
        return self._lingering or self.raw.is_closing()

    def close(self) -> None:
        """Close; if the client is still sending, only once it had time to see the answer."""
        if self.raw.is_closing():
            return  # asyncio's TLS cannot be aborted any more once it was told to close twice
        if not self._more_to_come or self._ended:
            self.raw.close()
            self._arm(_RESPONSE_SECONDS, self.raw.abort)  # what was written may not have left yet
        elif not self._lingering:
            self._lingering = True
            self._idle.silent[self] = self.raw.abort
            self._input.clear()
            self.flow.resume_reading()
            if self.raw.can_write_eof():
                with contextlib.suppress(OSError):  # the client has gone, which we are about to be told
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
    """The transport as uvicorn sees it: that of the connection, except that it closes our way."""

    def __init__(self, connection: LimitedProtocol) -> None:
        self._connection = connection
        self.close = connection.close

    def is_closing(self) -> bool:
        return self._connection.is_closing()

    def write(self, data: bytes) -> None:
        """Write, unless the client has gone: asyncio would warn of it each time that somebody breaks a scrape off."""
        if not self._connection.raw.is_closing():
            self._connection.raw.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection.raw, name)


class _Gone(asyncio.Transport):
    """The transport of a connection that is no more."""

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
