"""The web application: what answers on the exporter's port. No request here causes one to TheEye."""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from theeye_exporter.exposition.snapshot import SnapshotStore
from theeye_exporter.status import StatusBoard
from theeye_exporter.telemetry import Telemetry
from theeye_exporter.web.landing import CONTENT_SECURITY_POLICY, landing_page
from theeye_exporter.web.lifecycle import RELOAD_METHODS, RELOAD_PATH, Reload, reload_endpoint
from theeye_exporter.web.responses import COMMON_HEADERS, line
from theeye_exporter.web.scrapes import Scrapes
from theeye_exporter.web.words import listed

__all__ = ["HEALTH_PATH", "READY_PATH", "create_app"]

HEALTH_PATH: Final = "/-/healthy"
READY_PATH: Final = "/-/ready"

_METHOD_NOT_ALLOWED: Final = 405
_NAMED_AT_MOST: Final = 10

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
    metrics = Scrapes(store, telemetry)

    async def healthy(_: Request) -> Response:
        return line("OK")

    async def ready(_: Request) -> Response:
        waiting = board.waiting
        if waiting:
            return line(f"waiting for the first answer: {listed(waiting, at_most=_NAMED_AT_MOST)}", 503)
        return line("ready")

    async def landing(_: Request) -> Response:
        page = await run_in_threadpool(
            landing_page,
            board.organizations,
            now=clock(),
            started=started,
            links={"Metrics": telemetry_path, "Health": HEALTH_PATH, "Readiness": READY_PATH},
        )
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
        return Response(page, headers=COMMON_HEADERS | headers, media_type="text/html")

    endpoints: dict[str, _Endpoint] = {"/": landing, telemetry_path: metrics, HEALTH_PATH: healthy, READY_PATH: ready}

    async def refuse(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == _METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted((error.headers or {}).get("Allow", "GET, HEAD").split(", ")))
            said = f"method not allowed; only {' and '.join(allowed.split(', '))} are"
            return line(said, _METHOD_NOT_ALLOWED, {"Allow": allowed})
        return line(f"not found; the exporter has {', '.join(endpoints)}", 404)

    app = Starlette(
        routes=[
            *(Route(path, _guarded(endpoint)) for path, endpoint in endpoints.items()),
            Route(RELOAD_PATH, _guarded(reload_endpoint(reload)), methods=RELOAD_METHODS),
        ],
        exception_handlers={HTTPException: refuse},
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header that the client made up
    return app


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception:  # noqa: BLE001 - whatever it is, a client sees one line and the log the rest
            _log.exception("answering a request failed", path=request.scope["path"])
            return line("internal error; the exporter's log says more", 500)

    return answer
