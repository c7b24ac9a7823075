"""A real Prometheus and two clustered Alertmanagers, all of which are killed while requests are cut, late and repeated.

TheEye runs what an alert starts once for each period in which it fires: never more, and nothing is lost once all is up again.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import requests

from alertmanagers import RECEIVER, Alertmanager, BadProxy, Program, bad_proxy, cluster
from playback import Asked, Reply, http_server
from processes import eventually, exporter_command, free_port
from receiving import acting_theeye, configuration, recorded_runs, samples
from theeye_exporter.demo import SimulatedTheEye
from theeye_exporter.demo.faults import parse_faults
from tools import require_tool

pytestmark = pytest.mark.e2e

SECONDS: Final = float(os.environ.get("CHURN_SECONDS", "45"))
SEED: Final = int(os.environ.get("CHURN_SEED", "1"))

AGAIN: Final = 330.0
"""Seconds from a run to the next period of the same alert; what begins within five minutes belongs to the same one."""
SAME: Final = 150.0
"""Seconds after its first start in which an alert comes and goes within the same period."""
ENOUGH: Final = 300.0
"""Seconds in which each alert gets its run, whatever happens meanwhile."""

ROUTES: Final = (
    {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "4s"},
    {"group_by": ["alertname"], "group_wait": "1s", "group_interval": "2s", "repeat_interval": "6s"},
)
ACTION: Final = """arguments: [{source_labels: [instance]}]
    rate_limit: 9999/m
    max_concurrent: 100
    cooldown: 0s
    max_wait: 1h
    suspend_after_failures: 0"""
RULES: Final = """
groups:
  - name: one
    rules: [{alert: Down, expr: 'max by (instance) (last_over_time(down[1m])) == 1'}]
