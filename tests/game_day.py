"""Plays each fault of TheEye, with real alerts, and writes down who is told what: `make game-day`.

Every fault has an organisation and a simulated TheEye of its own. One exporter polls them all, and a canary runs in each. All
durations are shortened as in `watching`, also the exporter's intervals and time limits. Only what TheEye's clock is off by is not:
the alert compares it with seconds.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import requests

from e2e_prometheus import answers, query
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.config.sections import TheEyeSettings
from theeye_exporter.demo import DemoSettings, Fault, SimulatedTheEye, parse_fault
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task
from watching import Watch, watching

__all__ = ["FAULTS", "Day", "Effect", "into", "play", "rows", "stage", "table"]

FAULTS: Final = (
    "latency=5s",
    "error=503",
    "error=503,p=0.4",
    "error=429,retry-after=30",
    "garbage",
    "truncate",
    "drip",
    "drip-headers",
    "hang",
    "drop",
    "bomb",
    "too-large",
    "token-expired",
    "forbidden",
    "workflows:forbidden",
    "conflict",
    "no-organization",
    "empty",
    "malformed",
    "duplicates",
    "redirect=http://127.0.0.1:1/",
    "monitors:error=503",
    "jobs:error=503",
    "applied-no-answer",
    "applied-error=500",
    "applied-late=30s",
    "invalid-members",
    "monitor-failing=web-01/Processes List",
    "monitor-failing=*",
    "bot-silent=db-01",
    "trigger-missed=rotate logs",
    "trigger-missed=*",
    "schedule-failed=*",
    "schedule-disabled=*",
    "clock-ahead=70s",
    "server-version=4.14.0",
)
"""Each fault of the simulated TheEye at least once; some of them also for one kind of object, or for all of them."""
BROKEN: Final = 35.0
"""Minutes that the faults last; some alerts fire only after that."""
_OVER: Final = 60.0
"""Minutes after the fault, at most."""
_NOTES: Final = "note"
"""The receiver that is told only once an hour, of the end too."""
_NOT_SCALED: Final = frozenset({"clock-ahead"})
_LEAST_TIMEOUT: Final = 3000
"""Milliseconds: a busy machine may take that long for an answer."""
_LISTS: Final = 300.0
"""Seconds that a list may take as long as TheEye answers other requests."""
_PLACE: Final = re.compile(r"(<!-- game day: made by `make game-day` -->\n).*?(<!-- /game day -->\n)", re.DOTALL)
_CANARY: Final = "canary"


@dataclass(slots=True)
class Effect:
    """What one alert did in one organisation; times in minutes, None if it did not happen.

    Attributes:
        objects: For how many objects it fired at once.
        fired: From the fault until it fired.
        told: Who was told.
        muted_by: The alerts that muted it at some time.
        resolved: From the end of the fault until the last receiver was told that it is over.
    """

    objects: int = 0
    fired: float | None = None
    told: set[str] = field(default_factory=set)
    muted_by: set[str] = field(default_factory=set)
    resolved: float | None = None


@dataclass(slots=True, kw_only=True)
class Day(Watch):
    """Organisations with a fault each, and what watches them.

    Attributes:
        theeyes: The simulated TheEyes by organisation.
        faults: Their faults.
        muted: What muted an alert, by organisation and name.
    """

    theeyes: Mapping[str, SimulatedTheEye]
    faults: Mapping[str, Fault]
    muted: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _looked: float = 0.0

    def look(self) -> None:
        """Write down what is muted now; at most twice a minute."""
        if time.time() < self._looked + self.minute / 2:
            return
        self._looked = time.time()
        alerts = requests.get(f"{self.alertmanager}/api/v2/alerts", timeout=30).json()
        names = {alert["fingerprint"]: alert["labels"]["alertname"] for alert in alerts}
        for alert in alerts:
            by = {names[source] for source in alert["status"]["inhibitedBy"] if source in names}
            if by:
                key = alert["labels"].get("organization", ""), alert["labels"]["alertname"]
                self.muted.setdefault(key, set()).update(by)

    def apply(self, *, broken: bool) -> float:
        """Switch all faults on or off at once; returns the Unix time."""
        for name, theeye in self.theeyes.items():
            theeye.faults = (self._scaled(self.faults[name]),) if broken else ()
        return time.time()

    def _scaled(self, fault: Fault) -> Fault:
        shortened = fault.name not in _NOT_SCALED
        return replace(fault, seconds=fault.seconds * self.minute / 60) if shortened else fault

    def over(self) -> bool:
        """Whether nothing fires any more, and every receiver but that of notes was told so."""
        open_ = set(self.told_now())
        return not query(self.prometheus, 'ALERTS{alertstate="firing"}') and not open_

    def told_now(self) -> Iterator[tuple[str, str]]:
        """Return the receivers, and the alerts of which they believe that they fire."""
        last: dict[tuple[str, str], str] = {}
        for notification in self.told:
            for status, labels in notification.alerts:
                last[notification.receiver, json.dumps(labels, sort_keys=True)] = status
        return (key for key, status in last.items() if status == "firing" and key[0] != _NOTES)


def play(day: Day, *, broken: Callable[[float], bool]) -> dict[str, dict[str, Effect]]:
    """Break everything, mend everything, and return the effects by organisation and alert.

    Args:
        day: The running programs.
        broken: Whether the faults have lasted long enough, after this many minutes.
    """
    day.wait_for(lambda: day.evaluations() >= 5 and not query(day.prometheus, "ALERTS"), "no alert is even pending")
    begin = day.apply(broken=True)

    def enough() -> bool:
        day.look()
        return broken((time.time() - begin) / day.minute)

    day.wait_for(enough, "the faults have lasted long enough", 2 * _OVER)
    end = day.apply(broken=False)

    def over() -> bool:
        day.look()
        return day.over() or time.time() > end + _OVER * day.minute

    day.wait_for(over, "everything is over", 2 * _OVER)
    return _effects(day, begin, end)


def _effects(day: Day, begin: float, end: float) -> dict[str, dict[str, Effect]]:
    effects: dict[str, dict[str, Effect]] = {name: {} for name in day.faults}
    asked: dict[str, str | float] = {
        "query": 'count by (organization, alertname) (ALERTS{alertstate="firing"})',
        "start": begin,
        "end": time.time(),
        "step": day.minute / 2,
    }
    answer = requests.get(f"{day.prometheus}/api/v1/query_range", params=asked, timeout=60).json()
    for series in answer["data"]["result"]:
        labels, values = series["metric"], series["values"]
        effect = effects[labels["organization"]].setdefault(labels["alertname"], Effect())
        effect.objects = max(int(value) for _, value in values)
        effect.fired = (values[0][0] - begin) / day.minute
        effect.muted_by = day.muted.get((labels["organization"], labels["alertname"]), set())
    for notification in day.told:
        for status, labels in notification.alerts:
            effect = effects[labels["organization"]].setdefault(labels["alertname"], Effect())
            if status == "firing":
                effect.told.add(notification.receiver)
            else:
                effect.resolved = (notification.at - end) / day.minute
    return effects


def rows(faults: Mapping[str, Fault], effects: Mapping[str, Mapping[str, Effect]]) -> Iterator[tuple[str, ...]]:
    """Return the cells of the table: fault, alert, minutes until it fires, who is told, what mutes it, minutes until that is over."""
    for name, fault in faults.items():
        label = f"`{fault}`"
        if not effects[name]:
            yield label, "none", "", "", "", ""
        for alert, effect in sorted(effects[name].items(), key=lambda item: (item[1].fired or 0, item[0])):
            yield (
                label,
                alert + (f" ({effect.objects})" if effect.objects > 1 else ""),
                _minutes(effect.fired),
                ", ".join(sorted(effect.told)),
                ", ".join(sorted(effect.muted_by)),
                _over(effect),
            )
            label = ""


def _over(effect: Effect) -> str:
    if not effect.told:
        return ""
    if effect.resolved is None:
        return "within the hour"
    return _minutes(effect.resolved) if effect.resolved > 0 else "before the fault ends"


def _minutes(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} min"


def table(cells: Iterator[tuple[str, ...]]) -> str:
    """Return the table as Markdown."""
    head = ("fault", "alert", "fires after", "receiver", "muted by", "resolved after")
    lines = (head, ("---",) * len(head), *cells)
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |").replace("|  |", "| |") for line in lines)


def into(document: str, text: str) -> str:
    """Return the document with this text at its place."""
    document, count = _PLACE.subn(lambda place: f"{place[1]}\n{text}\n{place[2]}", document)
    assert count == 1, "the document has no place for the table"
    return document


@contextmanager
def stage(faults: Sequence[str], folder: Path, minute: int) -> Iterator[Day]:
    """Run everything for these faults: a simulated TheEye for each, one exporter, a canary for each, and what watches them."""
    named = {f"org-{number:02}": parse_fault(fault) for number, fault in enumerate(faults)}
    exporter, actions = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with ExitStack() as programs:
        theeyes = {name: programs.enter_context(_theeye(name)) for name in named}
        for command, file, content, address in (
            (_exporter(minute), "exporter.yml", _exporter_config(theeyes, minute), exporter),
            (exporter_command("actions"), "actions.yml", _actions_config(theeyes, minute), actions),
        ):
            (folder / file).write_text(json.dumps(content))
            flags = (f"--config.file={folder / file}", f"--web.listen-address={address}")
            programs.enter_context(running([*command, *flags], folder / f"{file}.log"))
            eventually(partial(answers, f"http://{address}"), f"the process of {file} is ready")
        watch = programs.enter_context(watching(folder, minute, {"theeye": exporter, "theeye-actions": actions}))
        day = Day(watch.prometheus, watch.alertmanager, minute, watch.told, theeyes=theeyes, faults=named)
        for metric in ("theeye_job_last_outcome", "theeye_canary_success == 1"):
            asked = f"count(count by (organization) ({metric})) >= {len(named)}"
            day.wait_for(partial(query, day.prometheus, asked), f"{metric} of every organisation")
        yield day


@contextmanager
def _theeye(name: str) -> Iterator[SimulatedTheEye]:
    with SimulatedTheEye(DemoSettings(organization=name, monitors=24, tasks=12, calm=True)) as theeye:
        canary = Task("6a30f0c1a2b3c4d5e6f70809", _CANARY, "script", theeye.world.hosts["web-01"], theeye.world.now_ms)
        canary.script_id, canary.secret = "6a30f0c1a2b3c4d5e6f7080a", "5" * 64
        canary.ends = (Ending("success", 0.1), None)
        theeye.world.add_task(canary)
        yield theeye


def _exporter(minute: int) -> list[str]:
    """The exporter; only a list's time limit, which is no setting, is shortened."""
    code = (
        "from theeye_exporter.polling import organization\n"
        f"organization._LIST_TIMEOUT = {_LISTS * minute / 60}\n"
        "from theeye_exporter.__main__ import run\n"
        "run()"
    )
    return [sys.executable, "-c", code]


