"""Fake responses without sockets, for tests that only need requests and responses."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import responses
from requests import PreparedRequest

from playback import Asked, Reply, Server

__all__ = ["answered"]


@contextmanager
def answered(answer: Callable[[Asked], Reply]) -> Iterator[Server]:
    """Make `requests` get its responses from `answer`, like `http_server`; other hosts are unreachable."""
    server = Server("http://theeye.example")

    def reply(request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(str(request.url))
        server.asked.append(Asked(parts.path, parts.query, dict(request.headers)))
        made = answer(server.asked[-1])
        return made.status, made.headers, made.body

    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.add_callback(
            responses.GET, re.compile(f"{re.escape(server.url)}/"), reply, content_type="application/json"
        )
        yield server
