"""GET requests to one TheEye: authentication, one deadline, size limit, bounded retries.

Every failure is raised as an `UpstreamError`. Its text contains nothing that the server sent except the status and the
host of a redirect: error bodies contain stack traces and e-mail addresses, and exceptions of `requests` contain URLs with
tokens.
"""

import codecs
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Final, Protocol, Self

import requests
import urllib3

from theeye_exporter.theeye.deadline import DeadlineAdapter, deadline
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.failures import error_from_exception, error_from_response, http_date
from theeye_exporter.theeye.memory import LARGE, LARGE_ANSWERS, Crowded, LargeAnswers, Place, Room
from theeye_exporter.theeye.patience import Patience
from theeye_exporter.theeye.preparing import Preparation
from theeye_exporter.theeye.redirects import redirect_target
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.sight import ServerSight
from theeye_exporter.theeye.tokens import BearerAuth, TokenSource
from theeye_exporter.theeye.trust import trust_in

__all__ = ["Answer", "Observer", "Session", "Transport"]

_ATTEMPTS: Final = 3
_BACKOFF: Final = 0.25  # seconds, half of the longest first pause; each further pause can be twice as long
_LEAST_TIME: Final = 0.5
"""A retry needs this share of `timeout`: with less, it would run out of time and hide why the request really failed."""

_CHUNK: Final = 64 * 1024
_LENGTH: Final = re.compile(r"[0-9]{1,18}( *, *[0-9]{1,18})*")
_LOOK: Final = 2**20
"""Whenever this many bytes more have been read, there must still be room. Longer responses are decoded one by one."""

_MOST_UNPACKED: Final = 200
"""Maximum ratio of decompression; TheEye's lists decompress to about thirty times their size."""

_UNSUSPICIOUS: Final = 16 * 2**20
"""Up to this many bytes, the ratio of decompression is not limited."""

_REDIRECTS: Final = 3
_WITHOUT_TOKEN: Final = frozenset({"/api/status"})
_STATUSES: Final = frozenset(
    {200, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 407, 408, 409, 413, 414, 429, 500, 502, 503, 504}
)


class Observer(Protocol):
    """A callback for every request that was made."""

    def __call__(self, endpoint: str, status: str, seconds: float, size: int) -> None:
        """Record one request.

        Args:
            endpoint: the path's template, such as `/{customer}/job/{id}`.
            status: HTTP status, or the failure's reason if there was no complete response.
            seconds: time from sending to the last byte.
            size: bytes of the body after decompression, 0 if incomplete.
        """


class Answer:
    """A complete response of status 200. Use it in a `with` block.

    For responses of more than a mebibyte, only one thread at a time can be in such a block.

    Args:
        body: the body after decompression.
        date: the server's Unix time, in seconds, from its Date header; None without a valid one.
        room: checks whether there is memory for the decoded response.
        place: the place to give back at the end of the block.
    """

    def __init__(self, body: bytearray, date: float | None, room: Room, place: Place) -> None:
        self.body = body
        self.date = date
        self.room = room
        self._place = place
        self._turn = LARGE_ANSWERS.one_by_one() if len(body) > _LOOK else nullcontext()

    def __enter__(self) -> Self:
        self._turn.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.body = bytearray()
        self._turn.__exit__(None, None, None)
        self._place.leave()


class Session(requests.Session):
    """A session that connects as the settings say; it follows no redirect, and does not read the body of one."""

    def __init__(self, settings: TransportSettings) -> None:
        super().__init__()
        self.trust_env = False  # the settings say everything
        if (proxy := settings.proxy) is not None:
            self.proxies = {"all": proxy}
        adapter = DeadlineAdapter(trust_in(settings.tls), settings.server_name)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - the signature of requests
        """Return no target."""
        # If this returned a target, requests would read the redirect's body, of any size, even without following it.
        return


@dataclass(frozen=True, slots=True)
class _Request:
    """What `Transport.get` was asked for."""

    endpoint: str
    path: str
    query: Mapping[str, str | list[str]]
    single: bool
    peek: bool


