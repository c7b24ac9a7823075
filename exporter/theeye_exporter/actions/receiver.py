"""What the process answers to Alertmanager: it decides, and answers when the decisions are on the disk. It starts nothing itself."""

import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from theeye_exporter.actions.alert_runs import AlertRuns
from theeye_exporter.actions.alerts import BadPayloadError, Payload, read_payload
from theeye_exporter.actions.records import Said
from theeye_exporter.ledger.failures import LedgerError

__all__ = ["CODES", "LARGEST", "Receiver"]

LARGEST: Final = 4 * 2**20
"""Bytes of a request at most."""

CODES: Final = (200, 400, 404, 413, 415, 500, 503)
"""The codes of all answers. The web server gives 401 to whoever does not authenticate, and 403 to pages of other sites."""

_log: Final = structlog.get_logger(__name__)


class _RefusedError(Exception):
    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


class Receiver:
    """Answers requests about the actions.

    Args:
        runs: Returns the alert-driven runs.
        wall: Unix time.
        in_use: Held while a decision is made, and while a reload replaces the runs by others that read the same state file.

    Attributes:
        answers: Number of answers by action and code.
    """

    def __init__(self, runs: Callable[[], AlertRuns], wall: Callable[[], float], in_use: threading.Lock) -> None:
        self._runs = runs
        self._wall = wall
        self._in_use = in_use
        self.answers: Counter[tuple[str, int]] = Counter()

    @property
    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/v1/alerts/{action}", self._answering(self._alerts), methods=["POST"]),
            Route("/-/resume/{action}", self._answering(self._resume), methods=["POST"]),
        ]

    def _answering(
        self, answer: Callable[[Request, str], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            action = request.path_params["action"]
            try:
                self._runs_with(action)
                response = await answer(request, action)
            except _RefusedError as error:
                response = PlainTextResponse(f"{error}\n", error.code)
            except LedgerError as error:
                _log.error("decisions could not be saved", action=action, error=str(error))
                response = PlainTextResponse("the state file cannot be written; nothing has changed\n", 503)
            except Exception:  # noqa: BLE001 - the sender gets one line, and the log has the details
                _log.exception("request failed with an internal error", path=request.url.path)
                response = PlainTextResponse("internal error; see the log\n", 500)
            if action in self._runs().plans:
                self.answers[action, response.status_code] += 1
            return response

        return endpoint

    def _runs_with(self, action: str) -> AlertRuns:
        runs = self._runs()
        if action not in runs.plans:
            raise _RefusedError(404, "there is no such action")
        return runs

    async def _alerts(self, request: Request, action: str) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _RefusedError(415, "send application/json")
        body = await _body(request)
        try:
            payload = await run_in_threadpool(read_payload, body, self._wall())
        except BadPayloadError as error:
            raise _RefusedError(400, str(error)) from None
        decided = await run_in_threadpool(self._decide, action, payload)
        return JSONResponse(
            {"decisions": [{"alert": one.alert, "decision": one.decision, "why": one.why} for one in decided]}
        )

    async def _resume(self, _: Request, action: str) -> Response:
        was = await run_in_threadpool(self._end_suspension, action)
        return PlainTextResponse("resumed\n" if was else "the action was not suspended\n")

    def _decide(self, action: str, payload: Payload) -> list[Said]:
        with self._in_use:
            return self._runs_with(action).receive(action, payload)

    def _end_suspension(self, action: str) -> bool:
        with self._in_use:
            return self._runs_with(action).resume(action)


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                raise _RefusedError(413, f"the request has more than {LARGEST:,} bytes")
    except ClientDisconnect:
        raise _RefusedError(400, "the request was cut off") from None
    return bytes(body)
