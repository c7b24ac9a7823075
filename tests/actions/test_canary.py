"""A canary over a day: what it says of the platform is what happened to it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.alerting import MortalFile
from actions.model import US, Died, Model, ModelUpstream, Mortal
from theeye_exporter.actions.canary import Canary, Found
from theeye_exporter.actions.canary_state import CanaryPlan
from theeye_exporter.actions.rows import ByArguments, Phase, Target, Timing
from theeye_exporter.actions.starter import Starter
from theeye_exporter.actions.store import FileStore, MemoryStore
from theeye_exporter.actions.targets import TargetError
from theeye_exporter.clocks import Clocks
from theeye_exporter.theeye.errors import UpstreamError
from theeye_exporter.theeye.fields import Times, timestamp
from theeye_exporter.theeye.paging import iso
from theeye_exporter.theeye.run_models import RunResult

PLAN: Final = CanaryPlan(organization="acme", name="c", interval=300.0, timeout=120.0)
FOUND: Final[Found] = (Target("task", "t", "t"), ((0, "x"),))
TICK: Final = 5.0
HOUR: Final = 3600.0
RUN: Final = 3.0
BOT: Final = 10.0


class Watched:
    """A canary, and the world that it watches."""

    def __init__(
        self, behaviours: list[str] | None = None, folder: Path | None = None, deaths: Iterable[int] = ()
    ) -> None:
        self.model = Model()
        self.behaviours = iter(behaviours or [])
        self.mortal = Mortal(set(deaths))
        self.upstream = ModelUpstream(self.model, self.mortal, self.next_behaviours())
        self.folder = folder
        self.file: MortalFile | None = None
        self.finished = 0
        self.most_open = 0
        self.before: Counter[str] = Counter()
        self.found: Found | Exception = FOUND
        self.ahead = 0.0
        """How far our clock of the day is ahead of everybody's."""
        self.canary = self.made()

    def next_behaviours(self) -> Iterator[tuple[str, float]]:
        yield from ((what, 0.0) for what in self.behaviours)
        yield from repeat(("ok", 0.0))

    def find(self) -> Found:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def restart(self) -> None:
        """Begin again, without any memory but the state file, if there is one."""
        self.before += self.canary.state.runs
        self.canary = self.made()

    def made(self) -> Canary:
        try:
            return self.attempt()
        except Died:
            return self.made()

    def attempt(self) -> Canary:
        self.close()
        store = MemoryStore()
        if self.folder is not None:
            self.file = MortalFile(self.folder / "state")
            self.file.mortal = self.mortal
            store = FileStore(self.file, "acme")
            store.learn_user_id(self.upstream.token_mark(), US)
        canary = Canary(
            PLAN,
            find=self.find,
            starter=Starter(
                self.upstream, store, lambda: self.model.now + self.ahead, Timing(), by_arguments=ByArguments.NEVER
            ),
            store=store,
            upstream=self.upstream,
            clocks=Clocks(lambda: self.model.now + self.ahead, lambda: self.model.now),
        )
        canary.resume()
        return canary

    def close(self) -> None:
        if self.file is not None:
            self.file.close()

    @property
    def open(self) -> list[str]:
        return [job.id for task in self.model.tasks.values() for job in task.jobs if job.lifecycle == "ready"]

    @property
    def runs(self) -> Counter[str]:
        return self.before + self.canary.state.runs

    def take_jobs(self) -> None:
        """Be the bot: end what is ready; each script runs for some seconds."""
        for job in (job for task in self.model.tasks.values() for job in task.jobs):
            created = timestamp(job.creation_date)
            if job.lifecycle == "ready" and created is not None and created + RUN <= self.model.now:
                job.lifecycle, job.state, job.last_update = "finished", "success", iso(self.model.now)
                job.result = RunResult(times=Times(seconds=RUN, nanoseconds=0))
                self.finished += 1

    def live(self, seconds: float, *, down: bool = False, bot: bool = True, ours: bool = True) -> None:
        """Let time pass, with an outage of TheEye, of the bot or of ourselves."""
        self.model.down = down
        until = self.model.now + seconds
        while self.model.now < until:
            before = self.model.now
            self.model.wait(TICK)
            if bot and not down and before // BOT < self.model.now // BOT:
                self.take_jobs()
            if ours:
                try:
                    self.work()
                except Died:
                    self.restart()
            self.most_open = max(self.most_open, len(self.open))
        self.model.down = False

    def work(self) -> None:
        if self.canary.is_due:
            self.canary.work()
        if self.canary.job_id:
            try:
                listed = self.upstream.runs([self.canary.job_id])
            except UpstreamError:
                return
            self.canary.work(listed)


