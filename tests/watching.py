"""Prometheus with our rules, Alertmanager with our routes, and the receivers, on loopback: a minute takes some seconds.

Only durations are changed for that: those in rules and routes (`shortened`), and how often Prometheus repeats an alert.
Alertmanager believes an alert for four times as long, and a busy machine may stop for some seconds. All else is as it ships.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import prod
from pathlib import Path
from typing import Any, Final, Literal

import requests
import yaml

from e2e_prometheus import query
from processes import DEADLINE, eventually, free_port, running
from tools import require_tool

__all__ = ["Notification", "Watch", "shortened", "watching"]

GRAFANA: Final = Path(__file__).parents[1] / "grafana"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FOR: Final = re.compile(r"\d+[smhd]")
_IN_EXPRESSION: Final = re.compile(r'"[^"]*"|(?<=\[)\d+[smhd](?=\])|(?<=offset )\d+[smhd]|\b\d+(?: \* \d+)*\b')
_SECONDS: Final = 120
"""From here on, a plain number in a rule is seconds. Numbers of objects are smaller, and so are shares."""

Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Notification:
    """What a receiver was sent.

    Attributes:
        at: Unix time of its arrival.
        receiver: Who was told.
        alerts: The alerts, each with its status and labels.
    """

    at: float
    receiver: str
    alerts: tuple[tuple[Status, Mapping[str, str]], ...]

    @property
    def firing(self) -> frozenset[tuple[str, str, str]]:
        """Those that fire, by receiver, name and object."""
        return self._named("firing")

    @property
    def resolved(self) -> frozenset[tuple[str, str, str]]:
        """Those that are over."""
        return self._named("resolved")

    def _named(self, status: Status) -> frozenset[tuple[str, str, str]]:
        return frozenset((self.receiver, of["alertname"], _what(of)) for is_now, of in self.alerts if is_now == status)


@dataclass(slots=True)
class Watch:
    """The running programs.

    Attributes:
        prometheus: URL of Prometheus.
        alertmanager: URL of Alertmanager.
        minute: How many seconds a minute takes.
        told: What the receivers were sent, in order.
    """

    prometheus: str
    alertmanager: str
    minute: int
    told: list[Notification] = field(default_factory=list)

    def wait_for(self, condition: Callable[[], Any], what: str, minutes: float = DEADLINE) -> None:
        """Wait until a condition holds, for as many minutes as that takes a machine that keeps up."""
        eventually(condition, what, seconds=minutes * self.minute)

    def kept_up(self, *, slow_polls: bool = False) -> bool:
        """Whether Prometheus and the exporter did everything in time; delays can look like an outage.

        Args:
            slow_polls: Whether faults made polls slow, so that these say nothing of the machine.
        """
        late = [
            "sum(max_over_time(prometheus_rule_group_iterations_missed_total[1h])) > 0",
            f'max(max_over_time(scrape_duration_seconds{{job="theeye"}}[1h])) > {self.minute / 2}',
            f"max(max_over_time(prometheus_rule_group_last_duration_seconds[1h])) > {self.minute / 2}",
            f'max(max_over_time(prometheus_notifications_latency_seconds{{quantile="0.99"}}[1h])) > {self.minute / 2}',
        ]
        if not slow_polls:
            late.append(f"max(max_over_time(theeye_collector_duration_seconds[1h])) > {self.minute}")
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

    def alerts(self, status: Status, since: int = 0) -> set[tuple[str, str, str]]:
        """Return receiver, name and object of each alert in the notifications after this number."""
        told = (n.firing if status == "firing" else n.resolved for n in self.told[since:])
        return {alert for alerts in told for alert in alerts}


def shortened(text: str, minute: int = 1) -> str:
    """Return rules in which a minute has this many seconds: ranges, offsets, `for`, and numbers that are seconds."""
    document = yaml.safe_load(text)
    for group in document["groups"]:
        for rule in group["rules"]:
            rule["expr"] = _IN_EXPRESSION.sub(lambda found: _shorter(found[0], minute), rule["expr"])
            rule |= {key: _scaled(rule[key], minute) for key in ("for", "keep_firing_for") if key in rule}
    return yaml.safe_dump(document, sort_keys=False)


def _shorter(token: str, minute: int) -> str:
    if token[0] == '"':
        return token
    if _FOR.fullmatch(token):
        return _scaled(token, minute)
    number = prod(int(factor) for factor in token.split(" * "))
    return token if number < _SECONDS else f"{number * minute / 60:g}"


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


def _what(labels: Mapping[str, str]) -> str:
    """The object of an alert: where it is, and what."""
    names = ("hostname", "monitor", "task", "workflow", "collector", "reason")
    return "/".join(labels[name] for name in names if name in labels) or labels.get("organization", "")


@contextmanager
def _webhook(told: list[Notification]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            alerts = tuple((alert["status"], alert["labels"]) for alert in sent["alerts"])
            told.append(Notification(time.time(), sent["receiver"], alerts))
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


def _ready(url: str) -> bool:
    return requests.get(f"{url}/-/ready", timeout=5).ok


@contextmanager
def watching(folder: Path, minute: int, targets: Mapping[str, str]) -> Iterator[Watch]:
    """Run Prometheus, Alertmanager and the receivers.

    Args:
        folder: Where their files are written.
        minute: How many seconds a minute takes.
        targets: What is scraped each minute: addresses by the name of the scrape job.
    """
    prometheus, alertmanager = require_tool("prometheus"), require_tool("prometheus-alertmanager")
    prom, am = (f"127.0.0.1:{free_port()}" for _ in range(2))
    for path in (GRAFANA / "alerts").glob("*.rules.yml"):
        (folder / path.name).write_text(shortened(path.read_text(), minute))
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), f"{minute}s"),
                "rule_files": ["*.rules.yml"],
                "alerting": {"alertmanagers": [{"static_configs": [{"targets": [am]}]}]},
                "scrape_configs": [
                    {"job_name": name, "static_configs": [{"targets": [address]}]}
                    for name, address in {**targets, "prometheus": prom}.items()
                ],
            }
        )
    )
    watch = Watch(f"http://{prom}", f"http://{am}", minute)
    with ExitStack() as programs:
        start = programs.enter_context
        webhook = start(_webhook(watch.told))
        (folder / "alertmanager.yml").write_text(_alertmanager_config(webhook, minute))
        start(
            running(
                [
                    *(alertmanager, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am"),
                    *(f"--web.listen-address={am}", "--cluster.listen-address="),
                ],
                folder / "alertmanager.log",
            )
        )
        start(
            running(
                [
                    *(prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"),
                    *(f"--web.listen-address={prom}", f"--rules.alert.resend-delay={10 * minute}s"),
                ],
                folder / "prometheus.log",
            )
        )
        for url in (watch.prometheus, watch.alertmanager):
            watch.wait_for(partial(_ready, url), f"{url} is ready")
        watch.wait_for(lambda: watch.evaluations() >= 2, "rules are evaluated")
        yield watch
