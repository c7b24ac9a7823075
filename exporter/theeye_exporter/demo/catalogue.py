"""The tasks and workflows at the start."""

import random
from typing import Final, NamedTuple

from theeye_exporter.demo.ids_and_time import MS, Ids, uuid_like
from theeye_exporter.demo.monitors import Host
from theeye_exporter.demo.tasks import Task
from theeye_exporter.demo.workflows import Workflow

__all__ = ["NASTY_TASK_NAME", "build_mending_tasks", "build_tasks"]

NASTY_TASK_NAME: Final = 'tricky "task"\\ with\nnewline ñ 🙂'
"""A name like those that users really type: quotes, a backslash, a line break, an emoji."""

_DAY_MS: Final = 86_400 * MS
_HOSTS_WITH_TASKS: Final = 20
_SMALLEST_WITH_WORKFLOW: Final = 4
_NORMAL_SIZE: Final = 40
_WORKFLOW_INTERVAL_S: Final = 75


class _Kind(NamedTuple):
    name: str
    type: str
    interval_s: int | None
    seconds: tuple[float, float] = (0.1, 1.0)
    failing: float = 0.0
    timeout_ms: int | None = None
    tags: tuple[str, ...] = ()
    placed: bool = True


_KINDS: Final = (
    _Kind("backup database", "script", 60, (3.0, 14.0), 0.03, None, ("backup", "prod")),
    _Kind(NASTY_TASK_NAME, "script", 45, (0.2, 1.5), 0.05),
    _Kind("shop answers", "scraper", 30, (0.05, 0.4), 0.04, None, ("shop",)),
    _Kind("heartbeat", "dummy", 20),
    _Kind("rotate logs", "script", 90, (0.5, 4.0)),
    _Kind("approve release", "approval", 300),
    _Kind("nightly report", "script", 120, (4.0, 20.0), 0.05, 18_000, ("report",)),
    _Kind("tell the team", "notification", 180),
    _Kind("import orders", "script", 30, (1.0, 6.0), 0.08, 60_000, ("prod", "shop")),
    _Kind("Get IP Address", "script", 60, (0.01, 0.3), 0.0, 60_000),
    _Kind("transform feed", "nodejs", None),
    _Kind("not placed yet", "script", None, placed=False),
    _Kind("sync inventory", "script", 45, (0.5, 5.0), 0.02),
    _Kind("clean up", "script", 600, (2.0, 30.0), 0.01),
    _Kind("partner answers", "scraper", 90, (0.2, 2.0), 0.1),
    _Kind("flaky check", "script", 60, (0.1, 2.0), 0.3, None, ("staging",)),
    _Kind("reindex search", "script", 180, (10.0, 35.0), 0.02, 600_000),
    _Kind("renew certificates", "script", 900, (1.0, 3.0)),
    _Kind("Get IP Address", "script", 60, (0.01, 0.3), 0.0, 60_000),
    _Kind("send invoices", "script", 120, (2.0, 9.0), 0.02, 60_000),
)
_RESTART: Final = _Kind("restart service", "script", None, (1.0, 3.0))
_CANARY: Final = _Kind("canary", "script", None, (0.05, 0.3))
_MENDED: Final = "Processes List"
_EXTRACT: Final = _Kind("extract", "script", None, (1.0, 8.0), 0.03, None, ("etl",))
_LOAD: Final = _Kind("load", "script", None, (2.0, 12.0), 0.1, 60_000, ("etl",))


class _Builder:
    def __init__(self, hosts: list[Host], ids: Ids, chance: random.Random, now_ms: int) -> None:
        self.ids = ids
        self.chance = chance
        self.now_ms = now_ms
        self.hosts = hosts[:_HOSTS_WITH_TASKS]

    def task(self, number: int, kind: _Kind, pace: float) -> Task:
        chance = self.chance
        born_ms = self.now_ms - chance.randrange(10 * _DAY_MS, 200 * _DAY_MS)
        has_host = kind.type in {"script", "scraper"} and kind.placed
        host = self.hosts[number % len(self.hosts)] if has_host else None
        task = Task(self.ids(born_ms), kind.name, kind.type, host, born_ms)
        task.script_id = self.ids(born_ms)
        task.schedule_id = self.ids(born_ms)
        task.timeout_ms = kind.timeout_ms
        task.interval_s = None if kind.interval_s is None else round(kind.interval_s * pace)
        task.seconds, task.failing, task.tags = kind.seconds, kind.failing, kind.tags
        task.fingerprint = uuid_like(chance)
        task.secret = f"{chance.getrandbits(256):064x}"
        return task


def build_tasks(
    count: int, hosts: list[Host], ids: Ids, chance: random.Random, now_ms: int
) -> tuple[list[Task], list[Workflow]]:
    """The given number of tasks; if there are four or more, the last two are the steps of a workflow, `ETL`.

    More than forty tasks run at longer intervals, so that the world creates about one job every two seconds.
    """
    builder = _Builder(hosts, ids, chance, now_ms)
    pace = max(1.0, count / _NORMAL_SIZE)
    steps = 2 if count >= _SMALLEST_WITH_WORKFLOW else 0
    tasks = [builder.task(number, _KINDS[number % len(_KINDS)], pace) for number in range(count - steps)]
    if not steps:
        return tasks, []
    pair = builder.task(0, _EXTRACT, pace), builder.task(1, _LOAD, pace)
    born_ms = pair[0].creation_ms
    workflow = Workflow(ids(born_ms), "ETL", pair, born_ms, _WORKFLOW_INTERVAL_S)
    workflow.secret = f"{chance.getrandbits(256):064x}"
    for step in pair:
        step.workflow_id = workflow.id
    return [*tasks, *pair], [workflow]


def build_mending_tasks(hosts: list[Host], ids: Ids, chance: random.Random, now_ms: int) -> list[Task]:
    """Tasks without a schedule: one for each of the first 20 hosts, whose runs mend a monitor there, and one for a canary."""
    builder = _Builder(hosts, ids, chance, now_ms)
    tasks = [builder.task(number, _RESTART, 1.0) for number in range(len(builder.hosts))]
    for task in tasks:
        task.mends = _MENDED
    return [*tasks, builder.task(0, _CANARY, 1.0)]
