"""Any history of jobs, polled at any moment: what is counted is what TheEye's API could tell.

A small TheEye lives and is polled, and a referee who knows every job's runs by number says what could be told of it:
a run whose end was never listed, or that another one followed before its result was read, cannot. Nor can one that
ended while it was hidden, before a list of all jobs; and what was hidden for a while is never counted twice.
"""

import copy
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from ledger.polling import BOUNDS, OVERLAP, START, UnreliableStorage, iso, result
from theeye_exporter.ledger.records import RunKey, RunKind, RunTotals
from theeye_exporter.ledger.run_ledger import RunLedger
from theeye_exporter.ledger.storage import LedgerError
from theeye_exporter.ledger.update import LedgerUpdate, Poll
from theeye_exporter.theeye.memory import UNBOUNDED
from theeye_exporter.theeye.models import Job

ENDS = {
    "success": ("finished", "success"),
    "failure": ("finished", "failure"),
    "timeout": ("terminated", "timeout"),
    "canceled": ("canceled", "canceled"),
    "error": ("terminated", "error"),
    "unknown": ("finished", "melted"),
}
OUTCOMES = (*["success"] * 4, "failure", "failure", "timeout", "canceled", "error", "unknown")
FAILED = {"failure", "timeout", "error"}
TOLERANCE = 300
KINDS = (*["ScriptJob"] * 4, "DummyJob", "WorkflowJob")


@dataclass
class LivingJob:
    """A job as it really is; `run` is the number of times that it has ended."""

    id: str
    kind: str
    task: str
    created: int
    updated: int
    run: int = 0
    outcome: str | None = None
    result: dict[str, Any] | None = None

    @property
    def run_key(self) -> RunKey:
        kind = RunKind.WORKFLOW if self.kind == "WorkflowJob" else RunKind.TASK
        return RunKey(kind, self.task)

    @property
    def has_result(self) -> bool:
        """Whether a result with a run time comes with the end."""
        return self.kind == "ScriptJob" and self.outcome != "canceled"

    def told(self, *, with_result: bool) -> Job:
        lifecycle, state = ("ready", "in_progress") if self.outcome is None else ENDS[self.outcome]
        document = {
            "id": self.id,
            "_type": self.kind,
            "name": self.task,
            "workflow_id" if self.kind == "WorkflowJob" else "task_id": self.task,
            "lifecycle": lifecycle,
            "state": state,
            "creation_date": iso(self.created),
            "last_update": iso(self.updated),
        }
        return msgspec.convert(document | ({"result": self.result} if with_result and self.result else {}), Job)


@dataclass
class Sight:
    """What could be told of a job until now; `due` says that the result of the run seen last is still to be read."""

    run_key: RunKey
    updated: int = 0
    open: bool = False
    runs: int = 0
    run: int = 0
    outcome: str | None = None
    result: dict[str, Any] | None = None
    read: bool = False
    due: bool = False
    counted: bool = False
    failures: int = 0


