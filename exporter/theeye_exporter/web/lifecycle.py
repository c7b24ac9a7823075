"""The request that reloads the configuration, as Prometheus has it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from theeye_exporter.web.responses import lines

__all__ = ["RELOAD_METHODS", "RELOAD_PATH", "Reload", "ReloadError", "reload_endpoint"]

RELOAD_PATH: Final = "/-/reload"
RELOAD_METHODS: Final = ("POST", "PUT")

Reload = Callable[[], Sequence[str]]
"""Reloads the configuration and returns the keys whose change needs a restart, or raises `ReloadError`."""


class ReloadError(Exception):
    """The configuration could not be loaded, and the old one stays; `problems` says why, without secrets."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def reload_endpoint(reload: Reload | None) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers the request: `reload`, or a refusal if requests may not do that."""

    async def endpoint(_: Request) -> Response:
        if reload is None:
            return lines(("reloading by request is not enabled; start the exporter with --web.enable-lifecycle",), 403)
        try:
            kept = await run_in_threadpool(reload)
        except ReloadError as error:
            return lines(("the configuration cannot be used; the old one stays", *error.problems), 500)
        return lines(("reloaded", *(f"{key} has changed, which needs a restart" for key in kept)))

    return endpoint
