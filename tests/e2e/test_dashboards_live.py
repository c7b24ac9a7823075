"""Runs the dashboards on a running demo, scraped as in production, with staleness and exemplars."""

import time
from pathlib import Path
from typing import Any

import pytest

from dashboards import DASHBOARDS, expressions
from e2e_prometheus import prometheus, query
from processes import eventually, exporter_command, free_port, running
from theeye_preview.data import Prometheus
from theeye_preview.variables import Chosen, TimeRange, interpolate

pytestmark = pytest.mark.e2e


def test_every_expression_is_answered_and_single_runs_are_found(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    # Three simulated seconds in one: more runs, whose times are a little in the future.
    command = exporter_command(
        "demo",
        f"--web.listen-address={address}",
        f"--demo.listen-address=127.0.0.1:{free_port()}",
        "--demo.speed=3",
    )
    with (
        running(command, tmp_path / "demo.log"),
        prometheus(address, tmp_path, "--enable-feature=exemplar-storage") as url,
    ):
        busiest = "topk(1, increase(theeye_job_duration_seconds_count[1m]) > 1)"
        (task,) = eventually(lambda: query(url, busiest), "runs of a task")
        task_id = task["metric"]["task_id"]
        asked = Prometheus(url)
        now = time.time()
        chosen = Chosen(TimeRange(now - 60, now, 1), {"task": [task_id]})
        exemplars: list[dict[str, Any]] = []
        for expression in expressions():
            dashboard = DASHBOARDS[expression.dashboard]
            if expression.panel is None:
                asked.ask("query", query=interpolate(expression.raw, dashboard, chosen), time=now)
                continue
            asked.target(dashboard, expression.panel, expression.target, chosen)
            if expression.target.get("exemplar"):
                asking = interpolate(expression.raw, dashboard, chosen)
                found = asked.ask("query_exemplars", query=asking, start=now - 600, end=now + 600)
                exemplars += [exemplar for series in found for exemplar in series["exemplars"]]
        assert exemplars
        assert all(len(exemplar["labels"]["job_id"]) == 24 for exemplar in exemplars)