@dataclass
class Referee:
    """Says what has to be counted."""

    began: bool = False
    listed: float = float("-inf")
    seen: dict[str, Sight] = field(default_factory=dict)
    runs: Counter[tuple[RunKey, str]] = field(default_factory=Counter)
    durations: dict[RunKey, list[float]] = field(default_factory=dict)
    turnarounds: dict[RunKey, list[float]] = field(default_factory=dict)
    last: dict[RunKey, tuple[int, str, str]] = field(default_factory=dict)
    failures: dict[RunKey, list[int]] = field(default_factory=dict)
    successes: dict[RunKey, int] = field(default_factory=dict)
    lost: int = 0

    def consecutive_failures(self, run_key: RunKey) -> int:
        """Return how many failed runs ended after the last success, whenever they were seen."""
        ended, _, outcome = self.last[run_key]
        since = self.successes.get(run_key, 0)
        failed_last = outcome in FAILED and ended > since
        return max(sum(at > since for at in self.failures.get(run_key, [])), int(failed_last))

    def look(self, job: LivingJob, *, with_result: bool) -> None:
        """Take note of a job as it was listed or fetched."""
        hidden = job.id not in self.seen and job.updated < self.listed - TOLERANCE
        sight = self.seen.setdefault(job.id, Sight(job.run_key))
        sight.updated = job.updated
        if job.outcome is None:
            self.give_up(sight)
            sight.open = True
            return
        full = with_result and (job.result is not None or not job.has_result)
        ended_anew = sight.open or not sight.runs or job.outcome != sight.outcome
        if ended_anew or (full and sight.read and job.result != sight.result):
            self._count(sight, job, full=full, hidden=hidden)
        elif full and not sight.read:
            if sight.due and sight.counted and job.result is not None:
                self.durations.setdefault(job.run_key, []).append(_seconds(job.result))
            sight.read, sight.due, sight.result = True, False, job.result
        if full or not job.has_result:
            sight.run, sight.failures = job.run, 0

    def miss(self, job_id: str, *, run: int) -> None:
        """Take note that a job could not be fetched; after three times a change is an edit, whatever it was."""
        sight = self.seen[job_id]
        if not sight.open:
            sight.failures += 1
            if sight.failures == 3:
                self.give_up(sight)
                sight.run = run

    def learn_of_deletion(self, job_id: str) -> None:
        if self.seen[job_id].open:
            del self.seen[job_id]
        else:
            self.give_up(self.seen[job_id])

    def forget_all_but(self, listed: set[str]) -> None:
        for job_id in self.seen.keys() - listed:
            if not self.seen[job_id].open and self.seen[job_id].updated < self.listed - TOLERANCE:
                self.give_up(self.seen.pop(job_id))

    def give_up(self, sight: Sight) -> None:
        self.lost += sight.due and sight.counted
        sight.due, sight.failures = False, 0

    def _count(self, sight: Sight, job: LivingJob, *, full: bool, hidden: bool) -> None:
        self.give_up(sight)
        assert job.outcome is not None
        first = not sight.runs
        sight.open, sight.run, sight.outcome = False, job.run, job.outcome
        sight.counted = self.began and not hidden
        sight.runs += 1
        sight.read, sight.result = full, job.result if full else None
        sight.due = job.has_result and not full
        self._follow(job, new=sight.counted or not self.began)
        if job.updated >= self.last.get(job.run_key, (0, "", ""))[0]:
            self.last[job.run_key] = (job.updated, job.id, job.outcome)
        if not sight.counted:
            return
        self.runs[job.run_key, job.outcome] += 1
        if first:
            self.turnarounds.setdefault(job.run_key, []).append(float(job.updated - job.created))
        if full and job.result is not None and job.run_key.kind is RunKind.TASK:
            self.durations.setdefault(job.run_key, []).append(_seconds(job.result))

    def _follow(self, job: LivingJob, *, new: bool) -> None:
        """Take note of a failure or success; a run that may have been seen before only counts as the last one."""
        failures = self.failures.setdefault(job.run_key, [])
        if job.run_key in self.last and self.consecutive_failures(job.run_key) > len(
            [at for at in failures if at > self.successes.get(job.run_key, 0)]
        ):
            failures.append(self.last[job.run_key][0])
        if job.outcome == "success":
            self.successes[job.run_key] = max(job.updated, self.successes.get(job.run_key, 0))
        elif job.outcome in FAILED and new:
            failures.append(job.updated)


def _seconds(found: dict[str, Any]) -> float:
    times = found["times"]
    return float(times["seconds"] + times["nanoseconds"] / 10**9)