def test_a_day_with_outages() -> None:
    watched = Watched()
    watched.live(6 * HOUR)
    state = watched.canary.state
    assert (dict(state.runs), state.success, state.why) == ({"success": 72}, True, "")
    watched.live(HOUR / 2, bot=False)
    assert (state.runs["timeout"], state.success) == (6, False)
    assert state.why == "the run had not ended after 120 s, and was cancelled"
    last_success = state.last_success_at
    watched.live(HOUR / 2, down=True)
    assert state.runs["refused"] in {5, 6}
    assert (state.success, state.last_success_at) == (False, last_success)
    last_run = state.last_run_at
    watched.live(HOUR / 2, ours=False)  # we were away: these starts are not made up for
    assert state.last_run_at == last_run
    watched.live(HOUR)
    assert state.success
    assert 72 + 12 <= state.runs["success"] <= 72 + 13
    assert len(watched.model.created) == state.runs["success"] + state.runs["timeout"]
    assert watched.most_open == 1


def test_the_phases_are_those_of_the_run() -> None:
    watched = Watched()
    watched.live(HOUR)
    state = watched.canary.state
    assert state.phases is not None
    assert state.phases.run == RUN
    assert state.phases.queue is not None
    assert 0 <= state.phases.queue <= BOT
    assert 0 < state.phases.submit < 1
    assert sum(state.turnarounds) == state.runs["success"] == 12
    assert state.turnarounds[-1] == 0
    assert 12 * RUN < state.turnaround_sum < 12 * (RUN + BOT + 1)


def test_starts_are_an_interval_apart_also_after_a_pause_of_the_process() -> None:
    watched = Watched()
    watched.live(100)
    watched.live(HOUR, ours=False)
    before = len(watched.model.created)
    watched.live(PLAN.interval - TICK)
    assert len(watched.model.created) == before + 1


PERIODS: Final = st.lists(
    st.tuples(
        st.floats(10, 2 * HOUR),
        st.sampled_from(["fine", "fine", "down", "no bot", "away", "restart", "restart while down"]),
    ),
    max_size=8,
)
BEHAVIOURS: Final = st.lists(
    st.sampled_from(["ok", "ok", "lost", "dropped", "nothing", "refused", "broken"]), max_size=20
)


@settings(max_examples=25, deadline=None)
@given(PERIODS, BEHAVIOURS, st.sets(st.integers(1, 400), max_size=5))
def test_any_day_is_told_as_it_was(periods: list[tuple[float, str]], behaviours: list[str], deaths: set[int]) -> None:
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:  # noqa: S108 - fast
        watched = Watched(behaviours, Path(folder), deaths)
        try:
            check_any_day(watched, periods, behaviours, deaths)
        finally:
            watched.close()


