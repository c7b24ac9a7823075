"""What polls cost a large TheEye, by the cost model of the simulated one, on virtual time.

The collectors and the client are the real ones. HTTP, threads and the scheduler are replaced: the rules for who waits for whom
are those of the scheduler.
"""

from bisect import bisect
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.virtual import Lane, VirtualTime
from contexts import context_of
from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors import jobs, monitors
from theeye_exporter.collectors.base import Collection, CollectorKind
from theeye_exporter.collectors.name_index import NameIndex
from theeye_exporter.collectors.registry import COLLECTORS
from theeye_exporter.demo.api import Api, Request
from theeye_exporter.demo.cost import Supervisor, cost_of
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.world import World
from theeye_exporter.ledger.records import Bounds
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.polling.queues import READY_WITHIN
from theeye_exporter.polling.scheduler import interval_in_force
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.memory import LARGE_ANSWERS, Place, Room
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.tokens import fixed_token
from theeye_exporter.theeye.transport import Answer, Transport

__all__ = ["Load", "Seen", "as_markdown", "naive", "simulate"]

_BEGIN: Final = 1_800_000_000.0
_POLLED: Final = tuple(kind for kind in COLLECTORS if kind.enabled)
"""The collectors that are polled unless settings say otherwise."""

_RUN_SECONDS: Final = 10


_TARGETS: Final = {
    "until everything is read": ("all_read_after", 600.0, 1.0, "s"),
    "share of the time for which polls occupy the supervisor": ("busy", 0.2, 100.0, "%"),
    "longest time that the supervisor works on a request, except the first list": ("longest", 2.0, 1.0, "s"),
    "age of the oldest state, plus the monitor's looptime": ("oldest_state", 120.0, 1.0, "s"),
    "from the end of a run to its count": ("latest_count", 60.0, 1.0, "s"),
}
"""What is wanted, by name: the attribute of `Seen`, the most, and how it is shown."""

_RATIO: Final = "share of the time, compared with listing everything at the same intervals"


@dataclass(frozen=True, slots=True)
class Load:
    """How large an organisation is, and how busy.

    Attributes:
        monitors: number of monitors.
        tasks: number of tasks.
        kept_jobs: number of jobs of each task at the beginning.
        runs_per_minute: share of the tasks that run in each minute.
    """

    monitors: int = 10_000
    tasks: int = 10_000
    kept_jobs: int = 3
    runs_per_minute: float = 0.05


@dataclass(slots=True)
class Seen:
    """What a simulation showed; times are in seconds of virtual time.

    Attributes:
        all_read_after: until every collector had succeeded once.
        busy: share of the time for which polls occupied the supervisor after that.
        longest: the longest time for which one request occupied it, without the first list of monitors.
        oldest_state: age of a monitor's state just before it was replaced.
        latest_count: from the end of a run to its count.
        requests: how often each kind of route was asked for.
        objects: number of objects listed by each kind of route.
        intervals: longest time between two polls of each collector that polled twice.
        failures: attempts that failed.
    """

    all_read_after: float = 0.0
    busy: float = 0.0
    longest: float = 0.0
    oldest_state: float = 0.0
    latest_count: float = 0.0
    requests: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    objects: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    intervals: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


class _Organization:
    """A simulated TheEye with its load, on virtual time."""

    def __init__(self, load: Load) -> None:
        self.time = VirtualTime()
        self.clocks = Clocks(wall=lambda: _BEGIN + self.time.now, monotonic=lambda: self.time.now)
        self.settings = DemoSettings(monitors=load.monitors, tasks=load.tasks, calm=True)
        self.world = World(self.settings, self.clocks.wall)
        self.world.frozen = True
        self.supervisor = Supervisor(self.clocks.monotonic)
        self.ends: list[float] = []
        self._load = load
        self._prepare()

    def _prepare(self) -> None:
        """Leave as many jobs as wanted, and spread the next runs."""
        workload = self.world.workload
        per_second = self._load.runs_per_minute * self._load.tasks / 60
        for number, task in enumerate(workload.tasks.values()):
            for job in task.jobs[: -self._load.kept_jobs]:
                task.jobs.remove(job)
                del workload.jobs[job.id]
            if task.interval_s is not None:
                task.interval_s = round(self._load.tasks / per_second) if per_second else 10**6
                task.next_run_ms = round((_BEGIN + number / per_second) * 1000) if per_second else 0

    def work(self) -> None:
        """Let tasks run when they are scheduled, each for some seconds."""
        waiting = deque(task for task in self.world.tasks.values() if task.listed and task.interval_s is not None)
        running: deque[tuple[float, str]] = deque()
        while waiting:
            now = self.clocks.wall()
            while running and running[0][0] <= now:
                self.world.finish_job(running.popleft()[1], duration=1.0)
                self.ends.append(self.time.now)
            while waiting[0].next_run_ms <= now * 1000:
                task = waiting.popleft()
                task.next_run_ms += (task.interval_s or 1) * 1000
                waiting.append(task)
                running.append((now + _RUN_SECONDS, self.world.create_job(task.id, origin="scheduler").id))
            self.time.sleep(1)