class Transport:
    """One pooled HTTP session. Safe for threads.

    Args:
        settings: how to connect.
        token: source of the token, called at each attempt.
        observer: called for every attempt.
        places: the places for large responses.
        wall: this machine's Unix time, in seconds.

    Attributes:
        patience: how long it waits.
        sight: what responses show about the server.
    """

    def __init__(
        self,
        settings: TransportSettings,
        token: TokenSource,
        observer: Observer,
        places: LargeAnswers = LARGE_ANSWERS,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._token = token
        self._observer = observer
        self._places = places
        self.sight = ServerSight(wall)
        self._room = Room(settings.max_bytes)
        self._large: set[str] = set()
        self.patience = Patience(settings.timeout, settings.list_timeout)
        self._route = settings.route
        self._session = Session(settings)
        self._session.headers.update(
            {"User-Agent": settings.user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        )
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._preparation = Preparation(settings.url, self._session.headers)

    @property
    def timeout(self) -> float:
        """Seconds for one request, with its retries."""
        return self._settings.timeout

    def current_token(self) -> str:
        """Return the current token; raise `UpstreamError` if it cannot be read."""
        return self._token()

    def close(self) -> None:
        """Close idle connections, end pauses between retries, and refuse further requests."""
        self.patience.closing.set()
        self._session.close()

    def get(
        self,
        endpoint: str,
        path: str,
        query: Mapping[str, str | list[str]] | None = None,
        *,
        single: bool = False,
        peek: bool = False,
    ) -> Answer:
        """Fetch a path below the base URL.

        Args:
            endpoint: the path's template, for the observer.
            path: the path, starting with a slash, already percent-encoded.
            query: parameters, in the form that TheEye's qs parser expects.
            single: the response is one object, and not a list, for which TheEye may need long.
            peek: the same, and the beginning of a body that is longer than expected is enough.

        Raises:
            UpstreamError: there was no complete response of status 200 within the deadline and the retries.
        """
        place = Place(self._places)
        while True:
            if endpoint in self._large and not peek:
                place.wait(self._settings.timeout)
            try:
                return self._get(_Request(endpoint, path, query or {}, single or peek, peek), place)
            except Crowded:
                continue
            except BaseException:
                place.leave()
                raise

    def _get(self, request: _Request, place: Place) -> Answer:
        now = time.monotonic()
        until = now + self.patience.limit(single=request.single)
        last_start = now + self._settings.timeout * (1 - _LEAST_TIME)
        attempt = 0
        while True:
            attempt += 1
            if self.patience.closing.is_set():
                raise UpstreamError(Reason.DISCONNECTED, "the connection to TheEye is closed")
            try:
                return self._attempt(request, until, place)
            except UpstreamError as error:
                pause = error.retry_after
                if pause is None:
                    pause = random.uniform(0, _BACKOFF * 2**attempt)  # noqa: S311 - jitter, no secret
                exhausted = attempt == _ATTEMPTS or not self.patience.retries(error.reason, single=request.single)
                if exhausted or time.monotonic() + pause > last_start or self.patience.closing.wait(pause):
                    raise

    def _attempt(self, request: _Request, until: float, place: Place) -> Answer:
        token = "" if request.endpoint in _WITHOUT_TOKEN else self._token()
        started = time.monotonic()
        outcome = str(Reason.INTERNAL)
        size = 0
        try:
            waiting = self.patience.waiting(request.endpoint, single=request.single)
            with deadline(until, waiting) as progress:
                try:
                    with self._send(request, token, until) as response:
                        date = http_date(response.headers.get("Date", ""))
                        self.sight.note(date, time.monotonic() - started, progress.socket)
                        body = self._read(response, request, place)
                except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                    raise error_from_exception(error, progress.step, self._route) from None
            outcome, size = _status_label(response.status_code), len(body)
        except UpstreamError as error:
            outcome = error.reason
            raise
        except (Crowded, MemoryError):
            outcome = Reason.OUT_OF_RESOURCES
            raise
        finally:
            self._observer(request.endpoint, outcome, time.monotonic() - started, size)
        if body.startswith(codecs.BOM_UTF8):  # which RFC 8259 lets parsers ignore
            del body[: len(codecs.BOM_UTF8)]
        if (refusal := error_from_response(response, body)) is not None:
            raise refusal
        if len(body) <= LARGE and not request.peek:
            self._large.discard(request.endpoint)
            place.leave()
        return Answer(body, date, self._room, place)

    def _send(self, request: _Request, token: str, until: float) -> requests.Response:
        secret = {"access_token": token} if token and self._settings.auth == "query" else {}
        params: Mapping[str, str | list[str]] = {**request.query, **secret}
        auth = BearerAuth(token if token and self._settings.auth == "header" else None)
        url = self._settings.url + request.path
        prepared = self._preparation.prepare(request.path, params, auth)
        for _ in range(_REDIRECTS):
            left = until - time.monotonic()
            if left <= 0:
                raise UpstreamError(Reason.TIMEOUT, "no time was left to send the request")
            response = self._session.send(
                prepared,
                allow_redirects=False,
                stream=True,
                proxies=self._session.proxies,
                # Half of it, because a host with two addresses (IPv6 and IPv4) gets the timeout for each.
                timeout=(min(left, self._settings.timeout) / 2, left),
            )
            self.patience.responses += 1
            if not response.is_redirect:
                return response
            response.close()
            url = redirect_target(url, response.headers["Location"], token)
            if not self._settings.follow_redirects:
                raise UpstreamError(Reason.REDIRECTED, "TheEye redirects, and `follow_redirects` is false")
            prepared = self._preparation.prepare_elsewhere(url, secret, auth)
        raise UpstreamError(Reason.REDIRECTED, "TheEye redirects in a loop")

    def _read(self, response: requests.Response, request: _Request, place: Place) -> bytearray:
        body = bytearray()
        looked = 0
        for chunk in _chunks(response):
            body += chunk
            size = len(body)
            if request.peek:
                break
            if size > self._settings.max_bytes:
                raise UpstreamError(
                    Reason.TOO_LARGE,
                    f"the response has more than {self._settings.max_bytes} bytes (`limits.max_response_bytes`)",
                )
            if size > LARGE:
                self._large.add(request.endpoint)
                place.enter()
            if size > _UNSUSPICIOUS and size > _MOST_UNPACKED * response.raw.tell():
                raise UpstreamError(
                    Reason.TOO_LARGE,
                    f"the response decompresses to more than {_MOST_UNPACKED} times its size (a fixed limit)",
                )
            if size - looked > _LOOK:
                looked = size
                self._room.need(spare=0.1)
        return body


def _status_label(status: int) -> str:
    # A server could send any number, and each would stay a series for ever.
    return str(status) if status in _STATUSES else f"{status // 100}xx"


def _chunks(response: requests.Response) -> Iterator[bytes]:
    if not _LENGTH.fullmatch(response.headers.get("Content-Length", "0")):
        raise ValueError  # http.client treats this as no length at all
    # `read` with a size decompresses no more than that at once, so a decompression bomb cannot become a large chunk.
    while chunk := response.raw.read(_CHUNK, decode_content=True):
        yield chunk