def check_any_day(watched: Watched, periods: list[tuple[float, str]], behaviours: list[str], deaths: set[int]) -> None:
    for seconds, what in periods:
        if what.startswith("restart"):
            watched.restart()
        watched.live(seconds, down=what.endswith("down"), bot=what != "no bot", ours=what != "away")
    watched.mortal._deaths.clear()
    watched.live(HOUR)
    assert watched.most_open <= 1
    assert watched.runs["success"] <= watched.finished
    undisturbed = not deaths and not any(what.startswith(("restart", "away")) for _, what in periods)
    if undisturbed and "lost" not in behaviours:
        # One that ends after its timeout is a timeout.
        assert watched.runs["success"] >= watched.finished - watched.runs["timeout"]
    behaves_again = next(watched.behaviours, None) is None
    if behaves_again:
        watched.live(HOUR)
        state = watched.canary.state
        assert state.success
        assert state.last_success_at is not None
        assert watched.model.now - state.last_success_at <= PLAN.interval + PLAN.timeout
        assert state.phases is not None
        assert state.phases.run == RUN
    assert len(watched.open) <= (watched.canary.open_since is not None)


def test_a_restarted_process_goes_on_with_its_open_run(tmp_path: Path) -> None:
    watched = Watched(folder=tmp_path)
    watched.live(100, bot=False)
    (job,) = watched.open
    watched.restart()
    watched.live(15, bot=False)
    assert (watched.canary.job_id, watched.open) == (job, [job])
    watched.live(60)
    assert dict(watched.canary.state.runs) == {"success": 1}
    assert watched.canary.state.phases is None  # nobody knows when it was decided
    assert watched.model.created == ["x"]


def test_without_a_state_file_the_open_run_is_found_once_our_user_is_known() -> None:
    watched = Watched()
    watched.live(100, bot=False)
    (job,) = watched.open
    watched.restart()
    watched.live(15, bot=False)
    assert watched.canary.job_id not in {"", job}
    watched.live(300, bot=False)
    assert watched.canary.job_id == ""
    assert watched.open == []  # both were cancelled after their timeout
    assert watched.model.created == ["x", "x"]


@pytest.mark.parametrize("phase", [Phase.SENDING, Phase.STARTED])
def test_a_canary_that_is_gone_follows_its_run_and_starts_nothing(tmp_path: Path, phase: Phase) -> None:
    watched = Watched(["lost"] if phase is Phase.SENDING else [], tmp_path)
    watched.live(100, bot=False) if phase is Phase.STARTED else watched.canary.work()
    watched.restart()
    watched.canary.retired = True
    assert watched.canary.phase
    watched.live(HOUR, bot=False)
    assert watched.canary.open_since is None
    assert (watched.model.created, watched.open) == (["x"], [])
    assert watched.file is not None
    assert watched.file.ends_of_kinds("start/") == []


def test_a_start_that_waits_is_dropped_with_its_canary(tmp_path: Path) -> None:
    watched = Watched(["nothing"], tmp_path)
    watched.canary.work()
    watched.restart()
    watched.canary.retired = True
    watched.live(HOUR)
    assert (watched.canary.open_since, watched.model.created) == (None, [])


def test_runs_of_others_are_not_taken_for_ours() -> None:
    watched = Watched()
    watched.model.create("t", "other", by_secret=False, user="somebody")
    watched.live(100, bot=False)
    assert len(watched.open) == 2


@pytest.mark.parametrize("by_secret", [True, False])
def test_a_run_of_a_stranger_is_left_alone_while_our_user_is_unknown(by_secret: bool) -> None:
    watched = Watched()
    watched.upstream.by_secret = by_secret
    theirs = watched.model.create("t", "x", by_secret=by_secret, user="somebody")
    watched.live(HOUR, bot=False)
    assert theirs.lifecycle == "ready"
    assert watched.model.created == ["x"] * 14  # theirs, and ours


@pytest.mark.parametrize("arguments", [(), ((0, "x"),)])
def test_a_run_of_a_stranger_is_not_taken_for_a_start_whose_answer_was_lost(arguments: Any) -> None:
    watched = Watched(["dropped"])
    watched.found = (FOUND[0], arguments)
    watched.live(10.0, bot=False)
    theirs = watched.model.create("t", "x", by_secret=False, user="somebody")
    watched.live(250.0, bot=False)
    assert theirs.lifecycle == "ready"
    assert dict(watched.canary.state.runs) == {"lost": 1}


