"""The whole chain from TheEye to a notification, on loopback: every minute of the rules and of Alertmanager is a second.

Nothing but durations is changed for that (`shortened`, and how often Prometheus repeats an alert: Alertmanager believes it
for four times as long, and a busy machine may well stop for some seconds); expressions, thresholds, labels and routes are those that ship.

Where a minute is a second, a machine that is busy for two seconds is an outage of two minutes, and whoever is told of it is told
the truth. So `played` lets a minute take longer where Prometheus itself says that it did not keep up.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal

import requests
import yaml

from e2e_prometheus import query
from processes import DEADLINE, eventually, exporter_command, free_port, running
from theeye_exporter.collectors.registry import COLLECTORS
from tools import require_tool

__all__ = ["Notification", "Stack", "played", "shortened"]

GRAFANA: Final = Path(__file__).parents[1] / "grafana"
TOKEN: Final = "demo-integration-token"
_MINUTES: Final = (1, 2, 4, 8)
"""Seconds that a minute takes, each tried where the machine did not keep up with the one before."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(?<=\[)\d+[smhd](?=\])|(?<=offset )\d+[smhd]")


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification: the firing and the resolved alerts, by receiver, name and object."""

    firing: frozenset[tuple[str, str, str]]
    resolved: frozenset[tuple[str, str, str]]


@dataclass(slots=True)
class Stack:
    """The running programs.

    Attributes:
        prometheus: URL of Prometheus.
        theeye: URL of the simulated TheEye.
        rules: The rules as they ship, group by group.
        minute: How many seconds a minute takes.
        told: What the receivers were sent, in order.
    """

    prometheus: str
    theeye: str
    rules: list[dict[str, Any]]
    minute: int
    _config: Path
    _address: str
    _folder: Path
    _exporter: ExitStack = field(default_factory=ExitStack)
    told: list[Notification] = field(default_factory=list)

    def start_exporter(self) -> None:
        """Start the exporter and wait until it has polled everything."""
        command = exporter_command(f"--config.file={self._config}", f"--web.listen-address={self._address}")
        self._exporter.enter_context(running(command, self._folder / "exporter.log"))
        self.wait_for(
            lambda: requests.get(f"http://{self._address}/-/ready", timeout=5).status_code == 200,
            "the exporter is ready",
        )

    def stop_exporter(self) -> None:
        """End the exporter."""
        self._exporter.close()

    def break_it(self, *faults: str) -> None:
        """Switch these faults of the simulated TheEye on, and all others off."""
        requests.put(f"{self.theeye}/-/faults", data="\n".join(faults).encode(), timeout=30).raise_for_status()

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until a condition holds, for as many minutes as that takes a machine that keeps up."""
        eventually(condition, what, seconds=DEADLINE * self.minute)

    def kept_up(self) -> bool:
        """Whether Prometheus did everything in time; delays can look like an outage."""
        late = (
            "sum(max_over_time(prometheus_rule_group_iterations_missed_total[1h])) > 0",
            f'max(max_over_time(scrape_duration_seconds{{job="theeye"}}[1h])) > {self.minute / 2}',
            f"max(max_over_time(prometheus_rule_group_last_duration_seconds[1h])) > {self.minute / 2}",
            f'max(max_over_time(prometheus_notifications_latency_seconds{{quantile="0.99"}}[1h])) > {self.minute / 2}',
            f"max(max_over_time(theeye_collector_duration_seconds[1h])) > {self.minute}",
        )
        try:
            return not any(query(self.prometheus, expression) for expression in late)
        except requests.RequestException:
            return False  # it cannot even say so

    def firing(self, alert: str, **labels: str) -> list[dict[str, Any]]:
        """Return the alerts with a name like this regular expression that fire in Prometheus, muted or not."""
        matchers = "".join(f',{name}="{value}"' for name, value in labels.items())
        return query(self.prometheus, f'ALERTS{{alertname=~"{alert}",alertstate="firing"{matchers}}}')

    def evaluations(self) -> float:
        """Return how often the slowest group of rules was evaluated."""
        return float(query(self.prometheus, "min(prometheus_rule_group_iterations_total) or vector(0)")[0]["value"][1])

    def alerts(self, status: Literal["firing", "resolved"], since: int = 0) -> set[tuple[str, str, str]]:
        """Return receiver, name and object of each alert in the notifications after this number."""
        told = (n.firing if status == "firing" else n.resolved for n in self.told[since:])
        return {alert for alerts in told for alert in alerts}


def shortened(text: str, minute: int = 1) -> str:
    """Return rules in which a minute has this many seconds: `for`, `keep_firing_for`, ranges and offsets."""
    document = yaml.safe_load(text)
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["expr"] = _DURATION.sub(lambda found: _scaled(found[0], minute), rule["expr"])
            rule |= {key: _scaled(rule[key], minute) for key in ("for", "keep_firing_for") if key in rule}
    return yaml.safe_dump(document, sort_keys=False)


