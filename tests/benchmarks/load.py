"""Scrapers: wrk, which sends the next request after each response, and one with a fixed rate."""

import json
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

__all__ = ["GZIP", "Load", "Scraper", "at_fixed_times", "heads", "percentile", "without_pause"]

_REPORT: Final = Path(__file__).with_name("wrk_report.lua")
_PATIENCE: Final = 600.0
_BUFFER: Final = 1 << 20
GZIP: Final = "Accept-Encoding: gzip"
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Load:
    """The measurements of a scraper. Times are in milliseconds.

    Attributes:
        requests: complete answers.
        rate: answers per second.
        p50: median of the latency, to the last byte.
        p99: 99th percentile.
        maximum: the longest.
    """

    requests: int
    rate: float
    p50: float
    p99: float
    maximum: float


def without_pause(wrk: str, url: str, *, connections: int, seconds: float, headers: Sequence[str], size: int) -> Load:
    """Run wrk; fail if a response is incomplete or not 200.

    Args:
        wrk: the program.
        url: what to ask.
        connections: how many at once.
        seconds: for how long; answers under way at the end are not counted.
        headers: of the requests.
        size: bytes of a body at least.
    """
    command = [wrk, "--threads=1", f"--connections={connections}", f"--duration={max(1, round(seconds))}s"]
    command += [f"--timeout={_PATIENCE:.0f}s", f"--script={_REPORT}", *(f"--header={header}" for header in headers)]
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout
    seen = json.loads(output.splitlines()[-1])
    if seen["errors"] or seen["bytes"] < seen["requests"] * size:
        raise RuntimeError(f"wrk met errors or parts of answers at {url}: {output}")
    rate = seen["requests"] / seen["duration"] * 1e6
    return Load(seen["requests"], rate, seen["p50"] / 1e3, seen["p99"] / 1e3, seen["max"] / 1e3)


def heads(url: str, *, seconds: float) -> int:
    """Send HEAD requests without pause on one connection; return their number. Fail if a response is not 200."""
    parts = urlsplit(url)
    asked, until = 0, time.monotonic() + seconds
    with closing(HTTPConnection(parts.netloc, timeout=_PATIENCE)) as connection:
        while time.monotonic() < until:
            connection.request("HEAD", parts.path, headers={"Accept-Encoding": "gzip"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != _OK:
                raise RuntimeError(f"{url} answered {answer.status}")
            asked += 1
    return asked


class Scraper:
    """Asks one URL, over one connection as long as the server keeps it; a context manager that hangs up at its end."""

    def __init__(self, url: str, *, compressed: bool) -> None:
        parts = urlsplit(url)
        self._compressed = compressed
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        encoding = f"{GZIP}\r\n" if compressed else ""
        self._request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{encoding}\r\n".encode()
        self._buffer = memoryview(bytearray(_BUFFER))
        self._connection: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def scrape(self, take: Callable[[memoryview], object] = lambda _: None) -> int:
        """Scrape, pass the body to `take` in pieces, and return its size; fail if it is not a complete 200."""
        if self._connection is None:
            self._connection = socket.create_connection(self._address, timeout=_PATIENCE)
        self._connection.sendall(self._request)
        head, end, body = b"", b"", b""
        while not end:
            received = self._connection.recv(_BUFFER)
            if not received:
                raise RuntimeError("the server hung up before an answer")
            head, end, body = (head + received).partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if int(status.split()[1]) != _OK or (headers.get("content-encoding") == "gzip") is not self._compressed:
            raise RuntimeError(f"not the answer that was asked for: {head!r}")
        size = int(headers["content-length"])
        take(memoryview(body))
        left = size - len(body)
        while left:
            count = self._connection.recv_into(self._buffer)
            if not count:
                raise RuntimeError(f"the body ended {left} bytes too early")
            take(self._buffer[:count])
            left -= count
        if status.startswith("HTTP/1.0") or headers.get("connection", "").lower() == "close":
            self._close()
        return size


def at_fixed_times(url: str, *, rate: float, seconds: float, compressed: bool) -> Load:
    """Send this many requests per second, one after the other.

    The latency counts from the time at which the request was due: when one answer takes long, the wait of those
    that had to queue behind it counts too.
    """
    latencies = []
    with Scraper(url, compressed=compressed) as scraper:
        scraper.scrape()
        began = time.perf_counter()
        for number in range(max(2, round(rate * seconds))):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            scraper.scrape()
            latencies.append((time.perf_counter() - due) * 1e3)
        lasted = time.perf_counter() - began
    return Load(
        requests=len(latencies),
        rate=len(latencies) / lasted,
        p50=statistics.median(latencies),
        p99=percentile(latencies, 0.99),
        maximum=max(latencies),
    )


def percentile(values: list[float], share: float) -> float:
    """Return the smallest of the values that is not below that share of them."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
