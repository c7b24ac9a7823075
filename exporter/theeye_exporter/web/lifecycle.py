"""The request that reloads the configuration, as in Prometheus."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from theeye_exporter.config import ReloadError
from theeye_exporter.web.responses import lines

__all__ = ["RELOAD_METHODS", "RELOAD_PATH", "Reload", "reload_endpoint"]

RELOAD_PATH: Final = "/-/reload"
RELOAD_METHODS: Final = ("POST", "PUT")

Reload = Callable[[], Sequence[str]]
"""Reloads the configuration and returns the changed keys that need a restart, or raises `ReloadError`."""


def reload_endpoint(reload: Reload | None) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of the request: it calls `reload`, or refuses if requests must not reload."""

    async def endpoint(_: Request) -> Response:
        if reload is None:
            return lines(("reloading by request is not enabled; start the process with --web.enable-lifecycle",), 403)
        try:
            kept = await run_in_threadpool(reload)
        except ReloadError as error:
            return lines((error.effect, *error.problems), 500)
        return lines(("reloaded", *(f"{key} has changed, which needs a restart" for key in kept)))

    return endpoint
