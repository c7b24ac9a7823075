"""Starts tasks and workflows, cancels their jobs, and looks for jobs whose creation was not answered.

Only code that starts or cancels runs may import this module. `serve` and `check` do not, directly or indirectly (docs/adr/0008).
A creation is sent once. It is never repeated here, since an answer that was lost may have been a success.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec
import requests
import urllib3

from theeye_exporter.theeye.client import TheEyeClient
from theeye_exporter.theeye.creations import Answer, Creation, Fate
from theeye_exporter.theeye.deadline import deadline
from theeye_exporter.theeye.decode import Listing
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.failures import error_from_exception
from theeye_exporter.theeye.fields import text, timestamp
from theeye_exporter.theeye.models import Reference
from theeye_exporter.theeye.paging import iso
from theeye_exporter.theeye.run_models import RunJob, StartableTask, StartableWorkflow
from theeye_exporter.theeye.settings import TransportSettings
from theeye_exporter.theeye.tokens import BearerAuth, TokenSource, mark_of
from theeye_exporter.theeye.transport import Session, Transport

__all__ = [
    "MOST_IDS",
    "StartingClient",
    "is_object_id",
]

MOST_IDS: Final = 100
"""Number of job ids in one list; TheEye refuses addresses of about 15 kB."""

_WORKFLOWS_OWN: Final = "WorkflowJob"
_LARGEST_ANSWER: Final = 4 * 2**20
_CHUNK: Final = 64 * 1024
_ID_DIGITS: Final = 24
_HEX: Final = frozenset("0123456789abcdef")

S = TypeVar("S", StartableTask, StartableWorkflow)

_tasks: Final = msgspec.json.Decoder(list[StartableTask])
_workflows: Final = msgspec.json.Decoder(list[StartableWorkflow])
_jobs: Final = msgspec.json.Decoder(list[RunJob])
_job: Final = msgspec.json.Decoder(RunJob)


def is_object_id(value: str) -> bool:
    """Whether a text is an id of TheEye: 24 hexadecimal digits."""
    return len(value) == _ID_DIGITS and _HEX.issuperset(value.lower())


class StartingClient(TheEyeClient):
    """TheEye as seen with one organisation's token, for code that starts runs. Safe for threads.

    Reads raise `UpstreamError`. Single tasks and workflows are read by lists: TheEye never answers a request for a single
    one that is not shared with the user, and does not check to which organisation it belongs.

    Args:
        transport: Sends the requests that read.
        settings: Where to send the others.
        token: The token.
        organization: The name of the organisation.
    """

    def __init__(
        self, transport: Transport, settings: TransportSettings, token: TokenSource, organization: str
    ) -> None:
        super().__init__(transport, organization)
        self._settings = settings
        self._token = token

    # Reading.

    def startable_tasks(self, *, task_id: str = "", name: str = "") -> Listing[StartableTask]:
        """List the tasks that have this id, or this name, and can run."""
        return self._found("/{customer}/task", _tasks, task_id, name)

    def startable_workflows(self, *, workflow_id: str = "", name: str = "") -> Listing[StartableWorkflow]:
        """List the workflows that have this id, or this name."""
        return self._found("/workflows", _workflows, workflow_id, name)

    def _found(self, route: str, decoder: msgspec.json.Decoder[list[S]], object_id: str, name: str) -> Listing[S]:
        query = {"where[_id]": object_id} if object_id else {"where[name]": name}
        listed = self._list(route, decoder, query)
        # A server may ignore the filter.
        items = [one for one in listed.items if (one.id == object_id if object_id else one.name == name)]
        return replace(listed, items=items)

    def jobs_since(self, since: float, *, task_id: str = "", workflow_id: str = "") -> list[RunJob]:
        """List the jobs of a task, or a workflow's own, that were created after a Unix time, oldest first."""
        owner = {"where[task_id]": task_id} if task_id else {"where[workflow_id]": workflow_id}
        listed = self._runs({**owner, "where[creation_date][$gte]": iso(since)})
        # An earlier job can have exactly this time, if it is the task's last change. And a server may ignore the filter.
        jobs = [job for job in listed if (timestamp(job.creation_date) or 0.0) > since]
        if task_id:
            jobs = [job for job in jobs if _task_of(job) == task_id and job.type_name != _WORKFLOWS_OWN]
        else:
            jobs = [job for job in jobs if job.workflow_id == workflow_id and job.type_name == _WORKFLOWS_OWN]
        return sorted(jobs, key=lambda job: text(job.creation_date))

    def runs(self, job_ids: Sequence[str]) -> dict[str, RunJob]:
        """List jobs by their ids, at most `MOST_IDS`; TheEye may have deleted some."""
        if not job_ids:
            return {}
        wanted = set(job_ids[:MOST_IDS])
        return {job.id: job for job in self._runs({"where[_id][$in][]": sorted(wanted)}) if job.id in wanted}

    def _runs(self, query: Mapping[str, str | list[str]]) -> list[RunJob]:
        return self._list("/{customer}/job", _jobs, query).items

    def run(self, job_id: str) -> RunJob | None:
        """Fetch a job in full, with its result; None if TheEye has deleted it."""
        return self._single_job(job_id, _job)

    # Acting.

    def token_mark(self) -> str:
        """Return the mark of the token that is sent now."""
        return mark_of(self._token())

    def start_task(
        self, task_id: str, arguments: Sequence[Mapping[str, Any]], secret: str | None = None, token_mark: str = ""
    ) -> Creation:
        """Start a task.

        Args:
            task_id: Its id.
            arguments: Mappings with `order` and `value`.
            secret: Its secret key, to start it without the token.
            token_mark: The mark of the token that is expected; with another one, nothing is sent.
        """
        path = f"/task/{task_id}/secret/{secret}/job" if secret else f"{self._path}/task/{task_id}/job"
        return self._create(path, arguments, secret, token_mark)

    def start_workflow(
        self, workflow_id: str, arguments: Sequence[Mapping[str, Any]], secret: str | None = None, token_mark: str = ""
    ) -> Creation:
        """Start a workflow; as `start_task`. The arguments are those of its first task."""
        path = f"/workflows/{workflow_id}/secret/{secret}/job" if secret else f"/workflows/{workflow_id}/job"
        return self._create(path, arguments, secret, token_mark)

    def cancel(self, job_id: str) -> None:
        """Ask TheEye to cancel a job; whether it did shows only in the job.

        Raises:
            UpstreamError: TheEye did not take the request; it may be repeated.
        """
        answer = self._send("PUT", f"{self._path}/job/{quote(job_id, safe='')}/cancel", {}, None)
        if answer.status >= requests.codes.multiple_choices:
            raise UpstreamError(Reason.REJECTED, str(answer))

    def _create(
        self, path: str, arguments: Sequence[Mapping[str, Any]], secret: str | None, token_mark: str
    ) -> Creation:
        try:
            answer = self._send("POST", path, {"task_arguments": list(arguments)}, secret, token_mark)
        except _NotSentError as error:
            return Creation(Fate.NOTHING, why=error.detail)
        except UpstreamError as error:
            return Creation(Fate.UNKNOWN, why=error.detail)
        return answer.creation()

    def _send(
        self, method: str, path: str, fields: Mapping[str, Any], secret: str | None, token_mark: str = ""
    ) -> Answer:
        """Send one request, and return the answer.

        Raises:
            _NotSentError: TheEye certainly did not get it.
            UpstreamError: TheEye may have got it, but there was no complete answer.
        """
        try:
            token = None if secret else self._token()
        except UpstreamError as error:
            raise _NotSentError(error.reason, error.detail) from None
        if token is not None and token_mark and mark_of(token) != token_mark:
            raise _NotSentError(Reason.TOKEN_UNREADABLE, "the token was replaced while the start was prepared")
        until = time.monotonic() + self._settings.timeout
        by_query = token is not None and self._settings.auth == "query"
        # A connection of its own: on one that was idle, nobody could tell whether a request arrived.
        with Session(self._settings) as session, deadline(until) as progress:
            try:
                with session.request(
                    method,
                    self._settings.url + path,
                    params={"access_token": token} if by_query else {},
                    auth=BearerAuth(None if by_query else token),
                    headers={"User-Agent": self._settings.user_agent, "Accept": "application/json"},
                    json=fields,
                    allow_redirects=False,
                    stream=True,
                    timeout=(self._settings.timeout / 2, self._settings.timeout),
                ) as response:
                    return Answer(response.status_code, _read(response), secret or token or "")
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as failure:
                known = error_from_exception(failure, progress.step, self._settings.route)
            except UpstreamError as failure:  # such as a file for TLS that cannot be read
                known = failure
            raise (known if progress.connected else _NotSentError(known.reason, known.detail)) from None


class _NotSentError(UpstreamError):
    """The request did not leave: no connection, or no token."""


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    while chunk := response.raw.read(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise UpstreamError(Reason.TOO_LARGE, "the answer is larger than any answer of TheEye")
    return bytes(body)


def _task_of(job: RunJob) -> str:
    return text(job.task_id) or (text(job.task.id) if isinstance(job.task, Reference) else "")
