"""Wraps the web application: applies the rate limit, checks passwords and sets the headers of every response."""

import math
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from theeye_exporter.config.web_file import RateLimit
from theeye_exporter.web.security.auth import BasicAuth, Verdict
from theeye_exporter.web.security.live import LiveWebFile
from theeye_exporter.web.security.rate import TokenBucket

__all__ = ["Guard"]

_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="theeye-exporter", charset="UTF-8"'}
_COMMON_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BUSY_SECONDS: Final = 1.0


class Guard:
    """An application that passes on the requests that the web configuration file admits, for any path.

    Args:
        app: the wrapped application.
        live: the web configuration file.
        auth: checks passwords.
        monotonic: a clock for the rate limit, in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        live: LiveWebFile,
        auth: BasicAuth,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._live = live
        self._auth = auth
        self._monotonic = monotonic
        self._bucket: TokenBucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it to the application."""
        state = self._live.current()
        if state.headers:
            send = _with_headers(send, state.headers)
        app: ASGIApp
        wait = self._seconds_to_wait(state.rate_limit)
        if wait:
            app = _answer(429, "too many requests", _retry_after(wait))
        elif not state.users:
            app = self._app
        else:
            fields = [value for name, value in scope["headers"] if name == b"authorization"]
            client = (scope.get("client") or ("",))[0]
            verdict = await self._auth.verify(state.users, fields, client)
            if verdict is Verdict.ADMITTED:
                app = self._app
            elif verdict is Verdict.REFUSED:
                app = _answer(401, "unauthorized", _CHALLENGE)
            else:
                app = _answer(503, "too many passwords to check; try again", _retry_after(_BUSY_SECONDS))
        await app(scope, receive, send)

    def _seconds_to_wait(self, limit: RateLimit | None) -> float:
        if limit is None:
            self._bucket = None
            return 0.0
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit, self._monotonic)
        return self._bucket.take()


def _retry_after(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(seconds))}


def _answer(status: int, text: str, headers: Mapping[str, str]) -> PlainTextResponse:
    return PlainTextResponse(f"{text}\n", status, {**_COMMON_HEADERS, **headers})


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return a `send` that sets the headers, and replaces those that the application set."""
    own = [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    names = {name for name, _ in own}

    async def send_with_headers(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*kept, *own]}
        await send(message)

    return send_with_headers
