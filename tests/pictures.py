"""Takes the pictures of the dashboards for the documentation: `make pictures`."""

import sys
import tempfile
from pathlib import Path

from dashboards import DASHBOARDS
from history import live_through, prometheus_of
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_preview.camera import take_pictures
from theeye_preview.data import Prometheus
from theeye_preview.page import render
from theeye_preview.variables import Chosen, TimeRange, interpolate, options_of_query_result

HOURS, STEP = 6.0, 30.0
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


def main(folder: Path) -> None:
    """Live through six hours and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        past = live_through(
            Path(temporary),
            hours=HOURS,
            step=STEP,
            settings=DemoSettings(monitors=120, tasks=40),
            events={3.5: expire, 3.65: mend, 5.8: silence, 5.9: fill},
        )
        with prometheus_of(past, Path(temporary)) as url:
            prometheus = Prometheus(url)
            time = TimeRange(past.start, past.end, past.step)
            pages = {}
            for name, dashboard in DASHBOARDS.items():
                chosen, shown = Chosen(time), {}
                if name == "task":
                    (variable,) = (v for v in dashboard["templating"]["list"] if v["name"] == "task")
                    query = variable["query"].removeprefix("query_result(").removesuffix(")")
                    found = prometheus.ask("query", query=interpolate(query, dashboard, chosen), time=past.end)
                    task = options_of_query_result(found["result"], variable["regex"])[TASK]
                    chosen, shown = Chosen(time, {"task": [task]}), {"task": TASK}
                pages[folder / f"dashboard-{name}.png"] = render(dashboard, prometheus, chosen, shown_values=shown)
    take_pictures(pages)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
