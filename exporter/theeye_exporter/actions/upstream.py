"""TheEye as starts need it, over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from theeye_exporter.actions.rows import Before, Look, Target
from theeye_exporter.theeye.creations import Creation, Fate
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fields import number, text, timestamp
from theeye_exporter.theeye.lifecycle import ENDED_LIFECYCLES
from theeye_exporter.theeye.run_models import RunJob, StartableTask, StartableWorkflow
from theeye_exporter.theeye.starting import StartingClient
from theeye_exporter.theeye.tokens import TokenSource

__all__ = ["HttpUpstream", "NoUpstream"]

_KEPT: Final = 5
"""TheEye's default for the number of jobs of a task that it keeps."""

_DATE_RESOLUTION: Final = 2.0
"""A Date header has whole seconds, and is written after the list was made."""


class HttpUpstream:
    """TheEye over HTTP.

    Args:
        client: The client of the organisation.
        secret: Returns the secret key of the task or workflow, or raises `UpstreamError`; None to start with the token.
        can_look: Whether the client has a token.
    """

    def __init__(self, client: StartingClient, secret: TokenSource | None = None, *, can_look: bool = True) -> None:
        self._client = client
        self._secret = secret
        self.by_secret = secret is not None
        self.can_look = can_look

    def before(self, target: Target) -> Before | None:
        """Return the record of the task that TheEye counts, and check that the target is the organisation's."""
        if not self.can_look:
            return Before(None, None, _KEPT)
        if target.kind == "task":
            task = _only(self._client.startable_tasks(task_id=target.id))
            return None if task is None else _record(task)
        workflows = self._client.startable_workflows(workflow_id=target.id)
        if _only(workflows) is None:
            return None
        first = _only(self._client.startable_tasks(task_id=target.task_id)) if target.task_id else None
        if first is not None:
            return _record(first)
        # The first task of a workflow may not be shared with us: then its count is missing, and a lost answer may stay lost.
        return Before(None if workflows.date is None else workflows.date - _DATE_RESOLUTION, None, _KEPT)

    def token_mark(self) -> str:
        """Return the mark of the token that starts are sent with now; empty without a token."""
        return self._client.token_mark() if self._secret is None else ""

    def create(self, target: Target, arguments: Sequence[tuple[int, Any]], token_mark: str) -> Creation:
        """Send the request, if the token still has this mark; each argument with its order, since TheEye maps plain arrays in a way of its own."""
        values = [{"order": order, "value": value} for order, value in arguments]
        start = self._client.start_task if target.kind == "task" else self._client.start_workflow
        try:
            secret = None if self._secret is None else self._secret()
        except UpstreamError as error:
            return Creation(Fate.NOTHING, why=error.detail)
        return start(target.id, values, secret, token_mark)

    def look(self, target: Target, before: Before) -> Look:
        """Return the count first and then the jobs: one that is created in between is listed."""
        executions = None
        if target.task_id:
            task = _only(self._client.startable_tasks(task_id=target.task_id))
            executions = None if task is None else number(task.execution_count)
        if before.since is None:
            return Look(None, [])
        if target.kind == "task":
            return Look(executions, self._client.jobs_since(before.since, task_id=target.id))
        return Look(executions, self._client.jobs_since(before.since, workflow_id=target.id))

    def open_runs(self, target: Target, since: float) -> list[RunJob]:
        """Return the runs of a task or workflow that were created after a Unix time and have not ended."""
        owner = {"task_id": target.id} if target.kind == "task" else {"workflow_id": target.id}
        jobs = self._client.jobs_since(since, **owner)
        return [job for job in jobs if text(job.lifecycle) not in ENDED_LIFECYCLES]

    def cancel(self, job_id: str) -> None:
        """Ask TheEye to cancel a job."""
        self._client.cancel(job_id)

    def runs(self, job_ids: Sequence[str]) -> Mapping[str, RunJob]:
        """Return the jobs that TheEye lists."""
        return self._client.runs(job_ids)

    def run(self, job_id: str) -> RunJob | None:
        """Return a job in full; None if TheEye has deleted it."""
        return self._client.run(job_id)


class NoUpstream:
    """Stands for TheEye in an organisation that the configuration does not name any more: nothing can be asked there.

    Args:
        organization: The name of the organisation.
    """

    by_secret = False
    can_look = True

    def __init__(self, organization: str) -> None:
        self._why = f"organisation {organization} is not in the configuration any more"

    def _ask(self, *_: Any, **__: Any) -> NoReturn:
        raise UpstreamError(Reason.ORGANIZATION_NOT_FOUND, self._why)

    before = token_mark = create = look = open_runs = cancel = runs = run = _ask


def _only(listing: Listing[StartableTask] | Listing[StartableWorkflow]) -> Any:
    return listing.items[0] if listing.items else None


def _record(task: StartableTask) -> Before:
    kept = number(task.autoremove_completed_jobs_limit)
    return Before(timestamp(task.last_update), number(task.execution_count), int(kept or _KEPT))
