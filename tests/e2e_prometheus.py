"""A real Prometheus for tests."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from processes import eventually, free_port, running
from tools import require_tool


@contextmanager
def prometheus(
    scraped: str, tmp_path: Path, *flags: str, settings: Mapping[str, object] | None = None
) -> Iterator[str]:
    """Run a Prometheus that scrapes an address every second, with optional settings; yields its URL."""
    port = free_port()
    (tmp_path / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [
                    {"job_name": "theeye", "static_configs": [{"targets": [scraped]}], **(settings or {})}
                ],
            }
        )
    )
    command = [
        require_tool("prometheus"),
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with running(command, tmp_path / "prometheus.log"):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: answers(url), "Prometheus is ready")
        yield url


def answers(url: str) -> bool:
    """Whether a Prometheus is ready for queries; before that, it responds with plain text."""
    return requests.get(f"{url}/-/ready", timeout=5).status_code == 200


def scraped_target(url: str) -> dict[str, Any] | None:
    """Return the one target once it was scraped."""
    (target,) = requests.get(f"{url}/api/v1/targets", timeout=5).json()["data"]["activeTargets"] or [{}]
    return target if target.get("health") not in {None, "unknown"} else None


def query(url: str, expression: str, at: float | None = None) -> list[dict[str, Any]]:
    """Return the result of an instant query, now or at a Unix time; fails on an error."""
    answer = requests.get(f"{url}/api/v1/query", params={"query": expression, "time": at}, timeout=5).json()
    assert answer["status"] == "success", answer
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result
