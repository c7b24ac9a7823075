"""The request that reloads the configuration, as Prometheus has it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

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


def reload_endpoint(
    reload: Reload | None, answer: Callable[[Sequence[str], int], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers the request.

    Args:
        reload: what to do, None if requests may not do that.
        answer: makes a response of lines and a status.
    """

    async def endpoint(_: Request) -> Response:
        if reload is None:
            return answer(("reloading by request is not enabled; start the exporter with --web.enable-lifecycle",), 403)
        try:
            kept = await run_in_threadpool(reload)
        except ReloadError as error:
            return answer(("the configuration cannot be used; the old one stays", *error.problems), 500)
        return answer(("reloaded", *(f"{key} has changed, which needs a restart" for key in kept)), 200)

    return endpoint
