"""TheEye's recorded answers over HTTP, so that the exporter never waits for a simulation to think.

    python -m benchmarks.replay PORT FOLDER STATES

`STATES` says how many of the recorded states take turns as the list of monitors: with 1 nothing ever changes. Every
other list is empty. `/-/polls` tells how often the monitors were listed.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.recording import load

__all__ = ["main"]


def main(port: int, folder: Path, states: int) -> None:
    """Serve until killed."""
    recorded = load(folder)[:states]
    polls = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal polls
            if self.path.endswith("/resource"):
                state = recorded[polls % states]
                polls += 1
                self._answer(state.body, {"Date": state.date, "Content-Encoding": "gzip"})
            elif self.path == "/-/polls":
                self._answer(str(polls).encode(), {})
            else:
                self._answer(b"[]", {})

        def log_message(self, *_args: object) -> None:
            """Be silent."""

        def _answer(self, body: bytes, headers: dict[str, str]) -> None:
            self.send_response_only(200)
            for name, value in {"Content-Type": "application/json", "Content-Length": len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
