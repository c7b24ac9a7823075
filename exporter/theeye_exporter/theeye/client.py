"""What the exporter asks of TheEye, in TheEye's terms.

Never sent: `include[]`, which changes values on today's servers, and `hostname`, with which a bot's token would take
jobs off the queue.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar
from urllib.parse import quote

import msgspec

from theeye_exporter.theeye.decode import ITEMS_AT_MOST, Listing, Reader, Reading, decode_list, decode_object, read_list
from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.lifecycle import OPEN_LIFECYCLES
from theeye_exporter.theeye.models import Job, Monitor, Task, Workflow, text, timestamp
from theeye_exporter.theeye.transport import Answer, Transport

__all__ = ["TheEyeClient"]

R = TypeVar("R", bound=Reader)

_PAGE: Final = 1000
_BOTS_JOBS: Final = re.compile(rb'\s*\{\s*"jobs"')

_monitors: Final = msgspec.json.Decoder(list[Monitor])
_tasks: Final = msgspec.json.Decoder(list[Task])
_workflows: Final = msgspec.json.Decoder(list[Workflow])
_jobs: Final = msgspec.json.Decoder(list[Job])
_job: Final = msgspec.json.Decoder(Job)


class TheEyeClient:
    """TheEye as one organisation's token sees it. Safe for threads.

    Every method raises `UpstreamError`.
    """

    _MONITOR_ROUTES: Final = ("/{customer}/resource", "/monitor", "/{customer}/monitor")

    def __init__(self, transport: Transport, organization: str) -> None:
        self.organization = organization
        self._transport = transport
        self._path = "/" + quote(organization, safe="")
        self._monitor_route: str | None = None
        self._judged: str | None = None
        self._verifying = threading.Lock()

    def close(self) -> None:
        """Close the session."""
        self._transport.close()

    def monitors(self, start: Callable[[], R]) -> Reading[R]:
        """Hand all monitors to a reader that `start` makes, in today's shape whatever the server's.

        `/{customer}/resource` checks the organisation, `/monitor` takes it from the token, and `/{customer}/monitor`
        is what servers before 2.0 have. The first that exists is remembered.
        """
        self._verify_token()
        known = [self._monitor_route] if self._monitor_route else []
        for route in dict.fromkeys([*known, *self._MONITOR_ROUTES]):
            try:
                answer = self._transport.get(route, route.replace("/{customer}", self._path))
            except UpstreamError as error:
                if error.reason is not Reason.NOT_FOUND:
                    raise
                continue
            self._monitor_route = route
            return self._read_own(answer, start)
        raise UpstreamError(Reason.NOT_FOUND, "TheEye has none of the routes that list monitors")

    def tasks(self) -> Listing[Task]:
        """List all tasks that can run."""
        # TheEye ignores the organisation in this path and takes the token's.
        self._verify_token()
        answer = self._transport.get("/{customer}/task", f"{self._path}/task")
        items, skipped = decode_list(answer.body, _tasks)
        return Listing(items, skipped, answer.date)

    def workflows(self) -> Listing[Workflow]:
        """List all workflows, none on a server so old that it has no such route."""
        self._verify_token()  # the route knows no organisation but the token's
        try:
            answer = self._transport.get("/workflows", "/workflows")
        except UpstreamError as error:
            if error.no_route:  # a proxy's 404, or that of a wrong address, is no answer
                return Listing([])
            raise
        items, skipped = decode_list(answer.body, _workflows)
        return Listing(items, skipped, answer.date)

    def jobs(self, since: float | None = None) -> Listing[Job]:
        """List jobs, oldest change first, all pages together.

        Args:
            since: Unix time; only jobs whose `last_update` is not before it. A server that ignores the filter gives
                the same result.
        """
        jobs: dict[str, Job] = {}
        skipped: Counter[str] = Counter()
        date = None
        for page in self._job_pages(since):
            jobs |= {job.id: job for job in page.items}
            if len(jobs) > ITEMS_AT_MOST:
                raise UpstreamError(Reason.TOO_LARGE, f"TheEye lists more than {ITEMS_AT_MOST} jobs")
            skipped += page.skipped
            date = page.date
        kept = [job for job in jobs.values() if since is None or (timestamp(job.last_update) or 0) >= since]
        return Listing(kept, skipped, date)

    def open_jobs(self) -> Listing[Job]:
        """List the jobs that have not ended."""
        items, skipped, date = self._get_jobs({"where[lifecycle][$in][]": list(OPEN_LIFECYCLES)})
        return Listing([job for job in items if text(job.lifecycle) in OPEN_LIFECYCLES], skipped, date)

    def job(self, job_id: str) -> Job | None:
        """Fetch a job in full, None if TheEye has deleted it."""
        path = f"{self._path}/job/{quote(job_id, safe='')}"
        try:
            answer = self._transport.get("/{customer}/job/{id}", path)
        except UpstreamError as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise
        return decode_object(answer.body, _job)

    def _job_pages(self, since: float | None) -> Iterator[Listing[Job]]:
        limit = _PAGE
        while True:
            query: dict[str, str | list[str]] = {"sort[last_update]": "1", "limit": str(limit)}
            if since is not None:
                query["where[last_update][$gte]"] = _iso(since)
            items, skipped, date = self._get_jobs(query)
            yield Listing(items, skipped, date)
            listed = len(items) + skipped.total()
            if listed != limit:
                return  # the last page, or everything from a server that knows no limit
            last = max((timestamp(job.last_update) or 0 for job in items), default=0)
            if since is not None and last <= since:
                limit *= 2  # a whole page of one moment: only a larger one gets past it
            since = last

    def _get_jobs(self, query: dict[str, str | list[str]]) -> tuple[list[Job], Counter[str], float | None]:
        try:
            answer = self._transport.get("/{customer}/job", f"{self._path}/job", query)
            items, skipped = decode_list(answer.body, _jobs)
        except UpstreamError as error:
            self._judge(error)
            raise
        self._judge(None)
        return items, skipped, answer.date

    def _read_own(self, answer: Answer, start: Callable[[], R]) -> Reading[R]:
        own, skipped = read_list(answer.body, _monitors, lambda: _Own(self.organization, start()), _flat)
        if own.others:
            skipped["other_organization"] += own.others
        return Reading(own.reader, skipped, answer.date)

    def _judge(self, verdict: UpstreamError | None) -> None:
        """Remember what the list of jobs says of the token."""
        if verdict is None:
            self._judged = self._transport.current_token()
        elif verdict.reason.concerns_everything:
            self._judged = None

    def _verify_token(self) -> None:
        """Make sure that the token is of the organisation and no bot's, before a list that does not check it.

        Some lists take the organisation from the token and say nothing of a wrong one; the list of jobs checks it,
        and tells a bot's token, without harm as long as no hostname is sent. It is asked once per token. If it gives
        no verdict, the list that is asked for has to speak for itself.
        """
        with self._verifying:
            token = self._transport.current_token()
            if self._judged == token:
                return
            try:
                # A server that knows no limit answers with all jobs, of which the beginning will do.
                answer = self._transport.get("/{customer}/job", f"{self._path}/job", {"limit": "1"}, peek=True)
            except UpstreamError as error:
                if error.reason.concerns_everything:
                    raise
                if error.reason is Reason.TIMEOUT:
                    self._judged = token
                    raise  # the time for this attempt is spent
            else:
                if _BOTS_JOBS.match(answer.body):
                    raise UpstreamError(Reason.AGENT_TOKEN, "TheEye answered as it does to bots: an object of jobs")
            self._judged = token


class _Own(Generic[R]):
    """Passes on what is of an organisation.

    Where a token of another one lists monitors of that one, they must not get this one's name.
    """

    def __init__(self, organization: str, reader: R) -> None:
        self._organization = organization
        self.reader = reader
        self.others = 0

    def take(self, items: list[Monitor]) -> None:
        if [monitor.customer_name for monitor in items].count(self._organization) == len(items):
            self.reader.take(items)
            return
        own = [monitor for monitor in items if text(monitor.customer_name) in {"", self._organization}]
        self.others += len(items) - len(own)
        self.reader.take(own)

    def repeats(self) -> bool:
        return self.reader.repeats()


def _flat(monitors: list[Monitor]) -> list[Monitor]:
    # Today's shape has no such field.
    if [monitor.resource for monitor in monitors].count(None) == len(monitors):
        return monitors
    return [monitor.flat() for monitor in monitors]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