class Histories(RuleBasedStateMachine):
    """Lives, polls, breaks and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.storage = UnreliableStorage(self.folder / "state")
        self.ledger = RunLedger("demo", self.storage, BOUNDS)
        self.now = 1000
        self.number = 0
        self.jobs: dict[str, LivingJob] = {}
        self.hidden: set[str] = set()
        self.once_hidden: set[str] = set()
        self.ends: Counter[RunKey] = Counter()
        self.referee = Referee()
        self.results_listed = False
        self.unreadable = False

    def teardown(self) -> None:
        self.storage.close()
        shutil.rmtree(self.folder)

    @initialize(data=st.data(), results_listed=st.booleans(), unreadable=st.booleans(), events=st.integers(0, 6))
    def begin(self, data: st.DataObject, results_listed: bool, unreadable: bool, events: int) -> None:
        self.results_listed = results_listed
        self.unreadable = unreadable
        for _ in range(events):
            self.happen(data)

    # What happens in TheEye

    def happen(self, data: st.DataObject) -> None:
        """Let one thing happen."""
        self.now += 1
        events: Sequence[Callable[[st.DataObject], None]] = [self._create]
        if self.jobs:
            events = [self._end_or_restart] * 5 + [self._edit] * 2 + [self._delete, self._create]
        data.draw(st.sampled_from(events))(data)

    def _create(self, data: st.DataObject) -> None:
        self.number += 1
        job = LivingJob(
            id=f"job-{self.number}",
            kind=data.draw(st.sampled_from(KINDS)),
            task=data.draw(st.sampled_from(["t1", "t2"])),
            created=self.now,
            updated=self.now,
        )
        self.jobs[job.id] = job
        if data.draw(st.booleans()):
            self._end(job, data)

    def _end_or_restart(self, data: st.DataObject) -> None:
        job = self._any(data)
        if job.outcome is None:
            self._end(job, data)
            return
        job.outcome, job.result, job.updated = None, None, self.now
        if data.draw(st.booleans()):
            self._end(job, data)

    def _end(self, job: LivingJob, data: st.DataObject) -> None:
        self.now += 1
        self.number += 1
        job.run += 1
        self.ends[job.run_key] += 1
        job.outcome = data.draw(st.sampled_from(OUTCOMES))
        job.updated = self.now
        job.result = result(self.number + 0.5) if job.has_result else None  # no two runs take the same time

    def _edit(self, data: st.DataObject) -> None:
        job = self._any(data)
        # An edit of what was never seen, or was forgotten, cannot be told from an end.
        if job.id not in self.once_hidden or (job.id in self.referee.seen and job.id not in self.hidden):
            job.updated = self.now

    def _delete(self, data: st.DataObject) -> None:
        del self.jobs[self._any(data).id]

    def _any(self, data: st.DataObject) -> LivingJob:
        return self.jobs[data.draw(st.sampled_from(sorted(self.jobs)))]

    @rule(data=st.data(), events=st.integers(1, 4))
    def live(self, data: st.DataObject, events: int) -> None:
        for _ in range(events):
            self.happen(data)

    @rule(seconds=st.integers(1, 500))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def break_or_mend(self) -> None:
        """Let jobs in full be unreadable for a while."""
        self.unreadable = not self.unreadable

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def hide_or_show(self, data: st.DataObject) -> None:
        """Let the token see a job no more, or again."""
        self.hidden ^= {self._any(data).id}
        self.once_hidden |= self.hidden

    # What the exporter does

    @rule()
    def poll_in_peace(self) -> None:
        """After this, all that is there is known."""
        self.unreadable = False
        complete = bool(self.once_hidden)
        self.hidden.clear()
        self._poll(None, complete=complete, failing=False, dated=True)
        for job in self.jobs.values():
            sight = self.referee.seen[job.id]
            assert sight.open == (job.outcome is None)
            assert sight.open or sight.run == job.run
        assert self.ledger.backlog == 0

    @rule(data=st.data(), complete=st.booleans(), failing=st.booleans(), dated=st.booleans())
    def poll(self, data: st.DataObject, complete: bool, failing: bool, dated: bool) -> None:
        """Poll while TheEye lives on."""
        self._poll(data, complete=complete, failing=failing, dated=dated)

    @rule(data=st.data(), complete=st.booleans())
    def poll_that_a_reload_overtakes(self, data: st.DataObject, complete: bool) -> None:
        """Let another ledger take over in the middle of a poll, which ends when that one has polled."""
        self._poll(data, complete=complete, failing=False, dated=True, overtaken=True)

    def _poll(
        self, data: st.DataObject | None, *, complete: bool, failing: bool, dated: bool, overtaken: bool = False
    ) -> None:
        referee = copy.deepcopy(self.referee)
        date = START + self.now if dated else None
        cursor = self.ledger.cursor
        complete = complete or cursor is None
        since = 0.0 if complete or cursor is None else cursor - OVERLAP
        changed = sorted(
            (copy.deepcopy(job) for job in self._visible() if START + job.updated >= since),
            key=lambda job: job.updated,
        )
        if dated and not changed and not referee.seen:
            referee.listed = self.now
        self._meanwhile(data)
        open_jobs = [copy.deepcopy(job) for job in self._visible() if job.outcome is None]
        cycle = self.ledger.prepare(
            Poll(
                changed=[job.told(with_result=self.results_listed) for job in changed],
                open_jobs=[job.told(with_result=False) for job in open_jobs],
                date=date,
                complete=complete,
                room=UNBOUNDED,
            )
        )
        for job in changed:
            referee.look(job, with_result=self.results_listed)
        for job in open_jobs:
            referee.look(job, with_result=False)
        if complete and changed:
            referee.listed = max(cursor - START if cursor else 0, *(job.updated for job in changed), 0)
            referee.forget_all_but({job.id for job in (*changed, *open_jobs)})
        self._meanwhile(data)
        self._look_at_jobs(cycle, referee)
        if overtaken:
            former, self.ledger = self.ledger, self.ledger.successor(BOUNDS)
            self._poll(data, complete=True, failing=False, dated=dated)
            with pytest.raises(LedgerError):
                former.commit(cycle)
            self.check()
            return
        self.storage.failing = failing
        try:
            self.ledger.commit(cycle)
        except LedgerError:
            assert failing
        else:
            assert not failing
            assert cycle.without_result == referee.lost - self.referee.lost
            self.referee = referee
            self.referee.began = True
        self.check()

    def _look_at_jobs(self, cycle: LedgerUpdate, referee: Referee) -> None:
        for job_id in cycle.wanted():
            found = None if job_id in self.hidden else self.jobs.get(job_id)
            if self.unreadable:
                cycle.fail_result(job_id)
                referee.miss(job_id, run=self.jobs[job_id].run if job_id in self.jobs else 0)
            elif found is None:
                cycle.take_result(job_id, None)
                referee.learn_of_deletion(job_id)
            else:
                cycle.take_result(job_id, found.told(with_result=True))
                referee.look(found, with_result=True)

    def _visible(self) -> list[LivingJob]:
        return [job for job in self.jobs.values() if job.id not in self.hidden]

    def _meanwhile(self, data: st.DataObject | None) -> None:
        if data is not None and data.draw(st.booleans()):
            self.happen(data)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data(), events=st.integers(1, 4))
    def poll_with_another_token_for_a_while(self, data: st.DataObject, events: int) -> None:
        """Let a token that sees less take over when what there is has become old, and give way again."""
        self.now += 2 * TOLERANCE
        self.live(data, events)
        self._poll(None, complete=True, failing=False, dated=True)
        self.hidden = set(data.draw(st.lists(st.sampled_from(sorted({*self.jobs, "none"})))))
        self.once_hidden |= self.hidden
        self._poll(None, complete=True, failing=False, dated=True)
        self.live(data, events)
        self.hidden.clear()
        self._poll(None, complete=True, failing=False, dated=True)

    @precondition(lambda self: self.number)
    @rule()
    def restart(self) -> None:
        """End the exporter and start it anew."""
        self.storage.close()
        self.storage = UnreliableStorage(self.folder / "state")
        self.ledger = RunLedger("demo", self.storage, BOUNDS)
        self.check()

    def check(self) -> None:
        """Compare everything that is counted with what the referee says."""
        counted = {
            (run_key, str(outcome)): count
            for run_key, totals in self.ledger.totals.items()
            for outcome, count in totals.runs.items()
        }
        assert counted == dict(self.referee.runs)
        for run_key, ends in self.ends.items():
            assert sum(count for (whose, _), count in counted.items() if whose == run_key) <= ends
        for run_key in {*self.ledger.totals, *self.referee.last}:
            totals = self.ledger.totals.get(run_key, RunTotals())
            for histogram, expected in (
                (totals.duration, self.referee.durations.get(run_key, [])),
                (totals.turnaround, self.referee.turnarounds.get(run_key, [])),
            ):
                found = (0, 0.0) if histogram is None else (sum(histogram.counts), histogram.sum)
                assert found == (len(expected), sum(expected))
            if run_key in self.referee.last:
                assert totals.consecutive_failures == self.referee.consecutive_failures(run_key)
            last = totals.last
            shown = None if last is None else (last.finished - START, last.job_id, str(last.outcome))
            assert shown == self.referee.last.get(run_key)
        assert {*self.ledger._state.jobs} == self.referee.seen.keys()


Histories.TestCase.settings = hypothesis.settings(max_examples=150, stateful_step_count=40)
TestHistories = Histories.TestCase
