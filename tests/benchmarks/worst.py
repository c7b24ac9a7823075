"""Measures the most memory that hostile servers can make the exporter use, with default limits."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import requests
import yaml

from benchmarks.programs import memory, pinned, python
from hostile import ATTACKS
from processes import eventually, exporter_command, free_port, running
from theeye_exporter.collectors.registry import COLLECTORS

__all__ = ["peak", "peak_under"]

_ORGANIZATIONS: Final = 5


def peak(folder: Path, seconds: float) -> float:
    """Return the peak of resident memory, in MiB, over each attack and all attacks at once.

    Args:
        folder: for files.
        seconds: how long each attack lasts, while the exporter is scraped as well.
    """
    kinds = [(kind,) * _ORGANIZATIONS for kind in ATTACKS]
    return max(peak_under(folder, seconds, kinds_at_once) for kinds_at_once in [*kinds, ATTACKS])


def peak_under(folder: Path, seconds: float, kinds: Sequence[str]) -> float:
    """Return the peak of resident memory, in MiB, with an organisation for each attack; check that it still responds."""
    theeye, port = free_port(), free_port()
    settings = {
        "organizations": [
            {"name": f"o{number}", "token": "a-token", "url": f"http://127.0.0.1:{theeye}/{number}"}
            for number in range(len(kinds))
        ],
        "collectors": {name: {"interval": "5s"} for name in (kind.name for kind in COLLECTORS)},
        "web": {"listen_address": f"127.0.0.1:{port}"},
    }
    config = folder / "hostile.yml"
    config.write_text(yaml.safe_dump(settings))
    with (
        running(python("hostile", theeye, *kinds), folder / "hostile.log"),
        pinned(exporter_command(f"--config.file={config}"), folder / "exporter.log") as pid,
    ):
        url = f"http://127.0.0.1:{port}/metrics"
        eventually(lambda: _scraped(url) or None, "the exporter answers")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            _scraped(url)
            time.sleep(0.5)
        eventually(lambda: _scraped(url) or None, "the exporter still answers")
        return memory(pid)[1]


def _scraped(url: str) -> bool:
    try:
        return requests.get(url, timeout=30).ok
    except requests.RequestException:
        return False
