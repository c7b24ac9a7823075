"""Takes the pictures of the dashboards for the documentation: `make pictures`."""

import sys
import tempfile
from pathlib import Path

from dashboards import DASHBOARDS
from history import Event, Past, live_through, prometheus_of
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_preview.camera import take_pictures
from theeye_preview.data import Prometheus
from theeye_preview.page import render
from theeye_preview.variables import Chosen, TimeRange, interpolate, options_of_query_result

STEP = 30.0
TASK = "reindex search · web-01"


def expire(theeye: SimulatedTheEye) -> None:
    """TheEye refuses the token for a while."""
    theeye.faults = (parse_fault("token-expired"),)


def mend(theeye: SimulatedTheEye) -> None:
    """TheEye accepts it again."""
    theeye.faults = ()


def silence(theeye: SimulatedTheEye) -> None:
    """A host goes down."""
    theeye.world.silence_host("cache-02")


def fill(theeye: SimulatedTheEye) -> None:
    """A disk is full and another one nearly so, and programs take the memory of a third host."""
    for hostname, values in {
        "db-01": {"cpu": 31, "mem": 62.0, "cache": None, "disk": [{"name": "sda", "value": 96.4}]},
        "web-02": {"cpu": 64, "mem": 93.1, "cache": 71.5, "disk": [{"name": "vda", "value": 85.2}]},
    }.items():
        for monitor in theeye.world.monitors.values():
            if monitor.type == "dstat" and monitor.hostname == hostname:
                theeye.world.edit_monitor(monitor.id, last_event={"state": "failure", "data": values})
                theeye.world.set_monitor_state(monitor.id, "failure")


def storm(theeye: SimulatedTheEye) -> None:
    """Every monitor of the web servers fails, and the bots of the databases are silent."""
    theeye.faults = (parse_fault("monitor-failing=web-*/*"), parse_fault("bot-silent=db-*"))


SCENES: dict[str, tuple[float, dict[float, Event]]] = {
    "": (1.0, {0.5: expire, 0.53: mend, 0.9: silence, 0.95: fill}),
    "-outage": (1.0, {0.8: expire}),
    "-storm": (1.0, {0.9: storm}),
}
"""What is lived through, by the end of the pictures' names: hours, and what happens in them. Only the first has all pages."""


def main(folder: Path) -> None:
    """Live through each scene and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene, (hours, events) in SCENES.items():
        with tempfile.TemporaryDirectory() as temporary:
            past = live_through(
                Path(temporary), hours=hours, step=STEP, settings=DemoSettings(monitors=120, tasks=40), events=events
            )
            with prometheus_of(past, Path(temporary)) as url:
                names = ("overview",) if scene else tuple(DASHBOARDS)
                pages = {folder / f"dashboard-{name}{scene}.png": page(name, Prometheus(url), past) for name in names}
        take_pictures(pages)


def page(name: str, prometheus: Prometheus, past: Past) -> str:
    """Return a dashboard as HTML; that of a task shows one."""
    time, dashboard = TimeRange(past.start, past.end, past.step), DASHBOARDS[name]
    if name != "task":
        return render(dashboard, prometheus, Chosen(time), shown_values={})
    (variable,) = (v for v in dashboard["templating"]["list"] if v["name"] == "task")
    query = interpolate(variable["query"].removeprefix("query_result(").removesuffix(")"), dashboard, Chosen(time))
    found = prometheus.ask("query", query=query, time=past.end)
    task = options_of_query_result(found["result"], variable["regex"])[TASK]
    return render(dashboard, prometheus, Chosen(time, {"task": [task]}), shown_values={"task": TASK})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
