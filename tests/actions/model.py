"""A TheEye made of a few lists, which may lose answers, be late or be down, and a process that may die at any point."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from theeye_exporter.actions.rows import Before, Look, Row, Target
from theeye_exporter.actions.store import Store
from theeye_exporter.theeye.creations import Creation, Fate
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.run_models import RunJob

US = "us"
KEPT = 5


class Died(BaseException):
    """The process was killed."""


@dataclass
class ModelTask:
    """A task and its jobs."""

    executions: int = 0
    last_update: float = 0.0
    jobs: list[RunJob] = field(default_factory=list)


class Model:
    """The server, and the clock of everybody; each row sends its id as its argument."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.tasks: dict[str, ModelTask] = {}
        self.down = False
        self.created: list[str] = []
        self._late: list[tuple[float, str, str, bool, str]] = []

    def task(self, task_id: str) -> ModelTask:
        return self.tasks.setdefault(task_id, ModelTask(last_update=self.now))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for late in [late for late in self._late if late[0] <= self.now]:
            self._late.remove(late)
            self.create(*late[1:])

    def create_later(self, seconds: float, task_id: str, argument: str, by_secret: bool, user: str) -> None:
        self._late.append((self.now + seconds, task_id, argument, by_secret, user))

    def create(self, task_id: str, argument: str, by_secret: bool, user: str = US, *, broken: bool = False) -> RunJob:
        self.now += 0.001
        task = self.task(task_id)
        job = RunJob(
            id=f"{len(self.created):024x}",
            task_id=task_id,
            user_id=None if by_secret else user,
            origin="secret" if by_secret else "user",
            lifecycle="terminated" if broken else "ready",
            state="error" if broken else "in_progress",
            creation_date=datetime.fromtimestamp(self.now, UTC).isoformat(),
            task_arguments_values=[argument],
        )
        self.created.append(argument)
        task.jobs.append(job)
        for old in [old for old in task.jobs[:-KEPT] if old.lifecycle in {"finished", "terminated"}]:
            task.jobs.remove(old)
        if not broken:
            task.executions += 1
            task.last_update = self.now
        return job

    def finish_all(self) -> None:
        for task in self.tasks.values():
            for job in task.jobs:
                if job.lifecycle == "ready":
                    job.lifecycle, job.state = "finished", "success"


class Mortal:
    """Counts what a process does with the world, and kills it at some of these points."""

    def __init__(self, deaths: set[int]) -> None:
        self._deaths = deaths
        self._done = 0

    def step(self) -> None:
        self._done += 1
        if self._done in self._deaths:
            raise Died


class ModelUpstream:
    """TheEye as seen by the process."""

    can_look = True

    def __init__(self, model: Model, mortal: Mortal, behaviours: Iterator[tuple[str, float]]) -> None:
        self._model = model
        self._mortal = mortal
        self._behaviours = behaviours
        self.by_secret = False
        self.user = US
        """Whose token is in the file."""
        self.replaced: Iterator[str] = iter(())
        """Whose token is put into the file between two readings."""
        self.keyed: dict[str, bool] = {}
        self.hidden: set[str] = set()
        self.stubborn: set[str] = set()

    def _ask(self) -> None:
        self._mortal.step()
        self._model.wait(0.01)
        if self._model.down:
            raise UpstreamError(Reason.TIMEOUT, "down")

    def before(self, target: Target) -> Before | None:
        self._ask()
        task = self._model.task(target.task_id)
        return Before(task.last_update, task.executions, KEPT)

    def token_mark(self) -> str:
        return f"mark of {self.user}"

    def create(self, target: Target, arguments: Sequence[tuple[int, Any]], token_mark: str) -> Creation:
        self._mortal.step()
        self.user = next(self.replaced, self.user)
        self._model.wait(0.01)
        if token_mark not in {"", self.token_mark()}:
            return Creation(Fate.NOTHING, why="the token was replaced")
        what, seconds = next(self._behaviours)
        argument = arguments[0][1] if arguments else ""
        by_secret = self.keyed.get(argument, self.by_secret)
        if self._model.down or what == "nothing":
            return Creation(Fate.NOTHING, why="no connection")
        if what == "refused":
            return Creation(Fate.REFUSED, why="403")
        if what == "late":
            self._model.create_later(seconds, target.task_id, argument, by_secret, self.user)
        if what in {"late", "dropped"}:
            return Creation(Fate.UNKNOWN, why="timeout")
        job = self._model.create(target.task_id, argument, by_secret, self.user, broken=what == "broken")
        self._mortal.step()
        if what == "lost":
            return Creation(Fate.UNKNOWN, why="timeout")
        return Creation(Fate.CREATED, job)

    def look(self, target: Target, before: Before) -> Look:
        self._ask()
        executions = self._model.task(target.task_id).executions
        self._ask()
        since = datetime.fromtimestamp(before.since or 0.0, UTC)
        jobs = self._model.task(target.task_id).jobs
        return Look(executions, [job for job in jobs if datetime.fromisoformat(job.creation_date) > since])

    def runs(self, job_ids: Sequence[str]) -> Mapping[str, RunJob]:
        self._ask()
        every = [job for task in self._model.tasks.values() for job in task.jobs]
        return {job.id: job for job in every if job.id in job_ids and job.id not in self.hidden}

    def run(self, job_id: str) -> RunJob | None:
        self._ask()
        if job_id in self.hidden:
            raise UpstreamError(Reason.TIMEOUT, "never an answer")
        every = [job for task in self._model.tasks.values() for job in task.jobs]
        return next((job for job in every if job.id == job_id), None)

    def open_runs(self, target: Target, since: float) -> list[RunJob]:
        self._ask()
        assert since < self._model.now
        return [job for job in self._model.task(target.task_id).jobs if job.lifecycle == "ready"]

    def cancel(self, job_id: str) -> None:
        job = self.run(job_id)
        if job is not None and job.lifecycle == "ready" and job_id not in self.stubborn:
            job.lifecycle = job.state = "canceled"


class MortalStore:
    """A store of a process that may die before or after each writing; remembers how rows were last."""

    def __init__(self, store: Store, mortal: Mortal, rows: Sequence[Row] = ()) -> None:
        self.store = store
        self._mortal = mortal
        self.last = {row.id: row for row in rows}
        for row in rows:
            store.save(row)

    def save(self, row: Row) -> None:
        self._mortal.step()
        self.store.save(row)
        self.last[row.id] = row
        self._mortal.step()

    def begin(self, row: Row) -> bool:
        self._mortal.step()
        begun = self.store.begin(row)
        if begun:
            self.last[row.id] = row
        self._mortal.step()
        return begun

    def open_rows(self) -> list[Row]:
        return self.store.open_rows()

    def known_jobs(self, task_id: str) -> frozenset[str]:
        return self.store.known_jobs(task_id)

    def user_id(self, token_mark: str) -> str | None:
        return self.store.user_id(token_mark)

    def learn_user_id(self, token_mark: str, user_id: str) -> None:
        self._mortal.step()
        self.store.learn_user_id(token_mark, user_id)
