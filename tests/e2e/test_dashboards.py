"""Runs every expression of the dashboards on a real Prometheus with an hour of a simulated TheEye."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from dashboards import DASHBOARDS, Expression, expressions, panels
from history import Past, live_through, prometheus_of
from past_actions import LIVE
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.demo import DemoSettings, SimulatedTheEye, parse_fault
from theeye_preview.data import Prometheus, lines_of, table_of
from theeye_preview.variables import Chosen, TimeRange, interpolate, options_of_query_result

pytestmark = pytest.mark.e2e

JSON = dict[str, Any]

STEP = 30.0
HOURS = 1.0
EVERY = expressions()

# What has no answer when all is well, or where the simulated TheEye has nothing of the kind.
OFTEN_EMPTY = {
    "actions": {"Alerts that started nothing, per hour A", "Still firing after a run, by action A"},
    "exporter": {
        "Failed polls per minute, by reason A",
        "Left out per minute A",
        "Series cut, by family A",
        "Share of failed requests A",
        "TheEye's servers C",
    },
    "hosts": {
        *(f"{title} C" for title in ("CPU", "Memory", "Swap", "Disk")),
        "Scripts with an error A",
        "HTTP checks with an error A",
    },
    "jobs": {f"Schedules in trouble {query}" for query in "ABCDEFG"},
    "overview": {
        "Failing monitors A",
        "Tasks whose last run failed A",
        "Tasks whose last run failed B",
        "Hosts at or near a limit A",
        "Hosts at or near a limit B",
        "Alerts A",
    },
    "task": {
        "Oldest open job A",
        "Run time, with single runs D",
        "Created jobs, counted runs and unseen runs per hour C",
    },
}


class Setup(NamedTuple):
    """A Prometheus, and the expected values."""

    prometheus: Prometheus
    past: Past
    time: TimeRange


def lived(folder: Any, **how: Any) -> Iterator[Setup]:
    past = live_through(folder, step=STEP, **how)
    with prometheus_of(past, folder) as url:
        yield Setup(Prometheus(url), past, TimeRange(past.start, past.end, STEP))


def expire_and_silence(theeye: SimulatedTheEye) -> None:
    theeye.world.silence_host(min(theeye.world.hosts))
    theeye.faults = (parse_fault("token-expired"),)


def mend(theeye: SimulatedTheEye) -> None:
    theeye.faults = ()


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Two exporters of the same TheEye: nothing may count twice, and joins must not be many-to-many."""
    yield from lived(
        tmp_path_factory.mktemp("past"),
        hours=HOURS,
        settings=DemoSettings(monitors=40, tasks=24),
        instances=("one:9855", "two:9855"),
        events={0.02: lambda theeye: theeye.world.silence_host(max(theeye.world.hosts))},
    )


def tasks_of(setup: Setup) -> dict[str, str]:
    """Return the ids of the tasks by what the variable shows."""
    dashboard = DASHBOARDS["task"]
    (variable,) = (v for v in dashboard["templating"]["list"] if v["name"] == "task")
    inner = variable["query"].removeprefix("query_result(").removesuffix(")")
    query = interpolate(inner, dashboard, Chosen(setup.time))
    return options_of_query_result(
        setup.prometheus.ask("query", query=query, time=setup.time.end)["result"], variable["regex"]
    )


def busiest_task(setup: Setup) -> str:
    """Return the task with the most runs of which the run time is known."""
    timed = Counter[str]()
    for (owner, _), tally in setup.past.ended_runs.items():
        timed[owner] += tally.timed if owner in setup.past.tasks else 0
    return max(timed, key=lambda task: (timed[task], task))


