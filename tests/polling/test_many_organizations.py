"""A hundred organisations: threads, requests and publishes are counted, and no silent server stops the others."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from contexts import POLLED
from playback import Asked, Reply, http_server
from processes import DEADLINE, eventually
from theeye_exporter.collectors.jobs import helpers
from theeye_exporter.config import OrganizationSettings, Settings
from theeye_exporter.exposition.snapshot import Publisher
from theeye_exporter.polling.exporter import Exporter
from theeye_exporter.polling.queues import POLLS, PROBES

COUNT = 100
ROUTES = ("resource", "task", "workflows", "job")


class Servers:
    """One server for all organisations, some of which get no answer while the gate is closed."""

    def __init__(self) -> None:
        self.silent: frozenset[str] = frozenset()
        self.gate = threading.Event()
        self.lock = threading.Lock()
        self.under_way: Counter[str] = Counter()
        self.most_lists = 0

    def __call__(self, asked: Asked) -> Reply:
        """Answer with an empty list."""
        name = asked.headers.get("Authorization", "").removeprefix("Bearer token-of-")
        is_job = asked.path.endswith("/job") or not name
        with self.lock:
            self.under_way[name] += not is_job
            self.most_lists = max(self.most_lists, self.under_way[name])
        if name in self.silent:
            self.gate.wait(DEADLINE)
        with self.lock:
            self.under_way[name] -= not is_job
        return Reply(b"[]" if name else b"{}")


@pytest.fixture
def servers() -> Servers:
    return Servers()


@pytest.fixture
def started(servers: Servers, request: pytest.FixtureRequest) -> Iterator[tuple[Exporter, list[Asked]]]:
    timeout = getattr(request, "param", 1.0)
    with http_server(servers) as server:
        organizations = [
            OrganizationSettings(name=f"o{n}", url=server.url, token=SecretStr(f"token-of-o{n}"), timeout=timeout)
            for n in range(COUNT)
        ]
        exporter = Exporter(Settings(organizations=tuple(organizations)))
        yield exporter, server.asked
        servers.gate.set()
        exporter.stop()


def own_threads() -> int:
    """Return the number of threads that the exporter has started, without those of the server and of the tests."""
    names = ("ThreadPoolExecutor", "scheduler", "job-details")
    return sum(thread.name.startswith(names) for thread in threading.enumerate())


def up(exporter: Exporter) -> Counter[bool | None]:
    return Counter(organization.up for organization in exporter.board.organizations)


@pytest.mark.parametrize("silent", [20, COUNT])
def test_silent_servers_stop_nobody_and_are_probed_until_they_respond(
    silent: int, servers: Servers, started: tuple[Exporter, list[Asked]]
) -> None:
    exporter, asked = started
    servers.silent = frozenset(f"o{n}" for n in range(0, COUNT, COUNT // silent))
    exporter.start()
    eventually(lambda: up(exporter) == +Counter({True: COUNT - silent, False: silent}), "a verdict about each")
    eventually(lambda: not exporter.board.waiting, "the first round")
    assert own_threads() <= POLLS + PROBES + helpers.HELPERS + 1
    silent_requests = [
        a for a in list(asked) if a.headers.get("Authorization", "").removeprefix("Bearer token-of-") in servers.silent
    ]
    assert {a.path.rpartition("/")[2] for a in silent_requests} <= {"job", "task"}, "only probes"
    assert {a.query for a in silent_requests} == {"limit=1"}
    servers.gate.set()
    eventually(lambda: up(exporter) == {True: COUNT}, "the recovery of all")
    assert servers.most_lists == 1, "one list at a time for each organisation"


@pytest.mark.parametrize("started", [DEADLINE], indirect=True)
def test_a_round_costs_each_organization_the_same(
    started: tuple[Exporter, list[Asked]], monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, asked = started
    published: Counter[str] = Counter()
    publish = exporter.store.publish

    def count(publisher: Publisher, *rest: Any) -> None:
        published[publisher.organization] += 1
        publish(publisher, *rest)

    monkeypatch.setattr(exporter.store, "publish", count)
    exporter.start()
    eventually(lambda: not exporter.board.waiting, "the first round")
    names = [f"o{n}" for n in range(COUNT)]
    # Each collector publishes what it has found, and then the exporter's own metrics of the organisation change.
    eventually(lambda: all(published[name] >= 2 * len(POLLED) for name in names), "what the first round publishes")
    by_organization: dict[str, Counter[str]] = {name: Counter() for name in names}
    for request in list(asked):
        if name := request.headers.get("Authorization", "").removeprefix("Bearer token-of-"):
            by_organization[name][request.path.rpartition("/")[2]] += 1
    # Jobs: a look at the token, those that changed, and those that are open; more, if their second poll has begun.
    once = dict.fromkeys({"resource", "task", "workflows", "host", "indicator", "webhook"}, 1)
    for name in names:
        jobs = by_organization[name].pop("job")
        assert by_organization[name] == once
        assert jobs % 2 == 1
    assert own_threads() <= POLLS + PROBES + helpers.HELPERS + 1


def test_a_reload_that_changes_one_of_a_hundred_polls_one(started: tuple[Exporter, list[Asked]]) -> None:
    exporter, asked = started
    exporter.start()
    eventually(lambda: not exporter.board.waiting, "the first round")
    before = {id(runner) for runner in exporter.runners}
    published = exporter.store.current()
    assert published.series
    first, *others = exporter.settings.organizations
    asked.clear()
    exporter.apply(
        exporter.settings.model_copy(update={"organizations": (first.model_copy(update={"timeout": 2.0}), *others)})
    )
    kept = before & {id(runner) for runner in exporter.runners}
    assert len(kept) == len(before) * (COUNT - 1) / COUNT
    eventually(lambda: {a.path.rpartition("/")[2] for a in list(asked)} >= set(ROUTES), "polls of the one")
