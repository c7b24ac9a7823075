"""Tests bodies that are sent in pieces."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message

from theeye_exporter.web.responses import Pieces

LARGE = 512 * 1024


@pytest.mark.parametrize(("method", "taken_at_each"), [("GET", [1, 2, 3, 3]), ("HEAD", [0])])
def test_a_piece_is_taken_when_those_before_it_are_sent(method: str, taken_at_each: list[int]) -> None:
    taken = 0
    taken_when_sent: list[int] = []
    sent: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for byte in b"abc":
            taken += 1
            yield bytes([byte]) * LARGE

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            taken_when_sent.append(taken)
            sent.append(message["body"])

    response = Pieces(pieces(), 3 * LARGE, {"X-Test": "yes"})
    asyncio.run(response({"type": "http", "method": method}, receive, send))

    assert taken_when_sent == taken_at_each
    assert b"".join(sent) == (b"" if method == "HEAD" else b"".join(pieces()))
    assert response.headers["content-length"] == str(3 * LARGE)
