"""Triggers of a schedule that create jobs, or should have: any history, polled at any moment."""

from dataclasses import dataclass, field

import hypothesis
import hypothesis.strategies as st
import pytest

from ledger.polling import START, TASK, Poller, iso
from theeye_exporter.ledger.triggers import Scheduled

PATIENCE = 60


@dataclass
class World:
    """A task with a schedule, and the ledger that polls it; times are seconds after `START`.

    Attributes:
        now: the time.
        triggered: the last trigger.
        executions: how many jobs TheEye has counted.
        created: when each job was created.
        open_at: by trigger, whether a job was open.
        due: when the job of the last trigger comes.
        kept: number of ended jobs that TheEye keeps.
    """

    poller: Poller = field(default_factory=Poller)
    now: int = 1
    triggered: int | None = None
    executions: int = 3
    created: list[int] = field(default_factory=list)
    open_at: dict[int, bool] = field(default_factory=dict)
    due: int | None = None
    kept: int = 5

    def pass_time(self, seconds: int) -> None:
        if self.due is not None and self.due <= self.now + seconds:
            self.now, seconds, due = self.due, self.now + seconds - self.due, self.due
            self.due = None
            assert self.now == due
            self.create()
        self.now += seconds

    def trigger(self, *, broken: bool, delay: int) -> None:
        """Let the schedule be due: it creates a job a little later, unless one is open or TheEye is broken."""
        self.pass_time(10)
        self.triggered = self.now
        self.open_at[self.now] = any(job["lifecycle"] == "ready" for job in self.poller.jobs.values())
        if not broken and not self.open_at[self.now]:
            self.due = self.now + delay

    def create(self) -> None:
        self.executions += 1
        self.created.append(self.now)
        creation = iso(self.now)
        self.poller.put(f"job-{self.executions}", self.now, lifecycle="ready", state="", creation_date=creation)
        ended = [job_id for job_id, job in self.poller.jobs.items() if job["lifecycle"] == "finished"]
        for job_id in ended[: -self.kept]:
            del self.poller.jobs[job_id]

    def end_jobs(self) -> None:
        self.pass_time(1)
        for job_id, job in self.poller.jobs.items():
            if job["lifecycle"] == "ready":
                self.poller.put(job_id, self.now, lifecycle="finished", state="success")

    def poll(self, *, saw_all: bool = True) -> float | None:
        """Poll, and return the trigger that the ledger calls missed."""
        self.poller.date = self.now
        scheduled = None if self.triggered is None else Scheduled(START + self.triggered, self.executions)
        cycle = self.poller.cycle()
        cycle.triggers.compare({TASK: scheduled}, START + self.now, saw_all=saw_all)
        self.poller.ledger.commit(cycle)
        return self.missed

    @property
    def missed(self) -> float | None:
        triggers = self.poller.totals().triggers
        if triggers is None or not triggers.missed or triggers.waiting is None:
            return None
        return triggers.waiting - START


def world(*, runs: int = 1) -> World:
    """Return a world whose schedule has created jobs that the ledger has seen."""
    found = World()
    found.poller.put("other", 0, task_id="t2")
    for _ in range(runs):
        found.trigger(broken=False, delay=1)
        found.pass_time(2)
        found.end_jobs()
        assert found.poll() is None
    return found


def test_a_trigger_without_a_job_is_missed_after_a_minute_and_until_a_job_is_created() -> None:
    theeye = world()
    theeye.trigger(broken=True, delay=0)
    first = theeye.now
    assert theeye.poll() is None
    theeye.pass_time(PATIENCE - 1)
    assert theeye.poll() is None
    theeye.trigger(broken=True, delay=0)
    assert theeye.poll() == first
    theeye.pass_time(1000)
    assert theeye.poll() == first
    theeye.create()
    assert theeye.poll() is None


def test_a_trigger_while_a_job_is_open_is_not_missed() -> None:
    theeye = world()
    theeye.create()
    theeye.trigger(broken=False, delay=1)
    theeye.poll()
    theeye.pass_time(PATIENCE)
    assert theeye.poll() is None
    theeye.end_jobs()
    theeye.pass_time(PATIENCE)
    assert theeye.poll() is None


def test_a_job_that_was_open_at_the_trigger_and_has_ended_before_the_poll_excuses_it() -> None:
    theeye = world()
    theeye.create()
    theeye.poll()
    theeye.trigger(broken=False, delay=1)
    theeye.end_jobs()
    theeye.pass_time(PATIENCE)
    assert theeye.poll() is None


def test_an_old_job_that_runs_again_does_not_end_a_missed_trigger() -> None:
    theeye = world()
    theeye.trigger(broken=True, delay=0)
    first = theeye.now
    theeye.poll()
    theeye.pass_time(PATIENCE)
    assert theeye.poll() == first
    theeye.poller.put("job-4", theeye.now, lifecycle="ready")
    assert theeye.poll() == first


def test_where_a_job_may_be_unseen_no_trigger_is_missed() -> None:
    theeye = world()
    theeye.trigger(broken=True, delay=0)
    first = theeye.now
    theeye.pass_time(PATIENCE)
    assert theeye.poll(saw_all=False) is None
    assert theeye.poll(saw_all=True) == first


def test_a_task_that_lost_its_schedule_missed_nothing() -> None:
    theeye = world()
    theeye.trigger(broken=True, delay=0)
    theeye.pass_time(PATIENCE)
    assert theeye.poll() is not None
    theeye.triggered = None
    assert theeye.poll() is None
    assert theeye.poller.totals().triggers is None


@pytest.mark.parametrize("raised", [1, -2])
def test_the_count_alone_says_that_a_job_was_created(raised: int) -> None:
    theeye = world()
    theeye.trigger(broken=True, delay=0)
    theeye.poll()
    theeye.executions += raised
    theeye.pass_time(PATIENCE)
    assert theeye.poll() is None


EVENTS = ("trigger", "broken", "end", "pass", "create", "poll", "poll", "blind poll", "restart")


def live(theeye: World, event: str, delay: int, seconds: int) -> None:
    match event:
        case "trigger" | "broken":
            theeye.trigger(broken=event == "broken", delay=delay)
        case "end":
            theeye.end_jobs()
        case "pass":
            theeye.pass_time(seconds)
        case "create":
            theeye.pass_time(1)
            theeye.create()
        case "restart":
            former = theeye.poller.ledger
            theeye.poller.ledger = former.successor(former.bounds)


@hypothesis.given(
    events=st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 9), st.integers(1, 100)), max_size=40)
)
@hypothesis.settings(max_examples=400)
def test_what_is_missed_is_what_created_no_job(events: list[tuple[str, int, int]]) -> None:
    theeye = world()
    expected: float | None = None
    seen, counted = theeye.triggered or 0, theeye.executions  # as of the last list that explains everything
    for event, delay, seconds in events:
        live(theeye, event, delay, seconds)
        if not event.endswith("poll"):
            continue
        shown = theeye.poll(saw_all=event == "poll")
        last = theeye.triggered or 0
        if theeye.executions != counted:
            seen, counted, expected = last, theeye.executions, None
        elif expected is None and last > seen:
            expected = last
        if expected is not None and theeye.open_at[int(expected)]:
            seen, expected = last, None
        assert shown in {None, expected}
        if shown is not None:
            assert not [at for at in theeye.created if at >= shown]
            assert theeye.now >= shown + PATIENCE
        elif event == "poll":
            assert expected is None or theeye.now < expected + PATIENCE
