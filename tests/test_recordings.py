"""A real TheEye's answers played back over HTTP: what is exported is what they say."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr

from playback import RECORDED_AT, T0, T1, TOKEN, Recording, Server, http_server
from polls import poll
from samples import Labels, Series, body, labels, shown
from theeye_exporter.assembly import Exporter
from theeye_exporter.clocks import Clocks
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.exposition.render import Format


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
        ): 1.0
        for m in monitors
    }


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
        task_labels(by_id[j["task_id"]]): unix(j["creation_date"]) for j in open_jobs
    }
    assert of_family(found, "theeye_jobs") == {
        labels(organization="demo", lifecycle=lifecycle): float(
            len([j for j in open_jobs if j["lifecycle"] == lifecycle])
        )
        for lifecycle in ("ready", "assigned", "onhold", "syncing", "locked", "started")
    }


def test_from_t0_to_t1_what_is_gone_disappears_and_what_is_new_shows(playback: Playback) -> None:
    def of_ghost(found: Series) -> list[Labels]:
        return [key for (_, key) in found if ("monitor", "ghost process") in key]

    assert of_ghost(playback.poll())
    playback.recording.folder = T1
    after = playback.poll()
    assert not of_ghost(after)
    at_once = playback.at_once()
    # What was counted since t0, and open jobs' lifecycles of t0, are there besides; all else is as if t1 were all.
    history = {key for key in after if key[0].startswith(COUNTED)}
    history |= {key for key in after.keys() - at_once.keys() if key[0] == "theeye_task_jobs" and after[key] == 0}
    assert {key: value for key, value in after.items() if key not in history} == {
        key: value for key, value in at_once.items() if not key[0].startswith(COUNTED)
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
    }
    asked_before = len(playback.server.asked)
    playback.poll()
    again = [asked.path for asked in playback.server.asked[asked_before:]]
    assert sorted(again) == ["/demo/job", "/demo/job", "/demo/task", "/monitor", "/workflows"]


def test_no_secret_is_exported(playback: Playback) -> None:
    playback.poll()
    secrets = {
        value
        for path in (*T0.glob("*.json"), *T1.glob("*.json"))
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
