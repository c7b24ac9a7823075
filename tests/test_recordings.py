"""Tests the exported values for recorded responses of a real TheEye, over HTTP."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from playback import MORE, RECORDED_AT, T0, T1, TOKEN, Recording, Server, http_server
from polls import poll
from samples import Labels, Series, body, labels, shown
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.settings import CollectorSettings
from theeye_exporter.config import CollectorsSettings, OrganizationSettings, Settings
from theeye_exporter.exposition.render import Format
from theeye_exporter.polling.exporter import Exporter


@dataclass
class Playback:
    """An exporter and the recording it polls."""

    recording: Recording
    server: Server
    exporter: Exporter

    def poll(self) -> Series:
        assert set(poll(self.exporter).values()) == {None}
        return shown(self.exporter.store.current())

    def at_once(self) -> Series:
        """Return what a second exporter shows that has seen nothing else."""
        fresh = Playback(self.recording, self.server, Exporter(self.exporter.settings, self.exporter.clocks))
        found = fresh.poll()
        fresh.exporter.stop()
        return found


@pytest.fixture
def playback() -> Iterator[Playback]:
    recording = Recording(T0)
    with http_server(recording) as server:
        settings = Settings(
            organizations=(OrganizationSettings(name="demo", url=server.url, token=SecretStr(TOKEN)),),
        )

        def recorded_now() -> float:
            return RECORDED_AT[recording.folder].timestamp()

        exporter = Exporter(settings, Clocks(wall=recorded_now))
        yield Playback(recording, server, exporter)
        exporter.stop()


def load(recording: Recording, name: str) -> Any:
    return json.loads((recording.folder / name).read_text())


def unix(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def monitor_labels(monitor: dict[str, Any], **more: str) -> Labels:
    return labels(
        organization="demo", monitor_id=monitor["id"], monitor=monitor["name"], hostname=monitor["hostname"], **more
    )


def task_labels(task: dict[str, Any], **more: str) -> Labels:
    return labels(organization="demo", task_id=task["id"], task=task["name"], hostname=task.get("hostname", ""), **more)


def of_family(found: Series, name: str) -> dict[Labels, float]:
    return {key: value for (sample, key), value in found.items() if sample == name}


def expected(objects: list[dict[str, Any]], value: Callable[[dict[str, Any]], Any], of: Any) -> dict[Labels, float]:
    return {of(o): value(o) for o in objects if value(o) is not None}


@pytest.mark.parametrize("folder", [T0, T1], ids=["t0", "t1"])
def test_every_monitor_has_the_recorded_state_counters_and_times(playback: Playback, folder: Any) -> None:
    playback.recording.folder = folder
    found = playback.poll()
    monitors = load(playback.recording, "monitor.json")
    assert of_family(found, "theeye_monitor_state") == {
        monitor_labels(m, state=state): float(m["state"] == state)
        for m in monitors
        for state in ("normal", "failure", "updates_stopped", "unknown")
    }
    for name, value in {
        "theeye_monitor_enabled": lambda m: float(m["enable"]),
        "theeye_monitor_consecutive_failures": lambda m: m["fails_count"],
        "theeye_monitor_recoveries_total": lambda m: m["recovery_count"],
        "theeye_monitor_interval_seconds": lambda m: m["monitor"]["looptime"] / 1000 or None,
        "theeye_monitor_last_update_timestamp_seconds": lambda m: unix(m["last_update"]),
        "theeye_monitor_last_check_timestamp_seconds": lambda m: unix(m["last_check"]),
    }.items():
        assert of_family(found, name) == expected(monitors, value, monitor_labels), name
    assert of_family(found, "theeye_monitor_info") == {
        monitor_labels(
            m,
            monitor_type=m["type"],
            severity=m["failure_severity"],
            tags=",".join(m["monitor"]["tags"]),
            alerts="true" if m["alerts"] else "false",
            host_id=m.get("host_id", ""),
        ): 1.0
        for m in monitors
    }
    groups = Counter((m["state"], m["failure_severity"]) for m in monitors)
    assert {key: count for key, count in of_family(found, "theeye_monitors").items() if count} == {
        labels(organization="demo", state=state, severity=severity): count
        for (state, severity), count in groups.items()
    }
    hosts = Counter(m["state"] for m in monitors if m["type"] == "host")
    assert of_family(found, "theeye_hosts") == {
        labels(organization="demo", state="up"): hosts["normal"],
        labels(organization="demo", state="silent"): hosts["updates_stopped"],
        labels(organization="demo", state="disabled"): 0,
    }
    assert hosts == {"normal": 2, "updates_stopped": 1}


@pytest.mark.parametrize("folder", [T0, T1], ids=["t0", "t1"])
def test_every_measured_value_is_the_recorded_one_and_a_silent_bot_has_none(playback: Playback, folder: Any) -> None:
    playback.recording.folder = folder
    found = playback.poll()
    monitors = load(playback.recording, "monitor.json")
    reporting = [m for m in monitors if m["state"] != "updates_stopped"]
    assert {m["hostname"] for m in monitors} - {m["hostname"] for m in reporting} == {"bot-3"}

    def host_labels(monitor: dict[str, Any], **more: str) -> Labels:
        return labels(organization="demo", monitor_id=monitor["id"], hostname=monitor["hostname"], **more)

    dstat = [m for m in reporting if m["type"] == "dstat"]
    for name, key in {
        "theeye_host_cpu_usage_ratio": "cpu",
        "theeye_host_memory_usage_ratio": "mem",
    }.items():
        assert of_family(found, name) == {host_labels(m): m["last_event"]["data"][key] / 100 for m in dstat}
    assert of_family(found, "theeye_host_disk_usage_ratio") == {
        host_labels(m, device=disk["name"]): disk["value"] / 100
        for m in dstat
        for disk in m["last_event"]["data"]["disk"]
    }
    assert {m["last_event"]["data"]["cache"] for m in dstat} == {None}
    assert of_family(found, "theeye_host_cache_usage_ratio") == {}
    assert of_family(found, "theeye_host_usage_threshold_ratio") == {
        host_labels(m, resource={"mem": "memory"}.get(resource, resource)): limit / 100
        for m in monitors
        if m["type"] == "dstat"
        for resource, limit in m["monitor"]["config"]["limit"].items()
    }

    def of_type(kind: str) -> list[dict[str, Any]]:
        return [m for m in reporting if m["type"] == kind]

    def data(monitor: dict[str, Any]) -> dict[str, Any]:
        return monitor["last_event"].get("data", {})  # type: ignore[no-any-return] # JSON

    assert of_family(found, "theeye_monitor_script_duration_seconds") == expected(
        of_type("script"),
        lambda m: data(m)["times"]["seconds"] + data(m)["times"]["nanoseconds"] / 1e9,
        monitor_labels,
    )
    assert of_family(found, "theeye_monitor_script_exit_code") == expected(
        of_type("script"), lambda m: data(m)["code"], monitor_labels
    )
    assert of_family(found, "theeye_monitor_http_status_code") == expected(
        of_type("scraper"), lambda m: data(m).get("response", {}).get("status_code"), monitor_labels
    )
    assert of_family(found, "theeye_monitor_processes") == expected(
        of_type("process"), lambda m: len(data(m)["ps"]), monitor_labels
    )


@pytest.mark.parametrize("folder", [T0, T1], ids=["t0", "t1"])
def test_every_task_and_its_last_run_are_the_recorded_ones(playback: Playback, folder: Any) -> None:
    playback.recording.folder = folder
    found = playback.poll()
    tasks = load(playback.recording, "task_list.json")
    jobs = load(playback.recording, "job_list.json")
    assert of_family(found, "theeye_task_executions_total") == expected(
        tasks, lambda t: t["execution_count"], task_labels
    )
    assert of_family(found, "theeye_task_timeout_seconds") == expected(
        tasks, lambda t: t.get("timeout", 600_000) / 1000, task_labels
    )
    ended = [j for j in jobs if j["lifecycle"] in {"finished", "terminated", "canceled"}]
    last: dict[Labels, dict[str, Any]] = {}
    for task in tasks:
        of_task = [j for j in ended if j.get("task_id") == task["id"]]
        if of_task:
            job = max(of_task, key=lambda j: str(j["last_update"]))
            last[task_labels(task)] = load(playback.recording, f"job_{job['id']}.json")
    assert len(last) == len(tasks)
    assert of_family(found, "theeye_job_last_finish_timestamp_seconds") == {
        key: unix(job["last_update"]) for key, job in last.items()
    }
    assert of_family(found, "theeye_job_last_turnaround_seconds") == {
        key: pytest.approx(unix(job["last_update"]) - unix(job["creation_date"]), abs=1e-6) for key, job in last.items()
    }
    assert of_family(found, "theeye_job_last_duration_seconds") == {
        key: pytest.approx(times["seconds"] + times["nanoseconds"] / 1e9, abs=1e-9)
        for key, job in last.items()
        if (times := job["result"].get("times"))
    }
    assert of_family(found, "theeye_job_last_exit_code") == {
        key: job["result"]["code"] for key, job in last.items() if job["result"].get("code") is not None
    }
    assert of_family(found, "theeye_job_last_outcome") == {
        key | labels(outcome=outcome): float(job["state"] == outcome)
        for key, job in last.items()
        for outcome in ("success", "failure", "timeout", "canceled", "error", "unknown")
    }
    assert of_family(found, "theeye_job_last_success_timestamp_seconds") == {
        task_labels(task): max(successes)
        for task in tasks
        if (
            successes := [
                unix(j["last_update"]) for j in ended if j.get("task_id") == task["id"] and j["state"] == "success"
            ]
        )
    }
    open_jobs = [j for j in jobs if j not in ended]
    by_id = {task["id"]: task for task in tasks}
    assert of_family(found, "theeye_task_jobs") == {
        task_labels(by_id[j["task_id"]], lifecycle=j["lifecycle"]): 1.0 for j in open_jobs
    }
    assert of_family(found, "theeye_task_oldest_open_job_timestamp_seconds") == {
        task_labels(by_id[j["task_id"]], lifecycle=j["lifecycle"]): unix(j["creation_date"]) for j in open_jobs
    }
    assert of_family(found, "theeye_jobs") == {
        labels(organization="demo", lifecycle=lifecycle): float(
            len([j for j in open_jobs if j["lifecycle"] == lifecycle])
        )
        for lifecycle in ("ready", "assigned", "onhold", "syncing", "locked", "started")
    }


RUNNING = ("scheduled ok", "scheduled fail", "scheduled flaky", "scheduled hang", "scheduled slow", "dummy no args")
SCHEDULES_OF_MORE = {
    # State and next run of the only schedule of each.
    **dict.fromkeys(RUNNING, ("active", "2026-11-28T02:20:00.000Z")),
    "args task": ("active", "2026-11-29T02:13:34.000Z"),
    "ghost task": ("active", "2026-11-29T02:13:34.000Z"),
    "schedule disabled": ("disabled", None),
    "schedule failed": ("failed", None),
}
TRIGGERS_OF_MORE = {
    "scheduled ok": "2026-11-28T02:19:00.008Z",
    "scheduled fail": "2026-11-28T02:19:00.036Z",
    "scheduled flaky": "2026-11-28T02:19:00.053Z",
    "scheduled hang": "2026-11-28T02:19:00.056Z",
    "scheduled slow": "2026-11-28T02:19:00.238Z",
    "dummy no args": "2026-11-28T02:19:00.441Z",
    "schedule disabled": "2026-11-28T02:13:39.150Z",
    "schedule failed": "2026-11-28T02:15:06.497Z",
}


def test_every_schedule_is_the_recorded_one(playback: Playback) -> None:
    tasks = json.loads((MORE / "task_list.json").read_text())
    playback.recording.changes["/demo/task"] = lambda _: tasks
    found = playback.poll()
    scheduled = {task["name"]: task_labels(task) for task in tasks if task["name"] in SCHEDULES_OF_MORE}
    assert of_family(found, "theeye_task_schedules") == {
        key | {("state", state)}: float(state == SCHEDULES_OF_MORE[name][0])
        for name, key in scheduled.items()
        for state in ("active", "disabled", "failed")
    }
    assert of_family(found, "theeye_task_schedule_next_run_timestamp_seconds") == {
        scheduled[name]: unix(at) for name, (_, at) in SCHEDULES_OF_MORE.items() if at is not None
    }
    assert of_family(found, "theeye_task_schedule_last_trigger_timestamp_seconds") == {
        scheduled[name]: unix(at) for name, at in TRIGGERS_OF_MORE.items()
    }
    assert of_family(found, "theeye_task_schedule_failures") == {
        key: float(name == "schedule failed") for name, key in scheduled.items()
    }
    assert of_family(found, "theeye_task_schedule_last_failure_timestamp_seconds") == {
        scheduled["schedule failed"]: unix("2026-11-28T02:15:07.817Z")
    }


HOSTS_OF_T0 = {
    # Id, name, version, memory and processors of each.
    ("6b02e717409f6d2a624a35c1", "bot-1", "6.18.44-fc-v595", "v2.1.1", 25276514304.0, 1.0),
    ("6b02e819409f6d2a624a3bf5", "bot-3", "6.18.44-fc-v595", "v2.1.1", 25276514304.0, 1.0),
    ("6b02e819409f6d2a624a3bf8", "bot-2", "6.18.44-fc-v595", "v2.1.1", 25276514304.0, 1.0),
}
HOSTS_OF_MORE = {
    ("6b0a386a0345525a7e4df5a0", "bot-1", "6.18.44-amd64", "2.1.1", 25276063744.0, 2.0),
    ("6b0a386b0345525a7e4df5b4", "bot-2", "6.18.44-amd64", "2.1.1", 25276063744.0, 2.0),
    ("6b0a38a35bcb97ebca95245f", "bot-3", "6.18.44-amd64", "2.1.1", 25276063744.0, 2.0),
}


@pytest.mark.parametrize(
    ("file", "hosts"),
    [
        (T0 / "host_list.json", HOSTS_OF_T0),
        (T1 / "host_list.json", HOSTS_OF_T0),
        (MORE / "host_list.json", HOSTS_OF_MORE),
        (MORE / "viewer_host_list.json", HOSTS_OF_MORE),
    ],
    ids=["t0", "t1", "more", "viewer"],
)
def test_every_host_is_the_recorded_one(playback: Playback, file: Path, hosts: set[Any]) -> None:
    playback.recording.changes["/demo/host"] = lambda _: json.loads(file.read_text())
    found = playback.poll()

    def host_labels(host: Any, **more: str) -> Labels:
        return labels(organization="demo", host_id=host[0], hostname=host[1], **more)

    assert of_family(found, "theeye_host_info") == {
        host_labels(host, platform="linux", release=host[2], arch="x64", agent_version=host[3]): 1 for host in hosts
    }
    assert of_family(found, "theeye_host_enabled") == {host_labels(host): 1 for host in hosts}
    assert of_family(found, "theeye_host_memory_total_bytes") == {host_labels(host): host[4] for host in hosts}
    assert of_family(found, "theeye_host_cpus") == {host_labels(host): host[5] for host in hosts}


VALUES_OF_MORE = {
    "progress 42": 42,
    "progress string": 12.5,
    "progress bool": 1,
    "counter 7": 7,
    "counter string": 12.5,
    "counter float": 1.5e300,
    "noacl indicator": 1,
    "db progress string": 12.5,
    "db progress words": 0,
    "db progress object": 0,
    "db progress bool": 1,
    "db progress nan": 0,
    "db counter list": 0,
}
"""The others have null, a text where there should be a number ("db untyped"), or a type without a number."""


@pytest.mark.parametrize(
    ("folder", "values"),
    [(T0, {"Revenue": 37.5, "Queue %": 42}), (T1, {"Revenue": 37.5, "Queue %": 42}), (MORE, VALUES_OF_MORE)],
    ids=["t0", "t1", "more"],
)
def test_every_indicator_is_the_recorded_one(playback: Playback, folder: Path, values: dict[str, float]) -> None:
    indicators = json.loads((folder / "indicator_list.json").read_text())
    playback.recording.changes["/indicator"] = lambda _: indicators
    found = playback.poll()

    def indicator_labels(indicator: Any, **more: str) -> Labels:
        return labels(organization="demo", indicator_id=indicator["id"], indicator=indicator["title"], **more)

    assert of_family(found, "theeye_indicator_value") == {
        indicator_labels(i): values[i["title"]] for i in indicators if i["title"] in values
    }
    assert of_family(found, "theeye_indicator_info") == {
        indicator_labels(
            i, indicator_type=i.get("type", ""), severity=i["severity"], tags="live" if "live" in i["tags"] else ""
        ): 1
        for i in indicators
    }
    assert of_family(found, "theeye_indicator_state") == {
        indicator_labels(i, state=state): float(i["state"] == state)
        for i in indicators
        for state in ("normal", "failure", "updates_stopped", "unknown")
    }
    assert of_family(found, "theeye_indicator_enabled") == {indicator_labels(i): 1 for i in indicators}
    assert of_family(found, "theeye_indicator_last_update_timestamp_seconds") == {
        indicator_labels(i): unix(i["last_update"]) for i in indicators
    }


@pytest.mark.parametrize("file", ["webhook_list.json", "viewer_webhook_list.json"])
def test_every_webhook_is_the_recorded_one(playback: Playback, file: str) -> None:
    playback.recording.changes["/demo/webhook"] = lambda _: json.loads((MORE / file).read_text())
    found = playback.poll()
    twice = labels(organization="demo", webhook_id="6b0a38da0345525a7e4dfb28", webhook="hook twice")
    never = labels(organization="demo", webhook_id="6b0a38db0345525a7e4dfb36", webhook="hook never")
    disabled = labels(organization="demo", webhook_id="6b0a38dd0345525a7e4dfb53", webhook="hook disabled")
    assert of_family(found, "theeye_webhook_info") == {twice: 1, never: 1, disabled: 1}
    assert of_family(found, "theeye_webhook_triggers_total") == {twice: 2, never: 0, disabled: 1}
    assert of_family(found, "theeye_webhook_enabled") == {twice: 1, never: 1, disabled: 0}


def test_from_t0_to_t1_what_is_gone_disappears_and_what_is_new_shows(playback: Playback) -> None:
    def of_ghost(found: Series) -> list[Labels]:
        return [key for (_, key) in found if ("monitor", "ghost process") in key]

    assert of_ghost(playback.poll())
    playback.recording.folder = T1
    after = playback.poll()
    assert not of_ghost(after)
    at_once = playback.at_once()
    # Remembered from t0: what was counted since, the skew that the fastest request showed, and zeros for the lifecycles
    # of jobs that were open. All else is as if there were only t1.
    remembered = (*COUNTED, "theeye_server_clock_skew_seconds")
    history = {key for key in after if key[0].startswith(remembered)}
    history |= {key for key in after.keys() - at_once.keys() if key[0] == "theeye_task_jobs" and after[key] == 0}
    assert {key: value for key, value in after.items() if key not in history} == {
        key: value for key, value in at_once.items() if not key[0].startswith(remembered)
    }


COUNTED = (
    "theeye_job_runs",
    "theeye_job_duration",
    "theeye_job_turnaround",
    "theeye_workflow_runs",
    "theeye_workflow_turnaround",
    "theeye_other_job_runs",
    "theeye_task_unseen",
)


def counted(found: Series) -> dict[tuple[str, str, str, str], float]:
    """Return counters of runs that are not 0 by family, name, host and outcome."""
    return {
        (sample, by.get("task") or by.get("workflow") or by["job_type"], by.get("hostname", ""), by["outcome"]): value
        for (sample, key), value in found.items()
        if sample.endswith("_runs_total") and "unseen" not in sample and value
        for by in [dict(key)]
    }


def test_from_t0_to_t1_every_run_is_counted_once(playback: Playback) -> None:
    assert counted(playback.poll()) == {}
    playback.recording.folder = T1
    expected_runs = {
        ("theeye_job_runs_total", "ok task", "bot-1", "success"): 3,
        ("theeye_job_runs_total", "failing task", "bot-1", "failure"): 2,
        ("theeye_job_runs_total", "backup", "bot-2", "success"): 2,
        ("theeye_job_runs_total", "dummy", "", "success"): 1,
        ("theeye_job_runs_total", "web task", "bot-1", "failure"): 1,
        ("theeye_job_runs_total", "extract", "bot-2", "success"): 1,
        ("theeye_job_runs_total", "load", "bot-2", "failure"): 1,
        ("theeye_job_runs_total", "slow task", "bot-1", "timeout"): 1,
        ("theeye_workflow_runs_total", "ETL", "", "failure"): 1,
        ("theeye_other_job_runs_total", "AgentUpdateJob", "", "success"): 1,
    }
    found = playback.poll()
    for _ in range(2):  # however often it is looked at
        assert counted(found) == expected_runs
        found = playback.poll()
        assert set(of_family(found, "theeye_task_unseen_runs_total").values()) == {0}
    jobs = [load(playback.recording, path.name) for path in sorted(T1.glob("job_*.json")) if len(path.stem) == 28]
    new = [j for j in jobs if j["creation_date"] > "2026-11-22T13:09:05" and j["lifecycle"] != "assigned"]
    assert len(new) == 14
    timed = [j["result"]["times"] for j in new if "times" in j.get("result", {})]
    assert sum(of_family(found, "theeye_job_duration_seconds_count").values()) == len(timed)
    assert sum(of_family(found, "theeye_job_duration_seconds_sum").values()) == pytest.approx(
        sum(times["seconds"] + times["nanoseconds"] / 1e9 for times in timed)
    )
    waited = [unix(j["last_update"]) - unix(j["creation_date"]) for j in new if j.get("task_id")]
    assert sum(of_family(found, "theeye_job_turnaround_seconds_count").values()) == len(waited)
    assert sum(of_family(found, "theeye_job_turnaround_seconds_sum").values()) == pytest.approx(sum(waited))


def test_starting_at_t1_nothing_is_counted_and_every_last_run_is_shown(playback: Playback) -> None:
    playback.recording.folder = T1
    found = playback.poll()
    runs = of_family(found, "theeye_job_runs_total")
    assert len(runs) == 14 * 6
    assert set(runs.values()) == {0}
    assert set(of_family(found, "theeye_job_duration_seconds_count").values()) == {0}
    assert len(of_family(found, "theeye_job_last_finish_timestamp_seconds")) == 14
    (finish,) = of_family(found, "theeye_workflow_last_finish_timestamp_seconds").values()
    assert finish == unix("2026-11-22T13:09:42.393Z")


def test_a_hostile_task_name_survives(playback: Playback) -> None:
    name = 'tricky "name"\\ with\nnewline ñ 🙂'
    names = {dict(key)["task"] for (sample, key) in playback.poll() if sample == "theeye_task_info"}
    assert name in names


def test_only_what_is_needed_is_asked(playback: Playback) -> None:
    playback.poll()
    assert not [asked for asked in playback.server.asked if "include" in asked.query or "hostname" in asked.query]
    assert {asked.path for asked in playback.server.asked if "/job/" not in asked.path} == {
        "/demo/resource",
        "/monitor",
        "/demo/task",
        "/demo/job",
        "/workflows",
        "/demo/host",
        "/indicator",
        "/demo/webhook",
        "/api/status",
    }
    asked_before = len(playback.server.asked)
    playback.poll()
    again = [asked.path for asked in playback.server.asked[asked_before:]]
    assert sorted(again) == [
        "/api/status",
        "/demo/host",
        "/demo/job",
        "/demo/job",
        "/demo/task",
        "/demo/webhook",
        "/indicator",
        "/monitor",
        "/workflows",
    ]


def test_no_secret_is_exported(playback: Playback) -> None:
    playback.poll()
    secrets = {
        value
        for path in (*T0.glob("*.json"), *T1.glob("*.json"), *MORE.glob("*.json"))
        for value in _values(json.loads(path.read_text()), "secret")
    }
    assert len(secrets) > 40
    for fmt in Format:
        text = body(playback.exporter.store.current(), fmt) + playback.exporter.telemetry.exposition(fmt).decode()
        assert not [secret for secret in (*secrets, TOKEN) if secret in text]


def _values(value: Any, key: str) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get(key), str):
            yield value[key]
        for child in value.values():
            yield from _values(child, key)
    elif isinstance(value, list):
        for child in value:
            yield from _values(child, key)


def test_the_server_is_the_recorded_one(playback: Playback) -> None:
    found = playback.poll()
    assert load(playback.recording, "status.json")["theeye_version"] == ""
    assert of_family(found, "theeye_server_info") == {labels(organization="demo", version=""): 1}
    ((_, skew),) = of_family(found, "theeye_server_clock_skew_seconds").items()
    assert 0.5 <= skew < 10.5  # half a second, and half of what the fastest request took
    assert of_family(found, "theeye_server_certificate_expiry_timestamp_seconds") == {}


def test_every_hosts_statistics_are_the_recorded_ones() -> None:
    recording = Recording(T0)
    recording.changes["/demo/host"] = lambda _: json.loads((MORE / "host_list.json").read_text())
    with http_server(recording) as server:
        collectors = CollectorsSettings(hoststats=CollectorSettings(enabled=True, interval=120))
        settings = Settings(
            organizations=(
                OrganizationSettings(name="demo", url=server.url, token=SecretStr(TOKEN), collectors=collectors),
            ),
        )
        exporter = Exporter(settings, Clocks(wall=lambda: unix("2026-11-28T02:19:40.000Z")))
        found = Playback(recording, server, exporter).poll()
        exporter.stop()
    hosts = {
        "bot-1": ("6b0a386a0345525a7e4df5a0", "host_stats_bot-1.json"),
        "bot-2": ("6b0a386b0345525a7e4df5b4", "host_stats_bot-2.json"),
    }
    expected_values: dict[str, dict[Labels, float]] = defaultdict(dict)
    for hostname, (host_id, file) in hosts.items():
        ((stats),) = [document["stats"] for document in json.loads((MORE / file).read_text())]
        own = labels(organization="demo", host_id=host_id, hostname=hostname)
        for name, value in {
            "load1": stats["load_1_minute"],
            "load5": stats["load_5_minute"],
            "load15": stats["load_15_minute"],
            "memory_used_bytes": stats["mem_used"] * 1024,
            "swap_total_bytes": 0,
            "swap_free_bytes": 0,
        }.items():
            expected_values[f"theeye_host_{name}"][own] = value
        (device,) = stats["disk"].keys() - {"total"}
        for name, part in {"size": "total", "used": "used", "available": "available"}.items():
            value = stats["disk"][device]["usage"][part] * 1024
            expected_values[f"theeye_host_disk_{name}_bytes"][own | {("device", device)}] = value
    for name, values in expected_values.items():
        assert of_family(found, name) == values, name