"""
FAULTS: Final = (
    "",
    "creation:applied-no-answer,p=0.5",
    "creation:applied-error=500,p=0.5",
    "creation:applied-late=2s,p=0.5",
    "creation:invalid-members,p=0.5",
    "tasks:error=503,p=0.5",
    "jobs:error=503,p=0.5",
    "latency=500ms,p=0.5",
)


@dataclass
class Down:
    """An alert.

    Attributes:
        fires: Whether it fires now.
        began: When its last period began.
        periods: How many periods it had.
        ran: When the run of its last period was seen; 0 before that.
        hasty: Whether it ends after a moment, perhaps before its run; so it has one at most.
    """

    fires: bool
    began: float
    periods: int = 1
    ran: float = 0.0
    hasty: bool = False


@dataclass
class Churn:
    """All programs, and the alerts."""

    theeye: SimulatedTheEye
    runs: list[tuple[Any, ...]]
    proxy: BadProxy
    programs: list[Program]
    chance: random.Random
    alerts: dict[str, Down]
    killed: Counter[str] = field(default_factory=Counter)

    def kill(self, program: Program) -> None:
        """Kill a program, start it again after a while, and wait until it is ready."""
        program.kill()
        self.killed[program.name] += 1
        if isinstance(program, Alertmanager) and self.chance.random() < 0.5:
            program.lose_storage()
            self.killed["storage"] += 1
        threading.Event().wait(self.chance.uniform(0, 2))
        program.start()

    def move(self) -> None:
        """Let some alerts begin, end and begin again."""
        now = time.monotonic()
        for _ in range(self.chance.randint(0, 8)):
            self.alerts[f"web-{len(self.alerts)}"] = Down(fires=True, began=now, hasty=self.chance.random() < 0.2)
        for name, one in list(self.alerts.items()):
            if one.hasty:
                one.fires &= self.chance.random() < 0.5
                continue
            if not one.ran and self.runs.count((name,)) >= one.periods:
                one.ran = now
            if not one.ran:
                assert now - one.began < ENOUGH, f"{name} has no run"
            elif now - one.ran > AGAIN:
                if not one.fires:
                    one.fires, one.began, one.ran = True, now, 0.0
                    one.periods += 1
            elif now - one.began < SAME:
                one.fires ^= self.chance.random() < 0.2
            else:
                one.fires = False

    def exposition(self, _: Asked) -> Reply:
        """Say which alerts fire."""
        lines = [f'down{{instance="{name}"}} {one.fires:d}\n' for name, one in list(self.alerts.items())]
        return Reply("".join(lines).encode(), headers={"Content-Type": "text/plain; version=0.0.4"})


def prometheus(folder: Path, scraped: str, alertmanagers: list[str]) -> Program:
    address = f"127.0.0.1:{free_port()}"
    (folder / "rules.yml").write_text(RULES)
    document = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": alertmanagers}]}]},
        "scrape_configs": [{"job_name": "down", "honor_labels": True, "static_configs": [{"targets": [scraped]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(document))
    # Alertmanager believes in an alert for four times as long as Prometheus takes to repeat it, or until that is back.
    command = [
        *(require_tool("prometheus"), f"--config.file={folder}/prometheus.yml"),
        *(f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={address}", "--rules.alert.resend-delay=15s"),
    ]
    ready = lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok  # noqa: E731 - short
    return Program("prometheus", command, folder / "prometheus.log", ready)


@contextmanager
def churning(folder: Path, chance: random.Random) -> Iterator[tuple[Churn, str]]:
    address = f"127.0.0.1:{free_port()}"
    alerts: dict[str, Down] = {}
    with ExitStack() as stack:
        start = stack.enter_context
        theeye = start(acting_theeye(arguments=1))
        runs = start(recorded_runs(theeye))
        file = configuration(theeye, folder, ACTION)
        file.write_text(f"{file.read_text()}rate_limit: 9999/m\nsettle: 60s\n")
        command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={address}")
        ready = lambda: requests.get(f"http://{address}/-/ready", timeout=5).ok  # noqa: E731 - short
        actions = Program("actions", command, folder / "actions.log", ready)
        proxy = start(bad_proxy(f"http://{address}", chance))
        both = start(cluster(folder, f"{proxy.url}{RECEIVER}", ROUTES))
        churn = Churn(theeye, runs, proxy, [], chance, alerts)
        source = start(http_server(churn.exposition))
        own = prometheus(folder, source.url.removeprefix("http://"), [one.url.removeprefix("http://") for one in both])
        churn.programs = [actions, own, *both]
        for one in (actions, own):
            stack.callback(one.close)
            one.start()
        yield churn, f"http://{address}"


def test_as_many_runs_as_periods_in_which_an_alert_fires(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - chance, no secret
    with churning(tmp_path, chance) as (churn, url):
        until, order = time.monotonic() + SECONDS, list[Program]()
        while time.monotonic() < until or order:
            churn.move()
            churn.theeye.faults = parse_faults(chance.choice(FAULTS))
            order = order or chance.sample(churn.programs, len(churn.programs))
            churn.kill(order.pop())
            threading.Event().wait(chance.uniform(0, 1.5))

        # All is up again, and alerts that had no run yet go on firing until they have it.
        churn.theeye.faults = ()
        churn.proxy.heal()
        expected: Counter[tuple[Any, ...]] = Counter(
            {(name,): one.periods for name, one in churn.alerts.items() if not one.hasty}
        )

        def missing() -> Counter[tuple[Any, ...]]:
            return expected - Counter(churn.runs)

        eventually(lambda: not missing(), f"a run for each period, seed {SEED}", seconds=ENOUGH)
        last = Down(fires=True, began=time.monotonic())
        churn.alerts["last"] = last  # what was said before has arrived when this was sent several times
        expected["last",] = 1
        eventually(lambda: not missing(), "the last run", seconds=ENOUGH)
        eventually(lambda: sum(one.instance == "last" for one in churn.proxy.told) > 4, "it is sent again and again")
        eventually(lambda: not open_runs(url), "the end of all runs", seconds=ENOUGH)

        hasty = Counter(run for run in churn.runs if churn.alerts[run[0]].hasty)
        assert Counter(churn.runs) - hasty == expected, f"seed {SEED}"
        assert all(count == 1 for count in hasty.values()), f"seed {SEED}"
        values = samples(url)
        assert values["theeye_action_decisions_total/started"] == len(churn.runs)
        assert sum(v for name, v in values.items() if name.startswith("theeye_action_runs_total/")) == len(churn.runs)
        assert values["theeye_action_runs_total/lost"] == 0
    counted = {
        "episodes": expected.total(),
        "their runs": len(churn.runs) - hasty.total(),
        "short episodes": sum(one.hasty for one in churn.alerts.values()),
        "runs of these": hasty.total(),
        **{f"kills of {name}": count for name, count in sorted(churn.killed.items())},
        **{f"requests {way}": count for way, count in sorted(churn.proxy.seen.items())},
        "recovered runs": int(values["theeye_action_recovered_runs_total"]),
        "duplicates": int(values["theeye_action_decisions_total/duplicate"]),
        "stale messages": int(values["theeye_action_decisions_total/stale"]),
    }
    for name, count in counted.items():
        record_property(name, count)


def open_runs(url: str) -> float:
    return sum(value for name, value in samples(url).items() if name.startswith("theeye_action_open_runs/"))
