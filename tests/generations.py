"""A TheEye that numbers its responses, and checks that a scrape is complete, valid and from one response."""

import gzip
import http.client
import itertools
import json
import re
from collections import Counter, defaultdict

from playback import Asked, Reply

__all__ = ["Generations", "scrape"]

MONITORS = 500
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
LINE = re.compile(rb"([a-z_]+)\{[^}]*\} ([-+0-9.e]+)(?: # .*)?")


class Generations:
    """A TheEye that puts the number of each response into every monitor."""

    def __init__(self) -> None:
        self.number = itertools.count(1)
        self.answered = 0

    def __call__(self, asked: Asked) -> Reply:
        if not asked.path.endswith("/resource"):
            return Reply(b"[]")
        number = next(self.number)
        self.answered = number
        monitors = [
            {
                "id": f"m{position}",
                "name": f"monitor {position}",
                "type": "script",
                "hostname": f"host-{position % 50}",
                "state": "failure" if (position + number) % 7 == 0 else "normal",
                "fails_count": number,
                "recovery_count": number,
                "last_event": {"data": {"code": number, "times": {"seconds": number, "nanoseconds": 0}}},
                "monitor": {"looptime": 60_000},
            }
            for position in range(MONITORS)
        ]
        return Reply(json.dumps(monitors, separators=(",", ":")).encode())


GENERATION = {
    b"theeye_monitor_consecutive_failures",
    b"theeye_monitor_recoveries_total",
    b"theeye_monitor_script_exit_code",
    b"theeye_monitor_script_duration_seconds",
}


def check(body: bytes) -> int:
    """Return the number of the response that a body is from; fail if it is incomplete or mixed."""
    rows: defaultdict[bytes, list[float]] = defaultdict(list)
    for line in body.splitlines():
        if not line.startswith((b"#", b"theeye_collector", b"theeye_api", b"theeye_exporter", b"process", b"python")):
            found = LINE.fullmatch(line)
            if found is None:
                assert re.fullmatch(rb"theeye_\w+(\{.*\})? [-+0-9.e]+", line), line
            else:
                rows[found[1]].append(float(found[2]))
    assert {len(rows[name]) for name in GENERATION} == {MONITORS}
    assert Counter(rows[b"theeye_monitor_state"]) == {0: 3 * MONITORS, 1: MONITORS}
    generations = {value for name in GENERATION for value in rows[name]}
    assert len(generations) == 1, generations
    return int(generations.pop())


def scrape(address: str, number: int) -> int | None:
    """Scrape once, in changing ways; return None if the client aborts."""
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        headers = {"Accept": OPENMETRICS if number % 3 else "text/plain"}
        if number % 5:
            headers["Accept-Encoding"] = "gzip"
        connection.request("GET", "/metrics", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200
        if number % 17 == 0:
            answer.read(1000)
            return None
        body = answer.read()
        assert len(body) == int(answer.headers["Content-Length"])
        if answer.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if number % 3:
            assert body.endswith(b"\n# EOF\n")
        return check(body)
    finally:
        connection.close()
