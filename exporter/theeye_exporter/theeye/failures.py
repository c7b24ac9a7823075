"""Converts exceptions of the HTTP stack and error responses of TheEye to our kinds of failure."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import HTTPException, IncompleteRead
from typing import Any, Final

import msgspec
import requests
import urllib3

from theeye_exporter.theeye.deadline import Step
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import lacking
from theeye_exporter.theeye.network_failures import network_error
from theeye_exporter.theeye.settings import Route

__all__ = ["error_from_exception", "error_from_response", "http_date"]

_LONGEST_PAUSE: Final = 300.0
"""A Retry-After is obeyed for at most this many seconds: one wrong header must not stop polling."""

_LONGEST_ERROR: Final = 2**16
"""Bytes; what TheEye says about an error is shorter, even with a stack trace. A longer body is not decoded."""

_NO_ROUTE: Final = "ResourceNotFound"
"""Error code for unknown paths in responses of restify, on which TheEye is built."""

_REASON_OF_STATUS: Final[dict[int, Reason]] = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    407: Reason.PROXY,
    409: Reason.ORGANIZATION_CONFLICT,
    429: Reason.RATE_LIMITED,
}

_REASON_OF_EXCEPTION: Final[tuple[tuple[tuple[type[BaseException], ...], Reason, str], ...]] = (
    (
        (urllib3.exceptions.IncompleteRead, IncompleteRead),
        Reason.TRUNCATED,
        "the connection was closed before the end of the response",
    ),
    ((urllib3.exceptions.DecodeError,), Reason.INVALID_RESPONSE, "the compression of the response is broken"),
    ((requests.exceptions.InvalidURL,), Reason.DNS, "the host in the URL is not a valid name"),
    # ValueError: invalid numbers in the framing of the response, such as a second Content-Length.
    (
        (urllib3.exceptions.ProtocolError, HTTPException, ValueError),
        Reason.INVALID_RESPONSE,
        "the response is not valid HTTP",
    ),
)
"""The first row whose type is among the causes of an exception decides the failure."""


def error_from_response(response: requests.Response, body: bytes | bytearray) -> UpstreamError | None:
    """Return the failure that a complete response means; None for status 200."""
    status = response.status_code
    if status == requests.codes.ok:
        return None
    code, message = _said(body)
    if status == requests.codes.not_found and "organization not found" in message:
        return UpstreamError(Reason.ORGANIZATION_NOT_FOUND, "TheEye answered 404: organization not found")
    if status == requests.codes.bad_request and "host is required" in message:
        return UpstreamError(Reason.AGENT_TOKEN, "TheEye treated this as a bot's token: host is required")
    reason = _REASON_OF_STATUS.get(status)
    if reason is None:
        reason = Reason.SERVER_ERROR if status >= requests.codes.internal_server_error else Reason.REJECTED
    if reason is Reason.PROXY:
        return UpstreamError(
            reason, f"the proxy answered {status}: it needs a user and a password, or the given ones are wrong"
        )
    retry_after = _retry_after(response) if reason in {Reason.RATE_LIMITED, Reason.SERVER_ERROR} else None
    no_route = reason is Reason.NOT_FOUND and code == _NO_ROUTE
    return UpstreamError(reason, f"TheEye answered {status}", retry_after=retry_after, no_route=no_route)


def http_date(value: str) -> float | None:
    """Return the Unix time of an HTTP date (RFC 9110); None if it is invalid."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def error_from_exception(error: Exception, step: Step, route: Route) -> UpstreamError:
    """Describe an exception of the HTTP stack without repeating anything from the request.

    Args:
        error: the exception.
        step: what the request was waiting for.
        route: the way to TheEye.
    """
    causes = list(_causes(error))
    for cause in causes:
        if (lack := lacking(cause)) is not None:
            return UpstreamError(Reason.OUT_OF_RESOURCES, lack)
    if (known := network_error(causes, step, route)) is not None:
        return known
    for types, reason, words in _REASON_OF_EXCEPTION:
        if any(isinstance(cause, types) for cause in causes):
            return UpstreamError(reason, words)
    return UpstreamError(Reason.UNREACHABLE, f"the connection to {route.server} failed")


def _said(body: bytes | bytearray) -> tuple[object, str]:
    """Return an error body's code, and its message in lower case: the body can be a JSON string or an object."""
    if len(body) > _LONGEST_ERROR:
        return None, ""
    try:
        error: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None, ""
    code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
    return code, message.lower() if isinstance(message, str) else ""


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value[:9]), _LONGEST_PAUSE)
    at = http_date(value)
    if at is None:
        return None
    now = http_date(response.headers.get("Date", ""))
    return min(max(0.0, at - (time.time() if now is None else now)), _LONGEST_PAUSE)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the causes of an exception and the exception itself, innermost first."""
    seen: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    yield from reversed(seen)
