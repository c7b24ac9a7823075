"""Signals at random moments, while it polls and is scraped without pause: whole answers until the end, and then an end."""

import http.client
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
import requests

from generations import Generations, scrape
from playback import TOKEN, http_server
from processes import DEADLINE, eventually, exporter_command, free_port, running

SIGNALS: Final = int(os.environ.get("WORKING_SIGNALS", "6"))
SEED: Final = int(os.environ.get("WORKING_SEED", "1"))
SHARES: Final = 2
"""Tests that share the signals, so that several workers can."""
SCRAPERS: Final = 4
CONFIGURATION: Final = "collectors: {monitors: {interval: 1s, max_age: 60s}}\n"


class Scrapers:
    """Clients that scrape without pause, until the exporter is told to end."""

    def __init__(self, address: str) -> None:
        self.answers: Counter[str] = Counter()
        self.ending = threading.Event()
        self._address = address
        self._lock = threading.Lock()

    def __call__(self, number: int) -> None:
        """Scrape until the end; what fails before it is an error."""
        while not self.ending.is_set():
            number += SCRAPERS
            try:
                scrape(self._address, number)
            except (OSError, http.client.HTTPException):
                if not self.ending.is_set():
                    raise
                self._count("scrapes cut by the end")
            else:
                self._count("whole scrapes")

    def _count(self, what: str) -> None:
        with self._lock:
            self.answers[what] += 1


@pytest.mark.parametrize("share", range(SHARES))
def test_signals_amid_polls_and_scrapes(
    share: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(SEED * SHARES + share)  # noqa: S311 - chance, no secret
    (tmp_path / "config.yml").write_text(CONFIGURATION)
    address, log = f"127.0.0.1:{free_port()}", tmp_path / "log"
    command = exporter_command(
        *(f"--config.file={tmp_path / 'config.yml'}", f"--state.file={tmp_path / 'state'}"),
        *(f"--web.listen-address={address}", "--web.enable-lifecycle"),
    )
    done: Counter[str] = Counter()
    with http_server(Generations()) as theeye:
        env = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": TOKEN, "THEEYE_SUPERVISOR_URL": theeye.url}
        while done["signals"] < SIGNALS / SHARES:
            where = f"seed {SEED}, share {share}, after {done}"
            scrapers = Scrapers(address)
            with running(command, log, env=env) as process, ThreadPoolExecutor(SCRAPERS) as pool:
                eventually(lambda: requests.get(f"http://{address}/-/ready", timeout=10).ok, where)
                scraping = [pool.submit(scrapers, number) for number in range(SCRAPERS)]
                try:
                    for _ in range(chance.randrange(8)):
                        threading.Event().wait(chance.expovariate(5))
                        process.send_signal(signal.SIGHUP)
                        done["signals"] += 1
                    threading.Event().wait(chance.expovariate(2))
                finally:
                    scrapers.ending.set()
                process.send_signal(chance.choice((signal.SIGTERM, signal.SIGINT)))
                done["signals"] += 1
                code = process.wait(DEADLINE)
                for ended in scraping:
                    ended.result()
            said = log.read_text()
            assert code == 0, (where, said)
            assert "Traceback" not in said, where
            assert "level=error" not in said, (where, said)
            done += scrapers.answers
            done["ends"] += 1
    for name, count in done.items():
        record_property(name, count)
