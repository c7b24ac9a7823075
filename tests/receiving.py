"""The process that receives alerts, with one action in the simulated TheEye, and what Alertmanager posts to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from processes import eventually, exporter_command, free_port, running
from theeye_exporter.demo import DemoSettings, SimulatedTheEye
from theeye_exporter.demo.jobs import Job
from theeye_exporter.demo.results import Ending
from theeye_exporter.demo.tasks import Task
from theeye_exporter.demo.workload import Workload

__all__ = [
    "TASK",
    "acting_theeye",
    "alert",
    "configuration",
    "decided",
    "payload",
    "posts",
    "recorded_runs",
    "samples",
    "serving",
]

TASK: Final = "6a30f0c1a2b3c4d5e6f70809"
"""Id of the task `restart`."""


@contextmanager
def acting_theeye(arguments: int = 0) -> Iterator[SimulatedTheEye]:
    """Run a simulated TheEye whose task `restart` has so many arguments, and succeeds."""
    with SimulatedTheEye(DemoSettings(monitors=10, tasks=24, speed=50.0, calm=True)) as server:
        host = next(host for host in server.world.hosts.values() if not host.silent)
        task = Task(TASK, "restart", "script", host, server.world.now_ms - 1000)
        task.script_id, task.secret, task.ends = "6a30f0c1a2b3c4d5e6f7080a", "5" * 64, (Ending("success", 1.5), None)
        task.arguments = tuple({"order": n, "label": f"argument {n}", "type": "input"} for n in range(arguments))
        server.world.add_task(task)
        yield server


@contextmanager
def recorded_runs(theeye: SimulatedTheEye) -> Iterator[list[tuple[Any, ...]]]:
    """Record the arguments of each run of the task, in order: the server itself forgets old runs."""
    runs: list[tuple[Any, ...]] = []
    create = Workload.create

    def recording(workload: Workload, task: Task, *arguments: Any) -> Job:
        job = create(workload, task, *arguments)
        if workload is theeye.world.workload and task.id == TASK:
            runs.append(tuple(job.arguments))
        return job

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workload, "create", recording)
        yield runs


def configuration(theeye: SimulatedTheEye, folder: Path, action: str = "") -> Path:
    """Write the configuration of the process, with more lines for its action; return its file."""
    file = folder / "actions.yaml"
    file.write_text(f"""
theeye: {{url: '{theeye.url}'}}
organizations: [{{name: demo, token: {theeye.settings.user_token}}}]
state: {{file: state}}
actions:
  - name: restart-nginx
    task: restart
    mode: live
    matchers: [alertname="Down"]
    {action}
""")
    return file


def payload(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a request of Alertmanager."""
    return {"version": "4", "status": "firing", "truncatedAlerts": 0, "alerts": list(alerts), **more}


def alert(start: datetime, **labels: str) -> dict[str, Any]:
    """Return an alert that fires."""
    return {
        "status": "firing",
        "labels": {"alertname": "Down", **labels},
        "startsAt": start.isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
    }


def samples(url: str, action: str = "restart-nginx") -> dict[str, float]:
    """Return the samples of an action, by name and other labels."""
    text = requests.get(f"{url}/metrics", timeout=5).text
    return {
        "/".join(
            [sample.name, *(value for name, value in sample.labels.items() if name not in {"organization", "action"})]
        ): (sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("theeye_action_") and sample.labels["action"] == action
    }


def posts(theeye: SimulatedTheEye) -> int:
    """Return how often something was to be started."""
    return sum(request.method == "POST" for request in theeye.requests)


@contextmanager
def serving(file: Path, log: Path, *flags: str, auth: tuple[str, str] | None = None) -> Iterator[str]:
    """Run the process until it is ready, and return its address."""
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}", *flags)
    with running(command, log):
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5, auth=auth).ok, "readiness")
        yield url


def decided(url: str, sent: dict[str, Any]) -> str:
    """Send a request, and return the decision about its first alert."""
    said = requests.post(f"{url}/api/v1/alerts/restart-nginx", json=sent, timeout=10)
    assert said.status_code == 200, said.text
    return str(said.json()["decisions"][0]["decision"])
