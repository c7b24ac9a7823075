"""A real Prometheus scrapes the exporter, which polls the recordings or the simulated TheEye."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from contexts import POLLED
from e2e_prometheus import prometheus, query, scraped_target
from playback import T0, TOKEN, Recording, http_server
from processes import eventually, exporter_command, free_port, running
from tools import check_metrics

pytestmark = pytest.mark.e2e


def ready(address: str) -> bool:
    return requests.get(f"http://{address}/-/ready", timeout=5).status_code == 200


def test_recorded_monitors_tasks_and_jobs_arrive_in_prometheus(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    with http_server(Recording(T0)) as theeye:
        env = {"THEEYE_ORGANIZATION_NAME": "demo", "THEEYE_TOKEN": TOKEN, "THEEYE_SUPERVISOR_URL": theeye.url}
        command = exporter_command(f"--web.listen-address={address}", "--log.level=debug")
        with running(command, tmp_path / "exporter.log", env=env) as exporter, prometheus(address, tmp_path) as url:
            eventually(lambda: ready(address), "the exporter is ready")
            for name in ("theeye_monitor_info", "theeye_task_info", "theeye_job_last_outcome"):
                eventually(partial(query, url, name), f"{name} in Prometheus")
            eventually(lambda: is_well(scraped_target(url)), "a scrape without an error")
            monitors = json.loads((T0 / "monitor.json").read_text())
            states = query(url, "theeye_monitor_state == 1")
            assert {(s["metric"]["monitor_id"], s["metric"]["state"]) for s in states} == {
                (m["id"], m["state"]) for m in monitors
            }
            memory = query(url, "theeye_host_memory_usage_ratio")
            assert {s["metric"]["monitor_id"]: float(s["value"][1]) for s in memory} == {
                m["id"]: m["last_event"]["data"]["mem"] / 100
                for m in monitors
                if m["type"] == "dstat" and m["state"] != "updates_stopped"
            }
            names = {s["metric"]["task"] for s in query(url, "theeye_task_info")}
            assert 'tricky "name"\\ with\nnewline ñ 🙂' in names
            assert [s["value"][1] for s in query(url, "theeye_up")] == ["1"]
            exporter.terminate()
            assert exporter.wait(30) == 0
        log = (tmp_path / "exporter.log").read_text()
        assert TOKEN not in log
        assert "Traceback" not in log


def is_well(target: dict[str, Any] | None) -> bool:
    """Whether a target was scraped without an error."""
    return target is not None and (target["health"], target["lastError"]) == ("up", "")


def says(url: str, expression: str, value: str) -> bool:
    """Whether an expression has one result with this value."""
    return [sample["value"][1] for sample in query(url, expression)] == [value]


# Servers before 2.0 do not list the one monitor that has lost its other half.
@pytest.mark.parametrize(("shape", "monitors"), [("new", "200"), ("old", "199")])
def test_the_demo_is_scraped_without_errors_and_passes_promtool(shape: str, monitors: str, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = exporter_command(
        "demo",
        f"--web.listen-address={address}",
        f"--demo.listen-address=127.0.0.1:{free_port()}",
        f"--demo.shape={shape}",
    )
    with running(command, tmp_path / "demo.log") as demo, prometheus(address, tmp_path) as url:
        eventually(lambda: ready(address), "the demo is ready")
        eventually(lambda: query(url, "theeye_job_last_outcome"), "samples in Prometheus")
        eventually(lambda: is_well(scraped_target(url)), "a scrape without an error")
        # A scrape that comes too late for a busy Prometheus makes all series of it stale until the next one.
        for everything in ("count(theeye_monitor_info)", "sum(theeye_monitor_state)"):
            eventually(partial(says, url, everything, monitors), everything)
        assert not query(url, "theeye_host_cpu_usage_ratio > 1 or theeye_host_memory_usage_ratio > 1")
        ages = "time() - theeye_collector_last_success_timestamp_seconds"
        eventually(partial(says, url, f"count(abs({ages}) < Inf)", str(len(POLLED))), "an age of each collector")
        for accept in ("text/plain;version=0.0.4", "text/plain;version=1.0.0"):
            exposition = requests.get(f"http://{address}/metrics", headers={"Accept": accept}, timeout=10).content
            check_metrics(exposition)
        demo.terminate()
        assert demo.wait(30) == 0
    assert "Traceback" not in (tmp_path / "demo.log").read_text()