def _scaled(duration: str, minute: int) -> str:
    return f"{int(duration[:-1]) * _UNITS[duration[-1]] * 1000 * minute // 60}ms"


def _alertmanager_config(webhook: str, minute: int) -> str:
    document = yaml.safe_load((GRAFANA / "alertmanager" / "alertmanager.yml").read_text())
    for route in (document["route"], *document["route"]["routes"]):
        route |= {key: _scaled(route[key], minute) for key in ("group_wait", "group_interval") if key in route}
    for receiver in document["receivers"]:
        if receiver["name"] != "nobody":
            receiver["webhook_configs"] = [{"url": f"{webhook}/{receiver['name']}"}]
    return yaml.safe_dump(document)


def _what(labels: dict[str, str]) -> str:
    """The object of an alert: where it is, and what."""
    names = ("hostname", "monitor", "task", "workflow", "collector", "reason")
    return "/".join(labels[name] for name in names if name in labels) or labels.get("organization", "")


@contextmanager
def _webhook(told: list[Notification]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append(
                Notification(
                    *(
                        frozenset(
                            (sent["receiver"], alert["labels"]["alertname"], _what(alert["labels"]))
                            for alert in sent["alerts"]
                            if alert["status"] == status
                        )
                        for status in ("firing", "resolved")
                    )
                )
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def played(play: Callable[[Stack], None], folder: Path, *, monitors: int, tasks: int) -> None:
    """Run a scenario with a new stack; repeat it more slowly if it fails because the machine was too slow."""
    for minute in _MINUTES:
        place = folder / str(minute)
        place.mkdir()
        with _stack(place, minute, monitors=monitors, tasks=tasks) as running:
            try:
                play(running)
            except AssertionError:
                if minute == _MINUTES[-1] or running.kept_up():
                    raise
            else:
                return


@contextmanager
def _stack(folder: Path, minute: int, *, monitors: int, tasks: int) -> Iterator[Stack]:
    """Run a calm simulated TheEye, an exporter that polls it each minute, Prometheus, Alertmanager and the receivers."""
    prometheus, alertmanager = require_tool("prometheus"), require_tool("prometheus-alertmanager")
    theeye, exporter, prom, am = (f"127.0.0.1:{free_port()}" for _ in range(4))
    collectors = {kind.name: {"interval": f"{minute}s"} for kind in COLLECTORS}
    config = folder / "exporter.yml"
    config.write_text(
        json.dumps(
            {
                "organizations": [{"name": "demo", "token": TOKEN, "url": f"http://{theeye}"}],
                "collectors": collectors,
            }
        )
    )
    shipped = []
    for path in sorted((GRAFANA / "alerts").glob("*.rules.yml")):
        shipped += yaml.safe_load(path.read_text())["groups"]
        (folder / path.name).write_text(shortened(path.read_text(), minute))
    scraped = {"theeye": exporter, "prometheus": prom}
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), f"{minute}s"),
                "rule_files": ["*.rules.yml"],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [am]}]}]},
                "scrape_configs": [
                    {"job_name": name, "static_configs": [{"targets": [address]}]} for name, address in scraped.items()
                ],
            }
        )
    )
    running_stack = Stack(f"http://{prom}", f"http://{theeye}", shipped, minute, config, exporter, folder)
    with ExitStack() as programs:
        start = programs.enter_context
        webhook = start(_webhook(running_stack.told))
        (folder / "alertmanager.yml").write_text(_alertmanager_config(webhook, minute))
        demo = exporter_command(
            *("demo", "--demo.only", "--demo.calm", f"--demo.listen-address={theeye}"),
            *(f"--demo.monitors={monitors}", f"--demo.tasks={tasks}"),
        )
        start(running(demo, folder / "theeye.log"))
        start(
            running(
                [
                    *(alertmanager, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am"),
                    *(f"--web.listen-address={am}", "--cluster.listen-address="),
                ],
                folder / "alertmanager.log",
            )
        )
        programs.callback(running_stack.stop_exporter)
        running_stack.wait_for(
            lambda: requests.get(f"http://{theeye}/-/faults", timeout=5).ok, "the simulated TheEye answers"
        )
        running_stack.start_exporter()
        start(
            running(
                [
                    *(prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"),
                    *(f"--web.listen-address={prom}", f"--rules.alert.resend-delay={10 * minute}s"),
                ],
                folder / "prometheus.log",
            )
        )
        running_stack.wait_for(lambda: requests.get(f"http://{prom}/-/ready", timeout=5).ok, "Prometheus is ready")
        running_stack.wait_for(lambda: running_stack.evaluations() >= 2, "rules are evaluated")
        running_stack.wait_for(
            lambda: query(running_stack.prometheus, "theeye_job_last_outcome"), "samples in Prometheus"
        )
        yield running_stack
