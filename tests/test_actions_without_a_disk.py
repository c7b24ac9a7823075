"""The process that receives alerts, whose state file is full, read-only, deleted, damaged or in use: nothing is lost or run twice."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from processes import eventually, exporter_command, free_port, running
from receiving import acting_theeye, alert, configuration, decided, payload, recorded_runs, samples, serving
from theeye_exporter.demo import SimulatedTheEye

Ran = tuple[SimulatedTheEye, list[tuple[Any, ...]]]


@pytest.fixture
def ran() -> Iterator[Ran]:
    with acting_theeye(arguments=1) as theeye, recorded_runs(theeye) as runs:
        yield theeye, runs


def with_arguments(theeye: SimulatedTheEye, folder: Path) -> Path:
    more = "arguments: [{source_labels: [instance]}]\n    rate_limit: 9999/m\n    max_concurrent: 100\n    max_wait: 1h"
    file = configuration(theeye, folder, more)
    file.write_text(file.read_text() + "rate_limit: 9999/m\n")
    return file


@contextmanager
def served(file: Path, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the process until it is ready, and return its address and the process."""
    url = f"http://127.0.0.1:{free_port()}"
    command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address={url[7:]}")
    with running(command, log) as process:
        eventually(lambda: requests.get(f"{url}/-/ready", timeout=5).ok, "readiness")
        yield url, process


def firing(instance: str, start: datetime) -> dict[str, Any]:
    return payload(alert(start, instance=instance))


def test_a_full_disk(ran: Ran, tmp_path: Path) -> None:
    theeye, runs = ran
    with served(with_arguments(theeye, tmp_path), tmp_path / "log") as (url, process):
        start = datetime.now(UTC) + timedelta(seconds=1)
        requests_ = [payload(*(alert(start, instance=f"web-{n}-{m}") for m in range(5))) for n in range(30)]
        address = f"{url}/api/v1/alerts/restart-nginx"
        full = max(found.stat().st_size for found in tmp_path.glob("state*")) + 20_000
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (full, most))
        codes = [requests.post(address, json=sent, timeout=30).status_code for sent in requests_]
        assert 503 in codes
        eventually(lambda: "nothing can be started" in (tmp_path / "log").read_text(), "the reason in the log")
        assert samples(url)["theeye_action_requests_total/503"] == codes.count(503)
        assert len(runs) == len(set(runs))

        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))
        for sent, code in zip(requests_, codes, strict=True):  # Alertmanager sends again what was not taken
            if code == 503:
                assert requests.post(address, json=sent, timeout=30).ok
        eventually(lambda: len(runs) >= 150, "all runs")
        eventually(lambda: samples(url)["theeye_action_decisions_total/started"] == 150, "all written down")
        assert len(runs) == len(set(runs)) == 150
    assert "free disk space" in (tmp_path / "log").read_text()


def test_deleted_while_it_runs(ran: Ran, tmp_path: Path) -> None:
    theeye, runs = ran
    file = with_arguments(theeye, tmp_path)
    with served(file, tmp_path / "log") as (url, process):
        start = datetime.now(UTC) + timedelta(seconds=1)
        assert decided(url, firing("web-01", start)) == "waiting"
        eventually(lambda: len(runs) == 1, "a run")
        for found in tmp_path.glob("state*"):
            found.unlink()
        assert decided(url, firing("web-02", start)) == "waiting"
        eventually(lambda: len(runs) == 2, "a second run")
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 2, "the end of both")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving(file, tmp_path / "log2") as url:
        assert [decided(url, firing(f"web-0{n}", start)) for n in (1, 2)] == ["duplicate"] * 2
    assert runs == [("web-01",), ("web-02",)]


def delete(state: Path) -> None:
    state.unlink()


def damage(state: Path) -> None:
    for file in (state, state.with_name("state-wal")):
        if file.exists():
            content = bytearray(file.read_bytes())
            for at in range(100, len(content), 512):
                content[at] ^= 0xFF
            file.write_bytes(content)


def forbid(state: Path) -> None:
    state.chmod(0o400)


@pytest.mark.parametrize(
    ("vandal", "said", "decision"),
    [
        (delete, "", "stale"),
        (damage, "alerts that are firing then start nothing", "duplicate"),
        (forbid, "no permission to read and write it", "duplicate"),
    ],
)
def test_spoilt_while_it_does_not_run(
    ran: Ran, tmp_path: Path, vandal: Callable[[Path], None], said: str, decision: str
) -> None:
    theeye, runs = ran
    file = with_arguments(theeye, tmp_path)
    with serving(file, tmp_path / "log") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        assert decided(url, firing("web-01", start)) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
    state = tmp_path / "state"
    whole = {file: file.read_bytes() for file in tmp_path.glob("state*")}
    vandal(state)
    if said:
        command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{free_port()}")
        # The superuser may write everything, unless this is taken from it.
        without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
        with running([*without, *command], tmp_path / "refused") as process:
            assert process.wait(60) == 2
        assert said in (tmp_path / "refused").read_text()
        state.chmod(0o600)
        for path, content in whole.items():  # from a backup
            path.write_bytes(content)
    with serving(file, tmp_path / "log2") as url:
        assert decided(url, firing("web-01", start)) == decision
        later = datetime.now(UTC) + timedelta(seconds=2)
        assert decided(url, firing("web-02", later)) == "waiting"
        eventually(lambda: len(runs) == 2, "what begins now gets its run")
    assert runs == [("web-01",), ("web-02",)]


def test_in_use_by_another_process(ran: Ran, tmp_path: Path) -> None:
    theeye, runs = ran
    file = with_arguments(theeye, tmp_path)
    with serving(file, tmp_path / "log") as url:
        start = datetime.now(UTC) + timedelta(seconds=1)
        command = exporter_command("actions", f"--config.file={file}", f"--web.listen-address=127.0.0.1:{free_port()}")
        with running(command, tmp_path / "refused") as process:
            assert process.wait(60) == 2
        assert "another process uses it" in (tmp_path / "refused").read_text()
        assert decided(url, firing("web-01", start)) == "waiting"
        eventually(lambda: samples(url)["theeye_action_runs_total/success"] == 1, "a run")
    assert runs == [("web-01",)]