def answers(setup: Setup, expression: Expression, values: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    dashboard = DASHBOARDS[expression.dashboard]
    chosen = Chosen(setup.time, values)
    if expression.panel is not None:
        return setup.prometheus.target(dashboard, expression.panel, expression.target, chosen)
    query = interpolate(expression.raw, dashboard, chosen)
    found: list[dict[str, Any]] = setup.prometheus.ask("query", query=query, time=setup.time.end)["result"]
    return found


def value(setup: Setup, dashboard: str, title: str, **values: Sequence[str]) -> float:
    """Return the sum of the numbers in a panel."""
    (panel,) = (panel for panel in panels(DASHBOARDS[dashboard]) if panel["title"] == title)
    lines = lines_of(setup.prometheus, DASHBOARDS[dashboard], panel, Chosen(setup.time, values))
    return sum(line.last or 0 for line in lines)


def test_every_expression_is_answered_when_everything_is_chosen(setup: Setup) -> None:
    empty: dict[str, set[str]] = {}
    for expression in EVERY:
        if expression.where.startswith("Age of the data ") and not expression.where.endswith("C"):
            continue  # said only of what is late
        if not answers(setup, expression, {"task": [busiest_task(setup)]} if expression.dashboard == "task" else {}):
            empty.setdefault(expression.dashboard, set()).add(expression.where)
    unexpected = {name: sorted(found - OFTEN_EMPTY[name]) for name, found in empty.items()}
    assert {name: found for name, found in unexpected.items() if found} == {}


def test_every_expression_is_answered_when_one_of_each_is_chosen(setup: Setup) -> None:
    values = {
        "job": ["theeye"],
        "instance": ["one:9855"],
        "organization": ["demo"],
        "hostname": [max(setup.past.hosts)],
        "task": [busiest_task(setup)],
    }
    for expression in EVERY:
        answers(setup, expression, values)
    assert value(setup, "exporter", "Series", instance=["one:9855"]) * 2 == value(setup, "exporter", "Series")


def test_a_choice_of_nobody_is_no_error(setup: Setup) -> None:
    odd = ["a.b*c[d](e)+{f}^$|\\ 'g'", "h"]
    for expression in EVERY:
        if expression.panel is not None:
            answers(setup, expression, {"organization": odd, "hostname": odd, "task": odd[1:]})


def test_monitors_in_trouble_are_those_of_theeye(setup: Setup) -> None:
    states = setup.past.states
    failing = sum(count for (state, _), count in states.items() if state == "failure")
    silent = sum(count for (state, _), count in states.items() if state == "updates_stopped")
    assert silent > 0
    assert value(setup, "overview", "Failing monitors, by severity") == failing
    assert value(setup, "overview", "Silent monitors, by severity") == silent
    assert value(setup, "hosts", "Failing monitors") == failing
    assert value(setup, "hosts", "Silent monitors") == silent
    title = "Silent monitors, by host"
    (panel,) = (panel for panel in panels(DASHBOARDS["overview"]) if panel["title"] == title)
    table = table_of(setup.prometheus, DASHBOARDS["overview"], panel, Chosen(setup.time))
    for field, severity in (("Value #B", "CRITICAL"), ("Value #C", "HIGH"), ("Value #D", "LOW")):
        assert sum(row.get(field, 0) for row in table.rows) == states["updates_stopped", severity]


def test_hosts_are_those_of_theeye(setup: Setup) -> None:
    assert value(setup, "hosts", "Hosts") == len(setup.past.hosts)


def test_runs_are_those_of_theeye(setup: Setup) -> None:
    one = {"instance": ["one:9855"]}
    runs, successes, canceled = setup.past.runs(), setup.past.runs("success"), setup.past.runs("canceled")
    assert runs > 300
    # What Prometheus calls an increase is extrapolated to the whole range.
    assert value(setup, "jobs", "Finished runs", **one) == pytest.approx(runs, rel=0.02)
    rate = successes / (runs - canceled)
    assert value(setup, "jobs", "Success rate", **one) == pytest.approx(rate, abs=0.01)
    # A rate is the same for two exporters.
    assert value(setup, "jobs", "Success rate") == pytest.approx(rate, abs=0.01)
    task = busiest_task(setup)
    of_task = setup.past.ended_runs.runs(task, "success") / (
        setup.past.ended_runs.runs(task) - setup.past.ended_runs.runs(task, "canceled")
    )
    assert value(setup, "task", "Success rate", task=[task]) == pytest.approx(of_task, abs=0.02)


def test_the_variable_of_tasks_offers_each_by_name_and_host(setup: Setup) -> None:
    options = tasks_of(setup)
    assert set(options.values()) <= setup.past.tasks
    tricky = [text for text in options if text.startswith('tricky "task"\\ with\nnewline ñ 🙂 · ')]
    assert tricky
    for text in tricky:
        answer = value(setup, "task", "Open jobs", task=[options[text]])
        assert answer >= 0


def test_without_tasks_and_jobs_panels_say_so(tmp_path: Any) -> None:
    for bare in lived(tmp_path, hours=0.2, settings=DemoSettings(monitors=5, tasks=0)):
        for expression in EVERY:
            answers(bare, expression, {"task": ["0" * 24]})
        (panel,) = (panel for panel in panels(DASHBOARDS["jobs"]) if panel["title"] == "Stuck tasks")
        assert lines_of(bare.prometheus, DASHBOARDS["jobs"], panel, Chosen(bare.time)) == []
        assert panel["fieldConfig"]["defaults"]["noValue"] == "No tasks, or there is no data"


def test_an_outage_is_seen_and_ends(tmp_path: Any) -> None:
    events = {0.1: expire_and_silence, 0.2: mend}
    for after in lived(tmp_path, hours=0.3, settings=DemoSettings(monitors=20, tasks=5), events=events):
        during = after._replace(time=TimeRange(after.past.start, after.past.start + 0.17 * 3600, STEP))
        assert value(during, "overview", "TheEye up") == 0
        assert value(during, "exporter", "Failing collectors") == len(COLLECTORS)
        assert value(during, "overview", "Age of the data") > 180
        assert value(after, "overview", "TheEye up") == 1
        assert value(after, "exporter", "Failing collectors") == 0


def shown(setup: Setup, name: str, panel: JSON, **values: Sequence[str]) -> str:
    """Return all text in a panel."""
    chosen = Chosen(setup.time, {"task": ["0" * 24]} if name == "task" else values)
    empty = panel["fieldConfig"]["defaults"].get("noValue", "")
    if panel["type"] == "table":
        rows = table_of(setup.prometheus, DASHBOARDS[name], panel, chosen).rows
        return " ".join(str(value) for row in rows for value in row.values()) if rows else empty
    return " ".join(line.name for line in lines_of(setup.prometheus, DASHBOARDS[name], panel, chosen)) or empty


@pytest.mark.parametrize("name", DASHBOARDS)
def test_where_nothing_is_scraped_every_panel_says_so(name: str, setup: Setup) -> None:
    nobody = setup._replace(time=TimeRange(setup.past.end + 7200, setup.past.end + 10_800, STEP))
    for panel in panels(DASHBOARDS[name]):
        assert "no data" in shown(nobody, name, panel).lower(), panel["title"]


def test_the_banner_says_since_when_the_exporter_is_not_scraped(setup: Setup) -> None:
    later = setup._replace(time=TimeRange(setup.past.end - 1800, setup.past.end + 1800, STEP))
    (banner,) = (panel for panel in panels(DASHBOARDS["overview"]) if panel["title"] == "Age of the data")
    assert shown(later, "overview", banner) == "No data. Time since the last scrape of the exporter:"
    assert value(later, "overview", "Age of the data") == pytest.approx(1800, abs=90)


def test_while_theeye_is_away_no_table_says_that_all_is_well(tmp_path: Any) -> None:
    for away in lived(
        tmp_path, hours=0.3, settings=DemoSettings(monitors=20, tasks=5), events={0.1: expire_and_silence}
    ):
        for name in ("overview", "hosts", "jobs", "indicators"):
            for panel in panels(DASHBOARDS[name]):
                if panel["type"] == "table" and "absent(" in panel["targets"][0]["expr"]:
                    assert "No data: demo" in shown(away, name, panel), panel["title"]
        (banner,) = (panel for panel in panels(DASHBOARDS["overview"]) if panel["title"] == "Age of the data")
        assert " is late. Its data:" in shown(away, "overview", banner)
        assert "All data is current" not in shown(away, "overview", banner)


def fill_a_disk(theeye: SimulatedTheEye) -> None:
    """Let every dstat monitor of one host report the same full disk."""
    theeye.world.frozen = True
    values = {"cpu": 5, "mem": 5.0, "cache": None, "disk": [{"name": "full", "value": 99.0}]}
    watching = [monitor for monitor in theeye.world.monitors.values() if monitor.type == "dstat"]
    host = max(monitor.hostname for monitor in watching)
    of_host = [monitor.id for monitor in watching if monitor.hostname == host]
    assert len(of_host) > 1
    for monitor in of_host:
        theeye.world.set_monitor_state(monitor, "failure")
        theeye.world.edit_monitor(monitor, last_event={"state": "failure", "data": values})


def test_a_disk_that_several_monitors_watch_is_one_disk(tmp_path: Any) -> None:
    events = {0.09: fill_a_disk}
    for full in lived(tmp_path, hours=0.1, settings=DemoSettings(monitors=40, tasks=0), events=events):
        query = 'theeye_host_disk_usage_ratio{device="full"}'
        assert len(full.prometheus.ask("query", query=query, time=full.time.end)["result"]) > 1
        found = "group by (hostname, device) (theeye_host_disk_usage_ratio > 0.9)"
        disks = len(full.prometheus.ask("query", query=found, time=full.time.end)["result"])
        assert value(full, "hosts", "Disks above the limit") == disks


def test_actions_are_shown_by_what_became_of_alerts_and_runs(setup: Setup) -> None:
    assert value(setup, "actions", "Runs started") == pytest.approx(6, abs=1)
    assert value(setup, "actions", "Success rate") == pytest.approx(5 / 6, abs=0.02)
    assert value(setup, "actions", "Resolved after a run") == pytest.approx(0.5, abs=0.02)
    assert value(setup, "actions", "Resolved after a run", action=[LIVE]) == pytest.approx(1)
    assert value(setup, "actions", "Still firing after a run") == 0
    assert value(setup, "actions", "Mode, by action") == 1  # one is live, the other one a dry run
    (panel,) = (panel for panel in panels(DASHBOARDS["actions"]) if panel["title"] == "Still firing after a run")
    assert (
        shown(setup, "actions", panel, action=["clean disk"])
        == "No run succeeded in this time range, or there is no data"
    )
    assert "No action is suspended" in shown(setup, "actions", panels(DASHBOARDS["actions"])[0])


def test_canaries_are_shown_by_result_outcome_and_phase(setup: Setup) -> None:
    assert value(setup, "canaries", "Failing canaries") == 0
    assert value(setup, "canaries", "Runs") == pytest.approx(24, abs=1)
    assert value(setup, "canaries", "Success rate") == pytest.approx(21 / 24, abs=0.01)
    assert value(setup, "canaries", "Success rate", canary=["search on web-02"]) == pytest.approx(9 / 12, abs=0.02)
    longest = value(setup, "canaries", "Longest turnaround")
    assert value(setup, "canaries", "Phases of a run, on average") == pytest.approx(longest)
    failing = setup._replace(time=TimeRange(setup.past.start, setup.past.start + 1500, STEP))
    assert value(failing, "canaries", "Failing canaries") == 1
