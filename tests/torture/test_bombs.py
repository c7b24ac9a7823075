"""Tests five organisations on random hostile servers: memory stays bounded, and the exporter responds."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.worst import peak_under
from hostile import ATTACKS
from tools import require_tool

SECONDS: Final = int(os.environ.get("BOMB_SECONDS", "10"))
SEED: Final = int(os.environ.get("BOMB_SEED", "1"))
SECONDS_OF_EACH: Final = 10
ORGANIZATIONS: Final = 5
MEBIBYTES: Final = 700


def test_whatever_they_send_memory_stays_bounded(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    require_tool("taskset")
    chance = random.Random(SEED)  # noqa: S311 - chance, no secret
    peaks = []
    for number in range(-(-SECONDS // SECONDS_OF_EACH)):
        kinds = chance.choices(ATTACKS, k=ORGANIZATIONS)
        peaks.append(peak_under(tmp_path, SECONDS_OF_EACH, kinds))
        assert peaks[-1] < MEBIBYTES, (SEED, number, kinds)
    record_property("exporters attacked", len(peaks))
    record_property("MiB at the peak", round(max(peaks)))
