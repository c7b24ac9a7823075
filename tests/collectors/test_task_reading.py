"""Whatever happens on the server and on the way, the tasks that are kept are those that there are."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from theeye_exporter.clocks import Clocks
from theeye_exporter.collectors.tasks import reading
from theeye_exporter.collectors.tasks.reading import TaskReader
from theeye_exporter.theeye import client as client_module
from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.models import Task
from theeye_exporter.theeye.paging import PageSize, Query

BEGIN: Final = 1_795_352_940.0
FULL: Final = 600.0
SMALL, PAGE, IDS = 4, 3, 2


def object_id(number: int) -> str:
    return f"{number:024x}"


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class Server(TheEyeClient):
    """A TheEye with tasks that answers like the real one, or ignores a part of what it is asked for.

    Attributes:
        ignored: parts of a query that it ignores: where, limit.
        meanwhile: called before each answer.
        asked: the queries, in order.
        walked: when the last complete list of all tasks began.
    """

    def __init__(self, count: int = 0) -> None:
        self._tasks_at_once = PageSize(PAGE, patience=1.0)
        self.now = BEGIN
        self.known: dict[str, dict[str, Any]] = {}
        self.ignored: frozenset[str] = frozenset()
        self.meanwhile: Callable[[], None] = lambda: None
        self.asked: list[Query] = []
        self.walked = self.walk_began = float("-inf")
        for number in range(count):
            self.create(number, lag=60.0 * (count - 1 - number))

    def create(self, number: int, *, lag: float = 0.0) -> None:
        self.known[object_id(number)] = {"id": object_id(number), "execution_count": 0, "last_update": self.now - lag}

    def run(self, number: int, *, lag: float = 0.0) -> None:
        task = self.known[object_id(number)]
        task["execution_count"] += 1
        task["last_update"] = self.now - lag

    def rename_host(self, number: int) -> None:
        task = self.known[object_id(number)]
        task["hostname"] = task.get("hostname", "") + "x"

    def delete(self, number: int) -> None:
        del self.known[object_id(number)]

    def documents(self) -> dict[str, dict[str, Any]]:
        return {task_id: task.copy() for task_id, task in self.known.items()}

    def _get_tasks(self, query: Query) -> Listing[Task]:
        self.asked.append(query)
        if not any(name.startswith("where") for name in query):
            self.walk_began = self.now
        self.meanwhile()
        found = list(self.known.values())
        if "where" not in self.ignored:
            above, since, ids = (
                query.get(f"where[{name}]") for name in ("_id][$gt", "last_update][$gte", "_id][$in][]")
            )
            found = [task for task in found if above is None or task["id"] > above]
            found = [task for task in found if since is None or iso(task["last_update"]) >= parsed(since)]
            found = [task for task in found if ids is None or task["id"] in ids]
        for name in ("_id", "last_update"):
            if f"sort[{name}]" in query:
                found.sort(key=itemgetter(name.strip("_")))
        limit = query.get("limit")
        if limit is not None and "limit" not in self.ignored:
            found = found[: int(str(limit))]
        if "sort[last_update]" not in query and (limit is None or len(found) != int(str(limit))):
            self.walked = self.walk_began
        shown = [msgspec.convert({**task, "last_update": iso(task["last_update"])}, Task) for task in found]
        return Listing(shown, Counter(), self.now)


def parsed(value: object) -> str:
    return datetime.fromisoformat(str(value)).isoformat()


def shown(listing: Listing[Task]) -> dict[str, tuple[Any, Any]]:
    return {task.id: (task.execution_count, task.hostname) for task in listing.items}


def truth(documents: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    return {task_id: (task["execution_count"], task.get("hostname")) for task_id, task in documents.items()}


@pytest.fixture(autouse=True, scope="module")
def _few_are_many() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_SMALL", SMALL)
        patch.setattr(client_module, "_IDS", IDS)
        yield


def reader_of(server: Server) -> TaskReader:
    return TaskReader(FULL, Clocks(wall=lambda: server.now, monotonic=lambda: server.now))


def read(reader: TaskReader, server: Server, next_runs: dict[str, float] | None = None) -> Listing[Task]:
    return reader.read(server, next_runs or {})


def kinds(queries: list[Query]) -> list[str]:
    """Say what was asked for, one after the other: pages of all tasks, changed ones, or some ids."""
    each = (
        "changed" if "sort[last_update]" in query else "ids" if "where[_id][$in][]" in query else "all"
        for query in queries
    )
    return [kind for kind, _ in groupby(each)]


def test_a_small_organizations_tasks_are_all_listed_at_every_poll() -> None:
    server = Server(SMALL)
    reader = reader_of(server)
    for _ in range(2):
        assert shown(read(reader, server)) == truth(server.known)
        server.rename_host(1)
        server.delete(2)
        server.create(2)
    assert kinds(server.asked) == ["all"]


def test_a_large_one_is_asked_for_changes_until_a_list_of_all_is_due() -> None:
    server = Server(7)
    reader = reader_of(server)
    read(reader, server)
    server.now += 60
    server.run(3)
    server.create(9)
    server.rename_host(1)
    server.delete(5)
    assert shown(read(reader, server)) == {
        **{object_id(number): (0, None) for number in range(7)},
        object_id(3): (1, None),
        object_id(9): (0, None),
    }
    assert kinds(server.asked) == ["all", "changed"]
    assert server.asked[3]["where[last_update][$gte]"] == "2026-11-22T13:08:30.000Z"  # 30 s before the newest change


def test_a_list_of_all_tasks_is_spread_over_polls_which_go_on_listing_changes() -> None:
    server = Server(30)
    reader = reader_of(server)
    read(reader, server)
    server.rename_host(1)
    server.rename_host(29)
    server.delete(9)
    server.now += FULL
    pages, found = [], dict[str, tuple[Any, Any]]()
    for number in range(9):
        server.run(number)
        server.create(100 + number)
        before = len(server.asked)
        found = shown(read(reader, server))
        asked = kinds(server.asked[before:])
        pages.append(sum("sort[_id]" in query for query in server.asked[before:]))
        assert {task_id: found[task_id][0] for task_id in server.known} == {
            task_id: count for task_id, (count, _) in truth(server.known).items()
        }
        assert (object_id(9) in found) == (number < 8)
        assert asked[0] == "changed"
        server.now += FULL / 10
    # The last page comes after three quarters of the time until the next list of all.
    assert sum(pages) == (30 - 1 + 9) // PAGE + 1
    assert max(pages) <= 4
    assert found == truth(server.known)
    before = len(server.asked)
    read(reader, server)
    assert kinds(server.asked[before:]) == ["changed"]
    server.now += FULL / 10
    read(reader, server)
    assert kinds(server.asked[before:]) == ["changed", "all"]


def test_a_page_that_fails_is_asked_for_again_and_those_before_it_are_not() -> None:
    server = Server(7)
    reader = reader_of(server)

    def fail() -> None:
        if len(server.asked) == 2:
            raise UpstreamError(Reason.TIMEOUT, "too slow")

    server.meanwhile = fail
    with pytest.raises(UpstreamError):
        read(reader, server)
    assert shown(read(reader, server)) == truth(server.known)
    assert [query.get("where[_id][$gt]") for query in server.asked] == [None, object_id(2), object_id(2), object_id(5)]


def test_a_task_that_is_deleted_before_the_first_page_arrives_is_not_listed() -> None:
    server = Server(7)
    reader = reader_of(server)
    read(reader, server)
    server.now += FULL

    def fail() -> None:
        if "sort[_id]" in server.asked[-1]:
            raise UpstreamError(Reason.TIMEOUT, "too slow")

    server.meanwhile = fail
    server.run(3)
    with pytest.raises(UpstreamError):
        read(reader, server)
    server.run(3)
    with pytest.raises(UpstreamError):
        read(reader, server)  # has listed the change
    server.meanwhile = lambda: None
    server.delete(3)
    read(reader, server)  # and the first page
    server.now += FULL
    assert shown(read(reader, server)) == truth(server.known)


def test_changes_made_while_all_tasks_are_listed_are_found_by_the_next_poll() -> None:
    server = Server(7)
    reader = reader_of(server)

    def change() -> None:
        server.now += 50
        if len(server.asked) == 2:
            server.run(0)  # which the first page has already shown
        server.run(6)  # which the last page will show, with a newer time

    server.meanwhile = change
    read(reader, server)
    server.meanwhile = lambda: None
    assert shown(read(reader, server)) == truth(server.known)


def test_tasks_that_go_on_changing_do_not_keep_a_poll_from_ending() -> None:
    server = Server(7)
    reader = reader_of(server)
    read(reader, server)

    def change() -> None:
        assert len(server.asked) < 20
        server.now += 1
        for number in range(7):
            server.run(number)
        server.now += 1

    server.meanwhile = change
    assert set(shown(read(reader, server))) == set(server.known)
    server.meanwhile = lambda: None
    server.now += 60
    assert shown(read(reader, server)) == truth(server.known)


def test_a_change_dated_in_the_future_hides_no_other_one() -> None:
    server = Server(7)
    server.known[object_id(2)]["last_update"] = BEGIN + 10**6
    reader = reader_of(server)
    for _ in range(3):
        assert shown(read(reader, server)) == truth(server.known)
        server.now += 60
        server.run(4)
    assert kinds(server.asked) == ["all", "changed"]


def test_a_clock_that_is_set_back_costs_a_list_of_all_tasks() -> None:
    server = Server(7)
    reader = TaskReader(FULL, Clocks(wall=lambda: server.now, monotonic=lambda: 0.0))
    read(reader, server)
    server.now -= 3600
    server.run(4)
    read(reader, server)
    assert shown(read(reader, server)) == truth(server.known)


def test_tasks_without_a_time_are_all_listed_at_every_poll() -> None:
    server = Server(7)
    for task in server.known.values():
        task["last_update"] = -1e9
    reader = reader_of(server)
    read(reader, server)
    server.delete(3)
    assert shown(read(reader, server)) == truth(server.known)


def test_an_empty_page_where_there_were_tasks_is_doubted_twice_and_then_believed() -> None:
    server = Server(7)
    reader = reader_of(server)
    read(reader, server)
    server.now += FULL
    for number in (3, 4, 5, 6):
        server.delete(number)
    read(reader, server)  # and the first page
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            read(reader, server)
        assert caught.value.reason is Reason.EMPTY_LIST
    assert shown(read(reader, server)) == truth(server.known)


def test_a_scheduled_task_is_read_again_when_its_run_has_passed_and_then_less_and_less_often() -> None:
    server = Server(7)
    reader = reader_of(server)
    read(reader, server)
    next_runs = {object_id(number): BEGIN + 10 for number in (1, 2, 3)} | {object_id(4): BEGIN + 10**6}
    server.rename_host(2)
    asked_at = []
    for second in range(0, 500, 10):
        server.now = BEGIN + second
        before = len(server.asked)
        listing = read(reader, server, next_runs)
        ids = [list(query["where[_id][$in][]"]) for query in server.asked[before:] if "where[_id][$in][]" in query]
        if ids:
            asked_at.append(second)
            assert [object_id(number) for number in (1, 2, 3)] == [task_id for one in ids for task_id in one]
            assert max(map(len, ids)) <= IDS
            assert shown(listing) == truth(server.known)
    assert asked_at == [10, 20, 30, 50, 90, 170, 330]


def test_too_many_tasks_are_refused_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ITEMS_AT_MOST", 10)
    server = Server(11)
    reader = reader_of(server)
    with pytest.raises(UpstreamError) as caught:
        read(reader, server)
    assert caught.value.reason is Reason.TOO_LARGE
    server.delete(3)
    assert shown(read(reader, server)) == truth(server.known)


IGNORED = st.sets(st.sampled_from(("where", "limit"))).map(frozenset)


@given(IGNORED, st.integers(0, 20), st.sets(st.integers(0, 25), max_size=10), st.sets(st.integers(0, 25), max_size=10))
def test_a_server_that_ignores_where_or_limit_gives_the_same_tasks(
    ignored: frozenset[str], count: int, changed: set[int], renamed: set[int]
) -> None:
    server = Server(count)
    server.known = dict(sorted(server.known.items(), key=lambda item: int(item[0], 16) * 7 % 11))
    server.ignored = ignored
    reader = reader_of(server)
    assert shown(read(reader, server)) == truth(server.known)
    server.now += 60
    for number in sorted(changed):
        if object_id(number) in server.known:
            server.run(number)
        else:
            server.create(number)
    assert shown(read(reader, server)) == truth(server.known)
    for number in renamed:
        if object_id(number) in server.known:
            server.delete(number)
    for _ in range(4):
        server.now += FULL
        with suppress(UpstreamError):  # the last page may be empty, and is doubted
            read(reader, server)
    assert shown(read(reader, server)) == truth(server.known)


WHICH: Final = st.integers(0, 12)
LAGS: Final = st.sampled_from((0.0, 0.0, 5.0))


class Tasks(RuleBasedStateMachine):
    """Tasks are created, run, edited and deleted, also between two pages; requests take time, and fail."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server()
        self.reader = reader_of(self.server)
        self.born = 0
        self.deleted: dict[str, float] = {}
        self.listed = False
        self.found = set[str]()
        self.at_walk: dict[str, dict[str, Any]] = {}

    @initialize(count=st.integers(0, 12))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.create(0.0)

    def one(self, which: int) -> int | None:
        """Return the number of one of the tasks, if there are any."""
        ids = list(self.server.known)
        return int(ids[which % len(ids)], 16) if ids else None

    @rule(lag=LAGS)
    def create(self, lag: float) -> None:
        self.born += 1
        self.server.create(self.born * 7919 % 10_007, lag=lag)  # new ids come anywhere, and never again

    @rule(which=WHICH, lag=LAGS)
    def run(self, which: int, lag: float) -> None:
        if (number := self.one(which)) is not None:
            self.server.run(number, lag=lag)

    @rule(which=WHICH)
    def rename_host(self, which: int) -> None:
        if (number := self.one(which)) is not None:
            self.server.rename_host(number)

    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        if (number := self.one(which)) is not None:
            self.server.delete(number)
            self.deleted[object_id(number)] = self.server.now

    @rule(which=WHICH)
    def date_in_the_future(self, which: int) -> None:
        if (number := self.one(which)) is not None:
            self.server.known[object_id(number)]["last_update"] = self.server.now + 10**6

    @rule(seconds=st.sampled_from((1.0, 60.0, 60.0, FULL)))
    def wait(self, seconds: float) -> None:
        self.server.now += seconds

    @rule(
        seconds=st.sampled_from((0.0, 1.0, 40.0)),
        fails_at=st.sampled_from((None, None, 1, 2, 3)),
        changes_at=st.sampled_from((None, None, 1, 2, 3)),
        which=WHICH,
    )
    def poll(self, seconds: float, fails_at: int | None, changes_at: int | None, which: int) -> None:
        first = len(self.server.asked)
        before, began = self.server.documents(), self.server.now

        def meanwhile() -> None:
            request = len(self.server.asked) - first
            if not any(name.startswith("where") for name in self.server.asked[-1]):
                self.at_walk = self.server.documents()
            self.server.now += seconds
            if request == fails_at:
                raise UpstreamError(Reason.TIMEOUT, "too slow")
            if request == changes_at:
                self.create(0.0)
                self.run(which, 0.0)
                self.rename_host(which + 1)
                self.delete(which + 2)
            if changes_at is not None and request > changes_at:
                self.run(which + 3, 0.0)

        self.server.meanwhile = meanwhile
        self.listed = False
        try:
            found = shown(read(self.reader, self.server))
        except UpstreamError:
            return
        self.listed = True
        # All tasks that existed then and still exist have to be found; none that were gone before the list may be.
        was = before if "changed" in kinds(self.server.asked[first:]) else self.at_walk
        kept = {task_id: task for task_id, task in was.items() if task_id in self.server.known}
        # What goes on changing is for the next poll, even a whole task if it is new.
        steady = {
            task_id
            for task_id, task in kept.items()
            if max(task["last_update"], self.server.known[task_id]["last_update"]) <= began
        }
        assert steady | (kept.keys() & self.found) <= found.keys()
        assert {task_id for task_id in steady if found[task_id][0] < kept[task_id]["execution_count"]} == set()
        self.found = set(found)
        for task_id in found.keys() - self.server.known.keys():
            assert self.deleted[task_id] >= self.server.walked

    @precondition(lambda self: self.listed)
    @rule()
    def everything_is_right_after_a_quiet_list_of_all(self) -> None:
        self.server.meanwhile = lambda: None
        found: dict[str, tuple[Any, Any]] = {}
        for _ in range(6):  # a list that was begun before is finished first, and an empty page is doubted twice
            self.server.now += FULL
            with suppress(UpstreamError):
                found = shown(read(self.reader, self.server))
        assert found == truth(self.server.known)


TestTasks = Tasks.TestCase
