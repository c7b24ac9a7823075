"""The web application: what answers on the exporter's port. No request here causes one to TheEye."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from theeye_exporter.exposition.snapshot import SnapshotStore, gzip_member
from theeye_exporter.status import StatusBoard
from theeye_exporter.telemetry import Telemetry
from theeye_exporter.web.landing import CONTENT_SECURITY_POLICY, landing_page
from theeye_exporter.web.lifecycle import RELOAD_METHODS, RELOAD_PATH, Reload, reload_endpoint
from theeye_exporter.web.negotiation import accepts_gzip, choose_format
from theeye_exporter.web.words import clean, listed

__all__ = ["HEALTH_PATH", "READY_PATH", "create_app"]

HEALTH_PATH: Final = "/-/healthy"
READY_PATH: Final = "/-/ready"

_BLOCK_SIZE: Final = 256 * 1024
"""Bytes handed to a connection at once: all that a reader who is slow or gone can hold in memory."""

_COMMON_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_METHOD_NOT_ALLOWED: Final = 405
_NAMED_AT_MOST: Final = 10
_LONGEST_LINE: Final = 1000

_Endpoint = Callable[[Request], Awaitable[Response]]

_log: Final = structlog.get_logger(__name__)


def create_app(  # noqa: PLR0913 - everything that can be seen from outside meets here
    *,
    store: SnapshotStore,
    telemetry: Telemetry,
    board: StatusBoard,
    telemetry_path: str,
    clock: Callable[[], float],
    started: float,
    reload: Reload | None = None,
) -> Starlette:
    """Build the application.

    Args:
        store: the samples of TheEye's objects.
        telemetry: the exporter's own metrics, which end each exposition.
        board: what readiness waits for and the landing page shows.
        telemetry_path: where the exposition is, /metrics by default.
        clock: Unix time, in seconds.
        started: Unix time at which the exporter started.
        reload: reloads the configuration, None if requests may not do that.
    """

    async def metrics(request: Request) -> Response:
        snapshot = store.current()  # once: all of the answer is from one moment
        fmt, content_type = choose_format(_joined(request, "accept"))
        headers = _COMMON_HEADERS | {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        tail = telemetry.exposition(fmt)
        if not accepts_gzip(_joined(request, "accept-encoding")):
            return _Pieces((*snapshot.identity(fmt), tail), headers)
        return Response(gzip_member(snapshot.deflated(fmt), tail), headers=headers | {"Content-Encoding": "gzip"})

    async def healthy(_: Request) -> Response:
        return _line("OK")

    async def ready(_: Request) -> Response:
        waiting = board.waiting
        if waiting:
            return _line(f"waiting for the first answer: {listed(waiting, at_most=_NAMED_AT_MOST)}", 503)
        return _line("ready")

    async def landing(_: Request) -> Response:
        page = await run_in_threadpool(
            landing_page,
            board.organizations,
            now=clock(),
            started=started,
            links={"Metrics": telemetry_path, "Health": HEALTH_PATH, "Readiness": READY_PATH},
        )
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
        return Response(page, headers=_COMMON_HEADERS | headers, media_type="text/html")

    endpoints: dict[str, _Endpoint] = {"/": landing, telemetry_path: metrics, HEALTH_PATH: healthy, READY_PATH: ready}

    async def refuse(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == _METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted((error.headers or {}).get("Allow", "GET, HEAD").split(", ")))
            return _line(
                f"method not allowed; only {' and '.join(allowed.split(', '))} are",
                _METHOD_NOT_ALLOWED,
                {"Allow": allowed},
            )
        return _line(f"not found; the exporter has {', '.join(endpoints)}", 404)

    app = Starlette(
        routes=[
            *(Route(path, _guarded(endpoint)) for path, endpoint in endpoints.items()),
            Route(RELOAD_PATH, _guarded(reload_endpoint(reload, _lines)), methods=RELOAD_METHODS),
        ],
        exception_handlers={HTTPException: refuse},
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header that the client made up
    return app


class _Pieces(Response):
    """A body that is never joined as a whole."""

    def __init__(self, pieces: Sequence[bytes], headers: Mapping[str, str]) -> None:
        self._pieces = pieces
        super().__init__(headers={**headers, "Content-Length": str(sum(map(len, pieces)))})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            for block in _blocks(self._pieces):
                # The server lets this wait while the connection's buffer is full.
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _blocks(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Cut and join `pieces` to blocks of one size: a packet per header line is as bad as 100 MB at once."""
    block: list[memoryview] = []
    room = _BLOCK_SIZE
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            part, rest = rest[:room], rest[room:]
            block.append(part)
            room -= len(part)
            if not room:
                yield b"".join(block)
                block, room = [], _BLOCK_SIZE
    if block:
        yield b"".join(block)


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception:  # noqa: BLE001 - whatever it is, a client sees one line and the log the rest
            _log.exception("answering a request failed", path=request.scope["path"])
            return _line("internal error; the exporter's log says more", 500)

    return answer


def _line(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{clean(text)}\n", status, {**_COMMON_HEADERS, **(headers or {})})


def _lines(texts: Sequence[str], status: int) -> Response:
    return PlainTextResponse("".join(f"{clean(text, _LONGEST_LINE)}\n" for text in texts), status, _COMMON_HEADERS)


def _joined(request: Request, name: str) -> str | None:
    """Return all fields of a header as one (RFC 9110, section 5.2)."""
    values = request.headers.getlist(name)
    return ", ".join(values) if values else None
