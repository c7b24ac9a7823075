"""Serves recorded responses of TheEye over HTTP, so that the exporter never waits for the simulation.

    python -m benchmarks.replay PORT FOLDER STATES

`STATES` says how many of the recorded states take turns as the list of monitors: with 1 nothing ever changes. Ranges
of ids are answered as TheEye does. Every other list is empty. `/-/polls` tells how often the monitors were listed.
"""

import gzip
import sys
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from benchmarks.recording import load

__all__ = ["main"]


class _Object(msgspec.Struct):
    id: str


def main(port: int, folder: Path, states: int) -> None:
    """Serve until killed."""
    recorded = load(folder)[:states]
    polls = 0

    @cache
    def objects(state: int) -> list[tuple[str, msgspec.Raw]]:
        raws = msgspec.json.decode(gzip.decompress(recorded[state].body), type=list[msgspec.Raw])
        return [(msgspec.json.decode(raw, type=_Object).id, raw) for raw in raws]

    @cache
    def answer(state: int, low: str, high: str) -> bytes:
        if not low and not high:
            return recorded[state].body
        chosen = [raw for name, raw in objects(state) if low < name and (not high or name <= high)]
        return gzip.compress(msgspec.json.encode(chosen), 6)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal polls
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path.endswith("/resource"):
                low, high = (query.get(f"where[_id][{end}]", [""])[0] for end in ("$gt", "$lte"))
                state = polls % states
                body = answer(state, low, high)
                polls += not high
                self._answer(body, {"Date": recorded[state].date, "Content-Encoding": "gzip"})
            elif self.path == "/-/polls":
                self._answer(str(polls).encode(), {})
            else:
                self._answer(b"[]", {})

        def log_message(self, *_args: object) -> None:
            """Log nothing."""

        def _answer(self, body: bytes, headers: dict[str, str]) -> None:
            self.send_response_only(200)
            for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