def test_a_run_that_cannot_be_cancelled_keeps_the_next_one_from_starting() -> None:
    watched = Watched()
    watched.live(100, bot=False)
    watched.upstream.stubborn = set(watched.open)
    watched.live(HOUR / 2, bot=False)
    assert watched.model.created == ["x"]
    assert watched.canary.state.runs["timeout"] >= 5
    assert watched.canary.state.why == "the run continues although TheEye accepted the cancellation"
    watched.live(HOUR / 2)
    assert watched.canary.state.success
    assert watched.most_open == 1


def test_a_target_that_is_gone_is_a_failure_that_says_so() -> None:
    watched = Watched()
    watched.found = TargetError("no task 'x'")
    watched.live(HOUR)
    assert (dict(watched.canary.state.runs), watched.canary.state.why) == ({"refused": 13}, "no task 'x'")
    watched.found = FOUND
    watched.live(HOUR)
    assert watched.canary.state.success


def test_a_canary_with_a_secret_key_goes_on_with_its_open_run_too(tmp_path: Path) -> None:
    watched = Watched(folder=tmp_path)
    watched.upstream.by_secret = True
    watched.live(100, bot=False)
    watched.restart()
    watched.live(100)
    assert dict(watched.canary.state.runs) == {"success": 1}
    assert watched.model.created == ["x"]


def told(step: float) -> tuple[Counter[str], list[int], float]:
    watched = Watched(["ok", "lost", "nothing", *["ok"] * 5, "lost"])
    for _ in range(4):
        watched.live(HOUR / 4 + 7)
        watched.ahead += step
        watched.live(HOUR / 4)
    watched.live(320.0, bot=False)
    watched.ahead -= step
    watched.live(180.0, bot=False)
    return watched.runs, watched.canary.state.turnarounds, watched.canary.state.turnaround_sum


@pytest.mark.parametrize("step", [-24 * HOUR, -HOUR, HOUR, 24 * HOUR])
def test_a_clock_that_is_set_changes_nothing(step: float) -> None:
    runs, turnarounds, seconds = told(step)
    assert (runs, turnarounds) == told(0.0)[:2]
    assert seconds == pytest.approx(told(0.0)[2], abs=1.0)
    assert runs["timeout"] == 1


def test_a_cancellation_is_repeated_until_it_is_taken() -> None:
    watched = Watched()
    watched.live(100.0, bot=False)
    watched.live(35.0, down=True, bot=False)
    assert watched.open
    watched.live(20.0, bot=False)
    assert watched.open == []
    assert watched.runs == {"timeout": 1}
    assert len(watched.model.created) == 1


def replaced(watched: Watched) -> None:
    """Take over a changed configuration without a restart."""
    former = watched.canary
    watched.canary = watched.made()
    watched.canary.replace(former)


@pytest.mark.parametrize("change", [Watched.restart, replaced])
def test_a_start_that_is_sent_after_a_change_starts_what_the_configuration_names_now(
    tmp_path: Path, change: Callable[[Watched], None]
) -> None:
    watched = Watched(["nothing"], tmp_path)
    watched.canary.work()
    watched.found = (Target("task", "new", "new"), ((0, "y"),))
    change(watched)
    watched.live(100)
    assert watched.model.created == ["y"]
    assert [len(watched.model.task(task).jobs) for task in ("t", "new")] == [0, 1]


@pytest.mark.parametrize("change", [Watched.restart, replaced])
@pytest.mark.parametrize("by_secret", [False, True])
def test_a_start_that_is_sent_with_another_key_and_whose_answer_is_lost_is_not_sent_twice(
    tmp_path: Path, change: Callable[[Watched], None], by_secret: bool
) -> None:
    watched = Watched(["nothing", "lost"], tmp_path)
    watched.upstream.by_secret = not by_secret
    watched.canary.work()
    watched.upstream.by_secret = by_secret
    change(watched)
    watched.live(100)
    assert watched.model.created == ["x"]
    assert dict(watched.canary.state.runs) == {"success": 1}
