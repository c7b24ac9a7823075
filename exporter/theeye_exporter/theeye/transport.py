"""GET requests to one TheEye: authentication, one deadline, size limit, bounded retries.

Everything that can go wrong leaves as an `UpstreamError` whose text holds nothing that the server sent, but for the
host of a redirect: error bodies carry stacks and e-mail addresses, exceptions of `requests` carry URLs with tokens.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Final, Literal, Protocol
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from theeye_exporter.theeye.deadline import DeadlineAdapter, deadline
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.failures import failure_of, http_date, refusal_of

__all__ = ["Answer", "Observer", "TokenSource", "Transport", "TransportSettings", "fixed_token", "token_from_file"]

TokenSource = Callable[[], str]
"""Returns the token to send now, or raises `UpstreamError` with `Reason.TOKEN_UNREADABLE`."""

_ATTEMPTS: Final = 3
_BACKOFF: Final = 0.25  # seconds, upper bound of the first pause; doubles with each attempt
_LEAST_TIME: Final = 0.5
"""Share of the deadline that a retry needs: with less, its timeout would hide why the request really failed."""

_CHUNK: Final = 256 * 1024
_REDIRECTS: Final = 3
_STATUSES: Final = frozenset(
    {200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 413, 414, 429, 500, 502, 503, 504}
)
_RETRIED: Final = frozenset(
    {Reason.UNREACHABLE, Reason.DISCONNECTED, Reason.SERVER_ERROR, Reason.RATE_LIMITED, Reason.TRUNCATED}
)


class Observer(Protocol):
    """Is told of every request that was made."""

    def __call__(self, endpoint: str, status: str, seconds: float, size: int) -> None:
        """Take note of one request.

        Args:
            endpoint: the path's template, such as `/{customer}/job/{id}`.
            status: HTTP status, or the failure's reason where there was no complete answer.
            seconds: from sending to the last byte.
            size: bytes of the body after decompression, 0 if incomplete.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of status 200.

    Attributes:
        body: the body after decompression.
        date: the server's Unix time, in seconds, by its Date header; None without a valid one.
    """

    body: bytes | bytearray
    date: float | None


def fixed_token(token: str) -> TokenSource:
    """Return a source of a token that never changes."""
    return lambda: token


def token_from_file(path: Path) -> TokenSource:
    """Return a source that reads the token anew each time, so that a rotated one works without a restart."""

    def read() -> str:
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not plain text"
            raise UpstreamError(Reason.TOKEN_UNREADABLE, f"cannot read token file {path}: {why}") from None
        if not token or not token.isprintable() or " " in token:
            raise UpstreamError(Reason.TOKEN_UNREADABLE, f"token file {path} holds no valid token")
        return token

    return read


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        # Told of a target, requests reads the redirect's body, of any size, even if it is not to follow.
        return None


class _BearerAuth(AuthBase):
    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """How to talk to one TheEye.

    Attributes:
        url: base URL of TheEye's supervisor, without a slash at the end.
        auth: send the token as `Authorization: Bearer` header or as `access_token` in the query, never both
            (TheEye answers 401 to two tokens).
        timeout: seconds for a request as a whole: connecting, retries and pauses included.
        max_bytes: size limit of a body after decompression.
        user_agent: value of the User-Agent header.
    """

    url: str
    auth: Literal["header", "query"]
    timeout: float
    max_bytes: int
    user_agent: str


class Transport:
    """One pooled HTTP session. Safe for threads.

    Args:
        settings: how to talk.
        token: where the token comes from, asked at each attempt.
        observer: is told of every attempt.
    """

    def __init__(self, settings: TransportSettings, token: TokenSource, observer: Observer) -> None:
        self._settings = settings
        self._token = token
        self._observer = observer
        self._closing = threading.Event()
        self._session = _Session()
        self._session.headers.update(
            {"User-Agent": settings.user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        adapter = DeadlineAdapter(pool_maxsize=64)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def current_token(self) -> str:
        """Return the token as it is now; raises `UpstreamError` if it cannot be read."""
        return self._token()

    def close(self) -> None:
        """Close idle connections, end pauses between retries, and let no further request begin."""
        self._closing.set()
        self._session.close()

    def get(
        self, endpoint: str, path: str, query: Mapping[str, str | list[str]] | None = None, *, peek: bool = False
    ) -> Answer:
        """Fetch a path below the base URL.

        Args:
            endpoint: the path's template, for the observer.
            path: the path, starting with a slash, already percent-encoded.
            query: parameters, as TheEye's qs parser takes them.
            peek: be content with the beginning of a body that is longer than expected.

        Raises:
            UpstreamError: no complete answer of status 200 within the deadline and the retries.
        """
        until = time.monotonic() + self._settings.timeout
        last_start = until - self._settings.timeout * _LEAST_TIME
        attempt = 0
        while True:
            attempt += 1
            if self._closing.is_set():
                raise UpstreamError(Reason.DISCONNECTED, "the connection to TheEye is closed")
            try:
                return self._attempt(endpoint, path, query or {}, until, peek=peek)
            except UpstreamError as error:
                pause = error.retry_after
                if pause is None:
                    pause = random.uniform(0, _BACKOFF * 2**attempt)  # noqa: S311 - jitter, no secret
                exhausted = error.reason not in _RETRIED or attempt == _ATTEMPTS
                if exhausted or time.monotonic() + pause > last_start or self._closing.wait(pause):
                    raise

    def _attempt(
        self, endpoint: str, path: str, query: Mapping[str, str | list[str]], until: float, *, peek: bool
    ) -> Answer:
        token = self._token()
        started = time.monotonic()
        outcome = str(Reason.INTERNAL)
        size = 0
        try:
            try:
                with deadline(until), self._send(path, query, token, until) as response:
                    body = self._read(response, peek=peek)
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                raise failure_of(error) from None
            outcome, size = _status_label(response.status_code), len(body)
        except UpstreamError as error:
            outcome = error.reason
            raise
        finally:
            self._observer(endpoint, outcome, time.monotonic() - started, size)
        if (refusal := refusal_of(response, body)) is not None:
            raise refusal
        return Answer(body=body, date=http_date(response.headers.get("Date", "")))

    def _send(self, path: str, query: Mapping[str, str | list[str]], token: str, until: float) -> requests.Response:
        params = {**query, "access_token": token} if self._settings.auth == "query" else query
        # An auth object of our own also keeps `requests` from putting ~/.netrc's entry in its place.
        auth = _BearerAuth(token if self._settings.auth == "header" else None)
        url = self._settings.url + path
        for _ in range(_REDIRECTS):
            left = until - time.monotonic()
            if left <= 0:
                raise UpstreamError(Reason.TIMEOUT, "no time was left to send the request")
            response = self._session.get(
                url,
                params=params,
                auth=auth,
                allow_redirects=False,
                stream=True,
                # Half, since a host with two addresses (IPv6 and IPv4) gets the timeout for each.
                timeout=(left / 2, left),
            )
            if not response.is_redirect:
                return response
            response.close()
            target = _without_token(_same_origin(url, response.headers["Location"], token))
            url, params = target, {"access_token": token} if self._settings.auth == "query" else {}
        raise UpstreamError(Reason.REDIRECTED, "TheEye redirects in circles")

    def _read(self, response: requests.Response, *, peek: bool) -> bytearray:
        body = bytearray()
        for chunk in _chunks(response):
            body += chunk
            if peek:
                break
            if len(body) > self._settings.max_bytes:
                raise UpstreamError(Reason.TOO_LARGE, f"the answer has more than {self._settings.max_bytes} bytes")
        return body


def _status_label(status: int) -> str:
    # A server could make up any number; each would be a series for ever.
    return str(status) if status in _STATUSES else f"{status // 100}xx"


def _chunks(response: requests.Response) -> Iterator[bytes]:
    # `read` with a size decompresses no more than that at once, so a small bomb cannot become a large chunk.
    while chunk := response.raw.read(_CHUNK, decode_content=True):
        yield chunk


def _same_origin(url: str, location: str, token: str) -> str:
    try:
        target = urljoin(url, location)
        there = _origin(target)
    except ValueError:
        raise UpstreamError(Reason.REDIRECTED, "TheEye redirects to an address that is none") from None
    if there != _origin(url):
        named = "another host" if token.lower() in there else there
        raise UpstreamError(Reason.REDIRECTED, f"TheEye redirects to {named}")
    return target


def _without_token(url: str) -> str:
    # Many servers redirect with the query that they got; TheEye answers 401 to two tokens.
    parts = urlsplit(url)
    kept = [field for field in parts.query.split("&") if field.partition("=")[0] != "access_token"]
    return parts._replace(query="&".join(kept)).geturl()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