class _Wire(Transport):
    """Carries requests to the simulated TheEye, which takes only virtual time."""

    def __init__(self, organization: _Organization, seen: Seen) -> None:
        settings = TransportSettings(url="", auth="header", timeout=20.0, max_bytes=10**9, user_agent="benchmarks")
        super().__init__(settings, fixed_token(organization.settings.token), lambda *_: None)
        self._organization = organization
        self._seen = seen
        self._api = Api(organization.world, organization.settings)
        self._space = Room(10**9)
        self.owed = 0.0
        self.jobs_listed_at = 0.0

    def get(self, endpoint: str, path: str, query: Mapping[str, Any] | None = None, **_: object) -> Answer:
        """Answer as `Transport.get` does; single jobs are read at the same time, so `owed` is the time of the slowest."""
        headers = {"authorization": f"Bearer {self.current_token()}"}
        request = Request("GET", path, urlencode(query or {}, doseq=True), headers)
        found = self._api.find(request)
        answer = self._api.answer(request, found)
        if answer.status != HTTPStatus.OK or found is None:
            raise UpstreamError(Reason.NOT_FOUND, f"{endpoint} answers {answer.status}")
        kind, objects = found.route.kind, answer.body.objects
        seen = self._seen
        is_first = kind == "monitors" and not seen.requests[kind]
        seen.requests[kind] += 1
        seen.objects[kind] += objects
        if not is_first:
            seen.longest = max(seen.longest, cost_of(kind, objects).busy)
        if kind == "jobs" and "sort[last_update]" in (query or {}):
            self.jobs_listed_at = self._organization.time.now
        seconds = self._organization.supervisor.take(kind, objects)
        if kind == "job":
            self.owed = max(self.owed, seconds)
        else:
            self._organization.time.sleep(seconds)
        date = float(int(self._organization.clocks.wall()))
        return Answer(bytearray(answer.body.plain()), date, self._space, Place(LARGE_ANSWERS))


class _Polls:
    """Polls an organisation as the scheduler does, without its jitter."""

    def __init__(self, organization: _Organization, seen: Seen) -> None:
        self._organization = organization
        self._time = organization.time
        self._seen = seen
        self._wire = _Wire(organization, seen)
        self._client = TheEyeClient(self._wire, organization.settings.organization)
        self._ledger = RunLedger(organization.settings.organization, None, Bounds(None, None, None))
        self._names = {kind.name: NameIndex(expected=True) for kind in _POLLED}
        self._lists = Lane(self._time)
        self._before = self._counted = 0
        self.succeeded: dict[str, list[tuple[float, float]]] = {kind.name: [] for kind in _POLLED}

    def poll(self, kind: CollectorKind[Any]) -> None:
        """Poll for ever."""
        names = {needed.name: self._names[needed.name] for needed in kind.needs}
        context = context_of(kind, clocks=self._organization.clocks, names=names, ledger=self._ledger)
        collector = kind.make(context)
        lane = Lane(self._time) if kind.keeps_ledger else self._lists
        while any(self._names[needed.name].listed.entries is None for needed in kind.needs):
            if self._time.now >= READY_WITHIN:
                break
            self._time.sleep(1)
        while True:
            with lane.turn():
                began, unrepeated = self._time.now, 0.0
                try:
                    collection = collector.collect(self._client, self._organization.clocks.wall())
                    unrepeated = collection.unrepeated
                    self._succeed(kind, began, collection)
                except UpstreamError as error:
                    self._seen.failures.append(f"{self._time.now:.0f} s: {kind.name}: {error}")
                    self._names[kind.name].fail()
            took = self._time.now - began - unrepeated
            self._time.sleep(began + interval_in_force(kind.interval, took) - self._time.now)

    def _succeed(self, kind: CollectorKind[Any], began: float, collection: Collection) -> None:
        if kind is jobs.KIND:
            self._time.sleep(self._wire.owed)
            self._wire.owed = 0.0
            ends, now = self._organization.ends, self._time.now
            if not self.succeeded[kind.name]:
                self._before = bisect(ends, self._wire.jobs_listed_at)  # these ended before counting began
            elif len(ends) > self._counted:
                # Until this poll ended, the oldest run that the last poll had not counted was this late.
                self._seen.latest_count = max(self._seen.latest_count, now - ends[self._counted])
            counts = (sum(totals.runs.values()) for totals in self._ledger.totals.values())
            self._counted = self._before + sum(counts)
        if collection.names is not None:
            self._names[kind.name].update(collection.names, collection.date)
        self.succeeded[kind.name].append((began, self._time.now))


