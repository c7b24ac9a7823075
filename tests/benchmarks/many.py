"""A server that stands for the TheEye of many organisations, and may fall silent for some of them.

    python -m benchmarks.many PORT MONITORS TASKS

The token of organisation `NAME` is `token-NAME`. The lists are those of the simulated TheEye, with the times of now.
`/-/silent?NAME,NAME` accepts requests of these organisations from now on and never answers; `/-/requests` tells how often
each organisation was answered, or asked in vain, by route.
"""

import asyncio
import re
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

import msgspec
import requests
from isal import isal_zlib

from theeye_exporter.demo import DemoSettings, SimulatedTheEye

__all__ = ["main"]

_ROUTES: Final = ("resource", "task", "workflows", "job", "host", "indicator", "webhook")
_NOW: Final = "the time of the response"
_TOKEN: Final = re.compile(rb"authorization: bearer token-(\S+)", re.IGNORECASE)


def _lists(monitors: int, tasks: int) -> dict[str, bytes]:
    """Return what the simulated TheEye lists, by route."""
    with SimulatedTheEye(DemoSettings(monitors=monitors, tasks=tasks)) as theeye:
        headers = {"Authorization": f"Bearer {theeye.settings.token}"}
        found = {}
        for route in _ROUTES:
            for path in (f"/demo/{route}", f"/{route}"):
                response = requests.get(f"{theeye.url}{path}", headers=headers, timeout=60)
                if response.ok:
                    moving = {"last_update", "last_check"} if route == "resource" else set()
                    objects = [fields | dict.fromkeys(fields.keys() & moving, _NOW) for fields in response.json()]
                    found[route] = msgspec.json.encode(objects)
                    break
        return found


class _Conversation(asyncio.Protocol):
    """One connection of a client."""

    lists: dict[str, bytes]
    silent: frozenset[str] = frozenset()
    asked: ClassVar[Counter[tuple[str, str, bool]]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        target = urlsplit(head.split(b" ", 2)[1].decode())
        if target.path == "/-/silent":
            _Conversation.silent = frozenset(filter(None, unquote(target.query).split(",")))
            self._send(b"{}")
        elif target.path == "/-/requests":
            rows = [[*key, count] for key, count in self.asked.items()]
            self._send(msgspec.json.encode(rows))
        else:
            found = _TOKEN.search(head)
            name = found[1].decode() if found else ""
            route = next((route for route in _ROUTES if f"/{route}" in target.path), "")
            self.asked[name, route, name in self.silent] += 1
            if name not in self.silent:
                self._list(name, route, target.query)

    def _list(self, name: str, route: str, query: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
        body = self.lists.get(route, b"[]").replace(b'"demo"', f'"{name}"'.encode())
        if route == "job" and query:  # nothing has changed since the first list
            body = b"[]"
        self._send(body.replace(_NOW.encode(), now))

    def _send(self, body: bytes) -> None:
        packed = isal_zlib.compressobj(level=1, wbits=31)
        data = packed.compress(body) + packed.flush()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        self._transport.write(head.encode() + data)  # type: ignore[attr-defined] # a stream's transport


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Conversation, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


def main(port: int, monitors: int, tasks: int) -> None:
    """Serve until killed."""
    _Conversation.lists = _lists(monitors, tasks)
    asyncio.run(_serve(port))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
