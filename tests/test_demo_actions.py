"""`theeye-exporter demo --demo.actions`: a monitor fails, its alert is posted, a task runs, and the monitor works again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from processes import eventually, exporter_command, free_port, running
from theeye_exporter.cli import main

MONITOR = {"hostname": "web-01", "monitor": "Processes List"}


def samples(url: str, name: str, **labels: str) -> list[float]:
    """Return the values of a metric's series with these labels."""
    lines = requests.get(f"{url}/metrics", timeout=10).text.splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return [
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(f"{name}{{") and all(w in line for w in wanted)
    ]


def message(status: str, began: datetime) -> dict[str, Any]:
    """Return what Alertmanager posts about the monitor."""
    labels = {"alertname": "TheEyeCriticalMonitorFailing", "organization": "demo", **MONITOR}
    alert = {"labels": labels, "status": status, "startsAt": began.isoformat()}
    if status == "resolved":
        alert["endsAt"] = datetime.now(UTC).isoformat()
    return {"version": "4", "status": status, "alerts": [alert]}


def test_the_loop_closes(tmp_path: Path) -> None:
    exporter, theeye, actions = (f"127.0.0.1:{free_port()}" for _ in range(3))
    flags = [f"--web.listen-address={exporter}", f"--demo.listen-address={theeye}", f"--demo.actions={actions}"]
    command = exporter_command("demo", *flags, "--demo.calm", "--demo.monitors=30", "--demo.tasks=4")
    page, receiver = f"http://{exporter}", f"http://{actions}/api/v1/alerts/restart-service"

    def state(name: str) -> bool:
        return samples(page, "theeye_monitor_state", **MONITOR, state=name) == [1.0]

    def post(status: str, began: datetime) -> str:
        answer = requests.post(receiver, json=message(status, began), timeout=10)
        assert answer.ok, answer.text
        (decided,) = answer.json()["decisions"]
        return str(decided["decision"])

    with running(command, tmp_path / "demo.log"):
        eventually(lambda: state("normal"), "the monitor works")
        assert requests.put(f"http://{theeye}/-/faults", b"monitor-failing=web-01/Processes List", timeout=10).ok
        eventually(lambda: state("failure"), "the monitor fails")
        began = datetime.now(UTC)
        assert post("firing", began) == "waiting"
        eventually(lambda: state("normal"), "the monitor works again")
        runs = {"organization": "demo", "action": "restart-service", "outcome": "success"}
        eventually(lambda: samples(f"http://{actions}", "theeye_action_runs_total", **runs) == [1.0], "it succeeded")
        assert post("firing", began) == "duplicate"
        assert post("resolved", began) == "resolved"
        helped = {"action": "restart-service", "result": "resolved_after_run"}
        assert samples(f"http://{actions}", "theeye_action_episodes_total", **helped) == [1.0]
        eventually(lambda: samples(f"http://{actions}", "theeye_canary_success") == [1.0], "the canary ran")
    said = (tmp_path / "demo.log").read_text()
    assert f"  actions    http://{actions}/\n" in said
    assert "Traceback" not in said
    # The process is over with the demo.
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://{actions}/", timeout=5)


def test_an_address_that_anybody_could_use_to_start_runs_ends_the_demo(capfd: pytest.CaptureFixture[str]) -> None:
    address = f"0.0.0.0:{free_port()}"
    assert main(["demo", "--demo.listen-address=127.0.0.1:0", f"--demo.actions={address}"]) == 2
    said = capfd.readouterr().err
    assert f"whoever reaches {address} could start runs" in said
    assert said.endswith("--demo.actions: the process ended with exit code 2; it has said why above\n")


@pytest.mark.parametrize("address", ["here", ":9856", "127.0.0.1:0"])
def test_an_address_at_which_nobody_can_be_found(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--demo.listen-address=127.0.0.1:0", f"--demo.actions={address}"]) == 2
    assert "--demo.actions: " in capfd.readouterr().err
