"""Tests that each good object among `MUTATED_OBJECTS` mutated ones is shown, and that there is no bug."""

import os
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from fuzz.bodies import recorded
from fuzz.mutated import mutated, mutated_list
from fuzz.polled import Polled, TheEye, theeye

OBJECTS: Final = int(os.environ.get("MUTATED_OBJECTS", "4000"))
SEED: Final = int(os.environ.get("MUTATED_SEED", "1"))
SHARES: Final = 4
"""Tests that share the objects, so that several workers can."""
LISTS: Final = ("monitors", "tasks", "workflows", "jobs", "open_jobs", "hosts", "indicators", "webhooks")
LONG: Final = 200
"""Objects in a list."""
POLLS: Final = 10
"""Polls of one exporter: some know things from before, and none keeps everything."""

AT: Final = "2026-11-22T13:09:05.000Z"
GOOD: Final[dict[str, list[dict[str, Any]]]] = {
    "monitors": [
        {"id": f"good-{n}", "name": "good", "type": "script", "state": "normal", "enable": True, "last_update": AT}
        for n in range(3)
    ],
    "tasks": [{"id": f"good-{n}", "name": "good", "type": "script"} for n in range(3)],
    "workflows": [{"id": "good-w", "name": "good"}],
    "hosts": [{"id": "good-h", "enable": True, "fingerprints": [{"totalmem": "1024", "cpu": [{}, {}]}]}],
    "indicators": [{"id": "good-i", "type": "counter", "value": 3}],
    "webhooks": [{"id": "good-w", "trigger_count": 4}],
    "jobs": [],
    "open_jobs": [
        {"id": f"good-{n}", "_type": "ScriptJob", "task_id": "good-0", "lifecycle": "onhold", "last_update": AT}
        for n in range(3)
    ],
}
SHOWN: Final = {
    ("theeye_host_memory_total_bytes", "host_id", "good-h"): 1024,
    ("theeye_host_cpus", "host_id", "good-h"): 2,
    ("theeye_indicator_value", "indicator_id", "good-i"): 3,
    ("theeye_webhook_triggers_total", "webhook_id", "good-w"): 4,
    ("theeye_monitor_enabled", "monitor_id", "good-0"): 1,
    ("theeye_monitor_enabled", "monitor_id", "good-1"): 1,
    ("theeye_monitor_enabled", "monitor_id", "good-2"): 1,
    ("theeye_task_timeout_seconds", "task_id", "good-0"): 600,
    ("theeye_task_timeout_seconds", "task_id", "good-1"): 600,
    ("theeye_task_timeout_seconds", "task_id", "good-2"): 600,
}


@pytest.fixture(scope="module")
def server() -> Iterator[TheEye]:
    with theeye() as made:
        yield made


@pytest.mark.parametrize("share", range(SHARES))
def test_mutated_objects_cost_themselves_only(
    share: int, server: TheEye, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(SEED * SHARES + share)  # noqa: S311 - chance, no secret
    polled, objects, polls = Polled(server), 0, 0
    try:
        while objects < OBJECTS // SHARES:
            if polls % POLLS == POLLS - 1:
                polled.assert_log_tells_nothing()
                polled.close()
                polled = Polled(server)
            bodies = {kind: mutated_list(kind, GOOD[kind], LONG, chance) for kind in LISTS}
            bodies["details"] = mutated(recorded("details"), chance)
            where = f"seed {SEED}, share {share}, poll {polls}"
            reasons = polled.poll(bodies)
            assert set(reasons.values()) == {None}, (where, reasons, polled.log[-2000:])
            assert_shown(polled, where)
            objects += LONG * len(LISTS)
            polls += 1
        polled.assert_log_tells_nothing()
    finally:
        polled.close()
    record_property("mutated objects", objects)
    record_property("polls", polls)


def assert_shown(polled: Polled, where: str) -> None:
    """Hold what is said of the good ones against what they are."""
    series = polled.series()
    found = {
        (name, key, value): shown
        for (name, labels), shown in series.items()
        for key, value in labels
        if (name, key, value) in SHOWN
    }
    assert found == SHOWN, where
    onhold = [
        shown
        for (name, labels), shown in series.items()
        if name == "theeye_task_jobs" and labels >= {("task_id", "good-0"), ("lifecycle", "onhold")}
    ]
    assert onhold == [3], where
