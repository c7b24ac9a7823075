"""From what the HTTP stack raises and TheEye answers to our kinds of failure."""

import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any, Final

import msgspec
import requests
import urllib3

from theeye_exporter.theeye.errors import Reason, UpstreamError

__all__ = ["failure_of", "http_date", "refusal_of"]

_LONGEST_PAUSE: Final = 300.0
"""Seconds that a Retry-After is obeyed at most: one wrong header must not end collecting."""

_NO_ROUTE: Final = "ResourceNotFound"
"""Code of restify, on which TheEye is built, in its answers to paths that it does not know."""

_REASON_OF_STATUS: Final[dict[int, Reason]] = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    409: Reason.ORGANIZATION_CONFLICT,
    429: Reason.RATE_LIMITED,
}

_REASON_OF_EXCEPTION: Final[tuple[tuple[tuple[type[BaseException], ...], Reason, str], ...]] = (
    ((urllib3.exceptions.NameResolutionError,), Reason.UNREACHABLE, "the host name does not resolve"),
    ((requests.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError), Reason.UNREACHABLE, "no connection in time"),
    (
        (urllib3.exceptions.IncompleteRead, IncompleteRead),
        Reason.TRUNCATED,
        "the connection was closed before the answer's end",
    ),
    (
        (requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError),
        Reason.TIMEOUT,
        "the answer was not complete in time",
    ),
    ((RemoteDisconnected, ConnectionError), Reason.DISCONNECTED, "the connection was closed without an answer"),
    ((urllib3.exceptions.DecodeError,), Reason.INVALID_RESPONSE, "the answer's compression is broken"),
)
"""The first row with a type among the causes of an exception tells the failure."""


def refusal_of(response: requests.Response, body: bytes | bytearray) -> UpstreamError | None:
    """Return the failure that a complete answer stands for, None for status 200."""
    status = response.status_code
    if status == requests.codes.ok:
        return None
    code, message = _said(body)
    if status == requests.codes.not_found and "organization not found" in message:
        return UpstreamError(Reason.ORGANIZATION_NOT_FOUND, "TheEye answered 404: organization not found")
    if status == requests.codes.bad_request and "host is required" in message:
        return UpstreamError(Reason.AGENT_TOKEN, "TheEye answered as it does to bots: host is required")
    reason = _REASON_OF_STATUS.get(status)
    if reason is None:
        reason = Reason.SERVER_ERROR if status >= requests.codes.internal_server_error else Reason.REJECTED
    retry_after = _retry_after(response) if reason in {Reason.RATE_LIMITED, Reason.SERVER_ERROR} else None
    no_route = reason is Reason.NOT_FOUND and code == _NO_ROUTE
    return UpstreamError(reason, f"TheEye answered {status}", retry_after=retry_after, no_route=no_route)


def http_date(value: str) -> float | None:
    """Return the Unix time of an HTTP date (RFC 9110), None if it is none."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


def failure_of(error: Exception) -> UpstreamError:
    """Put an exception of the HTTP stack into words that hold nothing of the request."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UpstreamError(Reason.UNREACHABLE, f"TLS: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            return UpstreamError(Reason.UNREACHABLE, f"TLS: {cause.reason or 'handshake failed'}")
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            break
        if isinstance(cause, OSError) and cause.errno and cause.strerror and not isinstance(cause, socket.gaierror):
            return UpstreamError(Reason.UNREACHABLE, cause.strerror.lower())
    for types, reason, words in _REASON_OF_EXCEPTION:
        if any(isinstance(cause, types) for cause in causes):
            return UpstreamError(reason, words)
    if any(isinstance(cause, urllib3.exceptions.ProtocolError) for cause in causes):
        return UpstreamError(Reason.INVALID_RESPONSE, "the answer is no valid HTTP")
    return UpstreamError(Reason.UNREACHABLE, type(error).__name__)


def _said(body: bytes | bytearray) -> tuple[object, str]:
    """Return an error body's code and message, in lower case: it is a JSON string or an object (or neither)."""
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
    """Yield the exceptions that an exception stands for, innermost first."""
    seen: list[BaseException] = []
    queue: list[Any] = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    yield from reversed(seen)
