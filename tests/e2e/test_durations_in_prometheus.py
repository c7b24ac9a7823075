"""Compares durations that a real Prometheus computes from the histograms with those of the simulated jobs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests

from e2e_prometheus import prometheus, query
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.demo import DemoSettings, SimulatedTheEye

pytestmark = pytest.mark.e2e

RUNS = [0.2, 0.4, 0.4, 3.0, 3.0, 3.0, 3.0, 40.0, 40.0, 400.0]


@dataclass
class Setup:
    """A simulated TheEye, an exporter and a Prometheus."""

    theeye: SimulatedTheEye
    exporter: str
    prometheus: str


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    address = f"127.0.0.1:{free_port()}"
    with SimulatedTheEye(DemoSettings(monitors=5, tasks=5)) as theeye:
        theeye.world.frozen = True
        config = tmp_path / "exporter.yml"
        config.write_text(
            f"""
            organizations: [{{name: demo, url: {theeye.url}, token: {theeye.settings.token}}}]
            collectors: {{jobs: {{interval: 1s}}, tasks: {{interval: 1s}}, workflows: {{interval: 1s}}}}
            """
        )
        command = exporter_command(f"--config.file={config}", f"--web.listen-address={address}")
        with (
            running(command, tmp_path / "exporter.log"),
            prometheus(address, tmp_path, "--enable-feature=exemplar-storage") as url,
        ):
            yield Setup(theeye, address, url)


def test_averages_quantiles_and_exemplars_are_those_of_the_runs(setup: Setup) -> None:
    world = setup.theeye.world
    task = next(t for t in world.tasks.values() if t.type == "script" and t.hostname)
    of_task = f'{{task_id="{task.id}"}}'
    # From zero, so that the first increase is seen.
    eventually(lambda: query(setup.prometheus, f"theeye_job_duration_seconds_count{of_task} == 0"), "zeros")
    ids = {}
    for duration in RUNS:
        job = world.create_job(task.id)
        world.assign_job(job.id)
        world.finish_job(job.id, state="success", duration=duration)
        ids[job.id] = duration
        eventually(partial(read_in_full, setup, job.id), "the exporter read the result")

    runs = len(RUNS)
    eventually(lambda: query(setup.prometheus, f"theeye_job_duration_seconds_count{of_task} == {runs}"), "all runs")
    average = (
        f"rate(theeye_job_duration_seconds_sum{of_task}[5m]) / rate(theeye_job_duration_seconds_count{of_task}[5m])"
    )
    (mean,) = query(setup.prometheus, average)
    assert float(mean["value"][1]) == pytest.approx(sum(RUNS) / runs, rel=1e-6)
    # Half of the runs took up to 3 s, which is in the bucket from 2.5 to 5 s; 85 of 100 up to 40 s.
    for quantile, low, high in ((0.5, 2.5, 5), (0.85, 30, 60), (0.99, 300, 600)):
        (value,) = query(
            setup.prometheus, f"histogram_quantile({quantile}, rate(theeye_job_duration_seconds_bucket{of_task}[5m]))"
        )
        assert low <= float(value["value"][1]) <= high, quantile

    def exemplars() -> dict[str, float]:
        answer = requests.get(
            f"{setup.prometheus}/api/v1/query_exemplars",
            params={"query": f"theeye_job_duration_seconds_bucket{of_task}", "start": "0", "end": "4000000000"},
            timeout=5,
        ).json()
        return {
            exemplar["labels"]["job_id"]: float(exemplar["value"])
            for series in answer["data"]
            for exemplar in series["exemplars"]
        }

    shown = eventually(exemplars, "exemplars in Prometheus")
    assert {job_id: ids[job_id] for job_id in shown} == pytest.approx(shown)
    text = requests.get(f"http://{setup.exporter}/metrics", headers={"Accept": "text/plain"}, timeout=10).text
    assert not [job_id for job_id in ids if job_id in text]


def read_in_full(setup: Setup, job_id: str) -> bool:
    return any(request.path.endswith(f"/job/{job_id}") for request in list(setup.theeye.requests))
