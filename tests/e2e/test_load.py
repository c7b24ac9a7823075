"""Tests many scrapers at once while polls run: every response is complete, valid, and from one snapshot."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from generations import Generations, scrape
from playback import TOKEN, http_server
from processes import eventually, exporter_command, free_port, running

pytestmark = pytest.mark.e2e

SCRAPES = int(os.environ.get("LOAD_SCRAPES", "2000"))
CLIENTS = 16
GROWTH = 1.25
"""How much larger the process may be after the second half of the scrapes than after the first."""


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