def _exporter_config(theeyes: Mapping[str, SimulatedTheEye], minute: int) -> dict[str, object]:
    return {
        "theeye": {"timeout": f"{max(_LEAST_TIMEOUT, round(TheEyeSettings().timeout * minute / 0.06))}ms"},
        "organizations": [
            {"name": name, "token": theeye.settings.token, "url": theeye.url} for name, theeye in theeyes.items()
        ],
        "collectors": {
            kind.name: {"interval": f"{max(1000, round(kind.interval * minute / 0.06))}ms"} for kind in COLLECTORS
        },
    }


def _actions_config(theeyes: Mapping[str, SimulatedTheEye], minute: int) -> dict[str, object]:
    # It looks at its runs every 5 seconds, however long a minute is.
    times = {"interval": f"{max(20, 5 * minute)}s", "timeout": f"{max(15, 2 * minute)}s"}
    return {
        "organizations": [
            {"name": name, "token": theeye.settings.user_token, "url": theeye.url} for name, theeye in theeyes.items()
        ],
        "canaries": [{"name": _CANARY, "organization": name, "task": _CANARY, **times} for name in theeyes],
    }


def main(page: Path, minute: int) -> None:
    """Play all faults side by side, and write the table into a page."""
    with tempfile.TemporaryDirectory() as temporary, stage(FAULTS, Path(temporary), minute) as day:
        effects = play(day, broken=lambda minutes: minutes >= BROKEN)
        if not day.kept_up(slow_polls=True):
            print("The machine did not keep up with some evaluations: times are too long.", file=sys.stderr)  # noqa: T201
        page.write_text(into(page.read_text(), table(rows(day.faults, effects))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
