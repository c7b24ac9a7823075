"""Many scrapers at once while polls run: every answer is whole, valid, and from one moment."""

import gzip
import http.client
import itertools
import json
import os
import re
import threading
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from playback import TOKEN, Asked, Reply, http_server
from processes import eventually, exporter_command, free_port, running

pytestmark = pytest.mark.e2e

MONITORS = 500
SCRAPES = int(os.environ.get("LOAD_SCRAPES", "2000"))
CLIENTS = 16
GROWTH = 1.25
"""How much larger the process may be after the second half of the scrapes than after the first."""

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
LINE = re.compile(rb"([a-z_]+)\{[^}]*\} ([-+0-9.e]+)(?: # .*)?")


class Generations:
    """A TheEye each of whose answers bears its number in every monitor."""

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
    """Return the generation that a body is of, once it is found to be whole and of one."""
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
    """Scrape once, each time in another way; a client that hangs up half way returns None."""
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


def resident(pid: int) -> int:
    """Return the memory of a process, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_every_scrape_is_one_whole_snapshot(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    theeye = Generations()
    configuration = tmp_path / "config.yml"
    configuration.write_text("collectors: {monitors: {interval: 1s, max_age: 60s}}\n")
    with http_server(theeye) as server:
        env = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": TOKEN, "THEEYE_SUPERVISOR_URL": server.url}
        command = exporter_command(f"--config.file={configuration}", f"--web.listen-address={address}")
        with running(command, tmp_path / "exporter.log", env=env) as exporter:
            eventually(lambda: is_ready(address), "the exporter is ready")
            before = theeye.answered
            seen: list[int] = []
            sizes: list[int] = []
            lock = threading.Lock()

            def one(number: int) -> None:
                generation = scrape(address, number)
                if generation is not None:
                    with lock:
                        seen.append(generation)

            with ThreadPoolExecutor(CLIENTS) as clients:
                for half in range(2):
                    list(clients.map(one, range(half * SCRAPES // 2, (half + 1) * SCRAPES // 2)))
                    sizes.append(resident(exporter.pid))
            # Slow machines poll less often than once a second; a few polls there must have been.
            assert len(set(seen)) > 2
            assert before - 1 <= min(seen)
            assert max(seen) <= theeye.answered
            assert sizes[1] < GROWTH * sizes[0], sizes
    log = (tmp_path / "exporter.log").read_text()
    assert "Traceback" not in log
    assert "level=error" not in log


def is_ready(address: str) -> bool:
    return requests.get(f"http://{address}/-/ready", timeout=10).status_code == 200
