"""A server that stands for the TheEye of many organisations, and may fall silent for some of them.

    python -m benchmarks.many PORT MONITORS TASKS

The address of organisation `NAME` ends in `/NAME`. The lists are those of the simulated TheEye, with the times of now.
`/-/silent?NAME,NAME` accepts requests of these organisations from now on, never answers them, and forgets what it has seen;
it hangs up on the others whose requests had no answer, as a server does that starts anew.
`/-/answered?ROUTE` tells how often each organisation was answered since then, and for how many seconds at most it was not.
"""

import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final
from urllib.parse import urlsplit

import msgspec
import requests
from isal import isal_zlib

from theeye_exporter.demo import DemoSettings, SimulatedTheEye

__all__ = ["main"]

_ROUTES: Final = ("resource", "task", "workflows", "job", "host", "indicator", "webhook", "status")
_NOW: Final = "the time of the response"


def _lists(monitors: int, tasks: int) -> dict[str, bytes]:
    """Return what the simulated TheEye lists, by route."""
    with SimulatedTheEye(DemoSettings(monitors=monitors, tasks=tasks)) as theeye:
        headers = {"Authorization": f"Bearer {theeye.settings.token}"}
        found = {}
        for route in _ROUTES:
            for path in (f"/demo/{route}", f"/{route}", f"/api/{route}"):
                response = requests.get(f"{theeye.url}{path}", headers=headers, timeout=60)
                if response.ok:
                    found[route] = response.content
                    break
        moving = {"last_update", "last_check"}
        listed = msgspec.json.decode(found["resource"], type=list[dict[str, object]])
        dated = [fields | dict.fromkeys(fields.keys() & moving, _NOW) for fields in listed]
        found["resource"] = msgspec.json.encode(dated)
        return found


@dataclass(slots=True)
class _Answered:
    """How often an organisation was answered for a route, when for the last time, and the longest time without."""

    last: float
    count: int = 0
    longest: float = 0.0


class _Conversation(asyncio.Protocol):
    """One connection of a client."""

    lists: dict[str, bytes]
    silent: frozenset[str] = frozenset()
    since = time.monotonic()
    answered: ClassVar[dict[tuple[str, str], _Answered]] = {}
    unanswered: ClassVar[dict[asyncio.BaseTransport, str]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def connection_lost(self, _: Exception | None) -> None:
        self.unanswered.pop(self._transport, None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        target = urlsplit(head.split(b" ", 2)[1].decode())
        _, name, command = target.path.split("/", 2)
        if name == "-":
            self._send(self._silence(target.query) if command == "silent" else self._tell(target.query))
        elif name not in self.silent:
            route = next((route for route in _ROUTES if f"/{route}" in f"/{command}"), "")
            self._note(name, route)
            self._list(name, route, target.query)
        else:
            self.unanswered[self._transport] = name

    def _silence(self, names: str) -> bytes:
        _Conversation.silent = frozenset(filter(None, names.split(",")))
        _Conversation.since = time.monotonic()
        self.answered.clear()
        for transport, name in list(self.unanswered.items()):
            if name not in self.silent:
                transport.close()
        return b"{}"

    def _note(self, name: str, route: str) -> None:
        now = time.monotonic()
        seen = self.answered.setdefault((name, route), _Answered(self.since))
        seen.count += 1
        seen.longest = max(seen.longest, now - seen.last)
        seen.last = now

    def _tell(self, route: str) -> bytes:
        now = time.monotonic()
        seen = {name: one for (name, asked), one in self.answered.items() if asked == route}
        rows = {name: (one.count, max(one.longest, now - one.last)) for name, one in seen.items()}
        return msgspec.json.encode(rows)

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
