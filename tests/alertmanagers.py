"""Two clustered Alertmanagers, which post to the process that acts through a proxy that cuts, delays and repeats."""

import json
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import requests

from processes import eventually, free_port, running
from tools import require_tool

__all__ = ["RECEIVER", "Alertmanager", "BadProxy", "Program", "Told", "bad_proxy", "cluster"]

RECEIVER: Final = "/api/v1/alerts/restart-nginx"
_CUT: Final = ("cut before", "cut after", "late")
_WAYS: Final = {
    "passed on": 45,
    "cut before": 10,
    "cut after": 15,
    "repeated": 10,
    "delayed": 10,
    "refused": 5,
    "late": 5,
}
"""What happens to how many requests of a hundred."""


@dataclass
class Program:
    """A program that is killed and started again."""

    name: str
    command: Sequence[str]
    log: Path
    is_ready: Callable[[], Any]
    _running: ExitStack = field(default_factory=ExitStack)
    _process: subprocess.Popen[bytes] | None = None
    _lives: int = 0

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it is ready."""
        self._lives += 1
        log = self.log.with_name(f"{self.log.name}.{self._lives}")
        self._process = self._running.enter_context(running(self.command, log))
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it is ready."""
        eventually(self.is_ready, f"{self.name} is ready", seconds=120)

    def kill(self) -> None:
        """End it as kill -9 does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it."""
        self._running.close()