def simulate(load: Load, seconds: float) -> Seen:
    """Poll a large TheEye with the default settings, for so many seconds."""
    organization, seen = _Organization(load), Seen()
    polls = _Polls(organization, seen)
    busy: dict[float, float] = {}

    def look() -> None:
        while True:
            busy[organization.time.now] = organization.supervisor.busy
            organization.time.sleep(1)

    organization.time.spawn(organization.work)
    organization.time.spawn(look)
    for kind in _POLLED:
        organization.time.spawn(partial(polls.poll, kind))
    organization.time.run(seconds)
    firsts = [times[0][1] if times else seconds for times in polls.succeeded.values()]
    seen.all_read_after = max(firsts)
    since, until = min((at for at in busy if at >= seen.all_read_after), default=seconds), max(busy)
    seen.busy = (busy[until] - busy[since]) / (until - since) if until > since else 1.0
    seen.oldest_state = max(
        (after[1] - before[0] for before, after in pairwise(polls.succeeded[monitors.KIND.name])), default=seconds
    )
    seen.intervals = {
        name: max(after[0] - before[0] for before, after in pairwise(times))
        for name, times in polls.succeeded.items()
        if len(times) > 1
    }
    return seen


def naive(load: Load) -> float:
    """Return the share of the time for which lists of everything, at the same intervals, would occupy the supervisor."""
    numbers = {"monitors": load.monitors, "tasks": load.tasks, "jobs": load.tasks * load.kept_jobs}
    return sum(cost_of(kind.name, numbers.get(kind.name, 0)).busy / kind.interval for kind in _POLLED)


def as_markdown(seconds: float, sizes: Sequence[int]) -> str:
    """Simulate organisations of these sizes, and return a table of what was seen.

    Args:
        seconds: virtual time of each simulation.
        sizes: numbers of monitors, and of tasks.
    """
    rows = {name: [name] for name in (*_TARGETS, _RATIO)}
    for size in sizes:
        load = Load(monitors=size, tasks=size)
        seen, others = simulate(load, seconds), naive(load)
        rows[_RATIO].append(f"{seen.busy / others:.2g}×")  # noqa: RUF001 - that is how ratios are written
        for name, (attribute, most, factor, unit) in _TARGETS.items():
            value = getattr(seen, attribute)
            verdict = ("ok" if value <= most else "MISSED") if size == max(sizes) else ""
            rows[name].append(f"{value * factor:.3g} {unit}".strip() + (f": {verdict}" if verdict else ""))
    targets = [f"at most {most * factor:g} {unit}" for _, most, factor, unit in _TARGETS.values()]
    numbers = [f"{size:,}".replace(",", "\N{NO-BREAK SPACE}") for size in sizes]
    heading = [
        "a large TheEye",
        *(f"{number} monitors, {number} tasks" for number in numbers),
    ]
    lines = [[*heading, "target"], ["---", *("---:" for _ in sizes), "---"]]
    lines += [[*row, target] for row, target in zip(rows.values(), [*targets, ""], strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
