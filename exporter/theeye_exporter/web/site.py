"""The pages that each of our processes has on its port: metrics, health, readiness, reload, and one for people."""

import gzip
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from theeye_exporter.web.foreign import OnlyOurPages
from theeye_exporter.web.humanize import listed
from theeye_exporter.web.lifecycle import RELOAD_METHODS, RELOAD_PATH, Reload, reload_endpoint
from theeye_exporter.web.negotiation import accepts_gzip
from theeye_exporter.web.page_parts import CONTENT_SECURITY_POLICY, SCRIPT, SCRIPT_PATH
from theeye_exporter.web.responses import COMMON_HEADERS, line
from theeye_exporter.web.scrapes import Scrapes

__all__ = ["HEALTH_PATH", "READY_PATH", "links_to", "site"]

HEALTH_PATH: Final = "/-/healthy"
READY_PATH: Final = "/-/ready"

_METHOD_NOT_ALLOWED: Final = 405
_NAMED_AT_MOST: Final = 10
_LEVEL: Final = 4
"""How well the page is compressed; more takes longer and brings little."""

_Endpoint = Callable[[Request], Awaitable[Response]]

_log: Final = structlog.get_logger(__name__)


def links_to(telemetry_path: str) -> dict[str, str]:
    """Return the paths of the pages from the root, by link text."""
    return {"Metrics": telemetry_path, "Health": HEALTH_PATH, "Readiness": READY_PATH}


def site(  # noqa: PLR0913 - everything that is visible from outside meets here
    *,
    metrics: Scrapes,
    telemetry_path: str,
    unhealthy: Callable[[], str],
    waiting: Callable[[], Sequence[str]],
    page: Callable[[Request], bytes],
    reload: Reload | None = None,
    more: Sequence[Route] = (),
) -> Starlette:
    """Build the application.

    Args:
        metrics: answers scrapes.
        telemetry_path: path of the metrics, by default /metrics.
        unhealthy: returns why the process has to be restarted; empty if it has not.
        waiting: returns what has not had a first response of TheEye.
        page: renders the page for people; called in another thread.
        reload: reloads the configuration; None if requests must not do that.
        more: what else the process answers.
    """

    async def healthy(_: Request) -> Response:
        why = unhealthy()
        return line(why, 503) if why else line("OK")

    async def ready(_: Request) -> Response:
        names = waiting()
        if names:
            return line(f"waiting for the first response: {listed(names, at_most=_NAMED_AT_MOST)}", 503)
        return line("ready")

    async def landing(request: Request) -> Response:
        # A scrape does not wait for the page.
        body, encoding = await run_in_threadpool(_rendered, page, request)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
        return Response(body, headers=COMMON_HEADERS | headers | encoding, media_type="text/html")

    async def script(_: Request) -> Response:
        # Another version of the script has another address.
        headers = COMMON_HEADERS | {"Cache-Control": "max-age=31536000, immutable"}
        return Response(SCRIPT, headers=headers, media_type="text/javascript")

    endpoints: dict[str, _Endpoint] = {"/": landing, telemetry_path: metrics, HEALTH_PATH: healthy, READY_PATH: ready}
    app = Starlette(
        routes=[
            *(Route(path, _guarded(endpoint)) for path, endpoint in endpoints.items()),
            Route(SCRIPT_PATH, _guarded(script)),
            Route(RELOAD_PATH, _guarded(reload_endpoint(reload)), methods=RELOAD_METHODS),
            *more,
        ],
        middleware=[Middleware(OnlyOurPages)],
        exception_handlers={HTTPException: _refusal([*endpoints, RELOAD_PATH, *(route.path for route in more)])},
    )
    app.router.redirect_slashes = False  # a redirect would repeat the Host header, which the client chooses freely
    return app


def _rendered(page: Callable[[Request], bytes], request: Request) -> tuple[bytes, dict[str, str]]:
    """Return the page, compressed if the client accepts that, and headers that say so."""
    body = page(request)
    varied = {"Vary": "Accept-Encoding"}
    if not accepts_gzip(", ".join(request.headers.getlist("accept-encoding")) or None):
        return body, varied
    return gzip.compress(body, _LEVEL, mtime=0), varied | {"Content-Encoding": "gzip"}


def _refusal(paths: Sequence[str]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler for requests with an unknown path or another method."""

    async def refuse(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == _METHOD_NOT_ALLOWED:
            allowed = ", ".join(sorted((error.headers or {}).get("Allow", "GET, HEAD").split(", ")))
            said = f"method not allowed; use {' or '.join(allowed.split(', '))}"
            return line(said, _METHOD_NOT_ALLOWED, {"Allow": allowed})
        return line(f"not found; the paths are {', '.join(paths)}", 404)

    return refuse


def _guarded(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Exception:  # noqa: BLE001 - the client gets one line, and the log has the details
            _log.exception("request failed with an internal error", path=request.scope["path"])
            return line("internal error; see the log", 500)

    return answer