@dataclass
class Alertmanager(Program):
    """One Alertmanager.

    Attributes:
        url: Its address.
        storage: Its folder.
    """

    url: str = ""
    storage: Path = Path()

    def post(self, what: str, document: Any) -> Any:
        """Post to its API."""
        answer = requests.post(f"{self.url}/api/v2/{what}", json=document, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def tell(self, labels: Mapping[str, str], start: float, end: float) -> None:
        """Tell it about an alert, as Prometheus does; it is resolved if its end is over."""
        times = {"startsAt": _date(start), "endsAt": _date(end)}
        self.post("alerts", [{"labels": labels, **times}])

    def silence(self, instance: str) -> str:
        """Silence an alert, and return what ends that."""
        now = time.time()
        silence = {
            "matchers": [{"name": "instance", "value": instance, "isRegex": False, "isEqual": True}],
            "startsAt": _date(now),
            "endsAt": _date(now + 3600),
            "createdBy": "a person",
            "comment": "known",
        }
        return str(self.post("silences", silence)["silenceID"])

    def unsilence(self, silence: str) -> None:
        """End a silence."""
        requests.delete(f"{self.url}/api/v2/silence/{silence}", timeout=10).raise_for_status()

    def state_of(self, instance: str) -> str:
        """Return the state of an alert: active, suppressed, or nothing if it does not fire."""
        found = requests.get(f"{self.url}/api/v2/alerts", params={"filter": f'instance="{instance}"'}, timeout=10)
        return next((one["status"]["state"] for one in found.json()), "")

    def lose_storage(self) -> None:
        """Delete what it has stored; it does not run."""
        shutil.rmtree(self.storage, ignore_errors=True)


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


@contextmanager
def cluster(folder: Path, webhook: str, routes: Sequence[Mapping[str, Any]]) -> Iterator[list[Alertmanager]]:
    """Run two Alertmanagers that know each other.

    Args:
        folder: Where they keep what they have.
        webhook: Where they post.
        routes: What each route has besides its receiver.
    """
    config = folder / "alertmanager.yml"
    document = {
        "route": {
            "receiver": "nobody",
            "routes": [{"receiver": "actions", "continue": True, **route} for route in routes],
        },
        "receivers": [
            {"name": "nobody"},
            {"name": "actions", "webhook_configs": [{"url": webhook, "send_resolved": True}]},
        ],
    }
    config.write_text(json.dumps(document))
    web, peers = ([f"127.0.0.1:{free_port()}" for _ in range(2)] for _ in range(2))
    both = [_alertmanager(folder, config, number, web[number], peers) for number in range(2)]
    with ExitStack() as ending:
        for one in both:
            ending.callback(one.close)
            one.start(wait=False)
        for one in both:
            one.wait()
        yield both


def _alertmanager(folder: Path, config: Path, number: int, web: str, peers: Sequence[str]) -> Alertmanager:
    storage, own = folder / f"alertmanager-{number}", peers[number]
    command = [
        *(require_tool("prometheus-alertmanager"), f"--config.file={config}", f"--storage.path={storage}"),
        *(f"--web.listen-address={web}", f"--cluster.listen-address={own}", f"--cluster.advertise-address={own}"),
        *(f"--cluster.peer={peers[1 - number]}", "--cluster.peer-timeout=1s", "--cluster.settle-timeout=5s"),
        *("--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=1s", "--cluster.reconnect-interval=1s"),
    ]
    url = f"http://{web}"

    def is_ready() -> bool:
        cluster_ = requests.get(f"{url}/api/v2/status", timeout=5).json()["cluster"]
        return cluster_["status"] == "ready" and len(cluster_["peers"]) == len(peers)

    return Alertmanager(
        f"alertmanager {number + 1}", command, folder / "alertmanager.log", is_ready, url=url, storage=storage
    )


@dataclass(frozen=True, slots=True)
class Told:
    """An alert in a request that the proxy has passed on."""

    instance: str
    status: str
    start: float


@dataclass
class BadProxy:
    """A proxy for requests of Alertmanager.

    Attributes:
        target: Where it passes them on.
        chance: What happens to which request.
        bad: Whether anything but passing on happens.
        seen: How often what happened.
        told: The alerts in the requests that were answered with 200.
        url: Its address.
    """

    target: str
    chance: random.Random
    bad: bool = True
    seen: Counter[str] = field(default_factory=Counter)
    told: list[Told] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _late: list[threading.Thread] = field(default_factory=list)

    def choose(self) -> tuple[str, float]:
        """Return what happens to the next request, and after how many seconds."""
        with self._lock:
            way = self.chance.choices(tuple(_WAYS), tuple(_WAYS.values()))[0] if self.bad else "passed on"
            self.seen[way] += 1
            return way, self.chance.uniform(0.1, 3.0) if way == "delayed" else self.chance.uniform(1.0, 20.0)

    def handle(self, path: str, body: bytes) -> int:
        """Return the status of the answer to a request; 0 for none."""
        way, seconds = self.choose()
        if way == "refused":
            return 503
        if way == "late":
            self._late.append(threading.Thread(target=self._pass_on_later, args=(seconds, path, body)))
            self._late[-1].start()
        if way == "delayed":
            self._ended.wait(seconds)
        status = 0
        for _ in range({"cut before": 0, "late": 0, "repeated": 2}.get(way, 1)):
            status = self._pass_on(path, body)
        return 0 if way in _CUT else status

    def heal(self) -> None:
        """Let all requests through from now on, and wait until what was late has arrived."""
        self.bad = False
        self._ended.set()
        for thread in self._late:
            thread.join()

    def _pass_on_later(self, seconds: float, path: str, body: bytes) -> None:
        self._ended.wait(seconds)
        self._pass_on(path, body)

    def _pass_on(self, path: str, body: bytes) -> int:
        headers = {"Content-Type": "application/json"}
        try:
            answer = requests.post(f"{self.target}{path}", data=body, headers=headers, timeout=30)
        except requests.RequestException:
            return 0
        if answer.ok:
            for one in json.loads(body)["alerts"]:
                start = datetime.fromisoformat(one["startsAt"]).timestamp()
                self.told.append(Told(one["labels"]["instance"], one["status"], start))
        return answer.status_code


@contextmanager
def bad_proxy(target: str, chance: random.Random, *, bad: bool = True) -> Iterator[BadProxy]:
    """Serve such a proxy on a loopback port."""
    proxy = BadProxy(target, chance, bad)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.close_connection = True
            status = proxy.handle(self.path, body)
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        proxy.heal()
        server.shutdown()
        thread.join()
        server.server_close()
